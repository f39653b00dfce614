// An explanation under other settings, made in the browser from a prepared one: the stages that follow from walk and PAR,
// their labels and scores, as payload.stages has them. The maps come unpacked; `unpack` leaves them as they are.

import { toBytes, toFloats } from "../../core/packed.js";
import { argmaxLabels, thresholdCam } from "../../method/labels.js";
import { createPipeline } from "../../method/pipeline.js";
import { resize } from "../../method/resize.js";
import { certainScores, iouScores, PARTIAL_LABELS, regionShares } from "../../method/scores.js";
import { limitsOf } from "../../method/statistics.js";
import { withBackground } from "../../method/walk.js";

// field of ExplainConfig -> setting of the pipeline
/** @type {{[field: string]: string}} */
const SETTINGS = { bkg_score_low: "low", bkg_score_high: "high", radius: "radius", power: "power", num_steps: "num_steps",
  num_iters: "num_iters", use_walk: "use_walk", use_par: "use_par" };
const COMPARED_WITH = { cam_rw: "walk_start", cam_par: "par_start", seg: "cam_par" }; // as stage_scores.py

/**
 * What walk and PAR start from: CAM and affinity, with the numbers that follow from them alone.
 *
 * @typedef {{cam: Unpacked, affinity: Unpacked, classes: any[], symmetric: boolean}} Start
 */

/**
 * The stages of one picture from one start, for any settings.
 *
 * @param {Trace} base the prepared stages, unpacked
 * @param {Start} start
 * @param {{pixels: Float32Array, seg: Uint8Array, target: Uint8Array | null}} scene pixels (3, H, W) in [0, 1]; labels (H, W)
 */
export function createExplainer(base, start, scene) {
  const labels = [0, ...base.classes.map((c) => c.label)];
  const cam = toFloats(start.cam);
  const { size, grid } = base;
  const pipeline = createPipeline({ size, grid, labels, cam, affinity: toFloats(start.affinity), image: scene.pixels });
  const cells = grid[0] * grid[1];

  /**
   * The label of every stage, as stage_scores.stage_labels.
   *
   * @type {(s: Settings, made: ReturnType<typeof pipeline.run>) => {[stage: string]: Uint8Array}}
   */
  const stageLabels = (s, made) => {
    const decide = (/** @type {Float32Array} */ scores, /** @type {Size} */ from) => argmaxLabels(resize(scores, from, size), labels);
    const walked = decide(made.cam_rw, grid);
    return {
      cam: thresholdCam(cam, labels.slice(1), s.bkg_score),
      walk_start: decide(withBackground(pipeline.small, cells, s.low), grid),
      cam_rw: walked,
      par_start: s.use_walk ? walked : decide(pipeline.parSteps(s, s.low, 0)[0], pipeline.half(s)),
      cam_refined: argmaxLabels(made.cam_refined, labels),
      cam_par: made.low,
      affinity_label: made.affinity_label,
      pseudo_label: made.pseudo_label,
      seg: scene.seg,
    };
  };

  const packed = (/** @type {Uint8Array | Uint8ClampedArray} */ bytes, /** @type {number[]} */ shape, range = {}) => (
    { bytes: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length), shape, ...range });

  return {
    pipeline,
    /**
     * The stages under the changed fields of ExplainConfig.
     *
     * @param {string} key
     * @param {{[field: string]: any}} changes
     */
    explain(key, changes) {
      const s = settingsOf(base, changes);
      const made = pipeline.run(s);
      const decided = stageLabels(s, made);
      const [low, high] = limitsOf(made.cam_rw, made.cam_par);
      const map = (/** @type {Float32Array} */ values, /** @type {Size} */ of) => (
        packed(toBytes(values, low, high), [labels.length, ...of], { low, high }));
      const leftOut = [["cam_rw", s.use_walk], ["cam_par", s.use_par && s.num_iters > 0]].filter(([, used]) => !used)
        .map(([stage]) => String(stage));
      const shown = ["cam", "walk_start", "cam_rw", "cam_par", ...(s.use_walk ? [] : ["par_start"])]; // as payload.score_table
      const { target } = scene;
      return {
        ...base,
        ...Object.fromEntries(Object.values(SETTINGS).map((name) => [name, s[name]])),
        chain: { ...base.chain, power: s.power },
        key,
        classes: start.classes,
        symmetric: start.symmetric,
        cam: start.cam,
        affinity: start.affinity,
        cam_rw: map(made.cam_rw, grid),
        cam_par: map(made.cam_par, size),
        labels: Object.fromEntries(shown.map((stage) => [stage, packed(decided[stage], size)])),
        affinity_label: packed(decided.affinity_label, size),
        pseudo_label: packed(decided.pseudo_label, size),
        scores: target && Object.fromEntries(Object.entries(decided).map(([stage, label]) => [stage, iouScores(label, target)])),
        steps: Object.entries(COMPARED_WITH).filter(([stage]) => !leftOut.includes(stage)).map(([stage, before]) => ({ stage, before })),
        left_out: leftOut,
        shares: Object.fromEntries(PARTIAL_LABELS.map((name) => [name, regionShares(decided[name])])),
        precision: target && Object.fromEntries(PARTIAL_LABELS.map((name) => [name, precisionOf(decided[name], target)])),
      };
    },
  };
}

function precisionOf(/** @type {Uint8Array} */ label, /** @type {Uint8Array} */ target) {
  return Object.fromEntries(Object.entries(certainScores(label, target)).map(([region, { precision }]) => [region, precision]));
}

/**
 * Settings of the pipeline: those of a prepared explanation with changed fields of ExplainConfig.
 *
 * @param {Trace} base
 * @param {{[field: string]: any}} changes
 * @returns {Settings}
 */
export function settingsOf(base, changes) {
  const { low, high, radius, num_steps, num_iters, use_walk, use_par } = base;
  const moved = Object.entries(changes).filter(([field]) => SETTINGS[field]).map(([field, value]) => [SETTINGS[field], value]);
  return { ...base.chain, low, high, radius, num_steps, num_iters, use_walk, use_par, ...Object.fromEntries(moved) };
}
