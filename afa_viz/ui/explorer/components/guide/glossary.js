// The terms of the field: where a tab's text first uses one it is explained on hover or focus; a dialog lists them all.

import { $$, page } from "../../core/dom.js";
import { takeLaterTexts } from "../../core/later.js";
import { text } from "../../core/words.js";

const TERMS = ["cam", "affinity", "head", "logit", "query", "walk", "par", "beta", "iou", "map", "label", "truth"];
const WIDEST = 420; // pixels of an explanation, as in guide.css
const MARGIN = 12; // between it and the edge of the window
const HIDDEN = "afa-terms-hidden"; // by Esc, until another term is pointed at

/** @type {HTMLDialogElement | null} */
let dialog = null;

/** The dialog; its explanations describe the marked terms, too. */
function built() {
  if (dialog) return dialog;
  dialog = Object.assign(document.createElement("dialog"), { className: "afa-glossary", ariaLabel: text("keys.glossary") });
  const list = document.createElement("dl");
  for (const term of TERMS) {
    const words = Object.assign(document.createElement("dd"), { id: `afa-term-${term}`, textContent: text(`glossary.${term}_info`) });
    list.append(Object.assign(document.createElement("dt"), { textContent: text(`glossary.${term}`) }), words);
  }
  const head = document.createElement("header");
  const close = Object.assign(document.createElement("button"), { type: "button", textContent: text("share.close") });
  close.addEventListener("click", () => dialog?.close());
  head.append(Object.assign(document.createElement("h3"), { textContent: text("keys.glossary") }), close);
  dialog.append(head, list);
  page.root.append(dialog);
  return dialog;
}

/** Show all terms; the button may be in a menu, which is closed. */
export function openGlossary(/** @type {HTMLElement} */ from) {
  const menu = from.closest("details");
  menu?.removeAttribute("open");
  menu?.querySelector("summary")?.focus();
  built().showModal();
}

/**
 * Mark the terms that are left in a piece of text.
 *
 * @param {Text} piece
 * @param {Map<string, RegExp>} left the terms that the tab has not used yet
 */
function markIn(piece, left) {
  const found = [...left].map(([term, pattern]) => ({ term, match: pattern.exec(piece.data) })).filter(({ match }) => match);
  const first = found.sort((a, b) => Number(a.match?.index) - Number(b.match?.index))[0];
  if (!first?.match) return;
  left.delete(first.term);
  const word = piece.splitText(first.match.index);
  const rest = word.splitText(first.match[0].length);
  const made = Object.assign(document.createElement("dfn"), { className: "afa-term", tabIndex: 0 });
  made.dataset.says = text(`glossary.${first.term}_info`);
  made.setAttribute("aria-describedby", `afa-term-${first.term}`);
  word.replaceWith(made);
  made.append(word);
  markIn(rest, left);
}

/** What finds a term in a text: whole words where the language has spaces around them. */
function patternOf(/** @type {string} */ term) {
  const words = text(`glossary.${term}_match`);
  return new RegExp(/^[\w[]/.test(words) ? `\\b(?:${words})\\b` : words);
}

/** Mark the first use of each term in the introduction and the reasons of every tab. */
export function markTerms() {
  takeLaterTexts();
  built();
  for (const panel of $$("[role=tabpanel]")) {
    const left = new Map(TERMS.map((term) => [term, patternOf(term)]));
    for (const place of $$(".afa-intro, .afa-why p", panel)) {
      const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
      const pieces = /** @type {Text[]} */ ([]);
      while (walker.nextNode()) pieces.push(/** @type {Text} */ (walker.currentNode));
      for (const piece of pieces) if (!piece.parentElement?.closest("code, a, i")) markIn(piece, left);
    }
  }
  for (const event of ["pointerover", "focusin"]) page.views.addEventListener(event, place);
  document.addEventListener("keydown", ({ key }) => { if (key === "Escape") page.root.classList.add(HIDDEN); });
}

/** Keep the explanation of a term in the window. */
function place(/** @type {Event} */ { target }) {
  if (!(target instanceof HTMLElement) || !target.matches(".afa-term")) return;
  page.root.classList.remove(HIDDEN);
  const room = window.innerWidth - MARGIN - Math.min(WIDEST, window.innerWidth - 2 * MARGIN) - target.getBoundingClientRect().left;
  target.style.setProperty("--shift", `${Math.min(0, room)}px`);
}
