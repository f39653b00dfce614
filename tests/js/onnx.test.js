// What surrounds the network in the browser, without a browser: sizes, Pillow's resize, fusion, attention, affinity.

import assert from "node:assert/strict";
import { test } from "node:test";

import { affinityAnswer, meanLogits, oneWayLogits, sigmoid } from "../../afa_viz/ui/explorer/host/onnx/affinity.js";
import { asymmetry, attentionAnswer, probabilities } from "../../afa_viz/ui/explorer/host/onnx/attention.js";
import { checkSize } from "../../afa_viz/ui/explorer/host/onnx/decode.js";
import { mirrored, multiScaleCam, normalised, orderedScales, predictedLabels, stretched } from "../../afa_viz/ui/explorer/host/onnx/passes.js";
import { fitSize, resampleColumns, resampleRows, roundHalfEven, tapsOf } from "../../afa_viz/ui/explorer/host/onnx/resample.js";
import { strongestCell } from "../../afa_viz/ui/explorer/host/onnx/trace.js";

// Image.fromarray(pixels).resize(to, Image.Resampling.BILINEAR) of the pixels below, by Pillow
const RESIZED = [
  { from: [7, 5], to: [4, 3], pixels: [101, 89, 130, 144, 89, 133, 130, 100, 89, 153, 60, 102, 109, 115, 161, 136, 170, 123,
    80, 110, 140, 141, 82, 139, 142, 163, 87, 122, 169, 153, 70, 112, 184, 178, 55, 129] },
  { from: [5, 4], to: [9, 7], pixels: [0, 37, 74, 37, 75, 113, 100, 138, 177, 164, 89, 129, 229, 12, 52, 153, 80, 120, 107,
    119, 161, 175, 46, 88, 216, 2, 45, 31, 71, 110, 71, 80, 120, 137, 96, 137, 164, 81, 123, 182, 58, 101, 161, 79, 121,
    148, 91, 135, 169, 73, 117, 182, 61, 106, 82, 124, 167, 124, 89, 132, 197, 29, 74, 164, 69, 113, 106, 133, 178, 173, 78,
    124, 214, 47, 94, 159, 116, 163, 127, 156, 205, 49, 95, 141, 95, 100, 103, 173, 107, 41, 138, 115, 92, 76, 124, 173,
    158, 65, 114, 211, 34, 84, 152, 118, 169, 117, 168, 220, 11, 60, 110, 60, 111, 75, 144, 194, 19, 115, 166, 76, 58, 110,
    162, 136, 57, 109, 189, 29, 83, 146, 109, 163, 120, 156, 212, 18, 71, 123, 71, 124, 92, 160, 214, 42, 136, 191, 104, 86,
    141, 197, 87, 93, 149, 98, 55, 112, 142, 59, 117, 168, 61, 120, 22, 77, 132, 77, 133, 103, 170, 226, 56, 150, 207, 122,
    103, 160, 218, 57, 116, 174, 41, 71, 131, 139, 28, 88, 198, 2, 63] },
  { from: [6, 3], to: [6, 2], pixels: [82, 26, 66, 106, 148, 189, 231, 17, 60, 103, 147, 191, 139, 23, 69, 114, 160, 110,
    116, 69, 118, 168, 58, 109, 159, 115, 167, 59, 111, 164, 121, 175, 69, 124, 178, 138] },
  { from: [11, 2], to: [3, 5], pixels: [125, 77, 116, 154, 72, 116, 132, 91, 139, 125, 80, 116, 150, 79, 117, 130, 92, 142,
    124, 94, 114, 133, 108, 124, 121, 98, 152, 123, 107, 111, 115, 136, 130, 111, 103, 162, 123, 110, 111, 111, 143, 131,
    109, 104, 165] },
];

const close = (/** @type {ArrayLike<number>} */ found, /** @type {number[]} */ expected) => {
  assert.equal(found.length, expected.length);
  expected.forEach((value, i) => assert.ok(Math.abs(found[i] - value) < 1e-5, `${i}: ${found[i]} is not ${value}`));
};

test("images are resized as Pillow does, to the bit, however many rows come at a time", () => {
  for (const { from: [width, height], to: [cols, rows], pixels } of RESIZED) {
    const rgba = Uint8Array.from({ length: 4 * width * height }, (_, at) => {
      const i = 3 * Math.floor(at / 4) + (at % 4);
      return at % 4 === 3 ? 255 : (i * 37 + Math.floor((i * i) / 5)) % 256;
    });
    for (const strip of [1, 2, height]) {
      const narrow = new Uint8ClampedArray(3 * cols * height);
      for (let y = 0; y < height; y += strip) {
        const count = Math.min(strip, height - y);
        resampleRows(rgba.subarray(4 * width * y), count, width, tapsOf(width, cols), narrow, y);
      }
      assert.deepEqual([...resampleColumns(narrow, cols, tapsOf(height, rows))], pixels);
    }
  }
});

test("sizes are those of inputs.fit_size", () => {
  assert.deepEqual([0.5, 1.5, 2.5, 2.4, 2.6].map(roundHalfEven), [0, 2, 2, 2, 3]);
  assert.deepEqual(fitSize([199, 301], 256), [169, 256]);
  assert.deepEqual(fitSize([1000, 10], 256), [256, 16]);
  assert.deepEqual(fitSize([33, 40], 256), [211, 256]);
});

test("images beyond the limits are refused with the key of a sentence", () => {
  for (const [width, height, key] of /** @type {[number, number, string][]} */ ([[15, 40, "refused.small"], [900, 100, "refused.narrow"],
    [7000, 7000, "refused.far_too_many"]])) {
    assert.throws(() => checkSize(width, height), { message: key });
  }
  checkSize(16, 128);
});

