// The strip: every stage as a small picture in pipeline order, and beside the stages that a step may be credited to what
// it changed. Which is held against which the host says: `trace.steps`. Always in sight; large in the tab of the pipeline.

import { buildStripLines, drawStripLines } from "./strip_lines.js";
import { PAINT } from "./strip_pictures.js";
import { $, page } from "../core/dom.js";
import { percent, signed } from "../core/format.js";
import { lackOfStage, lacks, lackWords } from "../core/parts.js";
import { linkCell } from "../core/pointer.js";
import { registerAlways, setView } from "../core/schedule.js";
import { className, isCellHidden, queryCell, stageBefore } from "../core/selection.js";
import { store, view } from "../core/store.js";
import { text } from "../core/words.js";
import { context2d, createCanvas } from "../draw/canvas.js";
import { changeLegend, iouChange, paintChanges } from "../draw/difference.js";
import { markCell } from "../draw/marks.js";
import { labelNames, repaint } from "../draw/repaint.js";
import { fitCanvas } from "../draw/size.js";
import { labelChanges } from "../method/changes.js";

const STAGES = [ // picture, the tab it opens
  { key: "image", tab: "cam" },
  { key: "cam", tab: "cam" },
  { key: "attention", tab: "attention" }, // where the strip is large
  { key: "affinity", tab: "affinity" },
  { key: "cam_rw", tab: "walk", step: true },
  { key: "cam_par", tab: "par", step: true },
  { key: "affinity_label", tab: "regions", label: "affinity_label" },
  { key: "regions", tab: "regions", label: "pseudo_label" },
  { key: "pseudo_label", tab: "regions", label: "pseudo_label" },
  { key: "seg", tab: "seg", step: true },
  { key: "target", tab: "seg" },
];
/** @type {any} */
let box = null; // where the change of a step is shown large
/** @type {Map<string, StripItem>} */
const items = new Map(); // stage -> its elements
/** @type {Map<string, HTMLCanvasElement>} */
const bases = new Map(); // stage -> finished picture without the mark
const itemOf = (/** @type {string} */ key) => /** @type {StripItem} */ (items.get(key));
let shown = ""; // the stage whose difference map is open
let large = /** @type {LargeStrip | null} */ (null);

const element = /** @type {(tag: string, name?: string, ...children: any[]) => any} */ ((/** @type {string} */ tag, name, ...children) => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...children);
  return made;
});

function build() {
  const list = $(".afa-strip");
  box = $(".afa-change");
  buildStripLines();
  for (const stage of STAGES) {
    const item = element("li", "afa-stage");
    item.dataset.stage = stage.key;
    const canvas = document.createElement("canvas");
    const [caption, score] = [element("span", "afa-caption"), element("span", "afa-score")];
    const button = element("button", "", caption, canvas, score);
    button.type = "button";
    button.dataset.open = stage.tab;
    button.addEventListener("click", () => setView({ tab: stage.tab, ...(stage.label && { shownLabel: stage.label }),
      within: /** @type {any} */ (item.closest("[role=tabpanel]"))?.dataset.tab }));
    linkCell(canvas);
    const parts = /** @type {any} */ ({ ...stage, item, canvas, caption, score, button });
    if (stage.step) {
      parts.arrow = arrowOf(stage);
      item.append(parts.arrow.box);
    }
    item.append(button);
    list.append(item);
    items.set(stage.key, parts);
  }
  itemOf("attention").item.hidden = true;
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && shown) close(); });
}

/** What a step changed: in numbers and as a tiny map, which opens a large one. */
function arrowOf(/** @type {StripStage} */ { key }) {
  const [against, iou, pixels, canvas] = [element("small"), element("b"), element("span"), document.createElement("canvas")];
  const button = element("button", "afa-arrow", element("span", "", against, iou), canvas, pixels);
  button.type = "button";
  button.setAttribute("aria-describedby", "afa-change-words");
  for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => open(key));
  for (const event of ["pointerleave", "blur"]) button.addEventListener(event, close);
  button.addEventListener("click", () => (shown === key ? undefined : open(key)));
  return { box: button, against, iou, pixels, canvas };
}

