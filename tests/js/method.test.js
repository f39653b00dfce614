// The method in the browser against the golden vectors, without a browser: random walk, PAR, labels, scores.

import assert from "node:assert/strict";
import { test } from "node:test";

import { cases, check } from "./golden.js";
import { affinityLabels, PAIR } from "../../afa_viz/ui/explorer/method/affinity_labels.js";
import { CHANGE, labelChanges } from "../../afa_viz/ui/explorer/method/changes.js";
import { argmaxLabels, mergeLowHigh, thresholdCam } from "../../afa_viz/ui/explorer/method/labels.js";
import { kernelByRows, neighbourOffsets, parStep } from "../../afa_viz/ui/explorer/method/par.js";
import { createPipeline } from "../../afa_viz/ui/explorer/method/pipeline.js";
import { regionQuantiles } from "../../afa_viz/ui/explorer/method/region_scores.js";
import { resize } from "../../afa_viz/ui/explorer/method/resize.js";
import { certainScores, confusion, iouScores, regionShares } from "../../afa_viz/ui/explorer/method/scores.js";
import {
  byteHistogram, limitsOf, pairwiseAuc, quantiles, robustByteLimits, robustLimits,
} from "../../afa_viz/ui/explorer/method/statistics.js";
import { transitionMatrix, walkSteps, withBackground } from "../../afa_viz/ui/explorer/method/walk.js";

/** One image of a batch. @param {{values: any, shape: number[]}} tensor @param {number} index */
function imageOf({ values, shape }, index) {
  const size = shape.slice(1).reduce((a, b) => a * b, 1);
  return values.slice(index * size, (index + 1) * size);
}

/** Channels of planes. @param {Float32Array} planes @param {number[]} channels @param {number} size */
function pick(planes, channels, size) {
  const out = new Float32Array(channels.length * size);
  channels.forEach((channel, i) => out.set(planes.subarray(channel * size, (channel + 1) * size), i * size));
  return out;
}

/** Numbers from 0 to 1, the same in every run. @param {number} count */
function numbers(count, seed = 1) {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  });
}

// --- random walk -----------------------------------------------------------------------------------------------------

for (const { name, params, inputs, outputs } of cases("random_walk_bkg")) {
  test(`random walk with background: ${name}`, () => {
    const [batch, classes] = inputs.cls_labels.shape;
    const grid = [params.h, params.w];
    const cells = params.h * params.w;
    for (let image = 0; image < batch; image++) {
      const present = Array.from({ length: classes }, (_, c) => c).filter((c) => inputs.cls_labels.values[image * classes + c]);
      const cam = pick(imageOf(inputs.cams, image), present, cells);
      const matrix = transitionMatrix(imageOf(inputs.affinity, image), grid,
        { radius: params.radius ?? Math.max(...grid), power: params.power, eps: params.eps });
      const steps = walkSteps(withBackground(cam, cells, params.bkg_score), matrix, 1);
      const expected = pick(imageOf(outputs.cams, image), [0, ...present.map((c) => c + 1)], cells);
      check(steps[1], { ...outputs.cams, values: expected });
    }
  });
}

for (const { name, params, inputs, outputs } of cases("random_walk_plain")) {
  test(`random walk: ${name}`, () => {
    const grid = [params.h, params.w];
    for (let image = 0; image < inputs.cams.shape[0]; image++) {
      const matrix = transitionMatrix(imageOf(inputs.affinity, image), grid,
        { radius: params.radius ?? Math.max(...grid), power: params.power, eps: params.eps });
      check(walkSteps(imageOf(inputs.cams, image), matrix, 1)[1], { ...outputs.cams, values: imageOf(outputs.cams, image) });
    }
  });
}

for (const { name, params, outputs } of cases("radius_mask")) {
  test(`the window of the walk: ${name}`, () => {
    const ones = new Float32Array((params.h * params.w) ** 2).fill(1);
    const matrix = transitionMatrix(ones, [params.h, params.w], { radius: params.radius, power: 2, eps: 0.1 });
    check(Uint8Array.from(matrix, (value) => Number(value > 0)), outputs.mask);
  });
}

