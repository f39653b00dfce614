// The heads of the affinity in the browser: against the golden vectors of the authors' code, and products worked out here.

import assert from "node:assert/strict";
import { test } from "node:test";

import { cases, check } from "./golden.js";
import { parseBias, parseWeights, weightsText } from "../../afa_viz/ui/explorer/core/head_settings.js";
import { affinityOf, columnOf, combinedLogits, crossAffinity, headLogits, pairOf, unpackPrecise, walkParts } from "../../afa_viz/ui/explorer/method/heads.js";
import { createPipeline } from "../../afa_viz/ui/explorer/method/pipeline.js";
import { transitionMatrix, walkSteps } from "../../afa_viz/ui/explorer/method/walk.js";

/** Numbers from -1 to 1, the same in every run. @param {number} count */
function numbers(count, seed = 1) {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const near = (/** @type {number} */ found, /** @type {number} */ expected, within = 1e-5) => (
  assert.ok(Math.abs(found - expected) <= within, `${found} is not ${expected}`));

for (const { name, inputs, outputs } of cases("affinity_from_logits")) {
  test(`affinity of all heads: ${name}`, () => {
    const blocks = Object.keys(inputs).filter((key) => key.startsWith("logits")).sort().slice(-2).map((key) => inputs[key]);
    const [batch, count, cells] = blocks[0].shape;
    for (let image = 0; image < batch; image++) {
      const logits = blocks.flatMap(({ values }) => Array.from({ length: count }, (_, head) => (
        values.subarray((image * count + head) * cells * cells, (image * count + head + 1) * cells * cells))));
      const found = affinityOf(logits, [...inputs.weight.values], inputs.bias.values[0], true);
      const size = cells * cells;
      check(found, { ...outputs.affinity, values: outputs.affinity.values.subarray(image * size, (image + 1) * size) });
    }
  });
}

test("without symmetry a pair has twice its own logit; a head of weight 0 and the bias alone", () => {
  const logits = [numbers(9), numbers(9, 2), numbers(9, 3)];
  const one = combinedLogits(logits, [0.5, 0, -2], 0.25, false);
  one.forEach((value, i) => near(value, 2 * (0.5 * logits[0][i] - 2 * logits[2][i]) + 0.25));
  for (const value of affinityOf(logits, [0, 0, 0], -1, true)) near(value, 1 / (1 + Math.E));
});

test("numbers of 16 bits are those that were packed, row by row, within a step of their range", () => {
  const [values, row] = [numbers(24), 4]; // (2, 3, 4)
  const rows = Array.from({ length: 6 }, (_, i) => values.subarray(i * row, (i + 1) * row));
  const [lows, peaks] = [rows.map((r) => Math.min(...r)), rows.map((r) => Math.max(...r))].map((r) => Float32Array.from(r));
  const bytes = new Uint8Array(48);
  values.forEach((value, i) => {
    const at = Math.floor(i / row);
    const level = Math.round(((value - lows[at]) / (peaks[at] - lows[at])) * 65535);
    [bytes[i], bytes[24 + i]] = [level >> 8, level & 255];
  });
  unpackPrecise({ bytes, shape: [2, 2, 3, 4], lows, peaks }).forEach((value, i) => near(value, values[i], 2 / 65535));
});

test("q times k is the logit, and the path of a pair multiplies out to its affinity", () => {
  const [width, cells] = [5, 6];
  const heads = [1, 2, 3].map((seed) => ({ q: numbers(width * cells, seed), k: numbers(width * cells, seed + 7) }));
  const logits = heads.map(({ q, k }) => headLogits(q, k, cells));
  const weights = [0.7, -1.2, 0.4];
  for (const symmetric of [true, false]) {
    const affinity = affinityOf(logits, weights, 0.1, symmetric);
    for (const [i, j] of [[0, 0], [1, 4], [5, 2]]) {
      const found = pairOf(logits, weights, 0.1, symmetric, i, j);
      let sum = 0.1;
      heads.forEach(({ q, k }, head) => {
        const dot = (/** @type {number} */ a, /** @type {number} */ b) => columnOf(q, cells, a).reduce((s, v, d) => s + v * columnOf(k, cells, b)[d], 0);
        near(found.heads[head].there, dot(i, j));
        near(found.heads[head].back, dot(j, i));
        const both = symmetric ? dot(i, j) + dot(j, i) : 2 * dot(i, j);
        near(found.heads[head].part, weights[head] * both);
        sum += weights[head] * both;
      });
      near(found.logit, sum);
      near(found.affinity, 1 / (1 + Math.exp(-sum)));
      near(found.affinity, affinity[i * cells + j]);
    }
  }
});

test("an image with itself has its own affinity, and two images that of q of one and k of the other, both ways", () => {
  const [width, cells, others] = [5, 6, 4];
  const factors = (/** @type {number} */ count, /** @type {number} */ seed) => ({
    queries: [0, 1, 2].map((head) => numbers(width * count, seed + head)), keys: [0, 1, 2].map((head) => numbers(width * count, seed + head + 7)) });
  const [own, other] = [factors(cells, 1), factors(others, 31)];
  const weights = [0.7, 0, -1.2];
  const logits = own.queries.map((q, head) => headLogits(q, own.keys[head], cells));
  const dot = (/** @type {Float32Array} */ a, /** @type {number} */ i, /** @type {number} */ n, /** @type {Float32Array} */ b,
    /** @type {number} */ j, /** @type {number} */ m) => columnOf(a, n, i).reduce((sum, v, d) => sum + v * columnOf(b, m, j)[d], 0);
  for (const symmetric of [true, false]) {
    const affinity = affinityOf(logits, weights, 0.3, symmetric);
    for (const cell of [0, 3, 5]) {
      crossAffinity(own, own, weights, 0.3, symmetric, cell, [cells, cells]).forEach((value, j) => near(value, affinity[cell * cells + j]));
      crossAffinity(own, other, weights, 0.3, symmetric, cell, [cells, others]).forEach((value, j) => {
        const logit = weights.reduce((sum, weight, head) => {
          const there = dot(own.queries[head], cell, cells, other.keys[head], j, others);
          const back = symmetric ? dot(other.queries[head], j, others, own.keys[head], cell, cells) : there;
          return sum + weight * (there + back);
        }, 0.3);
        near(value, 1 / (1 + Math.exp(-logit)));
      });
    }
  }
});

test("what the neighbours give a cell is its score after the step", () => {
  const grid = [3, 5];
  const affinity = numbers(225).map(Math.abs);
  const scores = numbers(15, 4).map(Math.abs);
  const matrix = transitionMatrix(affinity, grid, { radius: 1, power: 3, eps: 0.1 });
  const [, after] = walkSteps(scores, matrix, 1);
  for (const cell of [0, 7, 14]) {
    const { transition, parts, value } = walkParts(scores, matrix, cell);
    near(value, after[cell]);
    parts.forEach((part, i) => near(part, scores[i] * transition[i]));
    assert.equal(transition[cell === 14 ? 0 : 14], 0); // beyond the window
  }
});

test("an affinity under the hand takes the place of the picture's, and is kept apart from it", () => {
  const [size, grid] = [[32, 48], [2, 3]];
  const [first, other] = [numbers(36).map(Math.abs), numbers(36, 5).map(Math.abs)];
  const picture = { size, grid, labels: [0, 1], cam: numbers(32 * 48, 2).map(Math.abs), image: numbers(3 * 32 * 48, 3).map(Math.abs) };
  const s = { low: 0.3, high: 0.6, bkg_score: 0.45, radius: 2, power: 2, eps: 0.1, num_steps: 1, num_iters: 2, use_walk: true, use_par: true,
    dilations: [1, 2], par_downscale: 1, w1: 0.3, w2: 0.01 };
  const own = createPipeline({ ...picture, affinity: first });
  const expected = createPipeline({ ...picture, affinity: other }).run(s);
  const plain = own.run(s);
  const moved = own.run({ ...s, edited: { name: "other", affinity: other } });
  assert.deepEqual(moved, expected);
  assert.notDeepEqual(moved.cam_rw, plain.cam_rw);
  assert.deepEqual(own.run(s), plain);
});

test("the weights of an address are those of head_settings.py", () => {
  assert.equal(weightsText([null, 0, null, 1.25, -1e-7]), "2:0,4:1.25,5:-1e-7");
  assert.deepEqual(parseWeights("2:0,4:1.25", 4), [null, 0, null, 1.25]);
  assert.deepEqual(parseWeights("", 2), [null, null]);
  for (const exact of [[0.1 + 0.2, null], [1 / 3, -1e-100], [5e-324, 1e6]]) assert.deepEqual(parseWeights(weightsText(exact), 2), exact);
  for (const wrong of ["0:1", "3:1", "1:", "1", "1:a", "1:1,1:2", "1:1,", "1:1e99", "1:NaN", "01:1", "1: 1", "1:2000000"]) {
    assert.equal(parseWeights(wrong, 2), null, wrong);
  }
  assert.equal(parseBias("-3.5"), -3.5);
  for (const wrong of ["", "x", "1e9", "Infinity", "1,2"]) assert.equal(parseBias(wrong), null, wrong);
});
