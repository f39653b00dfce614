// The photograph that somebody brought: this browser tab keeps it, since the server does not and no address can hold it.
// After a reload or in another language it is brought again. And of two images that are chosen, the last one counts,
// however long a file takes to arrive.

import { addressed, dropAddress } from "../../core/permalink.js";
import { reportError } from "../../core/status.js";
import { context2d, createCanvas } from "../../draw/canvas.js";

const [STORE, MARK] = ["afa-photo", "afa-photo-mark"];
const SIDE = 1024; // pixels; the server keeps no more of a photograph, see pictures.py
const CLOSE = 40; // milliseconds
const mark = addressed.get("photo");
let wanted = mark && readStored(STORE) && readStored(MARK) === mark ? mark : null; // to be brought again, until it is here
const missing = Boolean(mark) && !wanted; // the address is of one that is not kept here
/** @type {any} */
let newest = null; // file that was chosen last; null: another picture was
/** @type {any} */
let labels = null; // that a photograph had which is brought again
let bringing = false;

/** @param {any} name */
function readStored(name) {
  try {
    return window.sessionStorage.getItem(name);
  } catch {
    return null; // no storage
  }
}

const toDataUrl = (/** @type {Blob} */ blob) => new Promise((done, failed) => {
  const reader = new FileReader();
  reader.onload = () => done(reader.result);
  reader.onerror = failed;
  reader.readAsDataURL(blob);
});

/**
 * A smaller copy, as text, of a photograph that there is no room for.
 *
 * @param {File} file
 */
async function shrink(file) {
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, SIDE / Math.max(picture.width, picture.height));
  const canvas = createCanvas(Math.round(picture.width * scale), Math.round(picture.height * scale));
  context2d(canvas).drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.95);
}

/**
 * Keep a file with the mark that the server gave its picture; where that fails a sentence says so after a reload.
 *
 * @param {File} file
 * @param {any} mark
 */
async function keep(file, mark) {
  try {
    window.sessionStorage.removeItem(STORE);
    window.sessionStorage.setItem(MARK, mark);
    const put = (/** @type {any} */ text) => window.sessionStorage.setItem(STORE, JSON.stringify({ name: file.name, text }));
    const text = await toDataUrl(file);
    try {
      put(text);
    } catch {
      put(await shrink(file));
    }
  } catch (error) {
    console.info(error);
  }
}

async function reopen() {
  bringing = true;
  const { name, text } = JSON.parse(readStored(STORE) ?? "null");
  const blob = await (await fetch(text)).blob();
  const chosen = new DataTransfer();
  chosen.items.add(new File([blob], name, { type: blob.type }));
  const input = /** @type {HTMLInputElement} */ (document.querySelector("#afa-pick input[type=file]"));
  input.files = chosen.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

/** Another picture than a photograph was chosen. */
export function dismiss() {
  if (wanted) dropAddress(); // the rest of it was the photograph's
  [newest, wanted] = [null, null];
}

/**
 * Whether an explanation must wait for the photograph, which is brought once the settings are here.
 *
 * @param {any} raw
 */
export function mustWait(raw) {
  if (!wanted || raw.photo) return false;
  if (raw.linked && !bringing) {
    labels = addressed.get("labels")?.split(",").filter((name) => raw.names.includes(name)) ?? null;
    reopen().catch((error) => {
      dismiss();
      reportError(error);
    });
  }
  return true;
}

/**
 * An explanation is drawn.
 *
 * @param {any} raw
 */
export function noteTrace(raw) {
  if (!raw.photo || raw.partial) return;
  [wanted, bringing] = [null, false];
  if (newest && readStored(MARK) !== raw.photo) keep(newest, raw.photo);
}

/** Whether the photograph of the address is still to be brought again. */
export const isAwaited = () => Boolean(wanted);

/** Whether the address names a photograph that is not kept here. */
export const isMissing = () => missing;

let opened = 0; // number of the newest image that was asked for

/**
 * Asked by gradio with the inputs of what opens an image, before they are sent. Questions that follow each other closely
 * may overtake each other on their way: of these only the last one is asked, the others lose their first input.
 *
 * @param {any[]} inputs
 */
async function onOpened(inputs) {
  const mine = ++opened;
  await new Promise((done) => { setTimeout(done, CLOSE); });
  return mine === opened ? inputs : [null, ...inputs.slice(1)];
}

/**
 * The same of a file that has arrived, with its labels where it is brought again. One that was overtaken while it came
 * opens nothing.
 *
 * @param {any} first
 */
function onUploaded([file, , ...rest]) {
  const fits = newest && file?.orig_name === newest.name && (file.size ?? newest.size) === newest.size;
  return fits ? onOpened([file, bringing ? labels : null, ...rest]) : [null, null, ...rest];
}

/** Follow what is chosen in gradio's column of images. */
export function listen() {
  const picker = document.querySelector("#afa-pick");
  picker?.addEventListener("click", (/** @type {any} */ event) => { if (event.target.closest(".thumbnail-item")) dismiss(); }, true);
  picker?.addEventListener("change", (/** @type {any} */ event) => {
    if (event.target.type === "file") [newest] = event.target.files;
  }, true);
  Object.assign(window, { afaOpened: onOpened, afaUploaded: onUploaded });
}
