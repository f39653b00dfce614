// A snapshot in words: its phase, its scores and losses, and what is missing of the image.

import { significant } from "../../core/format.js";
import { translateServerText } from "../../core/server_words.js";
import { text } from "../../core/words.js";

const LOSSES = ["cls", "seg", "aff", "energy"]; // names of loss_NAME, in the order of the words

/** A phase of the training with its number. */
export const phaseName = (/** @type {TrainingPhase} */ { name }, /** @type {number} */ i) => (
  text("training.phase", { number: i + 1, name: text(`training.short_${name}`) }));

/**
 * What is known of a snapshot.
 *
 * @param {TrainingRun} run
 * @param {number} iteration of the snapshot
 * @param {SnapshotFrame | RefusedFrame | undefined} frame what it made of the image, once that is here
 */
export function describeSnapshot(run, iteration, frame) {
  const phase = run.phases.find(({ until }) => iteration <= until) ?? run.phases.at(-1);
  const scores = run.points.find((point) => point.iteration === iteration);
  const words = [text("training.after", { iteration })];
  if (phase) words.push(text(`training.phase_${phase.name}`));
  const number = (/** @type {string} */ key) => {
    const score = scores?.[key];
    return score == null ? "–" : `${score.toFixed(1)} %`;
  };
  words.push(scores ? text("training.scores", { map: number("map"), cam: number("miou_cam"),
    start: number("miou_walk_start"), walk: number("miou_cam_rw"),
    par: number("miou_cam_par"), seg: number("miou_seg") }) : text("training.no_scores"));
  const losses = LOSSES.flatMap((key) => {
    const loss = scores?.[`loss_${key}`];
    return loss == null ? [] : [text(`training.loss_${key}`, { value: significant(loss) })];
  });
  if (losses.length) words.push(text("training.losses", { losses: losses.join(", ") }));
  if (!frame) words.push(text("training.wait"));
  else if (frame.refused) words.push(translateServerText(frame.refused));
  else if (!frame.affinity) words.push(text("training.too_large"));
  return words.join(" ");
}
