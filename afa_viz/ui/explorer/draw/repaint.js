// What has filled each canvas, to be called again at another opacity.

import { context2d } from "./canvas.js";

const painters = new WeakMap(); // canvas -> what has filled it, to be called again at another opacity
export const labelNames = new WeakMap(); // canvas -> the names of its labels alone: they lie above every mark

/**
 * Fill a canvas, and remember how.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {() => void} painter
 */
export function paintWith(canvas, painter) {
  painters.set(canvas, painter);
  labelNames.delete(canvas);
  painter();
}

/** Fill a canvas anew with what it shows, at the present opacity; what was drawn on top is gone. */
export const repaint = (/** @type {HTMLCanvasElement} */ canvas) => painters.get(canvas)?.();

/** Fill a canvas with a picture. */
export const paintImage = (/** @type {HTMLCanvasElement} */ canvas, /** @type {CanvasImageSource} */ picture) => paintWith(canvas,
  () => context2d(canvas).drawImage(picture, 0, 0, canvas.width, canvas.height));
