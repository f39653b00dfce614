// The pixels of an image at the few sizes it is drawn at: reading them from a canvas is slow.

import { context2d, createCanvas } from "./canvas.js";

const pixelCache = new WeakMap(); // picture -> its pixels at the few sizes it is drawn at
const MAX_SIZES = 6; // kept of a picture

/**
 * A picture's pixels at a size, not to be changed; read from the canvas only once, since that is slow.
 *
 * @param {HTMLCanvasElement | HTMLImageElement} ground
 * @param {number} width
 * @param {number} height
 */
export function imagePixels(ground, width, height) {
  const sizes = pixelCache.get(ground) ?? new Map();
  pixelCache.set(ground, sizes);
  const name = `${width} ${height}`;
  if (!sizes.has(name)) {
    if (sizes.size >= MAX_SIZES) sizes.delete(sizes.keys().next().value);
    const context = context2d(createCanvas(width, height), { willReadFrequently: true });
    context.drawImage(ground, 0, 0, width, height);
    sizes.set(name, context.getImageData(0, 0, width, height));
  }
  return sizes.get(name);
}

/**
 * A copy of them.
 *
 * @param {HTMLCanvasElement | HTMLImageElement} ground
 * @param {number} width
 * @param {number} height
 */
export function copyImagePixels(ground, width, height) {
  return new ImageData(new Uint8ClampedArray(imagePixels(ground, width, height).data), width, height);
}
