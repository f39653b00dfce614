// What the CAM loses: a part of the image is hidden, scales or the mirrored image are left out, and the network runs again;
// the CAM before and after, their difference, and the numbers of the class.

import { createGridCanvas } from "../../../components/edits/grid_canvas.js";
import { fillTable, made } from "../../../components/edits/made.js";
import { editTexts, isEdited, sendEdits, unedited } from "../../../core/edits.js";
import { parseBox } from "../../../core/edit_settings.js";
import { $, $$ } from "../../../core/dom.js";
import { percent, signed } from "../../../core/format.js";
import { layer, toBytes, toFloats } from "../../../core/packed.js";
import * as recompute from "../../../core/recompute.js";
import { className, queryCell } from "../../../core/selection.js";
import { errorText } from "../../../core/status.js";
import { store, view } from "../../../core/store.js";
import { text } from "../../../core/words.js";
import { colours } from "../../../draw/colours.js";
import { paintMapFigure, setCaption } from "../../../draw/figures.js";
import { paintHeatmap } from "../../../draw/maps.js";
import { host } from "../../../host/host.js";
import { thresholdCam } from "../../../method/labels.js";
import { iouScores } from "../../../method/scores.js";
import { maxAbs } from "../../../method/statistics.js";

/** @typedef {{cam: Unpacked, classes: any[], grey?: HTMLCanvasElement}} Side */

const VIEWS = ["before", "after", "difference"];
/** @type {HTMLElement} */
let box;
/** @type {ReturnType<typeof createGridCanvas>} */
let grid;
/** @type {{from: Cell, to: Cell} | null} */
let dragged = null; // corners of the rectangle under the hand
/** @type {{key: string, side: Side} | null} */
let before = null;

const find = (/** @type {string} */ selector) => $(selector, box);
const decimal = (/** @type {number} */ value) => value.toFixed(2).replace("-", "\u2212");

/** Build it in its fold, once. */
export function build(/** @type {HTMLElement} */ place) {
  box = place;
  grid = createGridCanvas({ name: text("edits.hide_canvas"), paint, begin: (cell) => { dragged = { from: cell, to: cell }; },
    move: (cell) => { if (dragged) dragged.to = cell; }, end: hide });
  const back = made("button", { type: "button", data: { do: "unhide" }, textContent: text("edits.unhide") });
  back.addEventListener("click", () => sendEdits({ occlude: "" }));
  const figures = VIEWS.map((name) => made("figure", { data: { view: `edit_${name}` } }, made("figcaption"), made("canvas")));
  for (const figure of figures) figure.lastChild.setAttribute("role", "img");
  const words = made("p", { className: "afa-words", data: { part: "words" } });
  words.setAttribute("aria-live", "polite");
  box.replaceChildren(made("p", { className: "afa-lacks", data: { part: "lacks" }, hidden: true }),
    made("div", { data: { part: "body" } },
      made("div", { className: "afa-edit" },
        made("div", {}, made("h4", { textContent: text("edits.hide") }), grid.canvas),
        made("div", { className: "afa-edit-tools" }, made("p", { className: "afa-hint", textContent: text("edits.hide_hint") }), back,
          made("h4", { textContent: text("edits.scales") }), made("p", { className: "afa-hint", textContent: text("edits.scales_hint") }),
          made("div", { className: "afa-field", title: text("edits.scales_info"), data: { list: "scales" } }))),
      words,
      made("div", { data: { part: "results" }, hidden: true }, made("div", { className: "afa-edit-figs" }, ...figures),
        made("div", { className: "afa-scroll" }, made("table", { className: "afa-numbers" })),
        made("p", { className: "afa-hint", textContent: text("edits.cam_hint") }))));
}

// --- hands ---------------------------------------------------------------------------------------------------------

