// What the affinity is learned from, as payload_attention.affinity and figures/affinity.py.
//
// Symbols: N cells.

import { asymmetry } from "./attention.js";
import { toBytes } from "../../core/packed.js";
import { affinityLabels, PAIR } from "../../method/affinity_labels.js";
import { limitsOf, pairwiseAuc } from "../../method/statistics.js";

/** @typedef {import("./attention.js").Attention} Attention */

/** The mean logit of all heads of some blocks: (N, N). */
export function meanLogits(/** @type {Attention[]} */ blocks) {
  const heads = blocks.reduce((sum, block) => sum + block.heads, 0);
  const size = blocks[0].logits.length / blocks[0].heads;
  const out = new Float32Array(size);
  for (const { logits } of blocks) for (let i = 0; i < logits.length; i++) out[i % size] += logits[i] / heads;
  return out;
}

/**
 * The affinity's logits without symmetry, twice the weighted sum and the bias: as ops.affinity.affinity_logits.
 *
 * @param {Attention[]} blocks
 * @param {number[]} weight one number per head of all blocks
 * @param {number} bias
 */
export function oneWayLogits(blocks, weight, bias) {
  const size = blocks[0].logits.length / blocks[0].heads;
  const out = new Float32Array(size).fill(bias);
  let head = 0;
  for (const { logits, heads } of blocks) {
    for (let i = 0; i < logits.length; i++) out[i % size] += 2 * weight[head + Math.floor(i / size)] * logits[i];
    head += heads;
  }
  return out;
}

export const sigmoid = (/** @type {Float32Array} */ logits) => logits.map((value) => 1 / (1 + Math.exp(-value)));

/**
 * The answer to the question `affinity`.
 *
 * @param {{raw: Float32Array, logits: Float32Array, affinity: Float32Array, cells: Uint8Array, truth?: Uint8Array | null,
 *   grid: Size, radius: number, source: string, atCentre: boolean, bias: number}} given raw, logits and affinity (N, N);
 *   cells: the label of each; truth: the true one, by which pairs are counted where it is known
 */
export function affinityAnswer({ raw, logits, affinity, cells, truth = null, grid, radius, source, atCentre, bias }) {
  const side = grid[0] * grid[1];
  const [low, high] = limitsOf(raw);
  /** @type {number[][]} */
  const pairs = [[], []]; // of the same class, of different ones
  for (let i = 0; i < side; i++) {
    affinityLabels(truth ?? cells, [Math.floor(i / grid[1]), i % grid[1]], grid, radius).forEach((kind, j) => {
      if (i !== j && (kind === PAIR.positive || kind === PAIR.negative)) pairs[kind === PAIR.positive ? 0 : 1].push(i * side + j);
    });
  }
  const auc = (/** @type {(at: number) => number} */ value) => {
    const [equal, different] = pairs.map((places) => Float32Array.from(places, value));
    return equal.length && different.length ? pairwiseAuc(equal, different) : null;
  };
  const numbers = { asymmetry_raw: asymmetry(raw, side), asymmetry_learned: asymmetry(affinity, side), by_truth: Boolean(truth),
    order_raw: auc((at) => raw[at]), order_symmetric: auc((at) => raw[at] + raw[(at % side) * side + Math.floor(at / side)]),
    order_learned: auc((at) => logits[at]) };
  return { raw: { bytes: new Uint8Array(toBytes(raw, low, high)), shape: [side, side], low, high },
    cells: { bytes: cells, shape: grid }, cells_of: source, at_centre: atCentre, bias, numbers, sent: 0 };
}
