// A photograph on its way to the server: made smaller where that saves time, and sent with its progress.

import { takeLaterTexts } from "../../core/later.js";
import { tables } from "../../core/tables.js";
import { text } from "../../core/words.js";
import { context2d, createCanvas } from "../../draw/canvas.js";

const SIDE = 1024; // pixels; the server keeps no more of a photograph, see sessions/images.py
const SMALL = 2 ** 20; // bytes that are sent as they are
const ONLY_HERE = /hei[cf]/i; // formats that some browsers decode and few servers
const QUALITY = 0.95;

/** Whatever is said of sending comes with this part of the page. */
export const start = takeLaterTexts;

/** @param {Blob} file */
async function sizeOf(file) {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  try {
    await new Promise((done, failed) => Object.assign(image, { onload: done, onerror: failed })); // decodes no pixel
    return { width: image.naturalWidth, height: image.naturalHeight };
  } finally {
    URL.revokeObjectURL(image.src);
  }
}

/**
 * A copy with its longer side at `SIDE` at most, upright and on white. Throws where the browser cannot decode the file.
 *
 * @param {Blob} file
 * @returns {Promise<Blob>}
 */
async function shrink(file) {
  const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = Math.min(1, SIDE / Math.max(picture.width, picture.height));
  const canvas = createCanvas(Math.max(1, Math.round(picture.width * scale)), Math.max(1, Math.round(picture.height * scale)));
  const context = context2d(canvas);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return new Promise((done, failed) => {
    canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("no picture"))), "image/jpeg", QUALITY);
  });
}

/**
 * The file to send in place of a photograph: a smaller copy where the file is large and the browser knows its format;
 * else the file itself, of which the server says what is wrong with it.
 *
 * @param {File} file
 * @returns {Promise<File>}
 */
async function prepared(file) {
  const foreign = ONLY_HERE.test(file.type || file.name) && !tables.uploads.megapixels.HEIC;
  if (file.size <= SMALL && !foreign) return file;
  try {
    const { width, height } = await sizeOf(file);
    const fits = Math.max(width, height) <= SIDE;
    if ((fits && !foreign) || width * height > tables.uploads.megapixels.JPEG * 1e6) return file;
    const copy = await shrink(file);
    return copy.size < file.size || foreign ? new File([copy], file.name, { type: copy.type }) : file;
  } catch {
    return file; // of a format that this browser does not decode
  }
}

/**
 * Send a file; returns its path on the server.
 *
 * Throws an error with the sentence of a server that refuses it in `refused`.
 *
 * @param {Blob & {name?: string}} file
 * @param {(share: number) => void} onProgress
 * @returns {Promise<string>}
 */
function send(file, onProgress) {
  const form = new FormData();
  form.append("files", file, file.name ?? "photograph");
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(total ? loaded / total : 1));
    request.addEventListener("load", () => {
      if (request.status === 200) done(JSON.parse(request.responseText)[0]);
      else failed(Object.assign(new Error(request.statusText), { refused: request.responseText }));
    });
    request.addEventListener("error", () => failed(new Error("the server cannot be reached")));
    request.open("POST", `${window.gradio_config?.root ?? ""}/gradio_api/upload`);
    request.send(form);
  });
}

/**
 * Send a photograph, and its mask where it has one, with progress. null if something else was chosen meanwhile.
 *
 * Throws an error, with a sentence in `refused` where the server or a limit refuses the file.
 *
 * @param {File} file
 * @param {Blob | null} mask
 * @param {import("../../components/photo_input.js").PhotoInput} input
 * @param {() => boolean} isLate
 */
export async function deliver(file, mask, input, isLate) {
  input.progress(text("photo.preparing"));
  const copy = await prepared(file);
  if (isLate()) return null;
  const { mb } = tables.uploads;
  if (copy.size > mb * 2 ** 20) {
    throw Object.assign(new Error(), { refused: text("refused.file_size", { size: Math.ceil(copy.size / 2 ** 20), most: mb }) });
  }
  const path = await send(copy, (share) => {
    if (!isLate()) input.progress(text("photo.sending", { percent: Math.floor(100 * share) }), share);
  });
  const maskPath = mask && !isLate() ? await send(mask, () => {}) : null;
  if (isLate()) return null;
  input.clear();
  return { file: copy, path, mask: maskPath };
}

const toDataUrl = (/** @type {Blob} */ blob) => new Promise((done, failed) => {
  const reader = new FileReader();
  reader.onload = () => done(reader.result);
  reader.onerror = failed;
  reader.readAsDataURL(blob);
});

/**
 * Keep a file with the mark that the server gave its picture; where that fails a sentence says so after a reload.
 *
 * @param {string[]} names under which the browser tab keeps both
 * @param {{file: File, mark: string, mask: Blob | null}} kept
 */
export async function keep([store, marks], { file, mark, mask }) {
  try {
    window.sessionStorage.removeItem(store);
    window.sessionStorage.setItem(marks, mark);
    const ground = mask && await toDataUrl(mask);
    const put = (/** @type {any} */ text) => window.sessionStorage.setItem(store, JSON.stringify({ name: file.name, text, mask: ground }));
    const text = await toDataUrl(file);
    try {
      put(text);
    } catch {
      put(await toDataUrl(await shrink(file)));
    }
  } catch (error) {
    console.info(error);
  }
}
