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
  num_iters: "num_iters", use_walk: "use_walk", use_par: "use_par", thresholds: "thresholds" };
const WALK = ["low", "radius", "power", "num_steps", "use_walk"];
const PAR = [...WALK, "num_iters", "use_par"];
/** @type {{[stage: string]: string[]}} */
const READS = { cam: ["cam"], walk_start: ["cam", "low"], cam_rw: ["cam", "affinity", ...WALK], par_start: ["cam", "affinity", ...WALK],
  cam_par: ["cam", "affinity", ...PAR], affinity_label: ["cam", "low", "high", "thresholds", "num_iters", "use_par"],
  pseudo_label: ["cam", "affinity", "high", "thresholds", ...PAR], cam_refined: ["cam", "low", "num_iters", "use_par"],
  seg: ["seg"] }; // what a stage follows from
/** @type {{[stage: string]: string}} */
const WITHOUT_WALK = { cam_rw: "walk_start", cam_par: "cam_refined", pseudo_label: "affinity_label" }; // what a stage is then
const COMPARED_WITH = { cam_rw: "walk_start", cam_par: "par_start", seg: "cam_par" }; // as stage_scores.py

/**
 * What walk and PAR start from: CAM and affinity, with the numbers that follow from them alone; the prediction where it is
 * another one, and the numbers of both maps where they are not only known as bytes.
 *
 * @typedef {{cam: Unpacked, affinity: Unpacked | null, classes: any[], symmetric: boolean, seg?: Uint8Array,
 *   floats?: {cam: Float32Array, affinity: Float32Array}, head_weights?: (number | null)[] | null,
 *   affinity_bias?: number | null}} Start
 */

/**
 * The stages of one picture from one start, for any settings.
 *
 * @param {Trace} base the prepared stages, unpacked
 * @param {Start} start
 * @param {{pixels: Float32Array, seg: Uint8Array | null, target: Uint8Array | null}} scene pixels (3, H, W) in [0, 1]; labels (H, W)
 */
export function createExplainer(base, start, scene) {
  const labels = [0, ...base.classes.map((c) => c.label)];
  const { cam, affinity } = start.floats ?? { cam: toFloats(start.cam),
    affinity: start.affinity ? toFloats(start.affinity) : new Float32Array(0) };
  const { size, grid } = base;
  const pipeline = createPipeline({ size, grid, labels, cam, affinity, image: scene.pixels, stride: base.parts.stride });
  const cells = grid[0] * grid[1];

  /**
   * The label of every stage, as stage_scores.stage_labels.
   *
   * @type {(s: Settings, made: ReturnType<typeof pipeline.run>) => {[stage: string]: Uint8Array}}
   */
  const stageLabels = (s, made) => {
    const decide = (/** @type {Float32Array} */ scores, /** @type {Size} */ from) => argmaxLabels(resize(scores, from, size), labels);
    const walked = decide(made.cam_rw, grid);
    const seg = start.seg ?? scene.seg;
    return {
      cam: thresholdCam(cam, labels.slice(1), s.bkg_score),
      walk_start: decide(withBackground(pipeline.small, cells, s.low), grid),
      cam_rw: walked,
      par_start: s.use_walk ? walked : decide(pipeline.parSteps(s, s.low, 0)[0], pipeline.half(s)),
      cam_refined: argmaxLabels(made.cam_refined, labels),
      cam_par: made.low,
      affinity_label: made.affinity_label,
      pseudo_label: made.pseudo_label,
      ...(seg ? { seg } : {}),
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
      const leftOut = [["cam_rw", s.use_walk], ["cam_par", s.use_par && s.num_iters > 0],
        ["seg", !base.parts.lacks.includes("decoder")]].filter(([, used]) => !used)
        .map(([stage]) => String(stage));
      const settings = settingsOf(base, {});
      /** Whether a stage is the prepared one, which was not made from maps of 8 bits. */
      const isSame = (/** @type {string} */ stage) => READS[stage].every((name) => (
        name === "seg" ? !start.seg : name === "cam" || name === "affinity" ? start[name] === base[name] : s[name] === settings[name]));
      /** What there is of every stage of a kind: prepared, also under another name, or made here. */
      const each = (/** @type {string[]} */ stages, /** @type {any} */ prepared, /** @type {(stage: string) => any} */ make) => (
        Object.fromEntries(stages.map((stage) => {
          const names = s.use_walk ? [stage] : [stage, WITHOUT_WALK[stage] ?? stage];
          const same = names.find((name) => prepared[name] && isSame(name));
          return [stage, same ? prepared[same] : make(stage)];
        })));
      const shown = ["cam", "walk_start", "cam_rw", "cam_par", ...(s.use_walk ? [] : ["par_start"])]; // as payload.score_table
      const { target } = scene;
      return {
        ...base,
        ...Object.fromEntries(Object.values(SETTINGS).map((name) => [name, s[name]])),
        chain: { ...base.chain, power: s.power },
        key,
        classes: start.classes,
        symmetric: start.symmetric,
        head_weights: start.head_weights === undefined ? base.head_weights : start.head_weights,
        affinity_bias: start.affinity_bias === undefined ? base.affinity_bias : start.affinity_bias,
        cam: start.cam,
        affinity: start.affinity,
        ...each(["cam_rw"], base, () => map(made.cam_rw, grid)),
        ...each(["cam_par"], base, () => map(made.cam_par, size)),
        ...each(PARTIAL_LABELS, base, (name) => packed(decided[name], size)),
        labels: each(shown, base.labels, (stage) => packed(decided[stage], size)),
        scores: target && each(Object.keys(decided), base.scores, (stage) => iouScores(decided[stage], target)),
        steps: Object.entries(COMPARED_WITH).filter(([stage]) => !leftOut.includes(stage)).map(([stage, before]) => ({ stage, before })),
        left_out: leftOut,
        shares: each(PARTIAL_LABELS, base.shares, (name) => regionShares(decided[name])),
        precision: target && each(PARTIAL_LABELS, base.precision, (name) => precisionOf(decided[name], target)),
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
  const { low, high, radius, num_steps, num_iters, use_walk, use_par, thresholds } = base;
  const moved = Object.entries(changes).filter(([field]) => SETTINGS[field]).map(([field, value]) => [SETTINGS[field], value]);
  const settings = { ...base.chain, low, high, radius, num_steps, num_iters, use_walk, use_par, thresholds,
    ...Object.fromEntries(moved) };
  return base.parts.lacks.includes("affinity") ? { ...settings, use_walk: false } : settings;
}
