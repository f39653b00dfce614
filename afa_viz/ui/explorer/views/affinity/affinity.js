// Affinity: raw, symmetrised, learned and as trained, for one query; what each step changes; the whole matrix.

import * as matrix from "../../components/matrix.js";
import { $, $$, setText } from "../../core/dom.js";
import { signed } from "../../core/format.js";
import { takeLaterTexts } from "../../core/later.js";
import { toBytes } from "../../core/packed.js";
import { linkCell } from "../../core/pointer.js";
import { lacks, lackWords } from "../../core/parts.js";
import * as recompute from "../../core/recompute.js";
import { CELL, registerTab, scheduleDraw, setView } from "../../core/schedule.js";
import { cellOfIndex, countCells, queryCell } from "../../core/selection.js";
import { announce } from "../../core/status.js";
import { store, view } from "../../core/store.js";
import { text } from "../../core/words.js";
import { context2d, createCanvas } from "../../draw/canvas.js";
import { drawColourBar } from "../../draw/colour_bar.js";
import { colours } from "../../draw/colours.js";
import { paintLabelFigure, paintMapFigure, setCaption } from "../../draw/figures.js";
import { fillLegend } from "../../draw/legend.js";
import { markCell, markWindow } from "../../draw/marks.js";
import { displayWidth, fitCanvas } from "../../draw/size.js";
import { PAIR } from "../../method/affinity_labels.js";
import { limitsOf, maxAbs } from "../../method/statistics.js";
import { drawNumbers } from "./pair_numbers.js";

const COLOURS = { [PAIR.positive]: [0, 158, 115], [PAIR.negative]: [204, 121, 167] };
const MAPS_OF = ["raw", "symmetric", "learned", "labels"];
/** @type {any} */
let section = null;
let step = "learned"; // whose change the difference map shows
let shown = "learned"; // the matrix
/** @type {any} */
let partner = null; // the other cell of the pair under the pointer in the matrix
/** @type {any} */
let base = null; // the matrix without its marks
/** @type {any[]} */
let panels = []; // heads, and regions joined or separated, under the hand, once their script is here

const figure = (/** @type {string} */ name) => $(`[data-view="${name}"]`, section);
const colourOf = (/** @type {number} */ kind) => COLOURS[kind] ?? null;
const stretched = (/** @type {Float32Array} */ values) => {
  const [low, high] = limitsOf(values);
  return values.map((value) => (high > low ? (value - low) / (high - low) : 0));
};

const title = (/** @type {string} */ name, /** @type {string} */ words) => setCaption(figure(name), words);

function mark(/** @type {string} */ name) {
  const canvas = figure(name).querySelector("canvas");
  const radius = recompute.settings()?.radius ?? store.trace.radius;
  if (name === "labels" || name === "learned") markWindow(canvas, store.trace.grid, queryCell(), radius);
  if (partner) markCell(canvas, store.trace.grid, partner, true);
  markCell(canvas, store.trace.grid, queryCell(), Boolean(view.pin));
}

/** The maps of the query. */
function drawQuery() {
  const found = matrix.rows();
  section.dataset.state = found ? "ready" : "waiting";
  if (!found) return;
  const both = limitsOf(found.raw, found.symmetric);
  const range = (/** @type {string} */ name) => (view.shared ? both : limitsOf(/** @type {any} */ (found)[name]));
  paintMapFigure(figure("raw"), found.raw, store.trace.grid, range("raw"));
  paintMapFigure(figure("symmetric"), found.symmetric, store.trace.grid, range("symmetric"));
  const labels = matrix.labelsOf();
  paintLabelFigure(figure("labels"), labels, store.trace.grid, colourOf, () => "");
  fillLegend($('[data-list="labels"]', section), legendOf(labels));
  for (const name of ["raw", "symmetric", "labels"]) mark(name);
  drawLearned(found, labels);
  drawMarks();
}

/** What follows from the weights of the heads: the affinity, what learning changes, and the words about both. */
function drawLearned(/** @type {AffinityRows} */ found, /** @type {Uint8Array} */ labels) {
  paintMapFigure(figure("learned"), found.learned, store.trace.grid, view.shared ? [0, 1] : limitsOf(found.learned));
  const before = step === "learned" ? stretched(found.symmetric) : found.raw;
  const after = /** @type {Float32Array} */ (step === "learned" ? found.learned : found.symmetric);
  const change = after.map((value, i) => value - before[i]);
  const most = Math.max(1e-6, maxAbs(change));
  paintMapFigure(figure("change"), change, store.trace.grid, [-most, most], { table: colours.signed });
  for (const name of ["learned", "change"]) mark(name);
  words(found, labels);
}