test("columns of the transition matrix sum to s / (s + eps), any power", () => {
  const affinity = numbers(81);
  for (const power of [1, 2, 3.5]) {
    const matrix = transitionMatrix(affinity, [3, 3], { radius: 1, power, eps: 0.1 });
    for (let j = 0; j < 9; j++) {
      let [sum, sharp] = [0, 0];
      for (let i = 0; i < 9; i++) {
        const near = Math.max(Math.abs(Math.floor(i / 3) - Math.floor(j / 3)), Math.abs((i % 3) - (j % 3))) <= 1;
        if (near) sharp += affinity[i * 9 + j] ** power;
        sum += matrix[i * 9 + j];
        assert.ok(near || matrix[i * 9 + j] === 0);
      }
      assert.ok(Math.abs(sum - sharp / (sharp + 0.1)) < 1e-6);
    }
  }
});

// --- PAR -------------------------------------------------------------------------------------------------------------

for (const { name, params, inputs, outputs } of cases("par")) {
  test(`PAR: ${name}`, () => {
    const [batch, , height, width] = inputs.image.shape;
    const masks = inputs.masks.shape.slice(2);
    for (let image = 0; image < batch; image++) {
      const kernel = kernelByRows(imageOf(inputs.image, image), [height, width], params).all();
      let maps = resize(imageOf(inputs.masks, image), masks, [height, width], true);
      for (let iteration = 1; iteration <= Math.max(...params.iterations); iteration++) {
        maps = parStep(maps, kernel);
        const expected = outputs[`iter${iteration}`];
        if (expected) check(maps, { ...expected, values: imageOf(expected, image) });
      }
    }
  });
}

test("the weights of every pixel sum to 1 + w2, and the neighbours come ring by ring", () => {
  const dilations = [1, 3];
  const { weights } = kernelByRows(numbers(3 * 20), [4, 5], { dilations, w1: 0.3, w2: 0.01 }).all();
  for (let pixel = 0; pixel < 20; pixel++) {
    let sum = 0;
    for (let k = 0; k < 16; k++) sum += weights[k * 20 + pixel];
    assert.ok(Math.abs(sum - 1.01) < 1e-5);
  }
  assert.deepEqual(neighbourOffsets(dilations).slice(7, 10), [[1, 1], [-3, -3], [-3, 0]]);
});

test("a kernel that is made row by row is the same", () => {
  const image = numbers(3 * 30);
  const settings = { dilations: [1, 2], w1: 0.3, w2: 0.01 };
  const rows = kernelByRows(image, [6, 5], settings);
  let count = 1;
  while (rows.more()) count += 1;
  assert.equal(count, 6);
  assert.deepEqual(rows.all().weights, kernelByRows(image, [6, 5], settings).all().weights);
});

// --- labels ----------------------------------------------------------------------------------------------------------

test("the label of a thresholded CAM", () => {
  const [{ params, inputs, outputs }] = cases("cam_to_label").filter(({ name }) => name === "cam_to_label_plain");
  const [batch, classes, height, width] = inputs.cams.shape;
  for (let image = 0; image < batch; image++) {
    const present = Array.from({ length: classes }, (_, c) => c).filter((c) => inputs.cls_labels.values[image * classes + c]);
    if (!present.length) {
      assert.ok(!imageOf(outputs.label, image).some(Boolean)); // the page always has a class
      continue;
    }
    const cam = pick(imageOf(inputs.cams, image), present, height * width);
    check(thresholdCam(cam, present.map((c) => c + 1), params.bkg_score), { ...outputs.label, values: imageOf(outputs.label, image) });
  }
});

test("two thresholds leave the uncertain out", () => {
  const [{ inputs, outputs, params }] = cases("merge_low_high");
  const [batch, height, width] = inputs.low.shape;
  for (let image = 0; image < batch; image++) {
    const [low, high] = [inputs.low, inputs.high].map((tensor) => Uint8Array.from(imageOf(tensor, image)));
    const [top, bottom, left, right] = imageOf(inputs.img_box, image);
    const merged = mergeLowHigh(low, high);
    const expected = imageOf(outputs.label, image);
    for (let i = 0; i < merged.length; i++) {
      const [y, x] = [Math.floor(i / width), i % width];
      if (y >= top && y < bottom && x >= left && x < right) assert.equal(merged[i], expected[i]);
      else assert.equal(expected[i], params.ignore_index); // the page's images have no border
    }
    assert.ok(height);
  }
});

test("the strongest channel, the first of equals", () => {
  assert.deepEqual([...argmaxLabels(Float32Array.from([1, 2, 3, 1, 5, 0, 0, 5, 3]), [0, 4, 7])], [0, 4, 0]);
  assert.deepEqual([...thresholdCam(Float32Array.from([0.2, 0.5, 0.7]), [3], 0.5)], [0, 0, 3]);
});

