// The stops of the tour: which tab, what of it is marked, and what happens there.

import { $, page } from "../../core/dom.js";
import { percent } from "../../core/format.js";
import { lackOfTab } from "../../core/parts.js";
import * as recompute from "../../core/recompute.js";
import { tabs } from "../../core/schedule.js";
import { className, stageBefore } from "../../core/selection.js";
import { store, view } from "../../core/store.js";
import { text } from "../../core/words.js";
import { drag, play, put, stop, wander } from "./hand.js";

const NEAR = 0.4; // of the window's height

/**
 * @typedef {object} Stop
 * @property {string} name of its texts
 * @property {string} tab
 * @property {string} spot selector of what is marked, inside the tab
 * @property {string} [control] selector of what is operated
 * @property {(signal: AbortSignal) => Promise<void> | void} [act]
 * @property {() => void} [restore] after the act, whether it has ended or not
 */

const inTab = (/** @type {string} */ tab, /** @type {string} */ selector) => $(`[role=tabpanel][data-tab="${tab}"] ${selector}`);
const slider = (/** @type {string} */ tab, /** @type {string} */ selector) => /** @type {HTMLInputElement} */ (inTab(tab, selector));

/** Drag a setting to one place after the other, and put it back: nothing of it is asked of the host. */
function dragSetting(/** @type {string} */ tab, /** @type {string} */ name, /** @type {() => number[]} */ places) {
  const now = () => (name === "bkg_score" ? recompute.threshold() : recompute.settings()?.[name]);
  /** @type {number | undefined} */
  let before;
  return {
    control: `[data-setting="${name}"]`,
    act: async (/** @type {AbortSignal} */ signal) => {
      before = now();
      if (before != null) await drag(slider(tab, `[data-setting="${name}"] input`), [...places(), before], signal);
    },
    restore: () => {
      if (before != null) recompute.setSetting(name, before, true);
      before = undefined;
    },
  };
}

/** Play the steps of a tab, and go back to where they were. */
function playSteps(/** @type {string} */ tab, /** @type {string} */ steps) {
  /** @type {number | null} */
  let before = null;
  return {
    control: steps,
    act() {
      const way = slider(tab, steps);
      const button = inTab(tab, "[data-play]");
      if (way.disabled || !button.checkVisibility()) return;
      before = Number(way.value);
      play(button, way);
    },
    restore() {
      if (before === null) return;
      stop(slider(tab, steps));
      put(slider(tab, steps), before);
      before = null;
    },
  };
}

/** @type {Stop[]} */
const STOPS = [
  { name: "labels", tab: "cam", spot: '[data-view="picture"]' },
  { name: "cam", tab: "cam", spot: '[data-view="result"]', ...dragSetting("cam", "bkg_score", () => [0.15, 0.85]) },
  { name: "attention", tab: "attention", spot: "figure", act: wander },
  { name: "affinity", tab: "affinity", spot: '[data-view="learned"]', act: wander },
  { name: "walk", tab: "walk", spot: '[data-view="after"]', ...playSteps("walk", "[data-step]") },
  { name: "par", tab: "par", spot: '[data-view="after"]', ...playSteps("par", '[data-do="iteration"]') },
  { name: "regions", tab: "regions", spot: '[data-view="regions"]',
    ...dragSetting("regions", "high", () => [0.85, recompute.settings().low]) },
  { name: "seg", tab: "seg", spot: "figure" },
];

/** Those that the page and the method have. */
export const stops = () => STOPS.filter(({ tab }) => tabs.has(tab) && !lackOfTab(tab));

/** What is marked at a stop; the tab where it has no such part. */
export const spotOf = (/** @type {Stop} */ { tab, spot }) => /** @type {HTMLElement} */ (
  inTab(tab, spot) ?? $(`[role=tabpanel][data-tab="${tab}"]`, page.root));

/** What is brought into sight at a stop: what is marked, with what is operated where that is near. */
export function topOf(/** @type {Stop} */ stop) {
  const spot = spotOf(stop);
  const control = stop.control && inTab(stop.tab, stop.control)?.closest(".afa-tools");
  if (!control?.checkVisibility()) return spot;
  const above = spot.getBoundingClientRect().top - control.getBoundingClientRect().top;
  return above > 0 && above < NEAR * window.innerHeight ? control : spot;
}

/** What is said at a stop, with the change of the IoU where a step made one. */
export function wordsOf(/** @type {Stop} */ { name }) {
  const names = store.trace.classes.map(({ label }) => className(label)).join(", ");
  const words = [text(`tour.${name}`, { names, name: className(view.label), steps: store.trace.num_steps })];
  const stage = { walk: "cam_rw", par: "cam_par", seg: "seg" }[name];
  const before = stage && stageBefore(stage);
  const [from, to] = [before, stage].map((key) => (key ? store.trace.scores?.[key]?.iou[view.label] : null));
  if (from != null && to != null) words.push(text("tour.iou", { name: className(view.label), from: percent(from), to: percent(to) }));
  return words;
}
