// What the snapshots made of the image, as far as the host has sent it, and the walk of each with the page's settings.

import { channelOf, toFloats, unpack } from "../../core/packed.js";
import * as recompute from "../../core/recompute.js";
import { store, view } from "../../core/store.js";
import { argmaxLabels } from "../../method/labels.js";
import { resize } from "../../method/resize.js";
import { iouScores } from "../../method/scores.js";
import { robustLimits } from "../../method/statistics.js";
import { transitionMatrix, walkSteps, withBackground } from "../../method/walk.js";

const FRAMES = 60; // kept; a quarter of a megabyte each

/** @type {Map<string, SnapshotFrame | RefusedFrame>} */
const frames = new Map(); // by series and model

/** The name of a snapshot: equal names, equal frames. */
export const frameName = (/** @type {TrainingRun} */ run, /** @type {number} */ number) => `${run.series} ${run.snapshots[number].model}`;

/** The frame of a snapshot; undefined while it is not here. */
export const frameAt = (/** @type {TrainingRun} */ run, /** @type {number} */ number) => frames.get(frameName(run, number));

/** Keep what the host said of a snapshot: its maps unpacked. */
export async function keep(/** @type {TrainingRun} */ run, /** @type {number} */ number, /** @type {Answer} */ raw) {
  const name = frameName(run, number);
  const frame = raw.refused ? /** @type {RefusedFrame} */ (raw) : await opened(raw);
  while (frames.size >= FRAMES) frames.delete(String(frames.keys().next().value));
  frames.set(name, frame);
}

/** @returns {Promise<SnapshotFrame>} */
async function opened(/** @type {Answer} */ raw) {
  const [cam, affinity, seg] = await Promise.all([raw.cam, raw.affinity, raw.seg].map(unpack));
  return { labels: raw.labels, scores: raw.scores, cam, affinity, seg, walks: new Map() };
}

/**
 * Scores after the walk with the page's settings: (P, N); null where the grid is too large for the browser.
 *
 * @param {SnapshotFrame} frame
 * @returns {SnapshotWalk | null}
 */
export function walked(frame) {
  const s = recompute.settings();
  if (!s || !frame.affinity) return null;
  const name = JSON.stringify([s.low, s.radius, s.power, s.num_steps, s.use_walk]);
  const made = frame.walks.get(name);
  if (made) return made;
  frame.walks.clear();
  const small = resize(toFloats(frame.cam), store.trace.size, store.trace.grid);
  const start = withBackground(small, store.trace.grid[0] * store.trace.grid[1], s.low);
  const matrix = transitionMatrix(toFloats(frame.affinity), store.trace.grid, s);
  const scores = /** @type {Float32Array} */ (walkSteps(start, matrix, s.use_walk ? s.num_steps : 0).at(-1));
  const label = argmaxLabels(resize(scores, store.trace.grid, store.trace.size), [0, ...frame.labels]);
  const walk = { scores, iou: store.scene.target ? iouScores(label, store.scene.target.bytes).iou : null };
  frame.walks.set(name, walk);
  return walk;
}

/** The numbers of the colours after the walk: one scale for all snapshots that are here. */
export function walkLimits(/** @type {TrainingRun} */ run) {
  const cells = store.trace.grid[0] * store.trace.grid[1];
  const maps = run.snapshots.flatMap((_, i) => {
    const frame = frameAt(run, i);
    const walk = frame?.cam ? walked(frame) : null;
    return frame?.cam && walk ? [channelOf(walk.scores, 1 + frame.labels.indexOf(view.label), cells)] : [];
  });
  return robustLimits(...maps);
}
