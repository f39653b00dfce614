// Image labels of a photograph of one's own, where the page itself has it explained: a box for each class.

import { on } from "../core/events.js";
import { store } from "../core/store.js";
import { text, translateClass } from "../core/words.js";

/** @returns {any} an element of any kind, with its properties */
function made(/** @type {string} */ tag, /** @type {{[name: string]: any}} */ props = {}, /** @type {(Element | string)[]} */ ...children) {
  const element = Object.assign(document.createElement(tag), props);
  element.append(...children);
  return element;
}

/**
 * Build them into a box; they are shown with the photograph.
 *
 * @param {Element} box
 * @param {string[]} names of the classes, background first
 * @param {(labels: string[]) => void} choose image labels; none: predicted
 */
export function buildOwnLabels(box, names, choose) {
  const boxes = names.slice(1).map((name, i) => {
    const tick = made("input", { type: "checkbox", value: String(i + 1) });
    tick.addEventListener("change", () => choose(boxes.filter((one) => one.tick.checked).map((one) => names[one.tick.value])));
    return { tick, element: made("label", { className: "afa-part" }, tick, translateClass(name)) };
  });
  const group = made("details", { className: "afa-group afa-own-labels", hidden: true },
    made("summary", { textContent: text("side.labels") }), made("small", { textContent: text("site.own_labels_info") }),
    made("div", { className: "afa-parts" }, ...boxes.map(({ element }) => element)));
  box.append(group);
  on("trace", () => { // labels belong to the photograph that is shown
    group.hidden = !store.trace.photo;
    const chosen = store.trace.photo && store.trace.labels_given ? store.trace.classes.map(({ label }) => label) : [];
    for (const { tick } of boxes) tick.checked = chosen.includes(Number(tick.value));
  });
}
