// Where a visitor brings a photograph: choose, drop or paste; its image labels; how far the network is.

import { on } from "../core/events.js";
import { store } from "../core/store.js";
import { text, translateClass } from "../core/words.js";

/** @returns {any} an element of any kind, with its properties */
function made(/** @type {string} */ tag, /** @type {{[name: string]: any}} */ props = {}, /** @type {(Element | string)[]} */ ...children) {
  const element = Object.assign(document.createElement(tag), props);
  element.append(...children);
  return element;
}

/** The first file of what was dropped or pasted; null where there is none. */
function fileOf(/** @type {DataTransfer | null} */ transfer) {
  const items = [...transfer?.items ?? []].filter((item) => item.kind === "file");
  return items.find((item) => item.type.startsWith("image/"))?.getAsFile() ?? items[0]?.getAsFile() ?? null;
}

/**
 * Build it into a box.
 *
 * @param {Element} box
 * @param {object} given
 * @param {string[]} given.names of the classes, background first
 * @param {(file: File) => void} given.open
 * @param {(labels: number[]) => void} given.choose image labels; none: predicted
 * @returns {{tell: (words: string) => void, busy: (share: number | null) => void}} tell: a sentence, read out; busy: the share
 *   of the work that is done, null for none
 */
export function buildOwnPhotograph(box, { names, open, choose }) {
  const input = made("input", { type: "file", accept: "image/*", className: "afa-own-file", id: "afa-own-file" });
  const words = made("p", { className: "afa-own-words" });
  words.setAttribute("role", "status");
  const progress = made("progress", { max: 1, value: 0, hidden: true });
  progress.setAttribute("aria-label", text("site.own_progress"));
  const boxes = names.slice(1).map((name, i) => {
    const tick = made("input", { type: "checkbox", value: String(i + 1) });
    tick.addEventListener("change", () => choose(boxes.filter((one) => one.tick.checked).map((one) => Number(one.tick.value))));
    return { tick, element: made("label", { className: "afa-part" }, tick, translateClass(name)) };
  });
  const labels = made("details", { className: "afa-group afa-own-labels", hidden: true },
    made("summary", { textContent: text("side.labels") }), made("small", { textContent: text("site.own_labels_info") }),
    made("div", { className: "afa-parts" }, ...boxes.map(({ element }) => element)));
  const drop = made("div", { className: "afa-own" },
    made("label", { className: "afa-own-button", htmlFor: input.id, textContent: text("site.own_choose") }), input,
    made("small", { textContent: text("site.own_info") }), progress, words, labels);
  box.append(drop);

  const take = (/** @type {File | null | undefined} */ file) => { if (file) open(file); };
  input.addEventListener("change", () => {
    take(input.files[0]);
    input.value = ""; // so that the same file can be chosen again
  });
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      if (!(/** @type {DragEvent} */ (event)).dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      drop.dataset.over = "";
    });
  }
  for (const kind of ["dragleave", "drop"]) document.addEventListener(kind, () => { delete drop.dataset.over; });
  document.addEventListener("drop", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    take(fileOf(event.dataTransfer));
  });
  document.addEventListener("paste", (event) => take(fileOf(event.clipboardData)));
  on("trace", () => { // labels belong to the photograph that is shown
    labels.hidden = !store.trace.photo;
    const chosen = store.trace.photo && store.trace.labels_given ? store.trace.classes.map(({ label }) => label) : [];
    for (const { tick } of boxes) tick.checked = chosen.includes(Number(tick.value));
  });
  return {
    tell: (sentence) => { words.textContent = sentence; },
    busy(share) {
      progress.hidden = share === null;
      progress.value = share ?? 0;
    },
  };
}
