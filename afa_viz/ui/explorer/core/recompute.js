// The pipeline in the browser for the image that is shown: what the tabs draw while a setting moves. When the slider is
// let go the host explains the same settings, and its maps take the place of these.

import { toFloats } from "./packed.js";
import { SELECTION, tabs } from "./schedule.js";
import { workInSlices } from "./slices.js";
import { store, view } from "./store.js";
import { context2d, createCanvas } from "../draw/canvas.js";
import { host } from "../host/host.js";
import { thresholdCam } from "../method/labels.js";
import { createPipeline } from "../method/pipeline.js";

export const MAX_CELLS = 1024; // cells; larger grids are left to the host

// setting here -> field of ExplainConfig
/** @type {{[name: string]: string}} */
export const FIELDS = { low: "bkg_score_low", high: "bkg_score_high", radius: "radius", power: "power",
  num_steps: "num_steps", num_iters: "num_iters" };

/** @type {any} */
let browserPipeline = null; // createPipeline of this picture, these labels and this model
/** @type {any} */
let source = null; // what it was made from
/** @type {any} */
let values = null;
let moved = false; // away from what the host explained
/** @type {{[name: string]: any}} */
let unanswered = {}; // moved, and not yet answered by the host
let stopPreparing = () => {};
/** @type {any} */
let ownThreshold = null; // on the CAM, once it was moved; the host knows nothing of it
/** @type {((name: string) => void)[]} */
const listeners = [];

function equal(/** @type {any} */ a, /** @type {any} */ b) {
  return a.length === b.length && a.every((/** @type {number} */ value, /** @type {number} */ i) => value === b[i]);
}

/**
 * The photograph as the network saw it: (3, H, W) in [0, 1].
 *
 * @param {HTMLImageElement} image
 * @param {number[]} size
 */
