// What gradio draws beside the explorer, in the page's language.

import { hasServerTexts, translateWithEnglishName } from "../../core/server_words.js";

const SEPARATOR = "\u2063"; // in a class of a list: its name, a note, other words for it, words that are only searched

/** What is shown of words of gradio's: of a class its name and note, in an open list the other words, too. */
function shown(/** @type {string} */ words, /** @type {boolean} */ isChosen) {
  const [name, note, others] = words.split(SEPARATOR);
  return [translateWithEnglishName(name), ...[note, !isChosen && others].filter(Boolean).map((part) => `(${part})`)].join(" ");
}

/** @param {any} from */
function translateElement(from) {
  const words = document.createTreeWalker(from, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const node = /** @type {Text} */ (words.currentNode);
    const english = node.data.trim();
    const own = shown(english, Boolean(node.parentElement?.closest(".token")));
    if (own !== english) node.data = node.data.replace(english, () => own);
  }
  for (const name of ["alt", "aria-label", "title"]) {
    for (const e of from.querySelectorAll(`[${name}]`)) {
      const own = shown(e.getAttribute(name), Boolean(e.closest(".token")));
      if (own !== e.getAttribute(name)) e.setAttribute(name, own);
    }
  }
}

/** The parts of a page that have changed: what an element holds, or the words and names in one. */
function changedElements(/** @type {MutationRecord[]} */ records) {
  return new Set(records.map(({ type, target }) => (type === "childList" ? target : target.parentNode)));
}

/** Translate it now, and whenever gradio draws something anew that. */
export function translateGradio() {
  for (const column of document.querySelectorAll("#afa-pick, #afa-settings")) {
    translateElement(column);
    new MutationObserver((records) => {
      for (const element of changedElements(records)) if (element?.isConnected) translateElement(element);
    }).observe(column, // gradio opens accordions and replaces words late
      { subtree: true, childList: true, characterData: true, attributeFilter: ["alt", "aria-label", "title"] });
  }
  if (!hasServerTexts()) return;
  const toasts = document.getElementsByClassName("toast-wrap"); // refusals; they come and go
  new MutationObserver(() => { for (const toast of toasts) translateElement(toast); })
    .observe(document.body, { subtree: true, childList: true });
}
