// The query cell under the pointer.

import { page } from "./dom.js";
import { CELL, scheduleDraw, setView } from "./schedule.js";
import { cellAtShares, sameCell } from "./selection.js";
import { store, view } from "./store.js";

const linkedCanvases = new WeakMap(); // canvas -> (shares of its height and width) => cell

/**
 * Let a canvas follow and define the query cell: pointer moves, click and tap pin.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {(y: number, x: number) => Cell} [locate]
 */
export function linkCell(canvas, locate = cellAtShares) {
  linkedCanvases.set(canvas, locate);
}

/**
 * The cell under a pointer event; null beside every linked canvas.
 *
 * @param {any} event
 */
function cellAt(event) {
  const canvas = event.target.closest?.("canvas");
  if (!store.trace || !linkedCanvases.has(canvas)) return null;
  const box = canvas.getBoundingClientRect();
  return linkedCanvases.get(canvas)((event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width);
}

/** @param {Cell | null} next */
function hoverCell(next) {
  if (view.pin || sameCell(view.hover, next) || (!view.hover && !next)) return;
  view.hover = next;
  scheduleDraw(CELL);
}

/** Follow the pointer over the page. */
export function listenToPointer() {
  let at = [NaN, NaN]; // where the pointer was last: browsers repeat a move where a map moves under a pointer that rests
  page.views.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "mouse" || (event.clientX === at[0] && event.clientY === at[1])) return;
    at = [event.clientX, event.clientY];
    hoverCell(cellAt(event));
  });
  page.views.addEventListener("pointerleave", () => hoverCell(null));
  page.views.addEventListener("click", (/** @type {any} */ event) => {
    if (event.target.closest("button")) return;
    const at = cellAt(event);
    if (at) setView({ pin: sameCell(view.pin, at) ? null : at, rest: at, home: false });
  });
}
