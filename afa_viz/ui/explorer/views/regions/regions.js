// Two thresholds, live: what is certain in either of the two labels, what is not, and where the thresholds lie among the
// scores.

import { createPlot, PLOT_FONT } from "../../charts/axes.js";
import { linkSetting } from "../../components/setting_slider.js";
import { page, setText } from "../../core/dom.js";
import { percent, significant } from "../../core/format.js";
import { registerPermalink } from "../../core/permalink.js";
import { linkCell } from "../../core/pointer.js";
import * as recompute from "../../core/recompute.js";
import { registerTab, setView } from "../../core/schedule.js";
import { classColour, className, queryCell } from "../../core/selection.js";
import { announce } from "../../core/status.js";
import { store, view } from "../../core/store.js";
import { tables } from "../../core/tables.js";
import { text } from "../../core/words.js";
import { context2d, createCanvas } from "../../draw/canvas.js";
import { paintLabelFigure } from "../../draw/figures.js";
import { areaRows, fillLegend } from "../../draw/legend.js";
import { createMarks, markCell, repaintMarked } from "../../draw/marks.js";
import { certainScores, iouScores, regionShares } from "../../method/scores.js";

const LINES = ["low", "bkg_score", "high"];
const nameOf = (line) => (line === "bkg_score" ? "bkg" : text(`regions.${line}`));
const BINS = 50;
const [LEFT, RIGHT] = [54, 14]; // pixels beside the bars
/** @type {any} */
let section = null;
/** @type {any[]} */
let shows = [];
/** @type {any} */
let dragged = null;
/** @type {any} */
let cutIou = null; // of the single cut, as the page says it

const find = (selector) => section.querySelector(selector);
const figure = (name) => find(`[data-view="${name}"]`);

/** Draw everything; while another threshold moves, all but the single cut. */
function draw(withCut = true) {
  if (!store.trace) return;
  const began = performance.now();
  const label = recompute.labelMap(view.shownLabel);
  histogram(label); // first: it measures, and words that change would have the page laid out for that
  const kind = (l) => (l ? tables.foreground : tables.background);
  const painted = [paintLabelFigure(figure("regions"), label, store.trace.size, kind, () => ""),
    paintLabelFigure(figure("label"), label, store.trace.size, classColour, className)];
  if (withCut) painted.push(paintLabelFigure(figure("cut"), recompute.thresholdLabel(), store.trace.size, classColour, className));
  marks.keep(painted);
  figure("label").querySelector("figcaption").textContent = text(`regions.${view.shownLabel}`);
  const shares = regionShares(label);
  legend("shares", [[`rgb(${tables.foreground})`, text("regions.foreground"), shares.foreground],
    [`rgb(${tables.background})`, text("regions.background"), shares.background],
    ["hatch", text("regions.uncertain"), shares.uncertain]]);
  legend("label", areas(label));
  if (withCut) {
    legend("cut", areas(recompute.thresholdLabel()));
    figure("cut").querySelector("figcaption").textContent = text("regions.cut", { value: recompute.threshold().toFixed(2) });
    cutIou = null;
  }
  for (const name of ["regions", "label", "cut"]) {
    const box = figure(name);
    box.querySelector("canvas").setAttribute("aria-label",
      `${box.querySelector("figcaption").textContent}: ${box.querySelector(".afa-legend").textContent}`);
  }
  numbers(label, shares);
  section.dataset.drawn = (performance.now() - began).toFixed(1);
}

/** Which label is shown, what it is for, and whether this model has learned from it. */
function words() {
  for (const button of section.querySelectorAll("[data-label]")) {
    button.setAttribute("aria-pressed", button.dataset.label === view.shownLabel);
  }
  setText("purpose", text(`regions.purpose_${view.shownLabel}`), section);
  const { affinity, decoder } = store.trace.trained_on;
  const taught = (part) => text(`regions.taught_${part ?? "unknown"}`);
  setText("taught", affinity || decoder ? text("regions.taught", { affinity: taught(affinity), decoder: taught(decoder) })
    : text("regions.taught_nobody_knows"), section);
}

const legend = (name, rows) => fillLegend(find(`[data-list="${name}"]`), rows);
const areas = (label) => areaRows(label, text("regions.uncertain"));
const marks = createMarks((canvas) => markCell(canvas, store.trace.grid, queryCell(), Boolean(view.pin)));

// --- the histogram -------------------------------------------------------------------------------------------------

