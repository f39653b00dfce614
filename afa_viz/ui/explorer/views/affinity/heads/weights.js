// Which weights, bias and symmetry the affinity has under the hand, beside the learned ones.

import { host } from "../../../host/host.js";
import * as recompute from "../../../core/recompute.js";
import { affinityEdits, editTexts } from "../../../core/edits.js";
import { weightsText } from "../../../core/head_settings.js";
import { store } from "../../../core/store.js";
import { editAffinity } from "../../../method/edits.js";
import { affinityOf } from "../../../method/heads.js";

/** @typedef {import("../../../core/heads.js").Heads} Heads */
/** @typedef {{weights: (number | null)[], bias: number | null, symmetric: boolean}} Setting null: as learned */

/** What the host explained the image with. */
export const explained = (/** @type {Heads} */ heads) => ({
  weights: store.trace.head_weights ?? new Array(heads.weights.length).fill(null), bias: store.trace.affinity_bias ?? null,
  symmetric: store.trace.symmetric });

/** Every weight, and the bias, as numbers. */
export const numbersOf = (/** @type {Heads} */ heads, /** @type {Setting} */ { weights, bias }) => (
  { weights: heads.weights.map((learned, i) => weights[i] ?? learned), bias: bias ?? heads.bias });

/** How many of the numbers are not the learned ones. */
export const countMoved = (/** @type {Setting} */ { weights, bias }) => weights.filter((w) => w != null).length + Number(bias != null);

/** The affinity under some setting, with the regions that are joined and cut by hand. */
export function affinityUnder(/** @type {Heads} */ heads, /** @type {Setting} */ setting) {
  const { weights, bias } = numbersOf(heads, setting);
  const [affinity, edits] = [affinityOf(heads.logits, weights, bias, setting.symmetric), affinityEdits()];
  return edits.length ? editAffinity(affinity, edits) : affinity;
}

/** A name that tells settings apart, also where other regions are joined or cut. */
export const nameOf = (/** @type {Setting} */ { weights, bias, symmetric }) => (
  [weightsText(weights), bias ?? "", symmetric, editTexts().affinity_edits ?? ""].join(" "));

/** Draw with a setting from now on. */
export function apply(/** @type {Heads} */ heads, /** @type {Setting} */ setting) {
  const same = nameOf(setting) === nameOf(explained(heads));
  recompute.setAffinity(same ? null : { name: nameOf(setting), affinity: affinityUnder(heads, setting) });
}

/** Have the host explain with a setting. */
export function send(/** @type {Heads} */ heads, /** @type {Setting} */ setting) {
  if (nameOf(setting) === nameOf(explained(heads))) return;
  host.setHeads({ head_weights: weightsText(setting.weights), affinity_bias: setting.bias, symmetric: setting.symmetric });
}

/** Every weight as learned, but for one that is 0. */
export const without = (/** @type {Heads} */ heads, /** @type {number} */ head) => heads.weights.map((_, i) => (i === head ? 0 : null));
/** Every weight 0, but for one that is as learned. */
export const only = (/** @type {Heads} */ heads, /** @type {number} */ head) => heads.weights.map((_, i) => (i === head ? null : 0));
/** Every weight as large as the learned ones are in the mean. */
export const equal = (/** @type {Heads} */ heads) => {
  const mean = heads.weights.reduce((sum, weight) => sum + Math.abs(weight), 0) / heads.weights.length;
  return heads.weights.map(() => Number(mean.toPrecision(6)));
};
