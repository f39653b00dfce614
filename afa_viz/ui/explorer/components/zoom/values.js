// The values under the pointer.

import { store } from "../../core/store.js";
import { text } from "../../core/words.js";
import { context2d, createCanvas } from "../../draw/canvas.js";
import { readings } from "../../draw/readings.js";

/** @type {{of: HTMLImageElement | null, pixels: Uint8ClampedArray}} */
const colours = { of: null, pixels: new Uint8ClampedArray() };

const at = (/** @type {number} */ share, /** @type {number} */ count) => Math.min(count - 1, Math.floor(share * count));

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
  const [red, green, blue] = colours.pixels.slice(place, place + 3);
  const said = [text("zoom.colour", { red, green, blue })];
  const shown = readings.get(canvas);
  if (shown) {
    const [rows, cols] = shown.grid;
    const value = shown.wordsOf(at(v, rows) * cols + at(u, cols));
    if (value) said.push(text("zoom.value", { value }));
  }
  return said;
}
