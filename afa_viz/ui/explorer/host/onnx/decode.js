// A file of a visitor's as the pixels that the network gets: checked, upright, on white, RGB, resized as `explain` does.
// The limits are those of the app, ui/sessions/images.py.

import { fitSize, resampleColumns, resampleRows, tapsOf } from "./resample.js";

const KEPT = 1024; // pixels of the longer side that the app keeps of an upload, and makes a mask fit
const LIMITS = { bytes: 32 * 2 ** 20, pixels: 40_000_000, side: 16, ratio: 8 };
const STRIP = 2 ** 22; // bytes of pixels that are read at once

/** Why an image cannot be explained: the key of a text and its places. */
class ImageError extends Error {
  constructor(/** @type {string} */ key, /** @type {{[name: string]: any}} */ places = {}) {
    super(key);
    Object.assign(this, { key, places });
  }
}

export { ImageError };

/** Throws an `ImageError` for an image that is too large, too small or too narrow. */
export function checkSize(/** @type {number} */ width, /** @type {number} */ height) {
  const size = { width, height };
  if (width * height > LIMITS.pixels) throw new ImageError("refused.far_too_many", { most: LIMITS.pixels / 1e6 });
  if (Math.min(width, height) < LIMITS.side) throw new ImageError("refused.small", { ...size, least: LIMITS.side });
  if (Math.max(width, height) > LIMITS.ratio * Math.min(width, height)) {
    throw new ImageError("refused.narrow", { ...size, times: LIMITS.ratio });
  }
}

/**
 * @param {Blob} file
 * @param {number} longSide pixels
 * @returns {Promise<{rgb: Uint8ClampedArray, size: Size, kept: Size}>} (H, W, 3), (H, W), and the size that the app keeps
 */
export async function decode(file, longSide) {
  if (!file.size) throw new ImageError("site.no_image_file");
  if (file.size > LIMITS.bytes) {
    throw new ImageError("refused.file_size", { size: Math.round(file.size / 2 ** 20), most: LIMITS.bytes / 2 ** 20 });
  }
  /** @type {ImageBitmap} */
  let image;
  try {
    image = await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  } catch {
    throw new ImageError("site.no_image_file");
  }
  try {
    const { width, height } = image;
    checkSize(width, height);
    const [rows, cols] = fitSize([height, width], longSide);
    const across = tapsOf(width, cols);
    const narrow = new Uint8ClampedArray(height * cols * 3);
    const strip = Math.max(1, Math.min(height, Math.floor(STRIP / (4 * width))));
    const context = new OffscreenCanvas(width, strip).getContext("2d", { willReadFrequently: true });
    if (!context) throw new ImageError("site.no_image_file");
    context.fillStyle = "white";
    for (let y = 0; y < height; y += strip) {
      const count = Math.min(strip, height - y);
      context.fillRect(0, 0, width, strip);
      context.drawImage(image, 0, y, width, count, 0, 0, width, count);
      resampleRows(context.getImageData(0, 0, width, count).data, count, width, across, narrow, y);
    }
    const kept = Math.max(height, width) > KEPT ? fitSize([height, width], KEPT) : [height, width];
    return { rgb: resampleColumns(narrow, cols, tapsOf(height, rows)), size: [rows, cols], kept };
  } finally {
    image.close();
  }
}

/**
 * A ground truth, a grey image of labels, at the size of its photograph: (H, W), each pixel that of the nearest one; by way of
 * the size that the app keeps, so that the same pixels are taken.
 *
 * @param {Blob} file
 * @param {{size: Size, kept: Size}} photograph
 */
export async function decodeMask(file, { size: [height, width], kept }) {
  const image = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const [rows, cols] = [image.height, image.width];
  const context = new OffscreenCanvas(cols, rows).getContext("2d", { willReadFrequently: true });
  if (!context) throw new ImageError("mask.unreadable");
  context.drawImage(image, 0, 0);
  image.close();
  const { data } = context.getImageData(0, 0, cols, rows);
  const nearest = (/** @type {number} */ place, /** @type {number} */ from, /** @type {number} */ to) => (
    Math.floor(((place + 0.5) * from) / to));
  const [down, across] = [[height, kept[0], rows], [width, kept[1], cols]].map(([to, by, from]) => (
    Array.from({ length: to }, (_, place) => nearest(nearest(place, by, to), from, by))));
  return Uint8Array.from({ length: height * width }, (_, i) => data[4 * (down[Math.floor(i / width)] * cols + across[i % width])]);
}

/** (H, W, 3) as the address of a PNG. */
export async function toAddress(/** @type {Uint8ClampedArray} */ rgb, /** @type {Size} */ [height, width]) {
  const canvas = new OffscreenCanvas(width, height);
  const pixels = new ImageData(width, height);
  pixels.data.fill(255);
  for (let i = 0; i < width * height; i++) for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = rgb[3 * i + c];
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
  const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer());
  let letters = "";
  for (const byte of bytes) letters += String.fromCharCode(byte);
  return `data:image/png;base64,${btoa(letters)}`;
}

/** Eight letters that tell images, or masks, apart: FNV-1a of their bytes. */
export function markOf(/** @type {Uint8ClampedArray | Uint8Array} */ bytes) {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