test("maps are mirrored and stretched", () => {
  assert.deepEqual([...mirrored(Float32Array.of(1, 2, 3, 4, 5, 6), 3)], [3, 2, 1, 6, 5, 4]);
  close(stretched(Float32Array.of(-1, 1, 0, 3, 3, 3), 3), [0, 2 / 2.00001, 1 / 2.00001, 0, 0, 0]);
  close(normalised([10, 20, 30], [1, 2, 3], [3, 6, 9]), [3, 3, 3]);
});

test("scale 1 runs first, also where it is not listed", () => {
  assert.deepEqual(orderedScales([0.5, 1, 1.5]), [1, 0.5, 1.5]);
  assert.deepEqual(orderedScales([0.5]), [1, 0.5]);
});

test("labels are predicted above the threshold, or else the best one", () => {
  assert.deepEqual(predictedLabels(Float32Array.of(-1, 0.1, 2), 0), [2, 3]);
  assert.deepEqual(predictedLabels(Float32Array.of(-1, -0.1, -2), 0), [2]);
});

test("the CAM is the sum over scales of the larger of an image and its mirror image, after ReLU", async () => {
  /** @type {number[][]} */
  const sizes = [];
  const image = Float32Array.from({ length: 3 * 4 * 6 }, (_, i) => (i % 6) - 1); // rises from left to right
  const run = async (/** @type {Float32Array} */ pixels, /** @type {number[]} */ [rows, cols], /** @type {boolean} */ whole) => {
    sizes.push([rows, cols]);
    assert.equal(whole, sizes.length === 1);
    return { cam: { data: pixels.slice(0, rows * cols), dims: [1, 1, rows, cols] } };
  };
  /** @type {number[]} */
  const passes = [];
  const found = await multiScaleCam(run, image, [4, 6], { scales: [1, 0.5], flip: true, relu: true },
    async (pass, of) => { passes.push(pass / of); });
  assert.deepEqual(sizes, [[4, 6], [4, 6], [2, 3], [2, 3]]);
  assert.deepEqual(passes, [0.25, 0.5, 0.75, 1]);
  assert.equal(found.first.cam.dims[2], 4);
  const small = [-0.5, 0, 1, 2, 3, 3.5].map((value) => Math.max(0, value)); // (−1 + 0) / 2, (1 + 2) / 2, (3 + 4) / 2 enlarged
  const sum = [0, 0, 1, 2, 3, 4].map((value, x) => value + small[x]);
  close(found.cam.subarray(0, 6), sum.map((value) => value / (7.5 + 1e-5)));
});

test("what a callback throws ends the passes", async () => {
  let runs = 0;
  const run = async () => {
    runs++;
    return { cam: { data: new Float32Array(4), dims: [1, 1, 2, 2] } };
  };
  const stop = async () => { throw new Error("stop"); };
  await assert.rejects(multiScaleCam(run, new Float32Array(12), [2, 2], { scales: [1, 2], flip: true, relu: true }, stop));
  assert.equal(runs, 1);
});

test("the strongest cell is that of the highest mean", () => {
  const map = Float32Array.from({ length: 32 * 20 }, (_, i) => (i % 20 >= 16 && i < 320 ? 0.4 : 0));
  map[0] = 5;
  assert.deepEqual(strongestCell(map, [32, 20], [2, 2]), [0, 1]);
});

/** Two heads on 1 x 2 cells. */
const block = { logits: Float32Array.of(0, 1, 2, 3, 1, 1, 0, 4), heads: 2, queries: [1, 2], keys: [1, 2], scale: 1, stride: 16, ratio: 1 };

test("attention is the softmax over the keys, and its maps lie between their own numbers", () => {
  const high = 1 / (1 + Math.exp(-1));
  close(probabilities(block), [1 - high, high, 1 - high, high, 0.5, 0.5, 1 / (1 + Math.exp(4)), 1 / (1 + Math.exp(-4))]);
  const logits = attentionAnswer(block, [1, 2], { block: 7, logits: true, head: -1 });
  assert.deepEqual([logits.shape, [...logits.lows], [...logits.peaks], [...logits.bytes]], [[1, 2, 2], [0.5, 1], [1, 3.5], [0, 255, 0, 255]]);
  assert.deepEqual(attentionAnswer(block, [1, 2], { block: 7, logits: false, cell: [0, 1] }).shape, [2, 1, 2]);
});

test("the affinity's numbers", () => {
  close(meanLogits([block]), [0.5, 1, 1, 3.5]);
  close(oneWayLogits([block], [1, 0.5], -1), [0, 2, 3, 9]);
  close(sigmoid(Float32Array.of(0)), [0.5]);
  assert.equal(asymmetry(Float32Array.of(1, 2, 2, 3), 2), 0);
  assert.ok(Math.abs(asymmetry(Float32Array.of(0, 1, -1, 0), 2) - Math.sqrt(8) / 1e-12) < 1e3);
  const map = Float32Array.of(0, 3, 1, 3, 0, 2, 1, 2, 0);
  const answer = affinityAnswer({ raw: map, logits: map, affinity: map, cells: Uint8Array.of(1, 1, 0), grid: [1, 3], radius: 8,
    source: "affinity_label", atCentre: false, bias: 0.5 });
  assert.deepEqual([answer.numbers.order_raw, answer.numbers.asymmetry_raw, answer.cells_of], [1, 0, "affinity_label"]);
});
