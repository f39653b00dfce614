// The heads of the learned affinity as a host sends them, made ready to be combined.

import { unpackAttention } from "./packed.js";
import { headLogits, unpackPrecise } from "../method/heads.js";

/**
 * Everything of the heads of the last blocks, in their order.
 *
 * @typedef {object} Heads
 * @property {Float32Array[]} logits q k^T of every head, (N, N)
 * @property {(Float32Array | null)[]} queries (d, N) of every head; null where the host has only their product
 * @property {(Float32Array | null)[]} keys (d, N)
 * @property {{block: number, place: number}[]} places of every head: which of the blocks, and which of its heads, from 0
 * @property {number[]} weights the learned ones
 * @property {number} bias the learned one
 */

const numbers = async (/** @type {any} */ packed) => packed.floats ?? unpackPrecise(await unpackAttention(packed));

/**
 * Queries and keys alone, (d, N) of every head; null where the host has only their products.
 *
 * @param {any} raw the answer to the question `heads`
 */
export async function openFactors(raw) {
  if (raw.blocks.some((/** @type {any} */ sent) => !sent.queries)) return null;
  const read = async (/** @type {"queries" | "keys"} */ name) => (await Promise.all(raw.blocks.map(async (/** @type {any} */ sent) => {
    const [all, count] = [await numbers(sent[name]), sent.queries.shape[1]];
    return Array.from({ length: count }, (_, i) => all.subarray((i * all.length) / count, ((i + 1) * all.length) / count));
  }))).flat();
  return { queries: await read("queries"), keys: await read("keys") };
}

/**
 * @param {any} raw the answer to the question `heads`
 * @param {number} cells of the grid
 * @returns {Promise<Heads>}
 */
export async function openHeads(raw, cells) {
  /** @type {Heads} */
  const heads = { logits: [], queries: [], keys: [], places: [], weights: raw.weights, bias: raw.bias };
  for (const [block, sent] of raw.blocks.entries()) {
    const given = await Promise.all([sent.queries, sent.keys, sent.logits].map((one) => one && numbers(one)));
    const count = sent.logits ? given[2].length / cells ** 2 : sent.queries.shape[1];
    const part = (/** @type {Float32Array | undefined} */ all, /** @type {number} */ i) => (
      all ? all.subarray((i * all.length) / count, ((i + 1) * all.length) / count) : null);
    for (let place = 0; place < count; place++) {
      const [queries, keys, logits] = given.map((all) => part(all, place));
      heads.logits.push(logits ?? headLogits(/** @type {any} */ (queries), /** @type {any} */ (keys), cells));
      heads.queries.push(queries);
      heads.keys.push(keys);
      heads.places.push({ block, place });
      await new Promise((done) => { setTimeout(done); }); // the page goes on meanwhile
    }
  }
  return heads;
}
