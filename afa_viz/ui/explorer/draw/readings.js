// What each canvas shows at a point, as words.

import { store } from "../core/store.js";
import { text } from "../core/words.js";
import { context2d, createCanvas } from "./canvas.js";

/** @type {WeakMap<HTMLCanvasElement, (v: number, u: number) => string>} */
const readings = new WeakMap();
/** @type {{of: HTMLImageElement | null, pixels: Uint8ClampedArray | null}} */
const colours = { of: null, pixels: null };

const at = (/** @type {number} */ share, /** @type {number} */ count) => Math.min(count - 1, Math.floor(share * count));

/**
 * Remember the map that a canvas shows.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number[]} grid
 * @param {(index: number) => string} wordsOf of a place in the map
 */
export function rememberMap(canvas, [rows, cols], wordsOf) {
  readings.set(canvas, (v, u) => wordsOf(at(v, rows) * cols + at(u, cols)));
}

/**
 * The colour of the image at shares of its height and width, and the value of the map that a canvas shows there.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number} v
 * @param {number} u
 * @returns {string[]}
 */
export function valueAt(canvas, v, u) {
  const { image } = store.scene;
  if (colours.of !== image) {
    const context = context2d(createCanvas(image.width, image.height), { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    Object.assign(colours, { of: image, pixels: context.getImageData(0, 0, image.width, image.height).data });
  }
  const place = 4 * (at(v, image.height) * image.width + at(u, image.width));
  const [red, green, blue] = /** @type {Uint8ClampedArray} */ (colours.pixels).slice(place, place + 3);
  const shown = readings.get(canvas)?.(v, u);
  return [text("zoom.colour", { red, green, blue }), ...(shown ? [text("zoom.value", { value: shown })] : [])];
}
