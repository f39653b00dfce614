// What a side of the comparison is called, and what it is worth, in words and numbers.

import { formatSeconds, percent } from "../../core/format.js";
import { className, queryCell } from "../../core/selection.js";
import { store, view } from "../../core/store.js";
import { text } from "../../core/words.js";
import { PARTIAL_LABELS } from "../../method/scores.js";
import * as comparison from "./comparison.js";
import * as sideB from "./side_b.js";

/** Whether a stage is a label map, not scores. */
export const isLabel = (/** @type {string} */ name) => name === "seg" || PARTIAL_LABELS.includes(name);

/** What a stage is called above both sides. */
export const stageName = (/** @type {string} */ name) => (
  text(`strip.${name}`) + (name === "cam_par" && sideB.stagesOfB().crf ? ` | ${text("par.dense_crf")}` : ""));

/** IoU of a stage that decides every pixel; null for others, and without a truth. */
export const iouOf = (/** @type {ScoredSide} */ { scores }, /** @type {string} */ name) =>
  (!scores?.[name] || PARTIAL_LABELS.includes(name) ? null : scores[name].iou[view.label] ?? 0);

/** How much of a label is certain, and how much of that is right. */
export function certainOf(/** @type {ScoredSide} */ side, /** @type {string} */ name) {
  const share = percent(1 - side.shares[name].uncertain);
  const right = side.precision?.[name].all;
  return right == null ? text("strip.certain", { share }) : text("compare.certain", { share, right: percent(right) });
}

/** What the large picture of a side shows; a step that this side leaves out or replaces is not called by its name. */
export function subjectOf(/** @type {string} */ row, /** @type {string} */ name) {
  const large = sideB.largeStage();
  const named = text(`strip.${large}`);
  if (isLabel(large)) return named;
  if (large === "affinity") return text("compare.of_cell", { stage: named, row: queryCell()[0] + 1, col: queryCell()[1] + 1 });
  const { walk, par, crf } = row === "a" ? { walk: store.trace.use_walk, par: store.trace.use_par } : sideB.stagesOfB();
  let stage = named;
  if (large === "cam_rw" && !walk) stage = text("compare.no_walk");
  if (large === "cam_par" && !par) stage = text("compare.no_par");
  if (large === "cam_par" && crf) stage = text("par.dense_crf");
  return text("compare.of_class", { stage, name });
}

/** What differs between the sides, and what of B the page cannot show as it shows A. */
export function sidesInWords() {
  const parts = sideB.differences();
  const words = [parts.length ? text("compare.words", { parts: parts.join(", ") }) : text("compare.nothing")];
  if (comparison.sideB().resized) words.push(text("compare.resized", { width: store.trace.size[1], height: store.trace.size[0] }));
  if (!comparison.sideB().labels.includes(view.label)) words.push(text("compare.unknown_class", { name: className(view.label) }));
  if (comparison.sideB().crf_seconds != null) {
    const { par_seconds: par, crf_seconds: crf } = comparison.sideB();
    words.push(text("compare.times", { par: formatSeconds(par), crf: formatSeconds(crf), times: (crf / par).toFixed(1) }));
  }
  return words.join(" ");
}
