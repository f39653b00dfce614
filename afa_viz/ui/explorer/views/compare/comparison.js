// The other side of a comparison: B as the host made it, and of every stage both sides with their difference.

import { layer, toFloats, unpack } from "../../core/packed.js";
import { affinityOfCell, classIndex, queryCell } from "../../core/selection.js";
import { store, view } from "../../core/store.js";
import { PARTIAL_LABELS } from "../../method/scores.js";
import { limitsOf, maxAbs, robustChange, robustLimits } from "../../method/statistics.js";
import { host } from "../../host/host.js";

/** @type {any} */
let loaded = null; // B of the explanation with the key `other.of`
let asked = ""; // what was asked for last
/** @type {Map<any, any>} */
const made = new Map(); // stage, class and colours -> both sides, kept until B changes

const request = (/** @type {SideChanges} */ changes) => JSON.stringify({ key: store.trace.key, b: changes });
/** Whether B of these changes is another one than was asked for last. */
export const differs = (/** @type {SideChanges} */ changes) => request(changes) !== asked;

/** Ask the server for B; null where it was asked for another one before this one came. */
export async function load(/** @type {SideChanges} */ changes) {
  const [key, mine] = [store.trace.key, request(changes)];
  asked = mine;
  try {
    const raw = await host.compare(JSON.parse(mine));
    if (mine !== asked) return null;
    if (!raw) throw new Error("nothing to compare");
    const next = raw.refused ? null : { ...await unpacked(raw), of: key };
    if (mine !== asked) return null;
    if (raw.busy || raw.waiting) asked = ""; // the next try asks again
    loaded = next;
    made.clear();
    return next ?? raw;
  } catch (error) {
    if (mine !== asked) return null;
    [asked, loaded] = ["", null];
    throw error;
  }
}

async function unpacked(/** @type {Answer} */ raw) {
  const names = ["cam", "affinity_label", "affinity", "cam_rw", "cam_par", "pseudo_label", "seg"];
  const stages = Object.keys(raw.stage_labels);
  const [maps, labels] = await Promise.all([Promise.all(names.map((name) => unpack(raw[name]))),
    Promise.all(stages.map((name) => unpack(raw.stage_labels[name])))]);
  /** @type {Answer} */
  const result = { ...raw, stage_labels: Object.fromEntries(stages.map((name, i) => [name, labels[i]])) };
  names.forEach((name, i) => { result[name] = maps[i]; });
  return result;
}

/** Scores of a stage on both sides, their grid and the numbers of the colours; null where there are none. */
export function maps(/** @type {string} */ name) {
  if (name === "affinity") {
    if (!loaded.affinity || !store.trace.affinity) return null;
    return pair(affinityOfCell(), { ...loaded.affinity, bytes: theirAffinity() }, store.trace.grid, true);
  }
  const which = `${name} ${view.label} ${view.shared}`;
  if (!made.has(which)) made.set(which, scoresOf(name));
  return made.get(which);
}

function scoresOf(/** @type {string} */ name) {
  const at = loaded.labels.indexOf(view.label);
  const first = name === "cam" ? 0 : 1; // background comes first after the walk
  const mine = layer(store.trace[name], first + classIndex());
  return pair(mine, at < 0 ? null : onGrid(layer(loaded[name], first + at), mine), [mine.rows, mine.cols], name === "cam");
}

/** A map on the grid of another one, each cell the one that its middle lies in: networks of other strides have other grids. */
function onGrid(/** @type {Layer} */ map, /** @type {{rows: number, cols: number}} */ { rows, cols }) {
  if (map.rows === rows && map.cols === cols) return map;
  const at = (/** @type {number} */ i, /** @type {number} */ from, /** @type {number} */ to) => Math.floor(((i + 0.5) * from) / to);
  const bytes = Uint8Array.from({ length: rows * cols }, (_, i) => (
    map.bytes[at(Math.floor(i / cols), map.rows, rows) * map.cols + at(i % cols, map.cols, cols)]));
  return { ...map, bytes, rows, cols };
}

/** B's affinities of the query cell; where A knows a window of them only, that window. */
function theirAffinity() {
  const [query, [rows, cols], [theirRows, theirCols]] = [queryCell(), store.trace.grid, loaded.grid];
  const [row, col] = query;
  const [theirRow, theirCol] = query.map((at, axis) => Math.floor(((at + 0.5) * loaded.grid[axis]) / store.trace.grid[axis]));
  const from = (theirRow * theirCols + theirCol) * theirRows * theirCols;
  const own = { ...loaded.affinity, bytes: loaded.affinity.bytes.subarray(from, from + theirRows * theirCols), rows: theirRows,
    cols: theirCols };
  const { bytes } = onGrid(own, { rows, cols });
  const { band } = store.trace.affinity;
  const near = (/** @type {number} */ i) => Math.abs(Math.floor(i / cols) - row) <= band && Math.abs((i % cols) - col) <= band;
  return band ? bytes.map((/** @type {number} */ byte, /** @type {number} */ i) => (near(i) ? byte : 0)) : bytes;
}

/** Both sides with their difference; what may be the rounding to 8 bits counts as none. A `share` lies between 0 and 1;
 * of other scores a few cells that nothing reaches do not stretch the colours. */
/**
 * @param {Layer} mine
 * @param {Layer | null} theirs
 * @param {Size} size
 * @param {boolean} share
 */
function pair(mine, theirs, size, share) {
  const [a, b] = [toFloats(mine), theirs ? toFloats(theirs) : new Float32Array(mine.bytes.length)];
  const rounding = (1.05 * (mine.high - mine.low + (theirs ? theirs.high - theirs.low : 0))) / 255 / 2;
  const difference = b.map((value, i) => (Math.abs(value - a[i]) > rounding ? value - a[i] : 0));
  const limits = share && view.shared ? [0, 1] : (share ? limitsOf : robustLimits)(a, b);
  const same = !difference.some(Boolean);
  const apart = share ? maxAbs(difference) : robustChange(difference, a, b);
  const most = same ? limits[1] - limits[0] || 1 : apart;
  return { a, b, difference, size, limits, most, same };
}

/** Labels of a stage on both sides. */
/** @returns {any[]} */
export function labels(/** @type {string} */ name) {
  if (name === "seg") return [store.scene.seg.bytes, loaded.seg.bytes]; // both are there: `lackOf`
  if (PARTIAL_LABELS.includes(name)) return [store.trace[name].bytes, loaded[name].bytes];
  return [store.trace.labels[name].bytes, loaded.stage_labels[name].bytes];
}

/** The part that a stage comes from, where one of the sides lacks it, and which side. */
export function lackOf(/** @type {string} */ name) {
  const part = { seg: "decoder", affinity: "affinity" }[name];
  if (!part) return null;
  const side = [["A", store.trace], ["B", loaded]].find(([, one]) => one.parts.lacks.includes(part));
  return side ? { side: side[0], part } : null;
}

/** B as the server made it; null before. */
export const sideB = () => loaded;
/** Whether B of the present explanation is here. */
export const isLoaded = () => Boolean(loaded && store.trace && loaded.of === store.trace.key);
