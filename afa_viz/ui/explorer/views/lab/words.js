// Answers, options and verdicts of the lab in words.

import { tables } from "../../core/tables.js";
import { text, translateClass } from "../../core/words.js";

/** The first of some keys that has a text. */
const known = (/** @type {string[]} */ ...keys) => keys.find((key) => tables.texts[key]) ?? keys[0];

/** An option of a question in words. */
export const optionText = (/** @type {string} */ of, /** @type {string} */ code, /** @type {{[name: string]: any}} */ words = {}) => (
  text(known(`lab.${of}.option_${code}`, `lab.${of}.option`, `lab.option.${code}`), { ...words, code }));

/** A reason in words. */
export const reasonText = (/** @type {string} */ of, /** @type {string} */ code, /** @type {{[name: string]: any}} */ words = {}) => (
  text(known(`lab.${of}.reason_${code}`, `lab.reason.${code}`), words));

/** What stands above the reasons of a question. */
export const becauseText = (/** @type {string} */ of, /** @type {{[name: string]: any}} */ words = {}) => (
  text(known(`lab.${of}.because`, "lab.because"), words));

/** Several codes in words: the labels of pairs with their numbers, phases in their order. */
function listText(/** @type {string} */ of, /** @type {string} */ kind, /** @type {string[]} */ codes) {
  const said = codes.map((code) => optionText(of, code));
  return kind === "order" ? said.join(" → ") : said.map((words, i) => text("lab.pair", { at: i + 1, words })).join(", ");
}

/** An answer of some kind in words. */
export function answerText(/** @type {string} */ of, /** @type {string} */ kind, /** @type {any} */ answer,
  /** @type {{[name: string]: any}} */ words = {}) {
  if (kind === "cell") return text("lab.cell", { row: answer[0] + 1, col: answer[1] + 1 });
  if (kind === "share") return answer.toFixed(2);
  return kind === "choice" ? optionText(of, answer, words) : listText(of, kind, answer);
}

/** The numbers of a verdict, ready to be put into its texts; class names in the page's language. */
export function factsOf(/** @type {LabVerdict} */ { facts, truth }, /** @type {string} */ of, /** @type {string} */ kind,
  /** @type {{[name: string]: any}} */ words) {
  const put = Object.entries(facts).map(([key, value]) => {
    if (key === "names") return [key, value.split(", ").map(translateClass).join(", ")];
    if (/^(name|first|cell_\d)$/.test(key)) return [key, value ? translateClass(value) : text("lab.pairs.uncertain")];
    return [key, /^\d+$/.test(value) ? Number(value) : value];
  });
  const right = kind === "choice" ? [truth] : truth.split(" ");
  const said = kind === "choice" || kind === "cell" || kind === "share" ? truth && optionText(of, truth, words) : listText(of, kind, right);
  return { ...words, ...Object.fromEntries(put), truth: said };
}