const countOf = (/** @type {Uint8Array} */ labels, /** @type {number} */ kind) =>
  labels.reduce((sum, label) => sum + Number(label === kind), 0);
function legendOf(/** @type {Uint8Array} */ labels) {
  return [["positive", `rgb(${COLOURS[PAIR.positive]})`], ["negative", `rgb(${COLOURS[PAIR.negative]})`],
    ["ignored", "hatch"]].map(([kind, colour]) => [colour, kind, countOf(labels, PAIR[kind])])
    .filter(([, , count]) => count).map(([colour, kind, count]) => [colour, text(`affinity.${kind}`, { count }), null]);
}

function words(/** @type {AffinityRows} */ found, /** @type {Uint8Array} */ labels) {
  const mean = (/** @type {Float32Array} */ values, /** @type {number} */ kind) => {
    const chosen = values.filter((_, i) => labels[i] === kind);
    return chosen.length ? chosen.reduce((a, b) => a + b, 0) / chosen.length : null;
  };
  const [yes, no] = [PAIR.positive, PAIR.negative].map((kind) => mean(found.learned, kind));
  const numbers = { yes: yes?.toFixed(2), no: no?.toFixed(2), raw_yes: yes == null ? "" : signed(Number(mean(found.raw, PAIR.positive))),
    raw_no: no == null ? "" : signed(Number(mean(found.raw, PAIR.negative))) };
  const unknown = yes == null || no == null;
  setText("words", text(unknown ? "affinity.words_unknown" : "affinity.words", numbers), section);
  $('[data-do="find"]', section).hidden = !unknown;
  setText("window", text("affinity.window", { radius: recompute.settings()?.radius ?? store.trace.radius }), section);
  setText("teacher", teacherWords(), section);
  drawPair();
  if (!partner) return setText("pair", text("affinity.pair_none"), section);
  const i = matrix.cellIndex(partner);
  return setText("pair", text("affinity.pair", { row: queryCell()[0] + 1, col: queryCell()[1] + 1, row2: partner[0] + 1,
    col2: partner[1] + 1, raw: signed(found.raw[i]), symmetric: signed(found.symmetric[i]),
    learned: found.learned[i].toFixed(2), label: text(`affinity.is_${labels[i]}`) }), section);
}

/** From which of the two labels the pairs are made, and whether this model learned from it. */
function teacherWords() {
  const [of, known] = [matrix.numbers().cells_of, store.trace.trained_on.affinity];
  const words = text(`affinity.made_of_${of}`);
  if (known === "nothing" || lacks("learned_affinity")) return `${words} ${text("affinity.untrained")}`;
  return known ? words : `${words} ${text("affinity.teacher_unknown")}`;
}

/** Both cells of a pair on the photograph: the query framed, the other one dotted. */
function drawPair() {
  const canvas = figure("pair").querySelector("canvas");
  fitCanvas(canvas);
  if (!canvas.width) return;
  context2d(canvas).drawImage(store.scene.image, 0, 0, canvas.width, canvas.height);
  markCell(canvas, store.trace.grid, queryCell(), false);
  if (partner) markCell(canvas, store.trace.grid, partner, true);
}

/** Pin the cell nearest to the query that has cells of both kinds in its window: there the labels can be seen. */
function find() {
  const [row, col] = queryCell();
  const all = Array.from({ length: countCells() }, (_, i) => cellOfIndex(i));
  all.sort((a, b) => Math.hypot(a[0] - row, a[1] - col) - Math.hypot(b[0] - row, b[1] - col));
  const found = all.find((query) => {
    const labels = matrix.labelsOf(query);
    return labels.includes(PAIR.positive) && labels.includes(PAIR.negative);
  });
  if (found) setView({ pin: found });
  else announce(text("affinity.find_none"), true);
}

// --- the whole matrix ----------------------------------------------------------------------------------------------

