// Attention logits that were not prepared, since they take more room than the queries and keys that make them.

import { attentionAnswer } from "../onnx/attention.js";
import { openHeads } from "../../core/heads.js";

/**
 * Attention logits of a whole block, made of queries and keys where those of the last blocks are there in their place.
 *
 * @param {any} raw the answer to the question `heads`; null where there is none
 * @param {Size} grid
 * @param {number} blocks of the network
 * @param {{block: number, logits: boolean, cell?: Cell, head?: number}} asked
 */
export async function logitsFromHeads(raw, grid, blocks, { block, logits, cell, head }) {
  const place = block - (blocks - (raw?.blocks.length ?? 0));
  if (!raw || !logits || cell || head != null || place < 0) return null;
  const one = await openHeads({ ...raw, blocks: [raw.blocks[place]] }, grid[0] * grid[1]);
  const all = new Float32Array(one.logits.length * one.logits[0].length);
  one.logits.forEach((map, i) => all.set(map, i * map.length));
  return attentionAnswer({ logits: all, heads: one.logits.length, queries: grid, keys: grid, scale: 1, stride: 1, ratio: 1 }, grid,
    { block, logits });
}
