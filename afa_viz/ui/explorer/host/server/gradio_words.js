// What gradio draws beside the explorer, in the page's language.

import { hasServerTexts, translateWithEnglishName } from "../../core/server_words.js";

/** @param {any} from */
function translateElement(from) {
  const words = document.createTreeWalker(from, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const node = /** @type {Text} */ (words.currentNode);
    const english = node.data.trim();
    const own = translateWithEnglishName(english);
    if (own !== english) node.data = node.data.replace(english, () => own);
  }
  for (const name of ["alt", "aria-label", "title"]) {
    for (const e of from.querySelectorAll(`[${name}]`)) {
      const own = translateWithEnglishName(e.getAttribute(name));
      if (own !== e.getAttribute(name)) e.setAttribute(name, own);
    }
  }
}

/** Translate it now and whenever gradio draws something anew. */
export function translateGradio() {
  if (!hasServerTexts()) return;
  for (const column of document.querySelectorAll("#afa-pick, #afa-settings")) {
    const translated = () => translateElement(column);
    translated();
    new MutationObserver(translated).observe(column, // gradio opens accordions and replaces words late
      { subtree: true, childList: true, characterData: true, attributeFilter: ["alt", "aria-label", "title"] });
  }
  const toasts = document.getElementsByClassName("toast-wrap"); // refusals; they come and go
  new MutationObserver(() => { for (const toast of toasts) translateElement(toast); })
    .observe(document.body, { subtree: true, childList: true });
}
