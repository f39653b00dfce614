// Everything that the page may ask of one image, from the outputs of the network: as handlers/payload.py answers.
//
// Symbols: C classes without background, H W pixels, h w cells, N = h w.

import { affinityAnswer, meanLogits, oneWayLogits, sigmoid } from "./affinity.js";
import { attentionAnswer, blockNumbers } from "./attention.js";
import { predictedLabels, prediction, singleScaleCam } from "./passes.js";
import { toBytes } from "../../core/packed.js";
import { createPipeline } from "../../method/pipeline.js";
import { createExplainer } from "../prepared/explain.js";

const STRIDES = [4, 8, 16, 16]; // pixels that a query of each stage spans
const AFFINITY_BLOCKS = 2; // the last ones
const SYMMETRY = "symmetry of the affinity";

/** @typedef {import("./attention.js").Attention} Attention */
/** @typedef {import("./passes.js").Outputs} Outputs */

/**
 * What the site says of its network: see ui/site/network.py.
 *
 * @typedef {{model: string, names: string[], palette: number[][], mean: number[], std: number[], long_side: number,
 *   parts: any, cam_relu: boolean, at_centre: boolean, trained_on: {affinity: string | null, decoder: string | null},
 *   label_threshold: number, scales: number[], flip: boolean, symmetric: boolean, affinity_weight: number[],
 *   affinity_bias: number, blocks: {stage: number, heads: number, scale: number, reduction: number}[], settings: Settings,
 *   title: string, story: string, masked_story: string}} Network
 */

const packed = (/** @type {Float32Array} */ values, /** @type {number[]} */ shape, low = 0, high = 1) => (
  { bytes: new Uint8Array(toBytes(values, low, high)), shape, low, high });

/** The blocks of the network with their logits and grids. */
function attentionOf(/** @type {Network} */ network, /** @type {Outputs} */ outputs, /** @type {Size} */ size) {
  return network.blocks.map(({ stage, heads, scale, reduction }, i) => {
    const stride = STRIDES[stage - 1];
    const queries = size.map((side) => Math.ceil(side / stride));
    const keys = queries.map((side) => Math.max(1, Math.floor(side / reduction)));
    return { logits: outputs[`attn_logits_${i}`].data, heads, queries, keys, scale, stride, stage, ratio: keyRatio(queries, keys) };
  });
}

/** Queries a side that one key summarises, as figures.maps.key_ratio. */
function keyRatio(/** @type {Size} */ queries, /** @type {Size} */ keys) {
  const fits = (/** @type {number} */ r) => queries.every((side, i) => Math.max(1, Math.floor(side / r)) === keys[i]);
  return [1, 2, 4, 8].find(fits) ?? Math.max(1, Math.floor(queries[0] / keys[0]));
}

/** The cell in which a map, averaged over the cell, is strongest: (H, W). */
export function strongestCell(/** @type {Float32Array} */ map, /** @type {Size} */ [height, width], /** @type {Size} */ [rows, cols]) {
  let [best, at] = [-Infinity, 0];
  for (let i = 0; i < rows * cols; i++) {
    const [row, col] = [Math.floor(i / cols), i % cols];
    const [top, bottom] = [Math.floor((row * height) / rows), Math.ceil(((row + 1) * height) / rows)];
    const [left, right] = [Math.floor((col * width) / cols), Math.ceil(((col + 1) * width) / cols)];
    let sum = 0;
    for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) sum += map[y * width + x];
    const mean = sum / ((bottom - top) * (right - left));
    if (mean > best) [best, at] = [mean, i];
  }
  return [Math.floor(at / cols), at % cols];
}

/** The blocks as the page lists them: payload.blocks. */
function listed(/** @type {(Attention & {stage: number})[]} */ blocks, /** @type {number[]} */ weight) {
  let used = 0;
  return blocks.map(({ stage, heads, queries, keys, ratio }, i) => {
    const place = blocks.slice(0, i + 1).filter((other) => other.stage === stage).length;
    const weighted = i >= blocks.length - AFFINITY_BLOCKS;
    const weights = weighted ? weight.slice(used, used + heads) : null;
    if (weighted) used += heads;
    return { stage, place, heads, queries, keys, ratio, weights };
  });
}

/**
 * One image with the outputs of the first pass.
 *
 * @param {Network} network
 * @param {{rgb: Uint8ClampedArray, size: Size, address: string, mark: string}} image
 * @param {Outputs} outputs
 * @param {Uint8Array | null} [target] its ground truth: (H, W) labels
 */
