// Texts and style of what a first look does not need: they come with the later scripts of the app, where there are any.

import { tables } from "./tables.js";

/** Take them over; again does nothing. */
export function takeLaterTexts() {
  for (const { style, texts, languages } of window.afaLaterTables?.splice(0) ?? []) {
    Object.assign(tables.texts, texts, languages[tables.language]);
    Object.assign(tables.english, texts); // sentences of a host, too
    for (const [code, own] of Object.entries(languages)) tables.languages[code] = { ...tables.languages[code], ...own };
    document.head.append(Object.assign(document.createElement("style"), { textContent: style }));
  }
}
