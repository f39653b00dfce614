// The passes of the network for one image, and what is made of them: stages/multi_scale_cam.py and stages/one_image.py.
//
// Symbols: C classes without background, H W pixels, h w cells. Maps are planes: channel by channel, row by row.

import { argmaxLabels } from "../../method/labels.js";
import { resize } from "../../method/resize.js";

const EPS = 1e-5; // of the normalisation, as ops/cam.py

/** @typedef {{data: Float32Array, dims: readonly number[]}} Output */
/** @typedef {{[name: string]: Output}} Outputs */
/** @typedef {(image: Float32Array, size: Size, whole: boolean) => Promise<Outputs>} RunNetwork whole: all outputs, not the CAM alone */

/**
 * (H, W, 3) bytes -> (3, H, W) normalised.
 *
 * @param {ArrayLike<number>} rgb
 * @param {number[]} mean
 * @param {number[]} std
 */
export function normalised(rgb, mean, std) {
  const pixels = rgb.length / 3;
  const out = new Float32Array(rgb.length);
  for (let c = 0; c < 3; c++) for (let i = 0; i < pixels; i++) out[c * pixels + i] = (rgb[3 * i + c] - mean[c]) / std[c];
  return out;
}

/** Maps mirrored left to right: (…, W). */
export function mirrored(/** @type {Float32Array} */ maps, /** @type {number} */ width) {
  const out = new Float32Array(maps.length);
  for (let row = 0; row < maps.length; row += width) for (let x = 0; x < width; x++) out[row + x] = maps[row + width - 1 - x];
  return out;
}

/** Every map stretched to [0, 1): (C, H W). */
export function stretched(/** @type {Float32Array} */ maps, /** @type {number} */ pixels) {
  const out = new Float32Array(maps.length);
  for (let at = 0; at < maps.length; at += pixels) {
    let [low, high] = [Infinity, -Infinity];
    for (let i = at; i < at + pixels; i++) {
      if (maps[i] < low) low = maps[i];
      if (maps[i] > high) high = maps[i];
    }
    for (let i = at; i < at + pixels; i++) out[i] = (maps[i] - low) / (high - low + EPS);
  }
  return out;
}

/** Scale 1 first, listed or not, then the others. */
export const orderedScales = (/** @type {number[]} */ scales) => [1, ...scales.filter((scale) => scale !== 1)];

/** The largest of the CAMs of an image and of the mirrored one, both at image size, added to those of other scales. */
function addScale(/** @type {Float32Array} */ total, /** @type {Float32Array[]} */ maps, /** @type {boolean} */ relu) {
  for (let i = 0; i < total.length; i++) {
    const value = maps.length > 1 ? Math.max(maps[0][i], maps[1][i]) : maps[0][i];
    total[i] += relu ? Math.max(0, value) : value;
  }
}

/**
 * Run the network at every scale, and mirrored.
 *
 * @param {RunNetwork} run
 * @param {Float32Array} image (3, H, W) normalised
 * @param {Size} size
 * @param {{scales: number[], flip: boolean, relu: boolean}} settings
 * @param {(pass: number, passes: number, first: Outputs) => Promise<void>} after called after every pass; what it throws
 *   ends the work
 * @returns {Promise<{first: Outputs, cam: Float32Array}>} outputs of the image as it is, CAM (C, H, W) in [0, 1)
 */
export async function multiScaleCam(run, image, size, { scales, flip, relu }, after) {
  const [height, width] = size;
  const ordered = orderedScales(scales);
  const passes = ordered.length * (flip ? 2 : 1);
  /** @type {Outputs | null} */
  let first = null;
  let total = new Float32Array(0);
  let pass = 0;
  for (const scale of ordered) {
    const scaledSize = size.map((side) => Math.floor(scale * side));
    const scaled = resize(image, size, scaledSize);
    const maps = [];
    for (const mirror of flip ? [false, true] : [false]) {
      const outputs = await run(mirror ? mirrored(scaled, scaledSize[1]) : scaled, scaledSize, !first);
      first ??= outputs;
      const { data, dims } = outputs.cam;
      const enlarged = resize(data, dims.slice(-2), size);
      maps.push(mirror ? mirrored(enlarged, width) : enlarged);
      await after(++pass, passes, first);
    }
    if (!total.length) total = new Float32Array(maps[0].length);
    addScale(total, maps, relu);
  }
  return { first: /** @type {Outputs} */ (first), cam: stretched(total, height * width) };
}

/** The CAM of the image as it is, at one scale: (C, H, W) in [0, 1). */
export function singleScaleCam(/** @type {Output} */ { data, dims }, /** @type {Size} */ size, /** @type {boolean} */ relu) {
  const enlarged = resize(data, dims.slice(-2), size);
  return stretched(relu ? enlarged.map((value) => Math.max(0, value)) : enlarged, size[0] * size[1]);
}

/** Labels (1 to C) whose logit exceeds the threshold; where none does, the best one. */
export function predictedLabels(/** @type {Float32Array} */ logits, /** @type {number} */ threshold) {
  const labels = Array.from(logits, (_, i) => i + 1).filter((label) => logits[label - 1] > threshold);
  return labels.length ? labels : [1 + logits.indexOf(Math.max(...logits))];
}

/** Labels (H, W) of the decoder. */
export function prediction(/** @type {Output} */ { data, dims }, /** @type {Size} */ size) {
  return argmaxLabels(resize(data, dims.slice(-2), size), Array.from({ length: dims[1] }, (_, label) => label));
}