export function createTrace(network, { rgb, size, address, mark }, outputs, target = null) {
  const pixels = size[0] * size[1];
  const grid = size.map((side) => Math.ceil(side / 16));
  const cells = grid[0] * grid[1];
  const blocks = attentionOf(network, outputs, size);
  const last = blocks.slice(-AFFINITY_BLOCKS);
  const logits = outputs.class_logits.data;
  const image = new Float32Array(3 * pixels);
  for (let c = 0; c < 3; c++) for (let i = 0; i < pixels; i++) image[c * pixels + i] = rgb[3 * i + c] / 255;
  const seg = prediction(outputs.seg_logits, size);
  const { settings } = network;
  const affinityLogits = () => (network.symmetric ? outputs.affinity_logits.data
    : oneWayLogits(last, network.affinity_weight, network.affinity_bias));
  const affinity = network.symmetric ? outputs.affinity.data : sigmoid(affinityLogits());
  const source = network.trained_on.affinity === "pseudo_label" ? "pseudo_label" : "affinity_label";

  const classesOf = (/** @type {Float32Array} */ cam, /** @type {number[]} */ labels) => labels.map((label) => (
    { label, cell: strongestCell(cam.subarray((label - 1) * pixels, label * pixels), size, grid), logit: logits[label - 1] }));
  const present = (/** @type {Float32Array} */ cam, /** @type {number[]} */ labels) => {
    const out = new Float32Array(labels.length * pixels);
    labels.forEach((label, i) => out.set(cam.subarray((label - 1) * pixels, label * pixels), i * pixels));
    return out;
  };

  const known = [...new Set(target)].filter((label) => label > 0 && label < network.names.length).sort((a, b) => a - b);
  const truth = target && { bytes: target, shape: size };

  return {
    mark,
    /** Image labels: the chosen ones, those of the ground truth, or the predicted ones; `given`: not predicted. */
    labels(/** @type {number[] | null} */ chosen) {
      const given = chosen ?? (known.length ? known : null);
      return { labels: given ?? predictedLabels(logits, network.label_threshold), given: given !== null };
    },
    /** The CAM of the image as it is, at one scale: (C, H, W). */
    singleScale: () => singleScaleCam(outputs.cam, size, network.cam_relu),
    /**
     * The stages from the CAM on, as payload.stages.
     *
     * @param {string} key
     * @param {Float32Array} cam (C, H, W) in [0, 1)
     * @param {number[]} labels
     * @param {boolean} given whether the labels are not predicted
     * @param {{[field: string]: any}} changes fields of ExplainConfig
     */
    stages(key, cam, labels, given, changes = {}) {
      const own = present(cam, labels);
      const classes = classesOf(cam, labels);
      const { low, high, radius, num_steps, num_iters, use_walk, use_par, ...chain } = settings;
      const start = { cam: packed(own, [labels.length, ...size]), affinity: packed(affinity, [cells, cells]), classes,
        symmetric: network.symmetric, floats: { cam: own, affinity } };
      const main = classes.reduce((best, one) => (one.logit > best.logit ? one : best)).label;
      const base = { key, scene: `photo ${mark}`, size, grid, num_blocks: blocks.length, first_block: 0, labels_given: given,
        main, classes, names: network.names, palette: network.palette, low, high, radius, num_steps, num_iters, use_walk,
        use_par, symmetric: network.symmetric, head_weights: null, affinity_bias: null, chain,
        edits: {}, thresholds: null, scales: { offered: network.scales, used: network.scales }, flip: network.flip,
        trained_on: network.trained_on, labels: {}, shares: {}, scores: target && {}, precision: target && {}, memory: "",
        title: network.title, story: target ? network.masked_story : network.story, domain: "photograph", link: {}, photo: mark,
        model: network.model, parts: network.parts };
      const explainer = createExplainer(/** @type {any} */ (base), /** @type {any} */ (start), { pixels: image, seg, target });
      return explainer.explain(key, changes);
    },
    scene: () => ({ key: `photo ${mark}`, image: address, seg: { bytes: seg, shape: size }, target: truth,
      blocks: listed(blocks, network.affinity_weight) }),
    attention: (/** @type {any} */ asked) => (blocks[asked.block]
      ? attentionAnswer(blocks[asked.block], grid, asked) : null),
    /** @param {any} stages as `stages` made them */
    overview: (stages) => ({ by_truth: Boolean(target), sent: 0, blocks: blocks.map((block) => (
      blockNumbers(block, target ?? stages[source].bytes, size, stages.classes.map((/** @type {any} */ c) => c.label)))) }),
    /** The heads of the affinity, as payload_heads.heads: the network gives q k^T, not q and k. */
    heads: () => ({ blocks: last.map(({ logits: floats }) => ({ logits: { floats } })), weights: network.affinity_weight,
      bias: network.affinity_bias, sent: 0 }),
    /** @param {any} stages */
    affinity(stages) {
      const pipeline = createPipeline({ size, grid, labels: [0], cam: new Float32Array(0), affinity, image,
        stride: network.parts.stride });
      return affinityAnswer({ raw: meanLogits(last), logits: affinityLogits(), affinity, grid, radius: stages.radius, source,
        cells: pipeline.cellLabels(stages[source].bytes, network.at_centre), atCentre: network.at_centre,
        truth: target && pipeline.cellLabels(target, network.at_centre),
        bias: network.affinity_bias });
    },
    /** Where the stages start without a part: the answer to `start`. */
    start(/** @type {string} */ part, /** @type {number[]} */ labels) {
      if (part === SYMMETRY) {
        return { affinity: packed(sigmoid(oneWayLogits(last, network.affinity_weight, network.affinity_bias)), [cells, cells]) };
      }
      const cam = singleScaleCam(outputs.cam, size, network.cam_relu);
      return { cam: packed(present(cam, labels), [labels.length, ...size]), classes: classesOf(cam, labels) };
    },
  };
}
