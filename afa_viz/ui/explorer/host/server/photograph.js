// The photograph that somebody brought: this browser tab keeps it, since the server does not and no address can hold it.
// After a reload or in another language it is brought again. And of two images that are chosen, the last one counts,
// however long a file takes to arrive.

import { buildPhotoInput } from "../../components/photo_input.js";
import { addressed, dropAddress } from "../../core/permalink.js";
import { translateServerText } from "../../core/server_words.js";
import { reportError } from "../../core/status.js";
import { store } from "../../core/store.js";
import { text } from "../../core/words.js";

const [STORE, MARK] = ["afa-photo", "afa-photo-mark"];
const CLOSE = 40; // milliseconds
const mark = addressed.get("photo");
let wanted = mark && readStored(STORE) && readStored(MARK) === mark ? mark : null; // to be brought again, until it is here
const missing = Boolean(mark) && !wanted; // the address is of one that is not kept here
/** @type {any} */
let newest = null; // file that was sent last; null: another picture was chosen
/** @type {{path: string, mask: Blob | null, model: string}} */
let sentFile = { path: "", mask: null, model: "" }; // where the server has it, and the mask of this model's classes
/** @type {File | null} */
let waitingMask = null; // came with the photograph that is on its way
/** @type {any} */
let labels = null; // that a photograph had which is brought again
let bringing = false;

/** @type {any} */
let onDevice = null; // the switch, where there is one
/** @type {typeof import("./device.js") | null} */
let device = null;
/** @type {import("../host.js").Question} */
let ask;

async function loadDevice() {
  device = await import("./device.js");
  return device;
}

async function loadSending() {
  const sending = await import("./send.js");
  sending.start();
  return sending;
}

/** @param {any} name */
function readStored(name) {
  try {
    return window.sessionStorage.getItem(name);
  } catch {
    return null; // no storage
  }
}

async function reopen() {
  bringing = true;
  const { name, text, mask: kept } = JSON.parse(readStored(STORE) ?? "null");
  const blob = await (await fetch(text)).blob();
  await open(new File([blob], name, { type: blob.type }), kept ? await (await fetch(kept)).blob() : null);
}

/** @type {import("../../components/photo_input.js").PhotoInput} */
let input;
/** @type {(asked: {path: string, labels: string[] | null, mask: string | null}) => void} */
let explain;
let chosen = 0; // number of the file that was chosen last, or of another image

/**
 * Send a file and have it explained, unless something else is chosen meanwhile.
 *
 * @param {File} file
 * @param {Blob | null} [mask] its ground truth, as the mask editor makes it
 */
async function open(file, mask = null) {
  const mine = ++chosen;
  const isLate = () => mine !== chosen;
  try {
    const sent = await (await loadSending()).deliver(file, mask, input, isLate);
    if (!sent) return;
    newest = sent.file;
    sentFile = { path: sent.path, mask, model: store.trace?.model };
    explain({ path: sent.path, labels: bringing ? labels : null, mask: sent.mask });
  } catch (/** @type {any} */ error) {
    if (isLate()) return;
    input.fail(error.refused ? translateServerText(error.refused) : text("side.unreachable"));
    if (bringing) dismiss();
  }
}

/** Open the editor of the ground truth for the photograph that is shown. */
async function addMask(/** @type {File | null} */ file = null) {
  if (device?.addMask()) return;
  const { openMask } = await import("../../components/mask/editor.js");
  openMask((png) => { if (newest) open(newest, png); }, file ?? (sentFile.model === store.trace.model ? sentFile.mask : null));
}

async function take(/** @type {File} */ file, /** @type {File | null} */ mask) {
  if (!onDevice?.checked) {
    device?.leave();
    waitingMask = mask;
    open(file);
    return;
  }
  dismiss(false);
  const mine = chosen;
  try {
    await (await loadDevice()).open(file, mask, { ask, input, isLate: () => mine !== chosen });
  } catch (/** @type {any} */ error) {
    if (mine === chosen) input.fail(error.refused ? translateServerText(error.refused) : text("side.unreachable"));
  }
}

/** Another picture than a photograph was chosen, or `byServer` false, one that this device explains. */
export function dismiss(byServer = true) {
  if (byServer) device?.leave();
  if (wanted) dropAddress(); // the rest of it was the photograph's
  [newest, wanted, waitingMask] = [null, null, null];
  chosen += 1;
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
  input?.offerMask(Boolean(raw.photo && newest));
  if (!raw.photo || raw.partial) return;
  [wanted, bringing] = [null, false];
  if (newest && readStored(MARK) !== raw.photo) {
    const file = newest;
    loadSending().then(({ keep }) => keep([STORE, MARK], { file, mark: raw.photo, mask: sentFile.mask })).catch(console.info);
  }
  if (newest) {
    const [file, { mask }] = [newest, sentFile];
    import("../../components/guide/photo_card.js").then(({ keepCard }) => keepCard(raw.photo, file, () => {
      device?.leave();
      open(file, mask);
    })).catch(console.info);
  }
  if (waitingMask) addMask(waitingMask);
  waitingMask = null;
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
 * Follow what is chosen in gradio's column of images.
 *
 * @param {(asked: {path: string, labels: string[] | null, mask: string | null}) => void} onFile explains an uploaded file
 * @param {import("../host.js").Question} network what the server says of the network for this device
 */
export function listen(onFile, network) {
  [explain, ask] = [onFile, network];
  Object.assign(window, { afaOpened: onOpened });
  const picker = document.querySelector("#afa-pick");
  picker?.addEventListener("click", (/** @type {any} */ event) => {
    if (event.target.closest(".thumbnail-item")) {
      dismiss();
      input.clear();
    }
  }, true);
  const box = picker?.querySelector(".afa-upload");
  if (!box) return;
  input = buildPhotoInput(box, take, () => addMask());
  onDevice = picker?.querySelector(".afa-device input");
  onDevice?.addEventListener("change", async () => { if (onDevice.checked) (await loadDevice()).prepare(box, ask, input); });
}