function drawMatrix() {
  $('[data-list="matrix"]', section).hidden = !matrix.isWhole();
  if (!matrix.isWhole()) return;
  const canvas = figure("matrix").querySelector("canvas");
  const width = Math.round(displayWidth(canvas) * Math.min(2, window.devicePixelRatio || 1));
  if (!width) return;
  const cells = countCells();
  const s = recompute.settings();
  const drawn = [store.trace.key, shown, width, s?.edited?.name, ...(shown === "labels" && s ? [s.radius, s.low, s.high] : [])].join(" ");
  if (base?.drawn !== drawn) paintMatrix(canvas, width, cells);
  base.drawn = drawn;
  const name = shown === "learned" && lacks("learned_affinity") ? "averaged" : shown;
  title("matrix", text("affinity.matrix_of", { name: text(`affinity.${name}`), cells }));
  drawMarks();
}

function paintMatrix(/** @type {HTMLCanvasElement} */ canvas, /** @type {number} */ width, /** @type {number} */ cells) {
  const box = figure("matrix");
  [canvas.width, canvas.height] = [width, width];
  const small = createCanvas(cells, cells);
  const context = context2d(small);
  const pixels = context.createImageData(cells, cells);
  const values = matrix.wholeMatrix(shown);
  /** @type {[number, number]} */
  const range = shown === "learned" ? [0, 1] : matrix.numbers().limits;
  const bytes = shown === "labels" ? values : toBytes(values, ...range);
  const table = shown === "labels" ? KIND_COLOURS : solidColours();
  const pixelOf = new Uint32Array(table.buffer);
  const out = new Uint32Array(pixels.data.buffer);
  for (let i = 0; i < out.length; i++) out[i] = pixelOf[bytes[i]];
  context.putImageData(pixels, 0, 0);
  base = createCanvas(width, width);
  context2d(base).imageSmoothingEnabled = false;
  context2d(base).drawImage(small, 0, 0, width, width);
  if (shown === "labels") box.querySelector(".afa-scale")?.remove();
  else drawColourBar(box, ...range, table);
}

/** RGBA colours of 256 values. */
const tableOf = (/** @type {(i: number) => Colour} */ colourAt) =>
  Uint8ClampedArray.from(Array.from({ length: 256 }, (_, i) => [...colourAt(i), 255]).flat());
const solidColours = () => tableOf((i) => colours.magnitude.subarray(3 * i, 3 * i + 3));
const KIND_COLOURS = tableOf((i) => COLOURS[i] ?? (i ? [150, 150, 150] : [58, 58, 58])); // ignored, beyond the window

/** The row of the query in the matrix, and the pair under the pointer. */
function drawMarks() {
  if (!matrix.isWhole() || !base) return;
  const canvas = figure("matrix").querySelector("canvas");
  const context = context2d(canvas);
  context.drawImage(base, 0, 0);
  const size = canvas.width / countCells();
  const tall = Math.max(size, 3);
  for (const [grow, colour] of /** @type {[number, string][]} */ ([[2, "#000"], [1, "#fff"]])) {
    [context.lineWidth, context.strokeStyle] = [grow, colour];
    context.strokeRect(-4, matrix.cellIndex(queryCell()) * size - (tall - size) / 2, canvas.width + 8, tall);
    if (partner) context.strokeRect(matrix.cellIndex(partner) * size - 3, matrix.cellIndex(queryCell()) * size - 3, 6 + size, 6 + size);
  }
}

// --- hands ---------------------------------------------------------------------------------------------------------

const indexCell = (/** @type {number} */ share) => {
  const count = countCells();
  return cellOfIndex(Math.min(count - 1, Math.max(0, Math.floor(share * count))));
};

function choices(/** @type {string} */ name, /** @type {() => string} */ chosen, /** @type {(name: string) => void} */ choose) {
  for (const button of $$(`[data-${name}]`, section)) {
    button.addEventListener("click", () => {
      choose(button.dataset[name]);
      pressed(name, chosen());
    });
  }
  pressed(name, chosen());
}

function pressed(/** @type {string} */ name, /** @type {string} */ chosen) {
  for (const button of $$(`[data-${name}]`, section)) button.setAttribute("aria-pressed", button.dataset[name] === chosen);
}