for (const { name, params, inputs, outputs } of cases("affinity_label")) {
  test(`affinity labels: ${name}`, () => {
    const [batch, height, width] = inputs.label.shape;
    const grid = [height / params.stride, width / params.stride];
    const cells = grid[0] * grid[1];
    for (let image = 0; image < batch; image++) {
      const label = imageOf(inputs.label, image);
      const small = Uint8Array.from({ length: cells }, (_, i) =>
        label[params.stride * (Math.floor(i / grid[1]) * width + (i % grid[1]))]);
      const expected = imageOf(outputs.affinity_label, image);
      const kinds = { [PAIR.beyond]: 255, [PAIR.ignored]: 255, [PAIR.positive]: 1, [PAIR.negative]: 0 };
      for (let i = 0; i < cells; i++) {
        const found = affinityLabels(small, [Math.floor(i / grid[1]), i % grid[1]], grid, params.radius ?? Math.max(...grid));
        assert.deepEqual(Array.from(found, (kind) => kinds[kind]), [...expected.slice(i * cells, (i + 1) * cells)]);
      }
    }
  });
}

test("pixels gained and lost, right and wrong where the ground truth is known", () => {
  const [before, now, truth] = [[1, 1, 0, 0, 2, 1], [1, 0, 1, 1, 1, 0], [1, 0, 1, 0, 255, 1]].map((list) => Uint8Array.from(list));
  const found = labelChanges(before, now, truth, 1);
  const { none, gained, lost, gainedWrong, lostWrong } = CHANGE;
  assert.deepEqual([...found.kinds], [none, lost, gained, gainedWrong, gained, lostWrong]);
  assert.deepEqual([found.gained, found.lost, found.gainedWrong, found.lostWrong], [3, 2, 1, 1]);
  assert.deepEqual(labelChanges(before, now, null, 1).gainedWrong, 0);
});

// --- scores ----------------------------------------------------------------------------------------------------------

for (const { name, inputs, outputs } of cases("scores").filter(({ inputs: { gt_1 } }) => !gt_1)) {
  test(`IoU of every class: ${name}`, () => {
    const [target, label] = [inputs.gt_0.values, inputs.pred_0.values];
    const { iou, miou } = iouScores(label, target);
    outputs.iou.values.forEach((/** @type {number} */ expected, /** @type {number} */ i) => {
      const counted = target.includes(i) || [...label].some((l, at) => l === i && target[at] !== 255);
      if (counted) assert.ok(Math.abs(iou[i] - expected) < 1e-9, `class ${i}: ${iou[i]}, expected ${expected}`);
    });
    const present = [...new Set(target)].filter((l) => l !== 255);
    const mean = present.reduce((sum, l) => sum + outputs.iou.values[l], 0) / present.length;
    assert.ok(miou != null && Math.abs(miou - mean) < 1e-9);
  });
}

test("shares, precision and recall of a label that leaves pixels out", () => {
  const label = Uint8Array.from([0, 0, 2, 2, 255, 255, 2, 0]);
  const target = Uint8Array.from([0, 2, 2, 2, 0, 2, 255, 0]);
  assert.deepEqual(regionShares(label), { foreground: 3 / 8, background: 3 / 8, uncertain: 2 / 8 });
  const { foreground, background, all } = certainScores(label, target);
  assert.deepEqual([foreground.precision, foreground.recall], [1, 2 / 4]);
  assert.deepEqual([background.precision, background.recall], [2 / 3, 2 / 3]);
  assert.deepEqual([all.precision, all.recall], [4 / 5, 4 / 7]);
  assert.equal(certainScores(label, new Uint8Array(8).fill(255)).all.precision, null);
  assert.deepEqual([...confusion(label, target)], [[0, 2], [2 * 256, 1], [2 * 256 + 2, 2]]);
});

// --- numbers ---------------------------------------------------------------------------------------------------------

test("limits, quantiles and histograms", () => {
  assert.deepEqual(limitsOf([3, 1], [7, 2]), [1, 7]);
  assert.deepEqual(quantiles([5, 1, 3, 2, 4], [0, 0.5, 1]), [1, 3, 5]);
  assert.equal(byteHistogram(Uint8Array.from([7, 7, 255]))[7], 2);
  const bytes = Uint8Array.from(numbers(300), (value) => Math.floor(256 * value));
  assert.deepEqual(robustByteLimits(bytes), robustLimits(Float32Array.from(bytes)));
});

test("the AUC of pairs counts ties half", () => {
  const [first, second] = [[3, 1, 2], [2, 0]].map((list) => Float32Array.from(list));
  assert.equal(pairwiseAuc(first, second), (2 + 1 + 1.5) / 6);
});

