// What the method that is shown has not: a view that needs it says so in one sentence.

import { store } from "./store.js";
import { text } from "./words.js";

/** @type {{[tab: string]: string[]}} */
const NEEDS = { attention: ["attention"], affinity: ["affinity", "attention_logits"], walk: ["affinity"], seg: ["decoder"] };

/** Whether the method lacks a part, as afa_viz/parts.py calls it. */
export const lacks = (/** @type {string} */ part) => Boolean(store.trace?.parts?.lacks.includes(part));

/** The sentence about a part that the method lacks. */
export const lackWords = (/** @type {string} */ part) => text(`lacks.${part}`);

/** The part that a tab needs and the method lacks; null where there is none. */
export const lackOfTab = (/** @type {string} */ tab) => NEEDS[tab]?.find(lacks) ?? null;

/** The part that a stage of the strip comes from, where the method lacks it. */
export function lackOfStage(/** @type {string} */ stage) {
  const part = { seg: "decoder", affinity: "affinity", attention: "attention" }[stage];
  return part && lacks(part) ? part : null;
}
