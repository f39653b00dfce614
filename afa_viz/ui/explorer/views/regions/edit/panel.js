// A foreground threshold for each class in place of the high background score: sliders, the pseudo label as computed and with
// the thresholds, and what changes for each class.

import { fillTable, made } from "../../../components/edits/made.js";
import { sendEdits } from "../../../core/edits.js";
import { thresholdsText } from "../../../core/edit_settings.js";
import { $ } from "../../../core/dom.js";
import { percent, signed } from "../../../core/format.js";
import * as recompute from "../../../core/recompute.js";
import { classColour, className, countCells } from "../../../core/selection.js";
import { store, view } from "../../../core/store.js";
import { text } from "../../../core/words.js";
import { paintLabelFigure, setCaption } from "../../../draw/figures.js";

/** @typedef {import("../../../core/edit_settings.js").Thresholds} Thresholds */

const SIDES = ["computed", "now"];
/** @type {HTMLElement} */
let box;
/** @type {Thresholds} */
let own = {}; // thresholds of classes that have one
let held = false; // a slider is under the hand
let drawing = 0; // the frame that is asked for
/** @type {{name: string, label: Uint8Array} | null} */
let computed = null; // the label without thresholds of classes

const find = (/** @type {string} */ selector) => $(selector, box);
const high = () => recompute.settings()?.high ?? store.trace.high;

/** Build it in its fold, once. */
export function build(/** @type {HTMLElement} */ place) {
  box = place;
  const figures = SIDES.map((side) => made("figure", { data: { view: `edit_${side}` } }, made("figcaption"), made("canvas")));
  for (const figure of figures) figure.lastChild.setAttribute("role", "img");
  box.replaceChildren(made("p", { className: "afa-hint", textContent: text("edits.thresholds_hint") }),
    made("p", { className: "afa-lacks", data: { part: "lacks" }, hidden: true }),
    made("div", { data: { part: "body" } }, made("div", { className: "afa-thresholds", data: { list: "thresholds" } }),
      made("div", { className: "afa-edit-figs" }, ...figures),
      made("div", { className: "afa-scroll" }, made("table", { className: "afa-numbers" }))));
}

// --- hands ---------------------------------------------------------------------------------------------------------

function row(/** @type {number} */ label) {
  const input = made("input", { type: "range", min: 0, max: 1, step: 0.01 });
  const name = className(label);
  input.setAttribute("aria-label", text("edits.threshold", { name }));
  input.addEventListener("input", () => { held = true; change({ ...own, [label]: Number(input.value) }); });
  input.addEventListener("change", () => { held = false; change({ ...own, [label]: Number(input.value) }, true); });
  const back = made("button", { type: "button", textContent: text("edits.as_computed") });
  back.addEventListener("click", () => {
    change(Object.fromEntries(Object.entries(own).filter(([one]) => Number(one) !== label)), true);
  });
  const swatch = made("i", { className: "afa-swatch" });
  swatch.style.background = `rgb(${classColour(label)})`;
  return made("div", { className: "afa-threshold", title: text("edits.threshold_info"), data: { label: String(label) } },
    made("span", {}, swatch, ` ${name}`), input,
    made("output"), back);
}

/** Other thresholds: drawn in the next frame, and explained by the host once the hand lets go. */
function change(/** @type {Thresholds} */ next, final = false) {
  own = next;
  show();
  drawing ||= requestAnimationFrame(() => {
    drawing = 0;
    recompute.setThresholds(Object.keys(own).length ? own : null); // tells the tab, which draws
  });
  if (final) sendEdits({ class_thresholds: thresholdsText(own, store.trace.names) });
}

/** The numbers of the sliders. */
function show() {
  for (const line of box.querySelectorAll(".afa-threshold")) {
    const label = Number(/** @type {any} */ (line).dataset.label);
    const value = own[label] ?? high();
    const [input, output, back] = ["input", "output", "button"].map((tag) => /** @type {any} */ (line.querySelector(tag)));
    if (Number(input.value) !== value) input.value = String(value);
    output.textContent = value.toFixed(2);
    back.disabled = !(label in own);
    line.classList.toggle("afa-moved", label in own);
  }
}

// --- drawing -------------------------------------------------------------------------------------------------------

/** Another explanation is here. */
export function data() {
  const { trace } = store;
  if (trace.partial) return;
  const tooLarge = countCells() > recompute.MAX_CELLS;
  find('[data-part="body"]').hidden = tooLarge;
  Object.assign(find('[data-part="lacks"]'), { hidden: !tooLarge,
    textContent: tooLarge ? text("edits.thresholds_too_large", { cells: countCells(), most: recompute.MAX_CELLS }) : "" });
  if (tooLarge) return;
  if (held) recompute.setThresholds(own); // the hand has gone on meanwhile
  else own = { ...trace.thresholds };
  const labels = trace.classes.map(({ label }) => String(label));
  const list = find('[data-list="thresholds"]');
  if ([...list.children].map((line) => line.dataset.label).join() !== labels.join()) list.replaceChildren(...labels.map(Number).map(row));
  show();
  draw();
}

/** A threshold, the label that is shown, or the opacity changed. */
export function draw() {
  const [pipeline, s] = [recompute.pipeline(), recompute.settings()];
  if (!pipeline || !s || view.tab !== "regions" || find('[data-part="body"]').hidden) return;
  show();
  const plain = { ...s, thresholds: null };
  const name = JSON.stringify([store.trace.key, view.shownLabel, { ...plain, edited: s.edited?.name }]);
  if (computed?.name !== name) computed = { name, label: pipeline.label(plain, view.shownLabel) };
  const maps = /** @type {{[side: string]: Uint8Array}} */ ({ computed: computed.label, now: recompute.labelMap(view.shownLabel) });
  for (const side of SIDES) {
    const figure = find(`[data-view="edit_${side}"]`);
    paintLabelFigure(figure, maps[side], store.trace.size, classColour, className);
    setCaption(figure, text(`edits.column_${side}`));
  }
  const target = store.scene.target?.bytes;
  const rows = store.trace.classes.flatMap(({ label }) => {
    const values = SIDES.map((side) => ofClass(maps[side], target, label));
    return Object.keys(values[0]).map((score) => {
      const [a, b] = values.map((found) => found[score]);
      return [`${score}_${label}`, text(`edits.class_${score}`, { name: className(label) }), percent(a), percent(b),
        a == null || b == null ? "–" : signed(100 * (b - a))];
    });
  });
  fillTable(find("table"), ["", ...["computed", "now", "change"].map((column) => text(`edits.column_${column}`))], rows);
}

/** Share of the pixels that are surely of a class; of these how many are right, and how many of its pixels they are. */
function ofClass(/** @type {Uint8Array} */ map, /** @type {Uint8Array | undefined} */ target, /** @type {number} */ label) {
  let [called, counted, right, real] = [0, 0, 0, 0];
  map.forEach((one, i) => {
    called += Number(one === label);
    if (!target || target[i] === 255) return;
    real += Number(target[i] === label);
    counted += Number(one === label);
    right += Number(one === label && target[i] === label);
  });
  /** @type {{[score: string]: number | null}} */
  const found = { area: called / map.length };
  return target ? { ...found, precision: counted ? right / counted : null, recall: real ? right / real : null } : found;
}