/** Pixels by CAM score of the chosen class, split by what becomes of them: class, other, uncertain, background. */
function counts(label) {
  const size = store.trace.size[0] * store.trace.size[1];
  const place = store.trace.classes.findIndex((c) => c.label === view.label);
  const scores = store.trace.cam.bytes.subarray(place * size, (place + 1) * size);
  const bins = Array.from({ length: BINS }, () => [0, 0, 0, 0]);
  for (let i = 0; i < size; i++) {
    const kind = label[i] === view.label ? 0 : label[i] === 255 ? 2 : label[i] ? 1 : 3;
    bins[Math.min(BINS - 1, Math.floor((scores[i] * BINS) / 256))][kind]++;
  }
  return bins;
}

function histogram(label) {
  const canvas = find(".afa-histogram");
  const plot = createPlot(canvas, { left: LEFT, right: RIGHT, top: 46, bottom: 34 });
  const name = className(view.label);
  const bins = counts(label);
  const total = label.length;
  const colours = [`rgb(${tables.foreground})`, "rgb(204 121 167)", "hatch", `rgb(${tables.background})`];
  const rows = [[colours[0], text("regions.becomes", { name })], [colours[1], text("regions.becomes_other")],
    [colours[2], text("regions.becomes_uncertain")], [colours[3], text("regions.becomes_background")]];
  const sum = (list) => list.reduce((a, b) => a + b, 0);
  const above = (cut) => sum(bins.map((bin, i) => (i / BINS >= cut ? sum(bin) : 0))) / total;
  const s = recompute.settings();
  if (plot) bars(plot, bins, colours, total);
  find('[data-fill="histogram"]').textContent = text("regions.histogram", { name });
  legend("bars", rows.filter((_, i) => bins.some((bin) => bin[i])).map(([colour, words]) => [colour, words, null]));
  if (s) {
    canvas.setAttribute("aria-label", text("regions.histogram_aria", { name, low: percent(above(s.low)),
      high: percent(above(s.high)) }));
  }
}

/** The bars by what becomes of their pixels, and over them the settings that cut. */
function bars(plot, bins, colours, total) {
  const { context, x, y } = plot;
  const top = Math.max(...bins.map((bin) => Math.sqrt(bin.reduce((a, b) => a + b))));
  const stripes = hatching(context);
  bins.forEach((bin, i) => {
    const all = bin.reduce((a, b) => a + b);
    if (!all) return;
    const tall = Math.sqrt(all) / top;
    let from = 0;
    for (const kind of [3, 2, 1, 0]) {
      const part = (tall * bin[kind]) / all;
      context.fillStyle = kind === 2 ? stripes : colours[kind];
      context.fillRect(x(i / BINS) + 0.5, y(from + part), x(1 / BINS) - x(0) - 1, y(from) - y(from + part));
      from += part;
    }
  });
  axis(plot, top, total);
  const s = recompute.settings();
  if (s) for (const row of [0, 2, 1]) cutLine(plot, LINES[row], s[LINES[row]], row);
}

/** @type {any} */
let stripes = null;
function hatching(/** @type {CanvasRenderingContext2D} */ context) {
  if (!stripes) {
    stripes = createCanvas(6, 6);
    const c = context2d(stripes);
    c.fillStyle = "#c8c8c8";
    c.fillRect(0, 0, 6, 6);
    c.strokeStyle = "#5a5a5a";
    c.lineWidth = 2;
    for (const d of [-6, 0, 6]) {
      c.beginPath();
      c.moveTo(d, 6);
      c.lineTo(d + 6, 0);
      c.stroke();
    }
  }
  return context.createPattern(stripes, "repeat");
}

function axis({ context, x, y, muted, ink }, top, total) {
  context.fillStyle = muted;
  context.strokeStyle = ink;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x(0), y(0));
  context.lineTo(x(1), y(0));
  context.stroke();
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const share of [0, 0.25, 0.5, 0.75, 1]) context.fillText(String(share), x(share), y(0) + 5);
  context.textAlign = "right";
  context.fillText(text("regions.score_axis"), x(1), y(0) + 19);
  context.textBaseline = "middle";
  for (const share of [0.25, 1]) {
    context.fillText(`${significant((100 * (top * share) ** 2) / total)} %`, x(0) - 5, y(share));
  }
}