function draw() {
  if (!store.trace || !matrix.isLoaded()) return;
  titleLearned();
  title("raw", text("affinity.raw_title", { heads: store.scene.blocks.slice(-2).reduce((sum, { heads }) => sum + heads, 0) }));
  title("symmetric", text("affinity.symmetric_title"));
  const averaged = lacks("learned_affinity");
  setText("not_learned", averaged ? lackWords("learned_affinity") : "", section);
  $('[data-step="learned"]', section).textContent = text(averaged ? "affinity.step_averaged" : "affinity.step_learned");
  $('[data-matrix="learned"]', section).textContent = text(averaged ? "affinity.averaged" : "affinity.learned");
  title("labels", text("affinity.labels_title"));
  const made = averaged ? "affinity.change_averaged" : "affinity.change_learned";
  title("change", text(step === "learned" ? made : "affinity.change_symmetric"));
  drawNumbers(section);
  drawQuery();
  drawMatrix();
  for (const panel of panels) panel.draw();
  if (!matrix.isWhole()) matrix.loadRow(drawQuery);
}

/** Weights as sliders, regions to join and separate, the path of a pair's number: loaded when the tab is first opened. */
async function loadPanel() {
  if (panels.length) return;
  try {
    const found = await Promise.all([import("./heads/panel.js"), import("./edit/panel.js")]);
    takeLaterTexts();
    if (!panels.length) for (const panel of found) panel.build(section);
    panels = found;
  } catch {
    announce(text("tabs.lost", { name: text("affinity.weights") }), true);
    return;
  }
  for (const panel of panels) panel.data();
}

function titleLearned() {
  const { head_weights: weights, affinity_bias: bias, edits } = store.trace;
  const moved = recompute.settings()?.edited || weights || bias != null || edits?.affinity_edits;
  const learned = moved ? "affinity.learned_moved" : store.trace.symmetric ? "affinity.learned_title" : "affinity.learned_one_way";
  title("learned", text(lacks("learned_affinity") ? "affinity.averaged_title" : learned));
}

/** The weight of a head moves: what was made of heads follows. */
function drawMoved() {
  const found = store.trace && matrix.isLoaded() && matrix.rows();
  if (!found) return;
  titleLearned();
  drawLearned(found, matrix.labelsOf());
  if (shown === "learned") drawMatrix();
  for (const panel of panels) panel.draw();
}

/** A threshold or the radius moves: the labels follow. */
function drawLabels() {
  if (!store.trace || !matrix.isLoaded()) return;
  drawQuery();
  if (shown === "labels") drawMatrix();
}

registerTab("affinity", {
  build(element) {
    section = element;
    for (const name of [...MAPS_OF, "change", "pair"]) linkCell(figure(name).querySelector("canvas"));
    const canvas = figure("matrix").querySelector("canvas");
    linkCell(canvas, (y) => indexCell(y));
    const point = (/** @type {PointerEvent} */ event) => {
      const box = canvas.getBoundingClientRect();
      partner = event.type === "pointerleave" ? null : indexCell((event.clientX - box.left) / box.width);
      scheduleDraw(CELL);
    };
    for (const name of ["pointermove", "pointerdown", "pointerleave"]) canvas.addEventListener(name, point);
    canvas.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      const box = canvas.getBoundingClientRect();
      panels[0]?.pair(indexCell((event.clientY - box.top) / box.height), indexCell((event.clientX - box.left) / box.width));
    });
    $('[data-do="find"]', section).addEventListener("click", find);
    /** @type {any} */
    let waiting = 0;
    recompute.onSetting((name) => {
      if (view.tab !== "affinity") return;
      if (name === "affinity") drawMoved(); // in a frame already
      else waiting ||= requestAnimationFrame(() => { waiting = 0; drawLabels(); });
    });
    choices("step", () => step, (name) => { step = name; draw(); });
    choices("matrix", () => shown, (name) => { shown = name; drawMatrix(); });
  },
  data() {
    [partner, base] = [null, null];
    recompute.openTrace();
    matrix.load(draw);
    for (const panel of panels) panel.data();
  },
  show: loadPanel,
  selection: draw,
  opacity() { if (matrix.isLoaded()) drawQuery(); },
  cell() {
    if (!store.trace || !matrix.isLoaded()) return;
    drawQuery();
    for (const panel of panels) panel.draw();
    if (!matrix.isWhole()) matrix.loadRow(drawQuery);
  },
});
