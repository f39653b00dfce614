// A canvas of the image's cells for mouse, finger and keyboard: cells are dragged over one after the other.

import { sameCell } from "../../core/selection.js";
import { store } from "../../core/store.js";
import { context2d } from "../../draw/canvas.js";
import { fitCanvas } from "../../draw/size.js";

/** @type {{[key: string]: number[]}} */
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/**
 * Arrow keys move a cursor; Space presses its cell; arrow keys with Shift drag, until Shift is let go.
 *
 * @param {object} given
 * @param {string} given.name for screen readers
 * @param {(context: CanvasRenderingContext2D, width: number, height: number) => void} given.paint over the grey image, of
 *   cells that are so wide and so high
 * @param {(cell: Cell) => void} given.begin a cell is pressed
 * @param {(cell: Cell) => void} given.move the pointer is dragged to another cell
 * @param {() => void} given.end it is let go
 */
export function createGridCanvas({ name, paint, begin, move, end }) {
  const canvas = Object.assign(document.createElement("canvas"), { tabIndex: 0, className: "afa-cells" });
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", name);
  let cursor = /** @type {Cell} */ ([0, 0]);
  let last = /** @type {Cell | null} */ (null); // under the drag
  let byKey = false; // it is dragged by keys
  /** @type {HTMLCanvasElement | null} */
  let ground = null; // in the place of the image that is shown

  function draw() {
    fitCanvas(canvas);
    if (!canvas.width) return;
    const context = context2d(canvas);
    const [rows, cols] = store.trace.grid;
    const [width, height] = [canvas.width / cols, canvas.height / rows];
    context.drawImage(ground ?? store.scene.grey, 0, 0, canvas.width, canvas.height);
    context.strokeStyle = "rgba(255, 255, 255, .35)";
    context.lineWidth = 1;
    context.beginPath();
    for (let row = 1; row < rows; row++) context.rect(0, row * height, canvas.width, 0);
    for (let col = 1; col < cols; col++) context.rect(col * width, 0, 0, canvas.height);
    context.stroke();
    paint(context, width, height);
    if (document.activeElement !== canvas) return;
    for (const [line, colour] of /** @type {[number, string][]} */ ([[4, "#000"], [2, "#fff"]])) {
      [context.lineWidth, context.strokeStyle] = [line, colour];
      context.strokeRect(cursor[1] * width, cursor[0] * height, width, height);
    }
  }

  /** @returns {Cell} */
  function cellAt(/** @type {PointerEvent} */ event) {
    const box = canvas.getBoundingClientRect();
    const shares = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
    return shares.map((share, axis) => Math.min(store.trace.grid[axis] - 1, Math.max(0, Math.floor(share * store.trace.grid[axis]))));
  }
  function press(/** @type {Cell} */ cell) {
    [cursor, last] = [cell, cell];
    begin(cell);
    draw();
  }
  /** To a cell, over those that lie between: a fast hand gives few places. */
  function drag(/** @type {Cell} */ cell) {
    if (!last || sameCell(last, cell)) return;
    const [from, count] = [last, Math.max(...cell.map((at, axis) => Math.abs(at - /** @type {Cell} */ (last)[axis])))];
    for (let i = 1; i <= count; i++) move(/** @type {Cell} */ (from.map((at, axis) => Math.round(at + ((cell[axis] - at) * i) / count))));
    [cursor, last] = [cell, cell];
    draw();
  }
  function release() {
    if (!last) return;
    [last, byKey] = [null, false];
    end();
    draw();
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    press(cellAt(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    const places = event.getCoalescedEvents?.() ?? []; // all since the last frame
    for (const place of places.length ? places : [event]) drag(cellAt(place));
  });
  for (const kind of ["pointerup", "pointercancel", "blur"]) canvas.addEventListener(kind, release);
  canvas.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if ((!step && event.key !== " ") || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation(); // the page's own keys move the query cell
    if (!step) {
      press(cursor);
      release();
      return;
    }
    if (event.shiftKey && !last) {
      press(cursor);
      byKey = true;
    }
    const next = /** @type {Cell} */ (cursor.map((at, axis) => Math.min(store.trace.grid[axis] - 1, Math.max(0, at + step[axis]))));
    if (last) drag(next);
    else cursor = next;
    draw();
  });
  canvas.addEventListener("keyup", (event) => { if (event.key === "Shift" && byKey) release(); });
  for (const kind of ["focus", "blur"]) canvas.addEventListener(kind, draw);

  return {
    canvas,
    draw,
    /** Where the keys begin. */
    setCursor(/** @type {Cell} */ cell) { cursor = cell; },
    isHeld: () => Boolean(last),
    /** Another image below the cells; null: the one that is shown. */
    setGround(/** @type {HTMLCanvasElement | null} */ image) { ground = image; },
  };
}
