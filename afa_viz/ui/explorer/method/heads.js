// The heads of the learned affinity: q kT, its weighted sum, and the affinity, as ops/affinity.py.
//
// Symbols: N cells, d width of a head, S = q kT of one head, (N, N).

/**
 * Numbers of 16 bits, the upper bytes of all and then the lower ones: as ui/handlers/payload_heads.pack_precise.
 *
 * @param {{bytes: Uint8Array, shape: number[], lows: Float32Array, peaks: Float32Array}} packed shape (2, A, B, N)
 */
export function unpackPrecise({ bytes, shape, lows, peaks }) {
  const [count, row] = [bytes.length / 2, shape[shape.length - 1]];
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const at = Math.floor(i / row);
    out[i] = lows[at] + ((peaks[at] - lows[at]) * (256 * bytes[i] + bytes[count + i])) / 65535;
  }
  return out;
}

/**
 * S of one head: out[i, j] = sum of queries[d, i] keys[d, j].
 *
 * @param {Float32Array} queries (d, N)
 * @param {Float32Array} keys (d, N)
 * @param {number} cells
 */
export function headLogits(queries, keys, cells) {
  const out = new Float32Array(cells * cells);
  for (let d = 0; d < queries.length; d += cells) {
    for (let i = 0; i < cells; i++) {
      const [value, row] = [queries[d + i], i * cells];
      for (let j = 0; j < cells; j++) out[row + j] += value * keys[d + j];
    }
  }
  return out;
}

/**
 * The affinity of all pairs before its sigmoid: (N, N).
 *
 * @param {Float32Array[]} logits S of every head
 * @param {number[]} weights one for each head
 * @param {number} bias
 * @param {boolean} symmetric of S + its transpose; else of 2 S
 */
export function combinedLogits(logits, weights, bias, symmetric) {
  const sum = new Float32Array(logits[0].length);
  logits.forEach((map, head) => {
    const weight = weights[head];
    if (weight) for (let i = 0; i < sum.length; i++) sum[i] += weight * map[i];
  });
  const cells = Math.round(Math.sqrt(sum.length));
  if (!symmetric) return sum.map((value) => 2 * value + bias);
  for (let i = 0; i < cells; i++) {
    for (let j = i; j < cells; j++) {
      const [at, across] = [i * cells + j, j * cells + i];
      sum[at] = sum[across] = sum[at] + sum[across] + bias;
    }
  }
  return sum;
}

/** 1 / (1 + exp(-x)) of every number, in its place. */
function sigmoidInPlace(/** @type {Float32Array} */ logits) {
  for (let i = 0; i < logits.length; i++) logits[i] = 1 / (1 + Math.exp(-logits[i]));
  return logits;
}

/** The affinity of all pairs: see `combinedLogits`. */
export const affinityOf = (/** @type {Float32Array[]} */ logits, /** @type {number[]} */ weights, /** @type {number} */ bias,
  /** @type {boolean} */ symmetric) => sigmoidInPlace(combinedLogits(logits, weights, bias, symmetric));

/**
 * Affinities of one cell with every cell of another image, as ops/cross_affinity.py, or of its own: there `affinityOf`.
 *
 * @param {{queries: Float32Array[], keys: Float32Array[]}} own (d, N) of every head
 * @param {{queries: Float32Array[], keys: Float32Array[]}} other (d, M)
 * @param {number[]} weights one for each head
 * @param {number} bias
 * @param {boolean} symmetric
 * @param {number} cell of the N
 * @param {number[]} counts N and M
 */
export function crossAffinity(own, other, weights, bias, symmetric, cell, [cells, others]) {
  const sum = new Float32Array(others).fill(bias);
  weights.forEach((weight, head) => {
    const [q, k, query, key] = [own.queries[head], own.keys[head], other.queries[head], other.keys[head]];
    for (let d = 0; d * cells < q.length && weight; d++) {
      const [there, back, row] = [weight * q[d * cells + cell], weight * k[d * cells + cell], d * others];
      for (let j = 0; j < others; j++) sum[j] += there * key[row + j] + (symmetric ? back * query[row + j] : there * key[row + j]);
    }
  });
  return sigmoidInPlace(sum);
}

/** What each head adds for the pair of cells i and j, and their way to its affinity; heads in their order. */
export function pairOf(/** @type {Float32Array[]} */ logits, /** @type {number[]} */ weights, /** @type {number} */ bias,
  /** @type {boolean} */ symmetric, /** @type {number} */ i, /** @type {number} */ j) {
  const cells = Math.round(Math.sqrt(logits[0].length));
  const heads = logits.map((map, head) => {
    const [there, back] = [map[i * cells + j], map[j * cells + i]];
    const both = symmetric ? there + back : 2 * there;
    return { there, back, both, weight: weights[head], part: weights[head] * both };
  });
  const logit = heads.reduce((sum, { part }) => sum + part, bias);
  return { heads, bias, logit, affinity: 1 / (1 + Math.exp(-logit)) };
}

/** Numbers of one cell in every place of a (d, N) map. */
export const columnOf = (/** @type {Float32Array} */ map, /** @type {number} */ cells, /** @type {number} */ cell) => (
  Float32Array.from({ length: map.length / cells }, (_, d) => map[d * cells + cell]));

/**
 * What one step of the walk brings to a cell: score times transition of every cell, and the sum of the column before eps.
 *
 * @param {Float32Array} scores (N,) before the step
 * @param {Float32Array} matrix (N, N) transitions
 * @param {number} cell
 */
export function walkParts(scores, matrix, cell) {
  const cells = scores.length;
  const transition = Float32Array.from({ length: cells }, (_, i) => matrix[i * cells + cell]);
  const parts = transition.map((share, i) => share * scores[i]);
  return { transition, parts, value: parts.reduce((sum, part) => sum + part, 0) };
}
