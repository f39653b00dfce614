// The page's own language in the place of the English in which it came.

import { query, reopen } from "./address.js";
import { $, $$, page } from "./dom.js";
import { tables } from "./tables.js";

/**
 * Translate every text that the markup came with and the elements beside it, and offer the other languages; what a
 * language lacks stays.
 *
 * @param {Element[]} beside
 */
export function translatePage(beside) {
  const { codes, english, language, languages } = tables;
  page.root.lang = language;
  $('[data-list="languages"]').replaceChildren(...codes.filter((code) => code !== language).map((code) => {
    const name = (languages[code] ?? english)["language.name"];
    const link = Object.assign(document.createElement("a"), { lang: code, hreflang: code, textContent: name });
    link.href = `?lang=${code}`;
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const now = query(); // what is shown
      now.set("lang", code);
      reopen(now.toString());
    });
    return link;
  }));
  if (language === "en") return;
  const own = languages[language];
  for (const e of [...$$("*"), ...beside]) {
    for (const { name, value } of [...e.attributes]) {
      if (!name.startsWith("data-words") || own[value] == null) continue;
      if (name !== "data-words") e.setAttribute(name.slice("data-words-".length), own[value]);
      else if (/(_html|equation)$/.test(value)) e.innerHTML = own[value]; // our own file
      else e.textContent = own[value];
    }
  }
}