// --- what a step changed -------------------------------------------------------------------------------------------

/** Label map of a scored stage. */
function labelOf(/** @type {string} */ key) {
  if (key === "seg") return store.scene.seg?.bytes ?? new Uint8Array(0);
  return (store.trace.labels[key] ?? store.trace.labels.cam_rw).bytes; // where PAR starts from the walk, this is the label of both
}

const iouOf = (/** @type {string} */ key) => store.trace.scores?.[key]?.iou[view.label] ?? (store.trace.scores?.[key] ? 0 : null);

/** Pixels of the chosen class gained and lost by a step, and the change of its IoU. */
function changeOf(/** @type {string} */ key, /** @type {string} */ before) {
  const [a, b] = [iouOf(before), iouOf(key)];
  return { ...labelChanges(labelOf(before), labelOf(key), store.scene.target?.bytes, view.label),
    iou: a == null || b == null ? null : b - a, from: a, to: b };
}

function drawArrow(/** @type {StripItem} */ { key, arrow }) {
  const before = stageBefore(key);
  arrow.box.hidden = !before;
  arrow.change = null;
  if (!before) return;
  const change = changeOf(key, before);
  arrow.change = change;
  arrow.against.textContent = key === "seg" ? text("strip.against", { before: text(`strip.${before}`) }) : "";
  arrow.iou.replaceChildren(...(change.iou == null ? [] : [iouChange(change.iou)]));
  arrow.pixels.replaceChildren(element("span", "", `+${short(change.gained)}`), element("span", "", `−${short(change.lost)}`));
  arrow.box.setAttribute("aria-label", `${text(`strip.against_${key}`)}: ${wordsOf(key, change)}`);
}

const short = (/** @type {number} */ count) => (count < 1000 ? String(count) : `${(count / 1000).toFixed(count < 9950 ? 1 : 0)}k`);

function wordsOf(/** @type {string} */ key, /** @type {StepChange} */ change) {
  let words = text("strip.change", { step: text(`strip.step_${key}`), name: className(view.label), gained: change.gained,
    lost: change.lost });
  if (store.scene.target) words += ` ${text("strip.change_wrong", { gained: change.gainedWrong, lost: change.lostWrong })}`;
  if (change.iou != null) {
    words += ` ${text("strip.change_iou", { iou: signed(100 * change.iou), from: percent(change.from), to: percent(change.to) })}`;
  }
  return words;
}

function open(/** @type {string} */ key) {
  const stage = itemOf(key);
  if (!store.trace || !stage.arrow.change) return;
  shown = key;
  const canvas = document.createElement("canvas");
  const title = element("strong", "", text(`strip.against_${key}`));
  const words = element("span", "", wordsOf(key, stage.arrow.change));
  words.id = "afa-change-words";
  const legend = element("span", "afa-legend");
  legend.append(...changeLegend(stage.arrow.change));
  box.replaceChildren(title, canvas, legend, words, element("span", "afa-rule", text("strip.rule")));
  box.hidden = false;
  fitCanvas(canvas);
  paintChanges(canvas, stage.arrow.change.kinds);
  const from = stage.arrow.box.getBoundingClientRect();
  const frame = page.views.getBoundingClientRect();
  const left = from.left + from.width / 2 - frame.left - box.offsetWidth / 2;
  box.style.left = `${Math.max(0, Math.min(frame.width - box.offsetWidth, left))}px`;
  box.style.top = `${from.bottom - frame.top + 4}px`;
}

function close() {
  shown = "";
  box.hidden = true;
}

// --- pictures ------------------------------------------------------------------------------------------------------

const isOfCell = (/** @type {string} */ key) => key === "affinity" || key === "attention";

/** A picture with the query cell in it; affinity and attention are the cell's own. */
function drawMark(/** @type {StripItem} */ { key, canvas, item }, fillAffinity = PAINT.affinity) {
  if (!canvas.width || item.hidden) return;
  if (isOfCell(key)) (key === "affinity" && store.trace.affinity ? fillAffinity : PAINT[key])(canvas);
  else context2d(canvas).drawImage(/** @type {HTMLCanvasElement} */ (bases.get(key)), 0, 0);
  if (!isCellHidden()) markCell(canvas, store.trace.grid, queryCell(), Boolean(view.pin));
}

