// Weights of heads as an address has them, "3:0,7:1.25": heads from 1, block by block, that are not as learned. The same
// texts: ui/page/head_settings.py.

const ENTRY = /^([1-9]\d{0,3}):([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d{1,3})?)$/;
const MOST = 1e6; // of a weight or a bias

/** @typedef {(number | null)[]} HeadWeights one for each head, null where it is as learned */

/** The text of some weights; "" where all are as learned. */
export const weightsText = (/** @type {HeadWeights | null | undefined} */ weights) => (weights ?? [])
  .flatMap((weight, i) => (weight == null ? [] : [`${i + 1}:${weight}`])).join(",");

/** The weights that a text names, of `count` heads; null where it does not fit. */
export function parseWeights(/** @type {string} */ text, /** @type {number} */ count) {
  /** @type {HeadWeights} */
  const weights = new Array(count).fill(null);
  for (const entry of text ? text.split(",") : []) {
    const [, head, weight] = ENTRY.exec(entry) ?? [];
    const [place, number] = [Number(head) - 1, Number(weight)];
    if (!(place < count) || weights[place] != null || !(Math.abs(number) <= MOST)) return null;
    weights[place] = number;
  }
  return weights;
}

/** The bias that a text names; null where it does not fit. */
export function parseBias(/** @type {string} */ text) {
  const [, , number] = ENTRY.exec(`1:${text}`) ?? [];
  return number != null && Math.abs(Number(number)) <= MOST ? Number(number) : null;
}
