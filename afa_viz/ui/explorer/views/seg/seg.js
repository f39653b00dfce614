// The decoder's output against the ground truth: where it is wrong and how, and every stage's score for this image. The
// stages that decide every pixel are bars, and a step has an arrow where `trace.steps` holds it against the one before.

import { percent } from "../../core/format.js";
import { linkCell } from "../../core/pointer.js";
import { registerTab } from "../../core/schedule.js";
import { classColour, className, queryCell, stageBefore } from "../../core/selection.js";
import { store, view } from "../../core/store.js";
import { text } from "../../core/words.js";
import { iouChange } from "../../draw/difference.js";
import { paintLabelFigure } from "../../draw/figures.js";
import { areaRows, fillLegend } from "../../draw/legend.js";
import { createMarks, markCell, repaintMarked } from "../../draw/marks.js";
import { confusion, PARTIAL_LABELS } from "../../method/scores.js";

const KINDS = ["right", "confused", "false_negative", "false_positive"];
/** @type {{[kind: string]: Colour}} */
const COLOURS = { confused: [204, 121, 167], false_negative: [0, 114, 178], false_positive: [213, 94, 0] };
const SCORED = ["cam", "walk_start", "cam_rw", "par_start", "cam_par", "seg"];
/** @type {any} */
let section = null;
/** @type {Uint8Array | null} */
let errors = null; // of every pixel, a place in KINDS; null where the truth is not known

const find = (/** @type {string} */ selector) => section.querySelector(selector);
const figure = (/** @type {string} */ name) => find(`[data-view="${name}"]`);

/** 0 right, 1 wrong class, 2 false negative, 3 false positive, 255 not counted. */
function errorMap(/** @type {Uint8Array} */ label, /** @type {Uint8Array} */ target) {
  return label.map((l, i) => {
    const real = target[i];
    if (real === 255) return 255;
    if (l === real) return 0;
    if (!l) return 2;
    return real ? 1 : 3;
  });
}

function draw() {
  if (!store.trace) return;
  const known = Boolean(store.scene.target);
  const [label, target] = [store.scene.seg.bytes, store.scene.target?.bytes];
  for (const name of ["target", "errors"]) figure(name).hidden = !known;
  find('[data-for="unknown"]').hidden = known;
  find(".afa-scored").hidden = !known;
  const found = known ? errorMap(label, target) : null;
  errors = found;
  paint();
  fillLegend(find('[data-list="seg"]'), areaRows(label, text("seg.not_counted")));
  if (found) {
    fillLegend(find('[data-list="target"]'), areaRows(target, text("seg.not_counted")));
    const counted = found.reduce((sum, kind) => sum + Number(kind !== 255), 0) || 1;
    const rows = KINDS.map((name, kind) => [name === "right" ? "none" : `rgb(${COLOURS[name]})`, text(`seg.${name}`),
      found.reduce((sum, k) => sum + Number(k === kind), 0) / counted]).filter(([, , share]) => share);
    fillLegend(find('[data-list="errors"]'), rows);
    figure("errors").querySelector("canvas").setAttribute("aria-label",
      `${text("seg.errors")}: ${rows.map(([, words, share]) => `${words} ${percent(Number(share))}`).join(", ")}`);
    scoreRows();
    drawConfusion(label, target);
  }
}

function paint() {
  paintLabelFigure(figure("seg"), store.scene.seg.bytes, store.trace.size, classColour, className);
  if (errors) {
    paintLabelFigure(figure("target"), store.scene.target.bytes, store.trace.size, classColour, className);
    paintLabelFigure(figure("errors"), errors, store.trace.size, (kind) => COLOURS[KINDS[kind]] ?? null, () => "");
  }
  marks.keep(section.querySelectorAll(".afa-figs canvas[role=img]"));
}

const marks = createMarks((canvas) => markCell(canvas, store.trace.grid, queryCell(), Boolean(view.pin)));

