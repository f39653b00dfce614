// Two sides: A is what the page shows, B is A with some changes (side_b.js). Every stage of both, and what differs: signed
// differences of scores, pixels gained and lost of labels.

import { setText } from "../../core/dom.js";
import { percent, signed } from "../../core/format.js";
import { toBytes } from "../../core/packed.js";
import { lackWords } from "../../core/parts.js";
import { updatePermalink } from "../../core/permalink.js";
import { linkCell } from "../../core/pointer.js";
import { registerTab } from "../../core/schedule.js";
import { className, queryCell } from "../../core/selection.js";
import { translateServerText } from "../../core/server_words.js";
import { reportError } from "../../core/status.js";
import { store, view } from "../../core/store.js";
import { trainingRun } from "../../core/training_run.js";
import { text, translateClass } from "../../core/words.js";
import { context2d } from "../../draw/canvas.js";
import { colours } from "../../draw/colours.js";
import { changeLegend, iouChange, paintChanges } from "../../draw/difference.js";
import { paintLabelFigure, paintLabelMap, paintMap, paintMapFigure } from "../../draw/figures.js";
import { areaRows, fillLegend } from "../../draw/legend.js";
import { createMarks, markCell, repaintMarked } from "../../draw/marks.js";
import { displayWidth, fitCanvas } from "../../draw/size.js";
import { labelChanges } from "../../method/changes.js";
import { PARTIAL_LABELS } from "../../method/scores.js";
import * as comparison from "./comparison.js";
import * as sideB from "./side_b.js";
import { certainOf, iouOf, isLabel, sidesInWords, stageName, subjectOf } from "./side_words.js";

const ROWS = ["a", "b", "difference"];
const AGAIN = 100; // milliseconds until a host is asked again that fetches a model

/** @type {any} */
let section = null;
/** @type {Map<string, BoardColumn>} */
const cells = new Map(); // by stage
const columnOf = (/** @type {string} */ name) => /** @type {BoardColumn} */ (cells.get(name));

const find = (/** @type {string} */ selector) => section.querySelector(selector);
const figure = (/** @type {string} */ name) => find(`.afa-pair [data-view="${name}"]`);

// --- asking --------------------------------------------------------------------------------------------------------

async function ask() {
  if (!store.trace) return;
  if (!comparison.differs(sideB.changes())) {
    draw();
    return;
  }
  section.dataset.state = "waiting";
  setText("words", text("compare.waiting"), section);
  try {
    /** @type {any} */
    const answer = await comparison.load(sideB.changes());
    if (!answer) return; // somebody has asked for another one since
    section.dataset.state = answer.waiting ? "waiting" : answer.refused ? "refused" : "ready";
    find(".afa-verdict").setAttribute("aria-busy", String(Boolean(answer.waiting))); // not every percent is read out
    if (answer.refused) setText("words", translateServerText(answer.refused), section);
    else draw();
    if (answer.waiting) setTimeout(ask, AGAIN); // the model is fetched
  } catch (error) {
    setText("words", text("gone"), section);
    reportError(error);
  }
}

async function loadRun() {
  const { key } = store.trace;
  try {
    const next = await trainingRun(key);
    if (key !== store.trace.key) return;
    sideB.setModels(next);
    if (section.dataset.state === "ready") describe();
  } catch (error) {
    reportError(error);
  }
}

const colourOf = (/** @type {number} */ label) => (label ? comparison.sideB().palette[label] : null);
const nameOf = (/** @type {number} */ label) => translateClass(comparison.sideB().names[label] ?? "");

// --- drawing -------------------------------------------------------------------------------------------------------

const marks = createMarks((canvas) => markCell(canvas, store.trace.grid, queryCell(), Boolean(view.pin)));
const ready = () => comparison.isLoaded() && section.dataset.state === "ready";

function draw() {
  if (!ready()) return;
  describe();
  for (const name of sideB.STAGES) drawColumn(name);
  drawLarge();
  marks.keep(drawn());
}

const drawn = () => section.querySelectorAll(".afa-board canvas, .afa-pair:not([hidden]) canvas[role=img]");

const describe = () => setText("words", sidesInWords(), section);

