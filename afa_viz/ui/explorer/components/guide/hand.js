// What the tour does in the place of a visitor's hand. Each act ends early where its signal says so; a visitor who asked
// for less movement sees where it leads at once.

import { prefersReducedMotion } from "../../core/dom.js";
import { layer } from "../../core/packed.js";
import { setView } from "../../core/schedule.js";
import { classIndex, nearestQuery, strongestCell } from "../../core/selection.js";
import { store } from "../../core/store.js";

const PACE = 60; // milliseconds a place of a slider that is dragged
const CELL_PACE = 220; // and a cell of the query's way
const DRAGS = 16; // places between two ends
const CELLS = 8; // of the way

const pause = (/** @type {number} */ time, /** @type {AbortSignal} */ signal) => new Promise((done, stopped) => {
  const timer = setTimeout(done, time);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    stopped(signal.reason);
  }, { once: true });
});

/** Numbers from one to another, the last one included. */
const between = (/** @type {number} */ from, /** @type {number} */ to, /** @type {number} */ count) => (
  Array.from({ length: count }, (_, i) => from + ((i + 1) / count) * (to - from)));

/** Put a slider somewhere, as a hand would. */
export function put(/** @type {HTMLInputElement} */ slider, /** @type {number} */ value) {
  slider.value = String(value);
  slider.dispatchEvent(new Event("input", { bubbles: true }));
}

/** Drag a slider from where it is to one place after the other; without movement it goes to the first. */
export async function drag(/** @type {HTMLInputElement} */ slider, /** @type {number[]} */ places, /** @type {AbortSignal} */ signal) {
  if (prefersReducedMotion()) {
    put(slider, places[0]);
    return;
  }
  for (const place of places) {
    for (const value of between(Number(slider.value), place, DRAGS)) {
      put(slider, value);
      await pause(PACE, signal);
    }
  }
}

/** Press the button that plays a slider, from its beginning; without movement the slider goes to its end. */
export function play(/** @type {HTMLElement} */ button, /** @type {HTMLInputElement} */ slider) {
  if (prefersReducedMotion()) {
    put(slider, Number(slider.max));
    return;
  }
  put(slider, Number(slider.min));
  button.click();
}

/** Stop what `play` began. */
export const stop = (/** @type {HTMLInputElement} */ slider) => slider.dispatchEvent(new Event("pointerdown"));

/** The cell where the CAM of the class is weakest. */
function weakestCell() {
  const map = layer(store.trace.cam, classIndex());
  const [rows, cols] = store.trace.grid;
  const at = (/** @type {number} */ i, /** @type {number} */ n, /** @type {number} */ size) => Math.floor(((i + 0.5) * size) / n);
  const cells = Array.from({ length: rows * cols }, (_, i) => [Math.floor(i / cols), i % cols]);
  const value = (/** @type {Cell} */ [row, col]) => map.bytes[at(row, rows, map.rows) * map.cols + at(col, cols, map.cols)];
  return cells.reduce((least, cell) => (value(cell) < value(least) ? cell : least));
}

/** Move the query cell from the strongest cell of the class to the weakest one, and back. */
export async function wander(/** @type {AbortSignal} */ signal) {
  const [from, to] = [strongestCell(), weakestCell()];
  const there = Array.from({ length: CELLS + 1 }, (_, i) => from.map((start, axis) => (
    Math.round(start + (i / CELLS) * (to[axis] - start)))));
  const way = prefersReducedMotion() ? [to] : [...there, ...there.toReversed()];
  for (const cell of way) {
    setView({ rest: nearestQuery(cell), pin: null, hover: null, home: false });
    await pause(CELL_PACE, signal);
  }
}
