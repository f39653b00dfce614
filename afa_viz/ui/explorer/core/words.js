// The texts of the page, in its language.

import { groupDigits } from "./format.js";
import { tables } from "./tables.js";

/** A text of texts/en.json, its {names} filled in; whole numbers come grouped. */
export function text(/** @type {string} */ key, /** @type {{[name: string]: any}} */ values = {}) {
  const filled = (tables.texts[key] ?? key).replace(/\{(\w+)\}/g,
    (_, name) => (Number.isInteger(values[name]) ? groupDigits(values[name]) : values[name] ?? ""));
  return withParticles(filled.replaceAll(" %", "\u00a0%"));
}

/** The name of a class in the page's language; an own data set has classes of its own. */
export const translateClass = (/** @type {string} */ id) => tables.texts[`class.${id}`] ?? id;

/**
 * Korean particles agree with the sound before them: 말이(가) -> 말이, 소을(를) -> 소를. Where that is no Korean letter,
 * no number and no %, both stay.
 *
 * @param {string} words
 */
export function withParticles(words) {
  /** @type {any} */
  const said = { 0: 21, 1: 8, 3: 16, 6: 1, 7: 8, 8: 8 }; // the last consonant of a digit as it is spoken; others have none
  const last = (/** @type {any} */ letter) => {
    if (/[가-힣]/.test(letter)) return (letter.charCodeAt(0) - 0xac00) % 28;
    return /[0-9%]/.test(letter) ? said[letter] ?? 0 : null;
  };
  return words.replace(/(.)(?:(이|을|은|과)\((가|를|는|와)\)|\(으\)로)/g, (both, letter, closed, open) => {
    const sound = last(letter);
    if (sound == null) return both;
    if (!closed) return letter + (sound && sound !== 8 ? "으로" : "로"); // 8: ㄹ
    return letter + (sound ? closed : open);
  });
}
