// The status line, and errors of the host in it.

import { $, setText } from "./dom.js";
import { translateServerText } from "./server_words.js";
import { text } from "./words.js";

/** @type {any} */
let timer = 0;

/**
 * Show a sentence in the status line, and have it read out once the pointer rests (or `now`).
 *
 * @param {string} words
 * @param {boolean} [now]
 */
export function announce(words, now = false) {
  setText("status", words);
  clearTimeout(timer);
  timer = setTimeout(() => { $(".afa-aloud").textContent = words; }, now ? 0 : 500);
}

/**
 * An answer of the host. Throws the host's sentence where it refuses.
 *
 * @param {any} answer
 */
export function accepted(answer) {
  if (answer?.refused) throw Object.assign(new Error(answer.refused), { refused: answer.refused });
  return answer;
}

/** Why there is no answer, in the page's language. */
export const errorText = (/** @type {any} */ error) => (error.refused ? translateServerText(error.refused) : text("gone"));

/**
 * Say in the status line why there is no answer.
 *
 * @param {any} error
 */
export function reportError(error) {
  announce(errorText(error), true);
  console.warn(error);
}
