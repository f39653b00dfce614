// How many pixels a canvas gets.

import { scheduleDraw, SELECTION } from "../core/schedule.js";
import { store } from "../core/store.js";

const displayWidths = new WeakMap(); // canvas -> how many pixels of the page it is wide; 0 while it is out of sight
/** @type {any} */
let observer = null; // of the canvases' widths

/** @param {any} changes */
function onResize(changes) {
  let other = false;
  for (const { target, contentRect } of changes) {
    const width = Math.round(contentRect.width);
    other ||= width > 0 && displayWidths.get(target) > 0 && displayWidths.get(target) !== width;
    displayWidths.set(target, width);
  }
  if (other) scheduleDraw(SELECTION);
}

/**
 * How wide a canvas is on the page. To ask makes the browser lay out the page, so it is asked once and told of changes.
 *
 * @param {HTMLCanvasElement} canvas
 */
export function displayWidth(canvas) {
  if (!displayWidths.get(canvas)) {
    displayWidths.set(canvas, canvas.clientWidth);
    observer ??= new ResizeObserver(onResize);
    observer.observe(canvas);
  }
  return displayWidths.get(canvas);
}

/**
 * Give a canvas as many pixels as it covers on the screen, of which a tall picture gets no more than a square one.
 *
 * @param {HTMLCanvasElement} canvas
 */
export function fitCanvas(canvas) {
  const [rows, cols] = store.trace.size;
  const shape = `${cols} / ${rows}`;
  if (canvas.dataset.shape !== shape) {
    canvas.dataset.shape = canvas.style.aspectRatio = shape;
    canvas.style.maxWidth = `calc(var(--tallest) * ${Math.min(1, cols / rows)})`; // the page stays usable
    displayWidths.delete(canvas);
  }
  const width = Math.round(displayWidth(canvas) * Math.min(2, window.devicePixelRatio || 1));
  const height = Math.round((width * rows) / cols);
  if (width && (canvas.width !== width || canvas.height !== height)) [canvas.width, canvas.height] = [width, height];
}