function drawColumn(/** @type {string} */ name) {
  const canvases = columnOf(name);
  const { button, score } = canvases;
  button.setAttribute("aria-pressed", String(name === sideB.largeStage()));
  button.textContent = stageName(name);
  for (const row of ROWS) {
    canvases[row].setAttribute("aria-label", text(`compare.row_${row}`, { stage: stageName(name) }));
    fitCanvas(canvases[row]);
  }
  if (!canvases.a.width || !displayWidth(canvases.a)) return;
  const lack = comparison.lackOf(name);
  if (lack) {
    for (const row of ROWS) context2d(canvases[row]).clearRect(0, 0, canvases[row].width, canvases[row].height);
    score.textContent = `${lack.side}: ${lackWords(lack.part)}`;
    return;
  }
  paintColumn(name);
  const same = isLabel(name) ? !shareApart(name) : comparison.maps(name)?.same ?? false;
  const [a, b] = [iouOf(store.trace, name), iouOf(comparison.sideB(), name)];
  score.replaceChildren();
  if (PARTIAL_LABELS.includes(name)) {
    for (const [row, side] of [["A", store.trace], ["B", comparison.sideB()]]) {
      score.append(`${row}: ${certainOf(side, name)}`, document.createElement("br"));
    }
  }
  if (a != null && b != null) score.append(text("compare.ious", { a: percent(a), b: percent(b) }), document.createElement("br"));
  if (same) score.append(text("compare.equal"));
  else if (a != null && b != null) score.append(iouChange(b - a));
  else if (name !== "affinity") score.append(text("compare.differ", { share: percent(shareApart(name)) }));
}

/** Share of the pixels that have another label in B. */
function shareApart(/** @type {string} */ name) {
  const [a, b] = /** @type {Uint8Array[]} */ (comparison.labels(name));
  return a.reduce((count, label, i) => count + Number(label !== b[i]), 0) / a.length;
}

const paintColumn = (/** @type {string} */ name) => (
  !comparison.lackOf(name) && (isLabel(name) ? paintLabelMaps : paintFields)(name, columnOf(name)));

/** Scores of both sides and their difference. */
function paintFields(/** @type {string} */ name, /** @type {Column} */ canvases) {
  const found = comparison.maps(name);
  if (!found) return;
  const [rows, cols] = found.size;
  const smooth = name === "cam" || name === "cam_par";
  const paint = (/** @type {string} */ row, /** @type {number} */ low, /** @type {number} */ high,
    /** @type {Uint8ClampedArray} */ table) =>
    paintMap(canvases[row], { rows, cols, bytes: toBytes(found[row], low, high) }, table, smooth);
  const [low, high] = found.limits;
  paint("a", low, high, colours.heat);
  paint("b", low, high, colours.heat);
  paint("difference", -found.most, found.most, colours.signed);
}

/** The labels of both sides and what B changes in the chosen class. */
function paintLabelMaps(/** @type {string} */ name, /** @type {Column} */ canvases) {
  const labels = comparison.labels(name);
  [canvases.a, canvases.b].forEach((canvas, i) => paintLabelMap(canvas,
    { rows: store.trace.size[0], cols: store.trace.size[1], bytes: labels[i] }, colourOf));
  paintChanges(canvases.difference, labelChanges(labels[0], labels[1], store.scene.target?.bytes, view.label).kinds);
}

function drawLarge() {
  const name = className(view.label);
  const lack = comparison.lackOf(sideB.largeStage());
  setText("stage", text("compare.large", { stage: stageName(sideB.largeStage()) }), section);
  /** @type {{[row: string]: string}} */
  const titles = { difference: isLabel(sideB.largeStage()) ? text("compare.changed", { name }) : text("compare.difference") };
  for (const [row, side] of [["a", store.trace], ["b", comparison.sideB()]]) {
    const iou = iouOf(side, sideB.largeStage());
    const score = iou == null ? "" : text("strip.iou", { iou: percent(iou) });
    const worth = PARTIAL_LABELS.includes(sideB.largeStage()) ? certainOf(side, sideB.largeStage()) : score;
    titles[row] = [`${row.toUpperCase()}: ${subjectOf(row, name)}`, ...(worth ? [worth] : [])].join(", ");
  }
  for (const row of ROWS) {
    figure(row).querySelector("figcaption").textContent = titles[row];
    figure(row).querySelector("canvas").setAttribute("aria-label", titles[row]);
    figure(row).querySelector(".afa-legend").replaceChildren();
  }
  if (lack) {
    find(".afa-pair").hidden = true;
    setText("numbers", `${lack.side}: ${lackWords(lack.part)}`, section);
    return;
  }
  paintLarge();
  const sentences = isLabel(sideB.largeStage()) ? largeLabels() : largeFields();
  setText("numbers", sentences.join(" "), section);
}

