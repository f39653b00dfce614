// Texts and style of what a first look does not need: they come with the second script of the app, where there is one.

import { tables } from "./tables.js";

/** Take them over; again does nothing. */
export function takeLaterTexts() {
  const later = window.afaLaterTables;
  if (!later) return;
  delete window.afaLaterTables;
  Object.assign(tables.texts, later.texts, later.languages[tables.language]);
  document.head.append(Object.assign(document.createElement("style"), { textContent: later.style }));
}