export function pixelsOf(image, [height, width]) {
  const canvas = createCanvas(width, height);
  const context = context2d(canvas, { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const bytes = context.getImageData(0, 0, width, height).data;
  const size = height * width;
  const out = new Float32Array(3 * size);
  for (let c = 0; c < 3; c++) for (let i = 0; i < size; i++) out[c * size + i] = bytes[4 * i + c] / 255;
  return out;
}

/**
 * Take over what the host sent; what is under the hand stays. False where the grid is too large for that.
 *
 * @param {boolean} [soon] a setting may move soon: get ready for it
 */
export function openTrace(soon = true) {
  moved = Object.keys(unanswered).length > 0;
  if (!store.trace || store.trace.grid[0] * store.trace.grid[1] > MAX_CELLS) {
    [browserPipeline, source, values] = [null, null, null];
    return false;
  }
  const labels = [0, ...store.trace.classes.map((c) => c.label)];
  /** @type {{[part: string]: any}} */
  const next = { scene: store.scene, labels, cam: store.trace.cam.bytes, affinity: store.trace.affinity?.bytes ?? [] };
  if (!source || source.scene !== store.scene || !["labels", "cam", "affinity"].every((k) => equal(source[k], next[k]))) {
    browserPipeline = createPipeline({ size: store.trace.size, grid: store.trace.grid, labels, cam: toFloats(store.trace.cam),
      affinity: store.trace.affinity ? toFloats(store.trace.affinity) : new Float32Array(0), stride: store.trace.parts.stride,
      image: pixelsOf(store.scene.image, store.trace.size) });
    source = next;
  }
  const { low, high, radius, num_steps, num_iters, use_walk, use_par, thresholds = null } = store.trace;
  values = { ...store.trace.chain, low, high, radius, num_steps, num_iters, use_walk, use_par, thresholds,
    ...unanswered, bkg_score: threshold() };
  if (store.trace.partial) stopPreparing(); // until the rest is here the processor is the host's
  else if (soon) prepare();
  return true;
}

/**
 * Get ready for dragging, a short piece at a time.
 *
 * @param {number} [wait]
 */
export function prepare(wait = 200) {
  stopPreparing();
  stopPreparing = workInSlices(pieces(), wait);
}

function* pieces() {
  const first = view.tab === "affinity" ? store.trace.cellsOf ?? "affinity_label" : view.shownLabel;
  while (browserPipeline?.prepare(values, first)) yield;
}

/**
 * One of the two labels under the present settings: the host's own, or where a setting moved, made here.
 *
 * @param {string} [name]
 */
export function labelMap(name = "pseudo_label") {
  return browserPipeline && moved ? browserPipeline.label(values, name) : store.trace[name].bytes;
}

/** The threshold on the CAM. */
export const threshold = () => ownThreshold ?? store.trace?.chain.bkg_score ?? 0;

/** The label of the thresholded CAM: the host's own, as the strip scores it, or for another threshold from the map here. */
export function thresholdLabel() {
  if (threshold() === store.trace.chain.bkg_score) return store.trace.labels.cam.bytes;
  if (browserPipeline) return browserPipeline.cut(values);
  return thresholdCam(toFloats(store.trace.cam), store.trace.classes.map((c) => c.label), threshold());
}

/**
 * Tell who draws from here; tabs that are not open follow when they are.
 *
 * @param {string} name
 */
function notify(name) {
  for (const [tab, it] of tabs) if (tab !== view.tab) it.stale = Math.max(it.stale, SELECTION);
  for (const listener of listeners) listener(name);
}

/**
 * A setting moves. `final`: it was let go, so the host is asked.
 *
 * @param {string} name
 * @param {number} value
 * @param {boolean} [final]
 */
export function setSetting(name, value, final = false) {
  if (name === "bkg_score") ownThreshold = value;
  if (!values) { // too large a grid: only the host draws, all but the cut
    if (name === "bkg_score") notify(name);
    if (final && FIELDS[name]) host.setSetting(FIELDS[name], value);
    return;
  }
  const patch = { [name]: value };
  if (name === "low" && value > values.high) patch.high = value;
  if (name === "high" && value < values.low) patch.low = value;
  values = { ...values, ...patch };
  if (FIELDS[name]) [unanswered, moved] = [{ ...unanswered, ...patch }, true];
  notify(name);
  if (!final) return;
  /** @type {{[name: string]: any}} */
  const explained = { ...store.trace, ...store.trace.chain };
  const changed = Object.entries(unanswered).filter(([key, v]) => explained[key] !== v);
  unanswered = {};
  for (const [key, v] of changed) host.setSetting(FIELDS[key], v);
  prepare();
}

/**
 * The host is about to be asked for a setting that moved: whether it did not know of it yet.
 *
 * @param {string} name
 */
export function takeUnanswered(name) {
  const known = unanswered[name] == null;
  if (!known) unanswered = {};
  return !known;
}

/**
 * An affinity in the place of the explained one, {name, affinity}: the page draws with it until the host has explained it.
 * null: the explained one again.
 *
 * @param {{name: string, affinity: Float32Array} | null} edited
 */
export function setAffinity(edited) {
  if (!values) return;
  stopPreparing(); // what is prepared for dragging thresholds would be for another affinity in the next frame
  edit({ edited }, "affinity");
}

/** Foreground thresholds of classes, {label: number}, in the place of the explained ones. null: none. */
export function setThresholds(/** @type {{[label: string]: number} | null} */ thresholds) {
  if (values) edit({ thresholds }, "thresholds");
}

function edit(/** @type {object} */ patch, /** @type {string} */ name) {
  values = { ...values, ...patch };
  moved = Boolean(values.edited) || values.thresholds !== (store.trace.thresholds ?? null) || Object.keys(unanswered).length > 0;
  notify(name);
}

/** Whether a setting is away from what the host explained. */
export const isMoved = () => Boolean(browserPipeline) && moved;
/** The stages of this image in the browser; null where the grid is too large for that. */
export const pipeline = () => browserPipeline;
/** The settings that are drawn now; null where there is no pipeline. */
export const settings = () => values;
/** Call a listener with the name of every setting that moves. */
export const onSetting = (/** @type {(name: string) => void} */ listener) => { listeners.push(listener); };
