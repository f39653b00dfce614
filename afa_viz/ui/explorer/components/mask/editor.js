// A ground truth for one's own photograph: a mask file whose values are assigned to classes, or painted, or both. Loaded
// when it is first opened.

import { page } from "../../core/dom.js";
import { takeLaterTexts } from "../../core/later.js";
import { classColour } from "../../core/selection.js";
import { store, view } from "../../core/store.js";
import { text, translateClass } from "../../core/words.js";
import { context2d, createCanvas } from "../../draw/canvas.js";
import { guessClasses, IGNORE, labelsOf, maskOf, paintDisc, UNPAINTED } from "./mask.js";

const SIDE = 1024; // pixels of the longer side that are kept
const SHAPE = 0.02; // by which the shapes of mask and photograph may differ
const OPACITY = 0.6;

/** @type {HTMLDialogElement | null} */
let dialog = null;
/** @type {import("./mask.js").Mask} */
let mask;
/** @type {number[]} */
let classes = []; // label of each value
/** @type {Uint8Array} */
let painted;
/** @type {(png: Blob) => void} */
let use;
let opened = 0; // number of files until now

const find = (/** @type {string} */ selector) => /** @type {any} */ (dialog?.querySelector(selector));
const say = (/** @type {string} */ words) => { find(".afa-mask-words").textContent = words; };

/** `option`s of every label. */
const options = () => [...store.trace.names.map((name, label) => [label, translateClass(name)]), [IGNORE, text("mask.ignore")]]
  .map(([label, name]) => Object.assign(document.createElement("option"), { value: String(label), textContent: String(name) }));

function build() {
  dialog = document.createElement("dialog");
  dialog.className = "afa-mask";
  dialog.setAttribute("aria-label", text("mask.title"));
  dialog.innerHTML = `<h2></h2><p class="afa-mask-intro"></p>
    <div class="afa-mask-tools"><label class="afa-choose"><input type="file" accept="image/*"><span></span></label>
      <label><span></span> <select data-mask="brush"></select></label>
      <label><span></span> <input type="range" data-mask="size" min="1" max="20" value="5"></label>
      <button type="button" data-mask="clear"></button></div>
    <div class="afa-mask-body"><canvas role="img" tabindex="0"></canvas><div class="afa-mask-values"></div></div>
    <p class="afa-mask-words" role="status"></p>
    <div class="afa-mask-tools afa-mask-end"><button type="button" data-mask="save"></button>
      <button type="button" data-mask="cancel"></button>
      <button type="button" data-mask="use"></button></div>`;
  page.root.append(dialog);
  const words = { h2: "title", ".afa-mask-intro": "intro", ".afa-choose span": "file", "label:nth-of-type(2) span": "brush",
    "label:nth-of-type(3) span": "size", '[data-mask="clear"]': "clear", '[data-mask="save"]': "save",
    '[data-mask="cancel"]': "cancel", '[data-mask="use"]': "use" };
  for (const [selector, key] of Object.entries(words)) find(selector).textContent = text(`mask.${key}`);
  find("canvas").setAttribute("aria-label", text("mask.canvas"));
  find("input[type=file]").addEventListener("change", (/** @type {any} */ { target }) => {
    if (target.files[0]) load(target.files[0]);
    target.value = "";
  });
  find('[data-mask="clear"]').addEventListener("click", () => {
    painted.fill(UNPAINTED);
    draw();
  });
  find('[data-mask="cancel"]').addEventListener("click", () => dialog?.close());
  find('[data-mask="save"]').addEventListener("click", save);
  find('[data-mask="use"]').addEventListener("click", async () => {
    const png = await greyPng();
    dialog?.close();
    use(png);
  });
  dialog.addEventListener("dragover", (event) => event.preventDefault());
  dialog.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation(); // it is no photograph
    if (event.dataTransfer?.files[0]) load(event.dataTransfer.files[0]);
  });
  listenToBrush(find("canvas"));
}

/** @param {HTMLCanvasElement} canvas */
function listenToBrush(canvas) {
  /** @type {number[] | null} */
  let last = null;
  const stroke = (/** @type {PointerEvent} */ event) => {
    const box = canvas.getBoundingClientRect();
    const to = [((event.clientX - box.left) / box.width) * mask.width, ((event.clientY - box.top) / box.height) * mask.height];
    const from = last ?? to;
    const radius = Math.max(1, (find('[data-mask="size"]').value / 100) * Math.max(mask.width, mask.height));
    const steps = Math.max(1, Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) / (radius / 2)));
    for (let i = 1; i <= steps; i++) {
      const [x, y] = [0, 1].map((axis) => from[axis] + ((to[axis] - from[axis]) * i) / steps);
      paintDisc(painted, mask.width, { x, y, radius, label: Number(find('[data-mask="brush"]').value) });
    }
    last = to;
    draw();
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = null;
    stroke(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (canvas.hasPointerCapture(event.pointerId)) stroke(event); });
}

