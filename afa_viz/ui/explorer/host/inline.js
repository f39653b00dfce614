// One file: a report from the disk, or the output of a notebook's cell. The answers are inside; nothing is asked of anybody.

import { undone } from "./files.js";
import { use } from "./host.js";
import { answerName, preparedHost } from "./prepared.js";
import { createSlicer } from "./prepared/slices.js";
import { logitsFromHeads } from "./prepared/logits.js";
import { followTheme } from "./standalone.js";
import { $ } from "../core/dom.js";
import { translateServerText } from "../core/server_words.js";
import { tables as pageTables } from "../core/tables.js";
import { text } from "../core/words.js";
import { start as startPage } from "../main.js";

/**
 * Start the page in an element.
 *
 * @param {HTMLElement} element
 * @param {{key: string, language: string, markup: string, tables: {[name: string]: any}, answers: {[name: string]: string},
 *   program: string}} given what ui/report/document.py puts into the file; answers: JSON texts by their names
 */
export async function start(element, { key, language, markup, tables, answers, program }) {
  const find = async (/** @type {string} */ name) => (Object.hasOwn(answers, name) ? undone(JSON.parse(answers[name])) : null);
  const { grid, settings, num_blocks } = await find(answerName("stages", { key }));
  const made = preparedHost({ find, tables, parts: {
    markup,
    language,
    attention: createSlicer(async (asked) => await find(answerName("attention", { ...asked, key }))
      ?? logitsFromHeads(await find(answerName("heads", { key })), grid, num_blocks, /** @type {any} */ (asked)), grid[1]),
    snapshots: { run: async () => ({ model: "", models: [], snapshots: [], phases: [], history: [] }), frame: async () => ({}) },
    exports: { kinds: [], file: async () => ({}), python: async () => ({ code: program }) },
  } });
  use(made.host);
  followTheme();
  startPage(element);
  document.documentElement.lang = pageTables.language;
  pageTables.texts["live.too_large"] = text("site.grid_needs_server");
  $('[data-for="crf"]').hidden = true; // a server computes it
  $('[data-do="link"]').hidden = true; // nobody else has this file
  tellSettings(made, key, settings);
  await made.show(key);
  document.documentElement.classList.add("afa-live");
}

/** The settings of the trace below its story; where some are changed, a button that takes them back. */
function tellSettings(/** @type {ReturnType<typeof preparedHost>} */ { show, changes, onChange }, /** @type {string} */ key,
  /** @type {string} */ settings) {
  const words = Object.assign(document.createElement("p"), { textContent: translateServerText(settings) });
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: text("side.reset") });
  button.addEventListener("click", () => show(key, {}));
  const tell = () => { [words.hidden, button.hidden] = [Object.keys(changes()).length > 0, !Object.keys(changes()).length]; };
  onChange(tell);
  tell();
  $(".afa-story").append(words, button);
}
