// Maps of scores over an image.

import { imagePixels } from "./background.js";
import { context2d, createCanvas } from "./canvas.js";
import { paintWith } from "./repaint.js";

/**
 * A map as a small coloured canvas.
 *
 * @param {ByteMap} map
 * @param {Uint8ClampedArray} table
 */
export function mapToCanvas(map, table) {
  const canvas = createCanvas(map.cols, map.rows);
  const context = context2d(canvas);
  const pixels = context.createImageData(map.cols, map.rows);
  const out = new Uint32Array(pixels.data.buffer);
  const colours = new Uint32Array(table.buffer);
  for (let i = 0; i < out.length; i++) out[i] = colours[map.bytes[i]];
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/**
 * Fill a canvas: a ground, over it a map as squares or smooth. `opacityNow()` is asked now and at each `repaint`.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLCanvasElement | HTMLImageElement} ground
 * @param {ByteMap} map
 * @param {Uint8ClampedArray} table
 * @param {boolean} smooth
 * @param {() => number} opacityNow
 */
export function paintHeatmap(canvas, ground, map, table, smooth, opacityNow) {
  const colours = mapToCanvas(map, table);
  paintWith(canvas, () => {
    const context = context2d(canvas);
    context.putImageData(imagePixels(ground, canvas.width, canvas.height), 0, 0);
    context.imageSmoothingEnabled = smooth;
    context.globalAlpha = opacityNow();
    context.drawImage(colours, 0, 0, canvas.width, canvas.height);
    context.globalAlpha = 1;
  });
}
