// Attention of one image as handlers/payload_attention.py sends it, and figures/attention.py counts it.
//
// Symbols: Q queries, K keys of a block, N cells.

import { limitsOf } from "../../method/statistics.js";

const STRIDE = 16; // pixels a cell
export const MEAN = -1; // head that stands for the mean of all heads

/**
 * One block: logits (heads, Q, K) before scale and softmax, `stride`: pixels a query spans, `ratio`: queries a key spans
 * along each side.
 *
 * @typedef {{logits: Float32Array, heads: number, queries: Size, keys: Size, scale: number, stride: number, ratio: number}} Attention
 */

const count = (/** @type {Size} */ [rows, cols]) => rows * cols;

/** softmax over the keys: (heads, Q, K). */
export function probabilities(/** @type {Attention} */ { logits, keys, scale }) {
  const [size, out] = [count(keys), new Float32Array(logits.length)];
  for (let row = 0; row < logits.length; row += size) {
    let most = -Infinity;
    for (let i = row; i < row + size; i++) most = Math.max(most, logits[i]);
    let total = 0;
    for (let i = row; i < row + size; i++) total += (out[i] = Math.exp((logits[i] - most) * scale));
    for (let i = row; i < row + size; i++) out[i] /= total;
  }
  return out;
}

/**
 * Every head of every cell, or of one: (heads, N or 1, K); of fine stages the mean over the queries of a cell.
 *
 * @param {Attention} block
 * @param {Float32Array} values (heads, Q, K)
 * @param {Size} grid
 * @param {number | null} cell
 */
function byCell({ heads, queries, keys }, values, grid, cell) {
  const [cells, numQueries, size] = [count(grid), count(queries), count(keys)];
  const owner = Int32Array.from({ length: numQueries }, (_, q) => (
    Math.floor((Math.floor(q / queries[1]) * grid[0]) / queries[0]) * grid[1] + Math.floor(((q % queries[1]) * grid[1]) / queries[1])));
  const share = new Float32Array(cells);
  for (const place of owner) share[place]++;
  const rows = cell == null ? cells : 1;
  const out = new Float32Array(heads * rows * size);
  for (let head = 0; head < heads; head++) {
    for (let q = 0; q < numQueries; q++) {
      if (cell != null && owner[q] !== cell) continue;
      const [from, to] = [(head * numQueries + q) * size, (head * rows + (cell == null ? owner[q] : 0)) * size];
      for (let k = 0; k < size; k++) out[to + k] += values[from + k] / share[owner[q]];
    }
  }
  return out;
}

/**
 * Maps of one block as bytes, each (head, cell) between its own numbers: as payload_attention.attention.
 *
 * @param {Attention} block
 * @param {Size} grid
 * @param {{block: number, logits: boolean, head?: number | null, cell?: Cell | null}} asked
 */
export function attentionAnswer(block, grid, { block: number, logits, head, cell }) {
  const at = cell == null ? null : cell[0] * grid[1] + cell[1];
  let values = byCell(block, logits ? block.logits : probabilities(block), grid, at);
  const size = count(block.keys);
  const rows = at == null ? count(grid) : 1;
  let { heads } = block;
  if (head != null) {
    const each = rows * size;
    if (head === MEAN) {
      const mean = new Float32Array(each);
      for (let i = 0; i < values.length; i++) mean[i % each] += values[i] / heads;
      values = mean;
    } else values = values.slice(head * each, (head + 1) * each);
    heads = 1;
  }
  const [bytes, lows, peaks] = [new Uint8Array(values.length), new Float32Array(heads * rows), new Float32Array(heads * rows)];
  for (let row = 0; row < heads * rows; row++) {
    const own = values.subarray(row * size, (row + 1) * size);
    const [low, peak] = limitsOf(own);
    [lows[row], peaks[row]] = [logits ? low : 0, peak];
    const gain = 255 / Math.max(peaks[row] - lows[row], 1.2e-38);
    own.forEach((value, i) => { bytes[row * size + i] = Math.round((value - lows[row]) * gain); });
  }
  return { block: number, logits, bytes, shape: [heads, rows, size], lows, peaks, sent: 0 };
}