/** A mask of one value over all of the photograph. */
function empty() {
  const { width, height } = store.scene.image;
  setMask({ width, height, places: new Uint8Array(width * height), colours: [0], shares: [1] }, [0]);
}

/** @param {import("./mask.js").Mask} next @param {number[]} labels */
function setMask(next, labels) {
  [mask, classes, painted] = [next, labels, new Uint8Array(next.places.length).fill(UNPAINTED)];
  const canvas = find("canvas");
  [canvas.width, canvas.height] = [mask.width, mask.height];
  canvas.style.aspectRatio = `${mask.width} / ${mask.height}`;
  const isFile = mask.colours.length > 1;
  find(".afa-mask-values").replaceChildren(...mask.colours.map((colour, i) => {
    const row = document.createElement("label");
    const swatch = document.createElement("i");
    swatch.style.background = isFile ? `#${colour.toString(16).padStart(6, "0")}` : "transparent";
    const name = document.createElement("span");
    const grey = (colour & 255) * 0x10101 === colour ? String(colour & 255) : `#${colour.toString(16).padStart(6, "0")}`;
    name.textContent = isFile ? text("mask.value", { value: grey, percent: (100 * mask.shares[i]).toFixed(1) }) : text("mask.rest");
    const select = document.createElement("select");
    select.append(...options());
    select.value = String(classes[i]);
    select.addEventListener("change", () => {
      classes[i] = Number(select.value);
      draw();
    });
    row.append(swatch, name, select);
    return row;
  }));
  draw();
}

function draw() {
  const canvas = find("canvas");
  const context = context2d(canvas, { willReadFrequently: true });
  context.drawImage(store.scene.grey, 0, 0, canvas.width, canvas.height);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  labelsOf(mask, classes, painted).forEach((label, i) => {
    const colour = label === IGNORE ? [255, 255, 255] : classColour(label);
    if (!colour || (label === IGNORE && (i + Math.floor(i / mask.width)) % 8 > 3)) return; // hatched
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] += OPACITY * (colour[c] - pixels.data[4 * i + c]);
  });
  context.putImageData(pixels, 0, 0);
}

/** While a file is being read there is no mask to paint, to save or to use. */
function setReading(/** @type {boolean} */ is) {
  for (const name of ["clear", "save", "use"]) find(`[data-mask="${name}"]`).disabled = is;
  find("canvas").inert = is;
}

/** @param {Blob} file */
async function load(file) {
  say("");
  const number = ++opened;
  setReading(true);
  const picture = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" }).catch(() => null);
  if (number !== opened) return; // another one was chosen meanwhile
  setReading(false);
  if (!picture) {
    say(text("mask.unreadable"));
    return;
  }
  const { width, height } = store.scene.image;
  if (Math.abs((picture.width * height) / (picture.height * width) - 1) > SHAPE) {
    say(text("mask.shape", { width: picture.width, height: picture.height, own_width: width, own_height: height }));
    return;
  }
  const scale = Math.min(1, SIDE / Math.max(picture.width, picture.height));
  const canvas = createCanvas(Math.round(picture.width * scale), Math.round(picture.height * scale));
  const context = context2d(canvas, { willReadFrequently: true });
  context.imageSmoothingEnabled = false; // values are not mixed
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const found = maskOf(context.getImageData(0, 0, canvas.width, canvas.height));
  if (!found) {
    say(text("mask.colours"));
    return;
  }
  const { palette, classes: present, main } = store.trace;
  const labels = [...new Set([view.label || main, ...present.map(({ label }) => label)])];
  setMask(found, guessClasses(found.colours, palette, labels));
}

/** @returns {Promise<Blob>} the labels as grey levels */
function greyPng() {
  const labels = labelsOf(mask, classes, painted);
  const canvas = createCanvas(mask.width, mask.height);
  const context = context2d(canvas);
  const pixels = context.createImageData(mask.width, mask.height);
  labels.forEach((label, i) => pixels.data.set([label, label, label, 255], 4 * i));
  context.putImageData(pixels, 0, 0);
  return new Promise((done) => { canvas.toBlob((png) => done(/** @type {Blob} */ (png)), "image/png"); });
}

/** The file that the copied program reads. */
async function save() {
  const address = URL.createObjectURL(await greyPng());
  Object.assign(document.createElement("a"), { href: address, download: "mask.png" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/**
 * Open the editor for the photograph that is shown.
 *
 * @param {(png: Blob) => void} onUse takes the mask as a grey PNG of labels
 * @param {Blob | null} [file] a mask
 */
export function openMask(onUse, file = null) {
  takeLaterTexts();
  if (!dialog) build();
  use = onUse;
  const brush = find('[data-mask="brush"]');
  brush.replaceChildren(...options());
  brush.value = String(view.label || 1);
  say("");
  opened++; // what an earlier opening still reads is not for this one
  setReading(false);
  empty();
  if (!dialog?.open) dialog?.showModal();
  if (file) load(file);
}
