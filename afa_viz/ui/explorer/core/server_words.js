// What the host says in English (names of images, refusals) in the page's language.

import { tables } from "./tables.js";
import { withParticles } from "./words.js";

const PLACEHOLDER = /\{\w+\}/;
const LIST_SEPARATOR = /(, | or )/; // between names of classes
const NONE = {};
const CLASS_KEY = "class."; // the rest of such a key is the English name

/** The texts of the page's language; none where that is English. */
const ownTexts = () => tables.languages[tables.language] ?? NONE;

/** @type {any} */
let known = null; // English sentences of the host in the page's language, made once

/** {fixed: English -> own, patterns: of English sentences with places}. */
function sentences() {
  const own = ownTexts();
  if (known?.own === own) return known;
  const keys = Object.keys(own).filter((key) => /^(side|example|refused|gradio|site|class)\./.test(key))
    .map((key) => [key, key.startsWith(CLASS_KEY) ? key.slice(CLASS_KEY.length) : tables.english[key]]);
  const fixed = new Map(keys.filter(([, words]) => !PLACEHOLDER.test(words)).map(([key, words]) => [words, own[key]]));
  const patterns = keys.filter(([, words]) => PLACEHOLDER.test(words)).map(([key, words]) => {
    const escaped = words.split(/\{\w+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return { own: own[key], pattern: new RegExp(`^${escaped.join("(.+?)")}$`), places: words.match(/\{\w+\}/g) ?? [] };
  });
  known = { own, fixed, patterns };
  return known;
}

/** Whether the page's language has sentences of the host. */
export const hasServerTexts = () => sentences().patterns.length > 0;

/**
 * English of the host in the page's language; what is no sentence of ours stays as it is.
 *
 * @param {string} words
 */
export function translateServerText(words) {
  const { fixed, patterns } = sentences();
  if (fixed.has(words)) return fixed.get(words);
  for (const { own, pattern, places } of patterns) {
    const found = pattern.exec(words);
    if (!found) continue;
    let said = own;
    for (const [i, place] of places.entries()) said = said.replace(place, () => translateServerText(found[i + 1]));
    return withParticles(said);
  }
  return words.split(LIST_SEPARATOR).map((part) => fixed.get(part) ?? part).join("");
}

/**
 * The same, with the English name beside that of a class: lists of the host are searched by it.
 *
 * @param {string} words
 */
export function translateWithEnglishName(words) {
  const own = translateServerText(words);
  return own !== words && ownTexts()[CLASS_KEY + words] ? `${own} (${words})` : own;
}