/** Stages that are worth a row: what a step starts from only where it is not a row already, and nothing left out. */
function scoredStages() {
  const starts = store.trace.steps.map(({ before }) => before);
  return SCORED.filter((key) => !store.trace.left_out.includes(key) && (store.trace.labels[key] || key === "seg")
    && (!key.endsWith("_start") || starts.includes(key)));
}

function scoreRows() {
  find('[data-fill="by_stage"]').textContent = text("seg.by_stage", { name: className(view.label) });
  const iouOf = (/** @type {string} */ key) => store.trace.scores[key].iou[view.label] ?? 0;
  find('[data-list="by_stage"]').replaceChildren(...scoredStages().map((key) => {
    const { miou } = store.trace.scores[key];
    const [share, before] = [iouOf(key), stageBefore(key)];
    const row = document.createElement("div");
    const [name, track, number] = ["span", "div", "span"].map((tag) => document.createElement(tag));
    const [bar, tick] = ["div", "b"].map((tag) => document.createElement(tag));
    name.textContent = text(`seg.score_${key}`);
    track.className = "afa-bar-track";
    bar.style.width = `${100 * share}%`;
    tick.style.left = `${100 * (miou ?? 0)}%`;
    track.append(bar, tick);
    number.textContent = percent(share);
    if (before) number.append(" ", iouChange(share - iouOf(before)));
    row.dataset.score = key;
    row.title = text("seg.score_title", { iou: percent(share), miou: percent(miou) });
    row.append(name, track, number);
    return row;
  }));
  const left = store.trace.left_out.map((key) => text("seg.left_out", { stage: text(`strip.${key}`) }));
  const certain = PARTIAL_LABELS.map((key) => text("seg.certain", { label: text(`strip.${key}`),
    share: percent(1 - store.trace.shares[key].uncertain), right: percent(store.trace.precision[key].all) }));
  find('[data-fill="certain"]').textContent = [...left, ...certain].join(" ");
}

/** Rows: true labels; columns: predicted; each cell the share of the true label's pixels. */
function drawConfusion(/** @type {Uint8Array} */ label, /** @type {Uint8Array} */ target) {
  const counts = confusion(label, target);
  /** @type {Map<any, any>} */
  const total = new Map();
  /** @type {Map<any, any>} */
  const called = new Map();
  for (const [pair, count] of counts) {
    total.set(pair >> 8, (total.get(pair >> 8) ?? 0) + count);
    called.set(pair & 255, (called.get(pair & 255) ?? 0) + count);
  }
  const rows = [...total.keys()].sort((a, b) => a - b);
  const shown = (/** @type {number} */ l) => total.has(l) || called.get(l) > 0.002 * label.length;
  const columns = [...called.keys()].filter(shown).sort((a, b) => a - b);
  const cellOf = (/** @type {string} */ tag, /** @type {string} */ words, /** @type {string | null} */ shade = null) => {
    const box = document.createElement(tag);
    box.textContent = words;
    if (shade != null) {
      box.style.setProperty("--share", shade);
      box.className = "afa-shade";
    }
    return box;
  };
  const head = document.createElement("tr");
  head.append(cellOf("th", text("seg.corner")), ...columns.map((l) => cellOf("th", className(l))));
  find('[data-list="confusion"]').replaceChildren(head, ...rows.map((real) => {
    const row = document.createElement("tr");
    row.classList.toggle("afa-chosen", real === view.label);
    row.append(cellOf("th", className(real)), ...columns.map((l) => {
      const share = (counts.get(256 * real + l) ?? 0) / total.get(real);
      const box = cellOf("td", percent(share), share.toFixed(3));
      box.classList.toggle("afa-diagonal", l === real);
      return box;
    }));
    return row;
  }));
}

registerTab("seg", {
  build(element) {
    section = element;
    for (const canvas of section.querySelectorAll(".afa-figs canvas")) linkCell(canvas);
  },
  data: draw,
  selection: draw,
  opacity() { repaintMarked(section.querySelectorAll(".afa-figs canvas[role=img]"), marks); },
  cell() { if (store.trace) marks.each(); },
});