/** All pictures in the present colours. */
function paint() {
  for (const stage of items.values()) {
    if (stage.item.hidden) continue;
    const { key, canvas, arrow } = stage;
    fitCanvas(canvas);
    if (!canvas.width) continue;
    if (arrow?.change) {
      fitCanvas(arrow.canvas);
      if (arrow.canvas.width) paintChanges(arrow.canvas, arrow.change.kinds);
    }
    if (!isOfCell(key)) {
      const base = createCanvas(canvas.width, canvas.height);
      PAINT[key](base);
      bases.set(key, base);
      if (labelNames.has(base)) labelNames.set(canvas, labelNames.get(base));
    }
    drawMark(stage);
  }
  if (shown) open(shown);
}

/** They are the same at another opacity. */
function repaintAll() {
  for (const stage of items.values()) {
    if (stage.item.hidden) continue;
    if (stage.arrow?.change) repaint(stage.arrow.canvas);
    const base = bases.get(stage.key);
    if (base) repaint(base);
    drawMark(stage, repaint);
  }
  if (shown) open(shown);
}

/** The line below a picture: its IoU over all pixels, or of a label how much is certain and how much of that right. */
function scoreOf(/** @type {StripStage} */ { key, label }) {
  const lack = lackOfStage(key);
  if (lack) return [lackWords(lack)];
  if (store.trace.left_out.includes(key)) return [text("strip.left_out")];
  if (label) {
    const certain = text("strip.certain", { share: percent(1 - store.trace.shares[label].uncertain) });
    const right = store.trace.precision?.[label].all;
    return right == null || key === "regions" ? [certain] : [certain, text("strip.right", { share: percent(right) })];
  }
  const iou = iouOf(key);
  return iou == null ? [] : [text(key === "cam" ? "strip.iou_cut" : "strip.iou", { iou: percent(iou) })];
}

function draw() {
  itemOf("target").item.hidden = !store.scene.target;
  for (const stage of items.values()) {
    if (stage.item.hidden) continue;
    const { key, item, caption, score, button } = stage;
    caption.textContent = key === "affinity" && lacks("learned_affinity") ? text("strip.averaged") : text(`strip.${key}`);
    const lines = scoreOf(stage);
    score.replaceChildren(...lines.map((line) => element("span", "", line)));
    item.classList.toggle("afa-left-out", store.trace.left_out.includes(key));
    button.title = text(`strip.${key}_info`);
    const words = { name: text(`strip.${key}`), iou: lines.join(", ") };
    button.setAttribute("aria-label", text(large ? "pipeline.expand" : "strip.open", words));
    if (stage.arrow) drawArrow(stage);
  }
  if (shown && !itemOf(shown).arrow.change) close();
  paint();
  if (large) large.lines();
  else drawStripLines(STAGES.map(({ key }) => key));
}

/** Show the strip as the large diagram; null: small again. */
export function enlarge(/** @type {LargeStrip | null} */ diagram) {
  large = diagram;
  Object.assign(PAINT, diagram?.paint);
  itemOf("attention").item.hidden = !large;
  if (store.trace) draw();
}

/** The visible stages as figures for `paintFigures`, drawn anew at a width in pixels. */
export function stageFigures(/** @type {number} */ width) {
  return [...items.values()].filter(({ item }) => !item.hidden).map((stage) => {
    const canvas = createCanvas(width, Math.round((width * stage.canvas.height) / stage.canvas.width));
    PAINT[stage.key](canvas);
    if (!isCellHidden()) markCell(canvas, store.trace.grid, queryCell(), Boolean(view.pin));
    return { caption: text(`strip.${stage.key}`), canvas, bar: null, legend: scoreOf(stage).map((words) => ({ words })) };
  });
}

registerAlways({
  build,
  selection: draw,
  opacity: repaintAll,
  cell() { for (const stage of items.values()) drawMark(stage); },
});
