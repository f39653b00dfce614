// Regions of the walk: which cells belong to a label, and how much of a map lies outside of them.

import * as recompute from "../../core/recompute.js";
import { countCells } from "../../core/selection.js";
import { store } from "../../core/store.js";

/** The map that regions are taken from: the truth, or the label. */
export const borders = () => store.scene.target?.bytes ?? recompute.labelMap();

/** The label in the middle of a cell. */
export function labelAt(/** @type {number} */ index) {
  const [rows, cols] = store.trace.grid;
  const y = Math.floor(((Math.floor(index / cols) + 0.5) * store.trace.size[0]) / rows);
  return borders()[y * store.trace.size[1] + Math.floor(((index % cols) + 0.5) * store.trace.size[1] / cols)];
}

/** Share of every cell that lies in the region of a label. */
export function regionOf(/** @type {number} */ label) {
  const [[height, width], [rows, cols]] = [store.trace.size, store.trace.grid];
  const [hits, all] = [new Float32Array(countCells()), new Float32Array(countCells())];
  const map = borders();
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * rows) / height) * cols;
    for (let x = 0; x < width; x++) {
      const at = row + Math.floor((x * cols) / width);
      all[at]++;
      if (map[y * width + x] === label) hits[at]++;
    }
  }
  return hits.map((hit, i) => hit / (all[i] || 1));
}

/** Share of a map's sum that lies outside a region. */
export function outside(/** @type {Float32Array} */ map, /** @type {Float32Array} */ region) {
  let [out, total] = [0, 0];
  map.forEach((score, i) => {
    total += score;
    out += score * (1 - region[i]);
  });
  return total ? out / total : null;
}