/** The box in pixels of a rectangle of cells. */
function boxOf(/** @type {{from: Cell, to: Cell}} */ { from, to }) {
  const { size, grid: cells, parts } = store.trace;
  const edge = (/** @type {number} */ cell, /** @type {number} */ axis) => (
    Math.ceil(size[axis] / parts.stride) === cells[axis] ? Math.min(size[axis], cell * parts.stride)
      : Math.round((cell * size[axis]) / cells[axis]));
  return [0, 1].flatMap((axis) => [edge(Math.min(from[axis], to[axis]), axis), edge(Math.max(from[axis], to[axis]) + 1, axis)]);
}

function hide() {
  if (!dragged) return;
  sendEdits({ occlude: boxOf(dragged).join(",") });
  find('[data-part="words"]').textContent = text("edits.runs");
}

function chooseScales() {
  const { offered } = store.trace.scales;
  const chosen = offered.filter((/** @type {number} */ scale) => scale === 1 || find(`input[value="${scale}"]`).checked);
  sendEdits({ scales: chosen.length === offered.length ? "" : chosen.join(","), flip: find('input[value="flip"]').checked ? "" : "0" });
  find('[data-part="words"]').textContent = text("edits.runs");
}

function check(/** @type {string} */ value, /** @type {string} */ words, checked = true, disabled = false) {
  const input = made("input", { type: "checkbox", value, checked, disabled });
  input.addEventListener("change", chooseScales);
  return made("label", { className: "afa-check" }, input, " ", made("span", { textContent: words }));
}

// --- drawing -------------------------------------------------------------------------------------------------------

/** The hidden part, or the rectangle under the hand. */
function paint(/** @type {CanvasRenderingContext2D} */ context) {
  const { canvas } = context;
  const found = dragged ? boxOf(dragged) : parseBox(editTexts().occlude ?? "", store.trace.size);
  if (!found) return;
  const [height, width] = store.trace.size;
  const [top, bottom, left, right] = found.map((pixel, i) => (pixel * (i < 2 ? canvas.height : canvas.width)) / (i < 2 ? height : width));
  context.fillStyle = "rgba(124, 116, 104, .8)";
  context.fillRect(left, top, right - left, bottom - top);
  for (const [line, colour] of /** @type {[number, string][]} */ ([[4, "#000"], [2, "#fff"]])) {
    [context.lineWidth, context.strokeStyle] = [line, colour];
    context.strokeRect(left, top, right - left, bottom - top);
  }
}

/** Another explanation is here. */
export async function data() {
  const { trace } = store;
  const lack = find('[data-part="lacks"]');
  lack.hidden = host.reruns();
  find('[data-part="body"]').hidden = !host.reruns();
  if (!host.reruns()) {
    lack.textContent = text("edits.needs_app");
    return;
  }
  if (trace.partial) return;
  if (!grid.isHeld()) {
    dragged = null;
    grid.setCursor(queryCell());
  }
  const focused = $$("input", box).indexOf(document.activeElement);
  find('[data-list="scales"]').replaceChildren(
    ...trace.scales.offered.map((/** @type {number} */ scale) => (
      check(String(scale), `×${scale}`, trace.scales.used.includes(scale) || scale === 1, scale === 1))),
    check("flip", text("edits.mirrored"), trace.flip));
  if (focused >= 0) $$("input", box)[focused]?.focus({ preventScroll: true });
  try {
    const side = await unedited();
    if (store.trace.key !== trace.key) return;
    before = { key: trace.key, side };
    grid.setGround(side.grey);
    draw();
  } catch (error) {
    if (store.trace.key === trace.key) find('[data-part="words"]').textContent = errorText(error);
  }
}

/** The CAM of the chosen class, its logit and its probability; null where the class is not there. */
function classOf(/** @type {Side} */ { cam, classes }) {
  const at = classes.findIndex(({ label }) => label === view.label);
  if (at < 0) return null;
  const { logit, probability } = classes[at];
  return { map: toFloats(layer(cam, at)), logit, probability: probability ?? 1 / (1 + Math.exp(-logit)) };
}