function paintLarge() {
  if (comparison.lackOf(sideB.largeStage())) return;
  const found = isLabel(sideB.largeStage()) ? comparison.labels(sideB.largeStage()) : comparison.maps(sideB.largeStage());
  find(".afa-pair").hidden = !found;
  if (!found) return;
  if (isLabel(sideB.largeStage())) {
    for (const row of ROWS) figure(row).querySelector(".afa-scale")?.remove();
    found.forEach((/** @type {Uint8Array} */ bytes, /** @type {number} */ i) =>
      paintLabelFigure(figure(ROWS[i]), bytes, store.trace.size, colourOf, nameOf));
    const canvas = figure("difference").querySelector("canvas");
    fitCanvas(canvas);
    paintChanges(canvas, changed().kinds);
    return;
  }
  const smooth = sideB.largeStage() === "cam" || sideB.largeStage() === "cam_par";
  for (const row of ["a", "b"]) paintMapFigure(figure(row), found[row], found.size, found.limits, { smooth });
  paintMapFigure(figure("difference"), found.difference, found.size, [-found.most, found.most], { table: colours.signed, smooth });
}

function largeFields() {
  const found = comparison.maps(sideB.largeStage());
  if (!found) return [text("compare.too_large")];
  const difference = /** @type {Float32Array} */ (found.difference);
  const share = (/** @type {(value: number) => boolean} */ test) =>
    percent(difference.reduce((count, value) => count + Number(test(value)), 0) / difference.length);
  const least = 0.02 * (found.limits[1] - found.limits[0]);
  const sentences = [found.same ? text("compare.same") : text("compare.fields", { more: share((d) => d > least),
    less: share((d) => d < -least) })];
  const band = store.trace.affinity?.band;
  if (sideB.largeStage() === "affinity" && band) sentences.push(text("compare.window", { band }));
  return sideB.largeStage() === "affinity" ? sentences : [...sentences, text("compare.as_labels"), ...changeWords()];
}

function largeLabels() {
  comparison.labels(sideB.largeStage()).forEach((bytes, i) => {
    fillLegend(figure(ROWS[i]).querySelector(".afa-legend"), areaRows(bytes, text("uncertain"), comparison.sideB()));
  });
  figure("difference").querySelector(".afa-legend").append(...changeLegend(changed()));
  return changeWords();
}

/** Pixels of the class that B gains and loses at the large stage. */
function changed() {
  const [a, b] = comparison.labels(sideB.largeStage());
  return labelChanges(a, b, store.scene.target?.bytes, view.label);
}

/** The same in words, and what it does to the IoU. */
function changeWords() {
  const found = changed();
  const words = [text("strip.change", {
    step: "B", name: className(view.label), gained: found.gained, lost: found.lost })];
  const [a, b] = [iouOf(store.trace, sideB.largeStage()), iouOf(comparison.sideB(), sideB.largeStage())];
  if (store.scene.target) {
    words.push(text("strip.change_wrong", { gained: found.gainedWrong, lost: found.lostWrong }));
  }
  if (a != null && b != null) {
    words.push(text("compare.change_iou", { iou: signed(100 * (b - a)), a: percent(a), b: percent(b) }));
  }
  return words;
}

/** The affinity is that of the query cell: it alone changes with it. */
function drawCell() {
  if (!ready()) return;
  const changed = ROWS.map((row) => columnOf("affinity")[row]);
  marks.each();
  drawColumn("affinity");
  if (sideB.largeStage() === "affinity") {
    drawLarge();
    changed.push(...section.querySelectorAll(".afa-pair canvas[role=img]"));
  }
  marks.keep(changed);
}

// --- the board -----------------------------------------------------------------------------------------------------

function buildBoard() {
  const board = find(".afa-board");
  board.style.setProperty("--columns", sideB.STAGES.length);
  const side = (/** @type {string} */ words) => {
    const made = document.createElement("span");
    if (words) made.className = "afa-side";
    made.textContent = words;
    return made;
  };
  board.append(side(""), side("A"), side("B"), side("B−A"), side(""));
  for (const name of sideB.STAGES) {
    const [button, score] = [document.createElement("button"), document.createElement("span")];
    button.type = "button";
    button.addEventListener("click", () => {
      sideB.chooseStage(name);
      draw();
      updatePermalink();
    });
    score.className = "afa-score";
    const canvases = /** @type {Column} */ (Object.fromEntries(ROWS.map((row) => {
      const canvas = document.createElement("canvas");
      canvas.setAttribute("role", "img");
      linkCell(canvas);
      return [row, canvas];
    })));
    cells.set(name, { button, score, ...canvases });
    board.append(button, ...Object.values(canvases), score);
  }
  for (const canvas of section.querySelectorAll(".afa-pair canvas")) linkCell(canvas);
}

registerTab("compare", {
  build(element) {
    section = element;
    buildBoard();
    sideB.build(section, () => {
      ask();
      updatePermalink();
    });
  },
  data() {
    sideB.drawForm();
    ask();
    loadRun();
  },
  selection: draw,
  opacity() { if (ready()) repaintMarked(drawn(), marks); },
  cell: drawCell,
  other: () => (ready() ? sideB.changes() : null),
  facts: () => find('[data-fill="words"]').textContent,
});
