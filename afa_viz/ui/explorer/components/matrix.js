// What the affinity is learned from, the affinity, and its labels, for the query cell or whole. Grids of more than
// 1024 cells: one query at a time, once the pointer rests on it.

import { cached } from "../core/cache.js";
import { toFloats, unpack } from "../core/packed.js";
import * as recompute from "../core/recompute.js";
import { cellOfIndex, countCells, queryCell, sameCell } from "../core/selection.js";
import { accepted, reportError } from "../core/status.js";
import { store } from "../core/store.js";
import { host } from "../host/host.js";
import { affinityLabels } from "../method/affinity_labels.js";

const HOVER_DELAY = 150; // milliseconds without a move
/** @type {Map<any, any>} */
const answers = new Map(); // name -> what the host sent
/** @type {any} */
let matrices = null; // of the present explanation
/** @type {any} */
let loadedRow = null; // of one query
/** @type {any} */
let resting = 0;

const edited = () => recompute.settings()?.edited?.affinity;

/** The number of a cell, counted row by row. */
export const cellIndex = (/** @type {Cell} */ [row, col]) => row * store.trace.grid[1] + col;

function fetchPart(/** @type {{cell?: Cell}} */ asked) {
  return cached(answers, `${store.trace.key} ${asked.cell ?? ""}`, async () => {
    const raw = accepted(await host.affinity({ key: store.trace.key, ...asked }));
    const names = ["raw", "learned", "cells", "raw_row", "raw_column"];
    const maps = await Promise.all(names.map((name) => unpack(raw[name])));
    const made = { ...raw, cell: asked.cell ?? null };
    names.forEach((name, i) => { made[name] = maps[i] && name !== "cells" ? toFloats(maps[i]) : maps[i]; });
    if (raw.raw) made.limits = [raw.raw.low, raw.raw.high];
    return made;
  });
}

/** Ask for what this explanation needs and is not here; `ready` is called with it. */
export async function load(/** @type {() => void} */ ready) {
  const key = store.trace.key;
  try {
    const found = await fetchPart({});
    if (key !== store.trace.key) return;
    store.trace.cellsOf = found.cells_of;
    matrices = { ...found, key, learned: found.learned ?? (countCells() <= recompute.MAX_CELLS ? toFloats(store.trace.affinity) : null) };
    ready();
  } catch (error) {
    reportError(error);
  }
}

export function loadRow(/** @type {() => void} */ ready) {
  if (!matrices || matrices.raw) return;
  clearTimeout(resting);
  resting = setTimeout(async () => {
    const [key, asked] = [store.trace.key, queryCell()];
    try {
      const found = await fetchPart({ cell: asked });
      if (key !== store.trace.key || !sameCell(asked, queryCell())) return;
      loadedRow = { ...found, key };
      ready();
    } catch (error) {
      reportError(error);
    }
  }, HOVER_DELAY);
}

/** Whether the numbers of this explanation are here. */
export const isLoaded = () => matrices?.key === store.trace.key;

/** Rows of a query: {raw, symmetric, learned}; null while they are not here. */
export function rows(query = queryCell()) {
  if (!isLoaded()) return null;
  const n = countCells();
  if (!matrices.raw) {
    if (loadedRow?.key !== store.trace.key || !sameCell(loadedRow.cell, query)) return null;
    const { raw_row: raw, raw_column: column, learned } = loadedRow;
    return { raw, symmetric: raw.map((/** @type {number} */ v, /** @type {number} */ i) => (v + column[i]) / 2), learned };
  }
  const from = cellIndex(query) * n;
  const raw = matrices.raw.subarray(from, from + n);
  const symmetric = raw.map((/** @type {number} */ value, /** @type {number} */ i) => (value + matrices.raw[i * n + cellIndex(query)]) / 2);
  return { raw, symmetric, learned: (edited() ?? matrices.learned).subarray(from, from + n) };
}

/** The label of every cell: the host's, or where a threshold moved, made here. */
function cellsNow() {
  if (!recompute.isMoved() || edited()) return matrices.cells.bytes;
  return recompute.pipeline().cellLabels(recompute.labelMap(matrices.cells_of), matrices.at_centre);
}

/** Affinity labels of a query under the present settings. */
export function labelsOf(query = queryCell(), cells = cellsNow()) {
  return affinityLabels(cells, query, store.trace.grid, recompute.settings()?.radius ?? store.trace.radius);
}

/** A whole matrix by its name, as numbers; for labels as their kinds. */
export function wholeMatrix(/** @type {string} */ name) {
  const n = countCells();
  if (name === "raw" || name === "learned") return (name === "learned" && edited()) || matrices[name];
  const out = name === "labels" ? new Uint8Array(n * n) : new Float32Array(n * n);
  const cells = name === "labels" ? cellsNow() : null;
  for (let i = 0; i < n; i++) {
    const query = cellOfIndex(i);
    out.set(name === "labels" ? labelsOf(query, cells) : /** @type {any} */ (rows(query)).symmetric, i * n);
  }
  return out;
}

/** What the host said of all pairs together. */
export const numbers = () => matrices;

/** Whether every row is here, not the query's alone. */
export const isWhole = () => isLoaded() && Boolean(matrices.raw);
