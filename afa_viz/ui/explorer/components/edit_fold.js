// A fold of a tab in which the visitor changes something: its script is loaded when it is first opened.

import { $ } from "../core/dom.js";
import { takeLaterTexts } from "../core/later.js";
import { announce } from "../core/status.js";
import { store } from "../core/store.js";
import { text } from "../core/words.js";

/** @typedef {{build: (box: HTMLElement) => void, data: () => void, draw: () => void}} Panel */

/**
 * @param {HTMLElement} section of the tab
 * @param {string[]} fields of edits that are changed there: where one is, the fold is open
 * @param {() => Promise<Panel>} load
 */
export function linkEditFold(section, fields, load) {
  const fold = $("details[data-for=edit]", section);
  const box = $("div", fold);
  /** @type {Panel | null} */
  let panel = null;
  const open = async () => {
    if (!fold.open || panel) return;
    try {
      const loaded = await load();
      takeLaterTexts();
      if (panel) return;
      panel = loaded;
      panel.build(box);
    } catch {
      announce(text("tabs.lost", { name: fold.firstElementChild.textContent }), true);
      return;
    }
    if (store.trace) panel.data();
  };
  fold.addEventListener("toggle", () => {
    if (panel && fold.open) panel.data();
    else open();
  });
  return {
    /** Another explanation is here. */
    data() {
      if (fields.some((name) => store.trace.edits?.[name])) fold.open = true;
      if (fold.open) panel?.data();
    },
    /** Something is chosen, or a setting moved. */
    draw() { if (fold.open) panel?.draw(); },
  };
}
