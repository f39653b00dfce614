// What is changed by hand: joined and separated regions, thresholds of classes, and their texts; numbers worked out here.

import assert from "node:assert/strict";
import { test } from "node:test";

import { editsText, parseBox, parseEdits, parseThresholds, thresholdsText } from "../../afa_viz/ui/explorer/core/edit_settings.js";
import { editAffinity, editedValue } from "../../afa_viz/ui/explorer/method/edits.js";
import { createPipeline } from "../../afa_viz/ui/explorer/method/pipeline.js";
import { withBackground } from "../../afa_viz/ui/explorer/method/walk.js";

/** Numbers from 0 to 1, the same in every run. @param {number} count */
function numbers(count, seed = 1) {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  });
}

const near = (/** @type {number} */ found, /** @type {number} */ expected, within = 1e-6) => (
  assert.ok(Math.abs(found - expected) <= within, `${found} is not ${expected}`));

test("joined pairs are 1 and separated ones 0 in both directions; a cell with itself stays; a later edit wins", () => {
  const [count, affinity] = [5, numbers(25)];
  const edits = [{ what: "join", cells: [0, 1], others: [1, 3] }, { what: "separate", cells: [4], others: null }, { what: "join", cells: [4], others: [0] }];
  const out = editAffinity(affinity, edits);
  /** @type {{[pair: string]: number}} */
  const set = { "0 1": 1, "0 3": 1, "1 3": 1, "1 4": 0, "2 4": 0, "3 4": 0, "0 4": 1 };
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < count; j++) {
      const expected = set[[Math.min(i, j), Math.max(i, j)].join(" ")];
      assert.equal(out[i * count + j], i === j || expected == null ? affinity[i * count + j] : expected, `${i} ${j}`);
      assert.equal(editedValue(edits, i, j), i === j ? null : expected ?? null, `${i} ${j}`);
    }
  }
  assert.deepEqual(editAffinity(affinity, []), affinity);
});

test("an address holds regions as runs of cells from 1", () => {
  const edits = [{ what: "join", cells: [2, 3, 4, 18], others: [39, 40] }, { what: "separate", cells: [4], others: null }];
  assert.equal(editsText(edits), "j3-5.19_40-41,s5");
  assert.deepEqual(parseEdits("j3-5.19_40-41,s5", 41), edits);
  assert.deepEqual(parseEdits("", 41), []);
  for (const text of ["j3-5.19_40-42,s5", "j0", "j5-3", "x3", "j3,", "j3_", "j", "j3-4-5", "j1 ", "j1;2", "J1", "j\u0663", "j1,".repeat(40), "j99999999"]) {
    assert.equal(parseEdits(text, 41), null, text);
  }
  assert.equal(parseEdits(Array.from({ length: 33 }, () => "s1").join(","), 4), null); // more than an address holds
});

test("an address holds thresholds by the names of classes, and a box in pixels", () => {
  const names = ["background", "cat", "dining table", "a:b"];
  assert.equal(thresholdsText({ 2: 0.5, 1: 0.65 }, names), "cat:0.65~dining table:0.5");
  assert.deepEqual(parseThresholds("cat:0.65~dining table:.5~a:b:1", names), { 1: 0.65, 2: 0.5, 3: 1 });
  assert.deepEqual(parseThresholds("", names), {});
  for (const text of ["cat", "cat:", "cat:2", "cat:-1", "cat:x", "dog:0.5", "background:0.5", "cat:0.5~cat:0.6", "cat:0.5~", "cat:NaN", ":0.5"]) {
    assert.equal(parseThresholds(text, names), null, text);
  }
  assert.equal(thresholdsText(null, names), "");
  const exact = { 1: 1 / 3, 2: 1e-100 };
  assert.deepEqual(parseThresholds(thresholdsText(exact, names), names), exact);
  assert.deepEqual(parseBox("0,32,16,64", [32, 64]), [0, 32, 16, 64]);
  for (const text of ["", "0,33,16,64", "0,32,16,65", "5,5,0,1", "0,1,2", "0,1,2,3,4", "-1,2,3,4", "a,b,c,d"]) assert.equal(parseBox(text, [32, 64]), null, text);
});

test("shifted classes: the softmax of the background and the moved CAM", () => {
  const [cam, places, beta, shifts] = [numbers(6), 3, 0.55, [0.2, -0.3]];
  const out = withBackground(cam, places, beta, shifts);
  for (let i = 0; i < places; i++) {
    const parts = [Math.exp(beta), Math.exp(cam[i] + 0.2), Math.exp(cam[places + i] - 0.3)];
    const total = parts.reduce((a, b) => a + b);
    parts.forEach((part, c) => near(out[c * places + i], part / total));
  }
});

const size = /** @type {[number, number]} */ ([24, 32]);
const grid = /** @type {[number, number]} */ ([3, 4]);
const raw = numbers(144, 3);
const picture = { size, grid, labels: [0, 3, 8], cam: numbers(2 * 24 * 32, 2), stride: 8, image: numbers(3 * 24 * 32, 4),
  affinity: raw.map((value, i) => (value + raw[(i % 12) * 12 + Math.floor(i / 12)]) / 2) };
const settings = { low: 0.35, high: 0.55, bkg_score: 0.45, radius: 2, power: 2, eps: 0.1, num_steps: 1, num_iters: 3, use_walk: true,
  use_par: true, dilations: [1, 2], par_downscale: 2, w1: 0.3, w2: 0.01 };

for (const use_walk of [true, false]) {
  test(`one threshold for all classes is the high background score, ${use_walk ? "with" : "without"} the walk`, () => {
    const s = { ...settings, use_walk };
    const own = createPipeline(picture).run({ ...s, thresholds: { 3: 0.7, 8: 0.7 } });
    const common = createPipeline(picture).run({ ...s, high: 0.7 });
    for (const name of /** @type {("cam_rw_high" | "cam_par_high" | "cam_refined_high")[]} */ (["cam_rw_high", "cam_par_high", "cam_refined_high"])) {
      own[name].forEach((value, i) => near(value, common[name][i], 1e-5));
    }
    assert.deepEqual(own.cam_par, createPipeline(picture).run(s).cam_par); // the low score stays common
  });
}

test("thresholds that move on one pipeline give what they give on a new one, also once dragging is prepared", () => {
  const pipeline = createPipeline(picture);
  while (pipeline.prepare(settings));
  for (const thresholds of [null, { 3: 0.9 }, { 3: 0.9, 8: 0.2 }, { 8: 0.2 }, null, { 3: 0.55 }]) {
    const [found, expected] = [pipeline, createPipeline(picture)].map((one) => one.run({ ...settings, thresholds }));
    for (const name of /** @type {("pseudo_label" | "affinity_label")[]} */ (["pseudo_label", "affinity_label"])) {
      const wrong = found[name].reduce((/** @type {number} */ sum, /** @type {number} */ label, /** @type {number} */ i) => sum + Number(label !== expected[name][i]), 0);
      assert.ok(wrong <= 1, `${name} under ${JSON.stringify(thresholds)}: ${wrong}`); // a tie
    }
  }
});

test("an edited affinity is walked as one that a picture brings", () => {
  const edited = { name: "x", affinity: editAffinity(picture.affinity, [{ what: "separate", cells: [0, 1, 5], others: null }]) };
  const [found, expected] = [createPipeline(picture).run({ ...settings, edited }), createPipeline({ ...picture, affinity: edited.affinity }).run(settings)];
  assert.deepEqual(found.pseudo_label, expected.pseudo_label);
  assert.deepEqual(found.cam_rw, expected.cam_rw);
});
