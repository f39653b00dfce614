// Attention of one cell or one head, cut out of the maps of a whole block that a file or a site holds.

import { toFloats, unpackAttention } from "../../core/packed.js";
import { MEAN_HEAD } from "../../core/store.js";
import { refusal } from "./studio.js";

/** @typedef {{bytes: Uint8Array, shape: number[], lows: Float32Array, peaks: Float32Array}} HeadMaps (heads, cells, keys) */

/** The maps of some rows of a block, as a host answers them. */
function answerOf(/** @type {Uint8Array} */ bytes, /** @type {number[]} */ shape, /** @type {Float32Array} */ lows,
  /** @type {Float32Array} */ peaks) {
  return { bytes, shape, lows, peaks };
}

/** Every head of one cell. */
export function cellOf(/** @type {HeadMaps} */ { bytes, shape: [heads, cells, keys], lows, peaks }, /** @type {number} */ cell) {
  const out = new Uint8Array(heads * keys);
  const rows = Array.from({ length: heads }, (_, head) => head * cells + cell);
  rows.forEach((row, head) => out.set(bytes.subarray(row * keys, (row + 1) * keys), head * keys));
  return answerOf(out, [heads, 1, keys], Float32Array.from(rows, (row) => lows[row]), Float32Array.from(rows, (row) => peaks[row]));
}

/** One head of every cell. */
function headOf(/** @type {HeadMaps} */ { bytes, shape: [, cells, keys], lows, peaks }, /** @type {number} */ head) {
  const [from, to] = [head * cells, (head + 1) * cells];
  return answerOf(bytes.subarray(from * keys, to * keys), [1, cells, keys], lows.subarray(from, to), peaks.subarray(from, to));
}

/** The mean of all heads of every cell; it begins at 0 where all heads do. */
export function meanOf(/** @type {HeadMaps} */ { bytes, shape: [heads, cells, keys], lows, peaks }) {
  const [out, low, high] = [new Uint8Array(cells * keys), new Float32Array(cells), new Float32Array(cells)];
  for (let cell = 0; cell < cells; cell++) {
    const mean = new Float32Array(keys);
    for (let head = 0; head < heads; head++) {
      const row = head * cells + cell;
      const values = toFloats({ bytes: bytes.subarray(row * keys, (row + 1) * keys), low: lows[row], high: peaks[row] });
      for (let i = 0; i < keys; i++) mean[i] += values[i] / heads;
    }
    low[cell] = lows.some(Boolean) ? Math.min(...mean) : 0;
    high[cell] = Math.max(...mean);
    const gain = high[cell] > low[cell] ? 255 / (high[cell] - low[cell]) : 0;
    for (let i = 0; i < keys; i++) out[cell * keys + i] = Math.round((mean[i] - low[cell]) * gain);
  }
  return answerOf(out, [1, cells, keys], low, high);
}

/**
 * The question `attention` of a host, answered from what a file holds: whole blocks, or single cells.
 *
 * @param {(asked: {[name: string]: any}) => Promise<any>} find the held answer of a question without its key; null
 *   where there is none
 * @param {number} columns of the grid
 */
export function createSlicer(find, columns) {
  /** @type {Map<string, Promise<any>>} */
  const blocks = new Map(); // that were unpacked
  const whole = (/** @type {number} */ block, /** @type {boolean} */ logits) => {
    const name = `${block} ${logits}`;
    if (!blocks.has(name)) blocks.set(name, find({ block, logits }).then((raw) => raw && unpackAttention(raw)));
    return blocks.get(name);
  };
  return async (/** @type {any} */ { block, logits, head, cell }) => {
    const exact = await find({ block, logits, head, cell });
    if (exact) return exact;
    const maps = await whole(block, logits);
    if (!maps) return refusal("site.not_prepared");
    if (cell) return { ...cellOf(maps, cell[0] * columns + cell[1]), sent: 0 };
    return { ...(head === MEAN_HEAD ? meanOf(maps) : headOf(maps, head)), sent: maps.sent };
  };
}