/** How far a square map is from symmetric, as ops.affinity.asymmetry: (N, N). */
export function asymmetry(/** @type {Float32Array} */ map, /** @type {number} */ side) {
  let [apart, together] = [0, 0];
  for (let i = 0; i < side; i++) {
    for (let j = 0; j < side; j++) {
      apart += (map[i * side + j] - map[j * side + i]) ** 2;
      together += (map[i * side + j] + map[j * side + i]) ** 2;
    }
  }
  return Math.sqrt(apart) / Math.max(Math.sqrt(together), 1e-12);
}

/** Share of each square of `step` pixels or places that a map holds; with `whole` the squares that do not fit are left out. */
function pooled(/** @type {ArrayLike<number>} */ map, /** @type {Size} */ [rows, cols], /** @type {Size} */ [down, across],
  /** @type {boolean} */ whole) {
  const size = whole ? [Math.floor(rows / down), Math.floor(cols / across)] : [Math.ceil(rows / down), Math.ceil(cols / across)];
  const out = new Float32Array(count(size));
  out.forEach((_, i) => {
    const [top, left] = [Math.floor(i / size[1]) * down, (i % size[1]) * across];
    const [bottom, right] = [Math.min(rows, top + down), Math.min(cols, left + across)];
    let sum = 0;
    for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) sum += map[y * cols + x];
    out[i] = sum / ((bottom - top) * (right - left));
  });
  return out;
}

const centres = (/** @type {Size} */ [rows, cols], /** @type {number} */ span) => (
  Array.from({ length: rows * cols }, (_, i) => [(Math.floor(i / cols) + 0.5) * span, ((i % cols) + 0.5) * span]));

/**
 * Numbers of every head of a block, and the share of its attention inside each class: an entry of payload_attention.overview.
 *
 * @param {Attention} block
 * @param {Uint8Array} label (H, W)
 * @param {Size} size
 * @param {number[]} present labels
 */
export function blockNumbers(block, label, size, present) {
  const probs = probabilities(block);
  const { heads, queries, keys, stride, ratio } = block;
  const [numQueries, numKeys, span] = [count(queries), count(keys), stride / STRIDE];
  const [from, to] = [centres(queries, span), centres(keys, span * ratio)];
  const apart = new Float32Array(numQueries * numKeys);
  for (let q = 0; q < numQueries; q++) {
    for (let k = 0; k < numKeys; k++) apart[q * numKeys + k] = Math.hypot(from[q][0] - to[k][0], from[q][1] - to[k][1]);
  }
  const most = numKeys > 1 ? Math.log(numKeys) : 1;
  const [entropy, distance] = [new Array(heads).fill(0), new Array(heads).fill(0)];
  for (let head = 0; head < heads; head++) {
    const at = head * apart.length;
    for (let i = 0; i < apart.length; i++) {
      const p = probs[at + i];
      if (p > 0) entropy[head] -= p * Math.log(p);
      distance[head] += p * apart[i];
    }
    entropy[head] /= numQueries * most;
    distance[head] /= numQueries;
  }
  const square = queries.join() === keys.join();
  const each = numQueries * numKeys;
  const inside = Object.fromEntries(present.map((name) => [name, regionShares(block, probs, label, size, name)]));
  return { entropy, distance, even_distance: apart.reduce((sum, d) => sum + d, 0) / apart.length,
    asymmetry: square ? entropy.map((_, head) => asymmetry(block.logits.subarray(head * each, (head + 1) * each), numKeys)) : null,
    inside };
}

/** Of one class: the share of the attention from its queries that falls on its keys, per head, and for even attention. */
function regionShares(/** @type {Attention} */ { heads, queries, keys, stride, ratio }, /** @type {Float32Array} */ probs,
  /** @type {Uint8Array} */ label, /** @type {Size} */ size, /** @type {number} */ name) {
  const own = pooled(Uint8Array.from(label, (one) => Number(one === name)), size, [stride, stride], false);
  const kept = pooled(own, queries, queries.map((side) => Math.min(ratio, side)), true);
  const [numQueries, numKeys] = [count(queries), count(keys)];
  const total = own.reduce((sum, share) => sum + share, 0);
  if (!total) return { heads: new Array(heads).fill(null), even: null };
  const shares = Array.from({ length: heads }, (_, head) => {
    let sum = 0;
    for (let q = 0; q < numQueries; q++) {
      if (!own[q]) continue;
      const at = (head * numQueries + q) * numKeys;
      for (let k = 0; k < numKeys; k++) sum += own[q] * probs[at + k] * kept[k];
    }
    return sum / total;
  });
  return { heads: shares, even: kept.reduce((sum, share) => sum + share, 0) / numKeys };
}
