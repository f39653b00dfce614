// Texts and style of what a first look does not need: they come with the second script of the app, where there is one.

import { tables } from "./tables.js";

/** Take over those of the second script; again does nothing. */
export function takeLaterTexts() {
  take(window.afaLaterTables);
  delete window.afaLaterTables;
}

/** And those of the third, among them sentences of the host. */
export function takeLastTexts() {
  take(window.afaLastTables);
  delete window.afaLastTables;
}

/** @param {Window["afaLaterTables"]} later */
function take(later) {
  if (!later) return;
  Object.assign(tables.texts, later.texts, later.languages[tables.language]);
  Object.assign(tables.english, later.texts);
  for (const [code, own] of Object.entries(later.languages)) tables.languages[code] = { ...tables.languages[code], ...own };
  document.head.append(Object.assign(document.createElement("style"), { textContent: later.style }));
}