function cutLine({ context, x, y, ink }, name, value, row) {
  const at = x(value);
  const colour = { low: `rgb(${tables.background})`, high: `rgb(${tables.foreground})`, bkg_score: ink }[name];
  context.lineWidth = dragged === name ? 4 : 2.5;
  context.strokeStyle = colour;
  context.setLineDash(name === "bkg_score" ? [5, 4] : []);
  context.beginPath();
  context.moveTo(at, y(0));
  context.lineTo(at, row === 1 ? 38 : 20);
  context.stroke();
  context.setLineDash([]);
  context.textBaseline = "middle";
  context.textAlign = { low: "right", bkg_score: "center", high: "left" }[name];
  const over = Math.min(10, (x(recompute.settings().high) - x(recompute.settings().low)) / 2 - 2); // pixels beyond their own line
  const shift = { low: over, bkg_score: 0, high: -over }[name];
  context.font = `700 ${PLOT_FONT}`;
  const words = `${nameOf(name)} ${value.toFixed(2)}`;
  const wide = context.measureText(words).width;
  const [least, most] = { low: [wide, x(1)], bkg_score: [LEFT, x(1)], high: [0, x(1) + RIGHT - wide] }[name];
  const place = [Math.min(Math.max(at + shift, least), most), row === 1 ? 28 : 10];
  [context.strokeStyle, context.lineWidth] = [getComputedStyle(page.root).getPropertyValue("--body-background-fill").trim(), 4];
  context.lineJoin = "round";
  context.strokeText(words, ...place); // so that no line runs through it
  context.fillStyle = ink;
  context.fillText(words, ...place);
  context.font = PLOT_FONT;
}

// --- numbers -------------------------------------------------------------------------------------------------------

function numbers(label, shares) {
  find(".afa-truth").hidden = !store.scene.target;
  if (!store.scene.target) return;
  const shown = find('[data-do="truth"]').checked;
  find('[data-for="truth"]').hidden = !shown;
  if (!shown) return;
  /** @type {{[region: string]: any}} */
  const found = certainScores(label, store.scene.target.bytes);
  const rows = [["foreground", shares.foreground], ["background", shares.background], ["all", 1 - shares.uncertain]];
  find('[data-list="numbers"]').replaceChildren(...rows.map(([name, area]) => {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.textContent = text(`regions.certain_${name}`);
    row.append(head, ...[area, found[name].precision, found[name].recall].map((share) => {
      const box = document.createElement("td");
      box.textContent = percent(share);
      return box;
    }));
    return row;
  }));
  cutIou ??= percent(iouScores(recompute.thresholdLabel(), store.scene.target.bytes).iou[view.label]);
  find('[data-fill="iou"]').textContent = text("regions.iou", { name: className(view.label), cut: cutIou });
}

// --- hands ---------------------------------------------------------------------------------------------------------

/** @type {any} */
let waiting = 0;
let cutMoved = false;
const redraw = (name) => {
  cutMoved ||= name === "bkg_score";
  if (waiting) return;
  waiting = requestAnimationFrame(() => {
    waiting = 0;
    draw(cutMoved);
    cutMoved = false;
  });
};

function build(element) {
  section = element;
  shows = LINES.map((name) => linkSetting(find(`[data-setting="${name}"]`), name, 2));
  const canvas = find(".afa-histogram");
  const scoreAt = (event) => {
    const box = canvas.getBoundingClientRect();
    const share = (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT);
    return Math.min(1, Math.max(0, Math.round(share * 100) / 100));
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (!recompute.settings() || event.button) return;
    const at = scoreAt(event);
    dragged = LINES.reduce((a, b) => (Math.abs(recompute.settings()[b] - at) < Math.abs(recompute.settings()[a] - at) ? b : a));
    canvas.setPointerCapture(event.pointerId);
    recompute.setSetting(dragged, at);
  });
  canvas.addEventListener("pointermove", (event) => { if (dragged) recompute.setSetting(dragged, scoreAt(event)); });
  const end = () => {
    if (!dragged) return;
    const name = dragged;
    dragged = null;
    recompute.setSetting(name, recompute.settings()[name], true);
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  find('[data-do="truth"]').addEventListener("change", () => draw());
  for (const button of section.querySelectorAll("[data-label]")) {
    button.addEventListener("click", () => setView({ shownLabel: button.dataset.label }));
  }
  for (const view of section.querySelectorAll(".afa-figs canvas")) linkCell(view);
  recompute.onSetting((name) => { if (view.tab === "regions") redraw(name); });
}

registerPermalink({
  names: ["label"],
  read(asked) {
    const value = asked.get("label");
    if (value == null) return [];
    if (!["affinity_label", "pseudo_label"].includes(value)) return ["label"];
    view.shownLabel = value;
    return [];
  },
  write(query) {
    if (view.tab === "regions" && view.shownLabel !== "pseudo_label") query.set("label", view.shownLabel);
  },
});

registerTab("regions", {
  build,
  data() {
    const known = recompute.openTrace();
    section.classList.toggle("afa-served", !known);
    if (!known) announce(text("live.too_large"));
    shows.forEach((show) => show());
    words();
    draw();
  },
  selection() {
    words();
    draw();
  },
  opacity() { repaintMarked(section.querySelectorAll(".afa-figs canvas"), marks); },
  cell() { if (store.trace) marks.each(); },
});