/** Mean of a map within a box and beyond it; null where there is no such pixel. */
function means(/** @type {Float32Array} */ map, /** @type {number[]} */ [top, bottom, left, right]) {
  const width = store.trace.size[1];
  let [inside, count, total] = [0, 0, 0];
  map.forEach((value, i) => {
    const [y, x] = [Math.floor(i / width), i % width];
    total += value;
    if (y < top || y >= bottom || x < left || x >= right) return;
    inside += value;
    count++;
  });
  return [inside / count, map.length > count ? (total - inside) / (map.length - count) : null];
}

/** Share of the pixels that the CAM gives the class at the cut, and its IoU with the ground truth. */
function cutOf(/** @type {Side} */ { cam, classes }) {
  const label = thresholdCam(toFloats(cam), classes.map((one) => one.label), recompute.threshold());
  const target = store.scene.target?.bytes;
  return { area: label.reduce((sum, one) => sum + Number(one === view.label), 0) / label.length,
    iou: target ? iouScores(label, target).iou[view.label] ?? 0 : null };
}

/** Class, cut or opacity changed. */
export function draw() {
  if (!host.reruns() || !before || before.key !== store.trace.key || view.tab !== "cam") return;
  grid.draw();
  find('[data-do="unhide"]').disabled = !editTexts().occlude;
  const [old, now] = [classOf(before.side), classOf(store.trace)];
  const name = className(view.label);
  const shown = isEdited() && old && now;
  find('[data-part="results"]').hidden = !shown;
  find('[data-part="words"]').textContent = !isEdited() ? text("edits.nothing_hidden")
    : shown ? text("edits.cam_words", { name, before: decimal(old.logit), after: decimal(now.logit) }) : text("edits.class_gone", { name });
  if (!shown) return;
  const maps = [old.map, now.map, now.map.map((value, i) => value - old.map[i])];
  const most = Math.max(1e-6, maxAbs(maps[2]));
  VIEWS.forEach((part, i) => {
    const figure = find(`[data-view="edit_${part}"]`);
    paintMapFigure(figure, maps[i], store.trace.size, i < 2 ? [0, 1] : [-most, most], i < 2 ? { smooth: true } : { table: colours.signed });
    setCaption(figure, text(`edits.cam_${part}`, { name }));
  });
  const [rows, cols] = store.trace.size; // the first one over the whole image
  paintHeatmap(find('[data-view="edit_before"] canvas[role=img]'), before.side.grey ?? store.scene.grey,
    { rows, cols, bytes: toBytes(old.map, 0, 1) }, colours.heat, true, () => view.opacity);
  const [cutBefore, cutNow] = [cutOf(before.side), cutOf(store.trace)];
  const points = (/** @type {number | null} */ a, /** @type {number | null} */ b) => (a == null || b == null ? "–" : signed(100 * (b - a)));
  const shares = (/** @type {string} */ key, /** @type {number | null} */ a, /** @type {number | null} */ b) => (
    [key, text(`edits.score_${key}`, { name, cut: recompute.threshold().toFixed(2) }), percent(a), percent(b), points(a, b)]);
  const hidden = parseBox(editTexts().occlude ?? "", store.trace.size);
  const [inBefore, inNow] = hidden ? [means(old.map, hidden), means(now.map, hidden)] : [[], []];
  fillTable(find("table"), ["", ...["computed", "now", "change"].map((column) => text(`edits.column_${column}`))], [
    ["logit", text("edits.score_logit", { name }), decimal(old.logit), decimal(now.logit), signed(now.logit - old.logit, 2)],
    shares("probability", old.probability, now.probability),
    shares("area", cutBefore.area, cutNow.area),
    ...(cutNow.iou == null ? [] : [shares("iou", cutBefore.iou, cutNow.iou)]),
    ...(hidden ? [shares("inside", inBefore[0], inNow[0]), shares("outside", inBefore[1], inNow[1])] : []),
  ]);
}