test("scores inside and outside of a region; none where one of them is empty", () => {
  const maps = [Float32Array.from([1, 2, 3, 4]), Float32Array.from([4, 3, 2, 1])];
  const found = regionQuantiles(maps, Float32Array.from([1, 0.9, 0.5, 0]));
  assert.deepEqual(found?.map(({ order }) => order), [0, 1]);
  assert.equal(regionQuantiles(maps, new Float32Array(4)), null);
});

test("resizing to the same size gives the maps themselves, and corners stay where they are aligned", () => {
  const maps = numbers(12);
  assert.equal(resize(maps, [3, 4], [3, 4]), maps);
  const large = resize(maps, [3, 4], [7, 9], true);
  assert.deepEqual([large[0], large[8], large[54], large[62]], [maps[0], maps[3], maps[8], maps[11]]);
});

// --- the pipeline ----------------------------------------------------------------------------------------------------

const sample = {
  image: { size: [32, 48], grid: [2, 3], labels: [0, 3, 5], cam: numbers(2 * 32 * 48, 2), affinity: numbers(36, 3),
    image: numbers(3 * 32 * 48, 4) },
  settings: { low: 0.35, high: 0.55, bkg_score: 0.45, radius: 1, power: 2, eps: 0.1, num_steps: 1, num_iters: 2,
    use_walk: true, use_par: true, dilations: [1, 2], par_downscale: 2, w1: 0.3, w2: 0.01 },
};

test("the pipeline runs the steps above in order, and a prepared threshold gives the same", () => {
  const { image, settings } = sample;
  const { size, grid, labels } = image;
  const pipeline = createPipeline(image);
  const found = pipeline.run(settings);
  const small = resize(image.cam, size, grid);
  const walked = walkSteps(withBackground(small, 6, settings.low), transitionMatrix(image.affinity, grid, settings), 1)[1];
  assert.deepEqual(found.cam_rw, walked);
  const kernel = kernelByRows(resize(image.image, size, [16, 24]), [16, 24], settings).all();
  let maps = resize(resize(walked, grid, size), size, [16, 24], true);
  for (let i = 0; i < 2; i++) maps = parStep(maps, kernel);
  assert.deepEqual(found.cam_par, resize(maps, [16, 24], size));
  assert.deepEqual(found.low, argmaxLabels(found.cam_par, labels));
  assert.deepEqual(found.pseudo_label, mergeLowHigh(found.low, found.high));
  while (pipeline.prepare(settings)); // the maps of six background scores
  const moved = { ...settings, low: 0.2, high: 0.7 };
  const [quick, slow] = [pipeline.run(moved), createPipeline(image).run(moved)];
  assert.ok(quick.cam_par.every((/** @type {any} */ value, /** @type {any} */ i) => Math.abs(value - slow.cam_par[i]) < 1e-5));
  assert.deepEqual([...new Set(pipeline.cellLabels(found.pseudo_label, false))].every((l) => [0, 3, 5, 255].includes(l)), true);
});

test("what run needs of PAR is prepared in pieces, and given up for other settings gives the same", () => {
  const { image, settings } = sample;
  const others = [{ ...settings, power: 1 }, { ...settings, low: 0.2, num_iters: 3 }, { ...settings, use_walk: false },
    { ...settings, use_par: false }];
  const pipeline = createPipeline(image);
  for (const [i, s] of [...others, settings].entries()) {
    for (let piece = 0; piece < 20 + i; piece++) pipeline.prepareRun(settings); // 16 rows of the kernel, then maps
    let pieces = 0;
    while (pipeline.prepareRun(s)) pieces += 1;
    assert.deepEqual(pipeline.run(s), createPipeline(image).run(s));
    assert.ok(i || pieces); // later ones share what earlier ones made
    assert.equal(pipeline.prepareRun(s), false);
  }
});

test("what was prepared for dragging outlasts an edit of the affinity", () => {
  const { image, settings } = sample;
  const pipeline = createPipeline(image);
  while (pipeline.prepare(settings));
  const edited = { name: "edited", affinity: numbers(36, 9) };
  const found = pipeline.run({ ...settings, edited });
  const expected = createPipeline({ ...image, affinity: edited.affinity }).run(settings);
  assert.deepEqual([found.cam_par, found.cam_par_high], [expected.cam_par, expected.cam_par_high]);
  assert.equal(pipeline.prepare(settings), false);
});
