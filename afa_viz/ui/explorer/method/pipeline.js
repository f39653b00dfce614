// The stages of one image in the order of pipeline.py, each kept with the settings it was made with.
//
// Symbols: P channels (background first, then the present classes), h w cells, N = h w, H W pixels.

import { argmaxLabels, mergeLowHigh, thresholdCam } from "./labels.js";
import { kernelByRows, parStep } from "./par.js";
import { resize } from "./resize.js";
import { transitionMatrix, walkSteps, withBackground } from "./walk.js";

const STRIDE = 16; // pixels a cell, of AFA
const UNCERTAIN = 255;

// --- every background score at once --------------------------------------------------------------------------------

// Walk and PAR are linear, and where they start is as smooth in the background score as a logistic curve: the maps of
// six scores, at Chebyshev's places in [0, 1], give those of any other to 1e-6. So a threshold can be dragged however
// large the picture and however many the iterations.
const NUM_NODES = 6;
const chebyshevNodes = Array.from({ length: NUM_NODES },
  (_, k) => 0.5 - 0.5 * Math.cos((Math.PI * (2 * k + 1)) / (2 * NUM_NODES)));

/**
 * The maps of a background score out of those of the six `nodes`: the polynomial through them.
 *
 * @param {Float32Array[]} maps
 * @param {number} beta
 */
function interpolateBackgroundScore(maps, beta) {
  const out = new Float32Array(maps[0].length);
  maps.forEach((map, k) => {
    const others = chebyshevNodes.filter((_, m) => m !== k);
    const weight = others.reduce((product, node) => (product * (beta - node)) / (chebyshevNodes[k] - node), 1);
    for (let i = 0; i < out.length; i++) out[i] += weight * map[i];
  });
  return out;
}

// --- the stages of one picture -------------------------------------------------------------------------------------

/** @typedef {{steps: Float32Array[], begun: Float32Array[]}} ParMaps after each iteration, and channels of the next one */

/**
 * The chain of one picture. Every stage is kept with the settings it was made with, so that a moved setting runs only
 * what lies below it, and a moved background score only its own half. Two labels leave the CAM: the pseudo label by way
 * of the walk, and the affinity label without it; both are refined by the same kernel.
 *
 * picture: { size, grid, labels (P), cam (P - 1, H, W) in [0, 1], affinity (N, N), image (3, H, W) in [0, 1], stride: pixels
 * a cell }. A method without an affinity has none, and never walks.
 * A setting `edited`, {name, affinity}, stands in the place of the picture's affinity; equal names mean equal numbers.
 * A setting `thresholds`, {label: number}, stands in the place of the high background score for some classes.
 * The settings are ExplainConfig's, with PAR's w1, w2 and the walk's eps: low, high, bkg_score, radius, power, eps,
 * num_steps, num_iters, use_walk, use_par, dilations, par_downscale, w1, w2.
 *
 * @param {{size: Size, grid: Size, labels: number[], cam: Float32Array, affinity: Float32Array, image: Float32Array,
 *   stride?: number}} picture
 */
