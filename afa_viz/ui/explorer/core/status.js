// The status line: what the query cell is, notices, and errors of the host.

import { $, setText } from "./dom.js";
import { on } from "./events.js";
import { translateServerText } from "./server_words.js";
import { text } from "./words.js";

/** @type {any} */
let timer = 0;
let isNotice = false; // what is shown stays when the same is drawn again
let described = "";

/**
 * Show a sentence in the status line, and have it read out once the pointer rests, or, a notice, `now`. A notice stays
 * until something is chosen or another explanation arrives.
 *
 * @param {string} words
 * @param {boolean} [now]
 */
export function announce(words, now = false) {
  isNotice = now && words !== "";
  setText("status", words);
  $(".afa-status").classList.toggle("afa-notice", isNotice); // of which a phone shows every line
  clearTimeout(timer);
  timer = setTimeout(() => { $(".afa-aloud").textContent = words; }, now ? 0 : 500);
}

/** Show what the query cell is; the same words again leave a notice where it is. */
export function describe(/** @type {string} */ words) {
  if (isNotice && words === described) return;
  described = words;
  announce(words);
}

/** The next description replaces a notice. */
export function endNotice() { isNotice = false; }

on("view", endNotice);

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