export function createPipeline(picture) {
  const { size, grid, labels, cam, affinity, image, stride = STRIDE } = picture;
  const cells = grid[0] * grid[1];
  /** @type {Map<string, {name: string, value: any}>} */
  const memory = new Map();
  const keep = (/** @type {string} */ stage, /** @type {any} */ settings, /** @type {() => any} */ make) => {
    const name = JSON.stringify(settings);
    if (memory.get(stage)?.name !== name) memory.set(stage, { name, value: make() });
    return memory.get(stage)?.value;
  };
  const small = resize(cam, size, grid);
  const half = (/** @type {Settings} */ s) => size.map((side) => Math.max(1, Math.floor(side / s.par_downscale)));
  /** The settings of the affinity label: the same without the walk. */
  const plain = (/** @type {Settings} */ s) => (s.use_walk ? { ...s, use_walk: false } : s);
  /** What is made on one way is kept apart from the others: an edit loses nothing that was prepared without it. */
  const way = (/** @type {Settings} */ s) => (s.use_walk ? (s.edited ? "edited" : "walked") : "plain");
  const walkOf = (/** @type {Settings} */ s) => (s.use_walk ? [s.radius, s.power, s.num_steps, s.edited?.name] : []);
  /**
   * How far every class is moved for the high background score, where classes have thresholds of their own: as
   * ops/cam.shift_to_thresholds. null for the low one.
   *
   * @type {(s: Settings, beta: number, which: string) => number[] | null}
   */
  const shifts = (s, beta, which) => (s.thresholds && which.startsWith("high")
    ? labels.slice(1).map((label) => beta - (s.thresholds[label] ?? beta)) : null);
  const parOf = (/** @type {Settings} */ s) => [s.use_par ? s.num_iters : 0, s.dilations, s.par_downscale];

  const matrix = (/** @type {Settings} */ s) => keep("transition", [s.radius, s.power, s.edited?.name],
    () => transitionMatrix(s.edited?.affinity ?? affinity, grid, s));
  const rows = (/** @type {Settings} */ s) => keep("kernel", [s.dilations, s.par_downscale],
    () => kernelByRows(resize(image, size, half(s)), half(s), s));
  const parKernel = (/** @type {Settings} */ s) => rows(s).all();
  /**
   * The walk with a background score: before it and after each of `count` steps.
   *
   * @type {(s: Settings, beta: number, count: number, which?: string) => Float32Array[]}
   */
  const steps = (s, beta, count, which = "steps") => {
    const moved = shifts(s, beta, which);
    return keep(which, [beta, s.radius, s.power, count, s.edited?.name, moved],
      () => walkSteps(withBackground(small, cells, beta, moved), matrix(s), count));
  };
  /** @type {(s: Settings, beta: number, which: string) => Float32Array} */
  const walked = (s, beta, which) => steps(s, beta, s.use_walk ? s.num_steps : 0, `${which} steps`).slice(-1)[0];
  const of = (/** @type {Settings} */ s, /** @type {number} */ beta, /** @type {string} */ which) => (
    [beta, walkOf(s), shifts(s, beta, which)]); // what maps of a background score are made with
  /**
   * Where PAR starts.
   *
   * @type {(s: Settings, beta: number, which: string) => Float32Array}
   */
  const parStart = (s, beta, which) => keep(`${way(s)} ${which} start`, [...of(s, beta, which), s.par_downscale], () => {
    if (s.use_walk) return enlarged(walked(s, beta, which), s);
    return withBackground(resize(cam, size, half(s)), half(s)[0] * half(s)[1], beta, shifts(s, beta, which));
  });
  /** @type {(scores: Float32Array, s: Settings) => Float32Array} */
  const enlarged = (scores, s) => resize(resize(scores, grid, size), size, half(s), true);
  /** @type {(s: Settings, beta: number, which: string) => ParMaps} */
  const parMaps = (s, beta, which) => keep(`${way(s)} ${which} PAR`, [...of(s, beta, which), s.dilations, s.par_downscale],
    () => ({ steps: [parStart(s, beta, which)], begun: [] }));
  /** One map through one more iteration of PAR; the maps grow when all are through. */
  const growPar = (/** @type {ParMaps} */ { steps, begun }, /** @type {Settings} */ s) => {
    const from = /** @type {Float32Array} */ (steps.at(-1));
    const pixels = from.length / labels.length;
    const at = begun.length * pixels;
    begun.push(parStep(from.subarray(at, at + pixels), parKernel(s)));
    if (begun.length < labels.length) return;
    const maps = new Float32Array(from.length);
    begun.splice(0).forEach((map, i) => maps.set(map, i * pixels));
    steps.push(maps);
  };
  /**
   * The maps before PAR and after each of `count` iterations; grown on demand.
   *
   * @type {(s: Settings, beta: number, count: number, which?: string) => Float32Array[]}
   */
  const parSteps = (s, beta, count, which = "low") => {
    const maps = parMaps(s, beta, which);
    while (maps.steps.length <= count) growPar(maps, s);
    return maps.steps;
  };
  const iterations = (/** @type {Settings} */ s) => (s.use_par ? s.num_iters : 0);
  const table = (/** @type {Settings} */ s) => keep(`${way(s)} table`, [walkOf(s), parOf(s)], () => []);
  /** @type {(s: Settings, beta: number, which: string) => boolean} */
  const inTable = (s, beta, which) => table(s).length === NUM_NODES && !shifts(s, beta, which);
  /** @type {(s: Settings, beta: number, which: string) => Float32Array} */
  const refined = (s, beta, which) => keep(`${way(s)} ${which} refined`, [...of(s, beta, which), parOf(s)], () => {
    const maps = inTable(s, beta, which) ? interpolateBackgroundScore(table(s), beta)
      : parSteps(s, beta, iterations(s), which)[iterations(s)];
    return resize(maps, half(s), size);
  });
  /** @type {(s: Settings, beta: number, which: string) => Uint8Array} */
  const decided = (s, beta, which) => keep(`${way(s)} ${which} label`, [...of(s, beta, which), parOf(s)],
    () => argmaxLabels(refined(s, beta, which), labels));
  const merged = (/** @type {Settings} */ s) => keep(`${way(s)} merged`, [s.low, ...of(s, s.high, "high"), parOf(s)],
    () => mergeLowHigh(decided(s, s.low, "low"), decided(s, s.high, "high")));
  /** One of the two labels: (H, W). */
  const label = (/** @type {Settings} */ s, /** @type {string} */ name) => merged(name === "affinity_label" ? plain(s) : s);

  /** A row of the kernel, or one map of one background score through one iteration of PAR; whether more is left. */
  function prepareWay(/** @type {Settings} */ s) {
    const known = table(s);
    if (known.length === NUM_NODES) return false;
    if (iterations(s) && rows(s).more()) return true;
    known.next ??= { steps: [parStart(s, chebyshevNodes[known.length], "table")], begun: [], left: iterations(s) };
    const { next } = known;
    if (next.left) {
      growPar(next, s);
      if (next.begun.length) return true;
      next.steps.shift();
      next.left -= 1;
    }
    if (!next.left) {
      known.push(next.steps[0]);
      known.next = null;
    }
    return known.length < NUM_NODES;
  }

  /** A small piece of what `run` needs of PAR: as `prepareWay`, for these background scores; whether more is left. */
  function prepareRun(/** @type {Settings} */ s) {
    const count = iterations(s);
    if (count && rows(s).more()) return true;
    for (const [one, beta, which] of /** @type {[Settings, number, string][]} */ (
      [s, plain(s)].flatMap((one) => [[one, s.low, "low"], [one, s.high, "high"]]))) {
      if (inTable(one, beta, which)) continue;
      const maps = parMaps(one, beta, which);
      if (maps.steps.length > count) continue;
      growPar(maps, one);
      return true;
    }
    return false;
  }

  /** The label of every cell as affinity labels are made from it: of the pixel at its top left or in its middle. */
  function cellLabels(/** @type {Uint8Array} */ map, /** @type {boolean} */ atCentre) {
    const whole = size.map((side) => Math.floor(side / stride));
    const lengths = whole.every((count, axis) => count === grid[axis]) ? size : grid.map((count) => count * stride);
    const [rowsAt, colsAt] = grid.map((count, axis) => Array.from({ length: count },
      (_, i) => Math.floor(((2 * i + Number(atCentre)) * lengths[axis]) / (2 * count))));
    return Uint8Array.from({ length: cells }, (_, i) => {
      const [y, x] = [rowsAt[Math.floor(i / grid[1])], colsAt[i % grid[1]]];
      return y < size[0] && x < size[1] ? map[y * size[1] + x] : UNCERTAIN; // beyond the picture
    });
  }

  return {
    ...picture,
    small,
    matrix,
    kernel: parKernel,
    half,
    steps,
    parSteps,
    enlarged,
    /** The label of a single cut through the CAM. */
    cut: (/** @type {Settings} */ s) => keep("cut", [s.bkg_score], () => thresholdCam(cam, labels.slice(1), s.bkg_score)),
    label,
    cellLabels,
    /** Prepare for dragging the background scores, a small piece a call, the label that is looked at first; whether more
     * is left. */
    prepare: (/** @type {Settings} */ s, first = "pseudo_label") =>
      (first === "pseudo_label" ? [s, plain(s)] : [plain(s), s]).some(prepareWay),
    prepareRun,
    /** Everything under these settings: maps (P, …) and labels (H, W), named as in a Trace. */
    run(/** @type {Settings} */ s) {
      return {
        cam_rw: walked(s, s.low, "low"),
        cam_rw_high: walked(s, s.high, "high"),
        cam_par: refined(s, s.low, "low"),
        cam_par_high: refined(s, s.high, "high"),
        cam_refined: refined(plain(s), s.low, "low"),
        cam_refined_high: refined(plain(s), s.high, "high"),
        low: decided(s, s.low, "low"),
        high: decided(s, s.high, "high"),
        pseudo_label: label(s, "pseudo_label"),
        affinity_label: label(s, "affinity_label"),
      };
    },
  };
}
