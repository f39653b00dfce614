// The histogram of the tab Regions: pixels by CAM score, split by what becomes of them, and the settings that cut.

import { createPlot, PLOT_FONT } from "../../charts/axes.js";
import { $, page, setText } from "../../core/dom.js";
import { percent, significant } from "../../core/format.js";
import * as recompute from "../../core/recompute.js";
import { className } from "../../core/selection.js";
import { store, view } from "../../core/store.js";
import { tables } from "../../core/tables.js";
import { text } from "../../core/words.js";
import { context2d, createCanvas } from "../../draw/canvas.js";
import { fillLegend } from "../../draw/legend.js";

export const LINES = ["low", "bkg_score", "high"]; // the settings
/** @type {{[line: string]: CanvasTextAlign}} */
const ALIGN = { low: "right", bkg_score: "center", high: "left" };
const nameOf = (/** @type {string} */ line) => (line === "bkg_score" ? "bkg" : text(`regions.${line}`));
const BINS = 50;
export const LEFT = 54; // pixels beside the bars
export const RIGHT = 14;

/** Pixels by CAM score of the chosen class, split by what becomes of them: class, other, uncertain, background. */
function counts(/** @type {Uint8Array} */ label) {
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

/**
 * Draw the bars of a label with their legend; `dragged` names the line under the hand.
 *
 * @param {HTMLElement} section
 * @param {Uint8Array} label
 * @param {string} dragged
 */
export function drawHistogram(section, label, dragged) {
  const canvas = $(".afa-histogram", section);
  const plot = createPlot(canvas, { left: LEFT, right: RIGHT, top: 46, bottom: 34 });
  const name = className(view.label);
  const bins = counts(label);
  const total = label.length;
  const colours = [`rgb(${tables.foreground})`, "rgb(204 121 167)", "hatch", `rgb(${tables.background})`];
  const rows = [[colours[0], text("regions.becomes", { name })], [colours[1], text("regions.becomes_other")],
    [colours[2], text("regions.becomes_uncertain")], [colours[3], text("regions.becomes_background")]];
  const sum = (/** @type {number[]} */ list) => list.reduce((a, b) => a + b, 0);
  const above = (/** @type {number} */ cut) => sum(bins.map((bin, i) => (i / BINS >= cut ? sum(bin) : 0))) / total;
  const s = recompute.settings();
  if (plot) bars(plot, bins, colours, total, dragged);
  setText("histogram", text("regions.histogram", { name }), section);
  const drawn = rows.filter((_, i) => bins.some((bin) => bin[i]));
  fillLegend($('[data-list="bars"]', section), drawn.map(([colour, words]) => [colour, words, null]));
  if (s) {
    canvas.setAttribute("aria-label", text("regions.histogram_aria", { name, low: percent(above(s.low)),
      high: percent(above(s.high)) }));
  }
}

/** The bars by what becomes of their pixels, and over them the settings that cut. */
function bars(/** @type {Plot} */ plot, /** @type {number[][]} */ bins, /** @type {string[]} */ colours, /** @type {number} */ total,
  /** @type {string} */ dragged) {
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
  if (s) for (const row of [0, 2, 1]) cutLine(plot, LINES[row], s[LINES[row]], row, LINES[row] === dragged);
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
  return /** @type {CanvasPattern} */ (context.createPattern(stripes, "repeat"));
}

function axis(/** @type {Plot} */ { context, x, y, muted, ink }, /** @type {number} */ top, /** @type {number} */ total) {
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

function cutLine(/** @type {Plot} */ { context, x, y, ink }, /** @type {string} */ name, /** @type {number} */ value,
  /** @type {number} */ row, /** @type {boolean} */ held) {
  const at = x(value);
  /** @type {{[line: string]: string}} */
  const strokes = { low: `rgb(${tables.background})`, high: `rgb(${tables.foreground})`, bkg_score: ink };
  context.lineWidth = held ? 4 : 2.5;
  context.strokeStyle = strokes[name];
  context.setLineDash(name === "bkg_score" ? [5, 4] : []);
  context.beginPath();
  context.moveTo(at, y(0));
  context.lineTo(at, row === 1 ? 38 : 20);
  context.stroke();
  context.setLineDash([]);
  context.textBaseline = "middle";
  context.textAlign = ALIGN[name];
  const over = Math.min(10, (x(recompute.settings().high) - x(recompute.settings().low)) / 2 - 2); // pixels beyond their own line
  /** @type {{[line: string]: number}} */
  const shifts = { low: over, bkg_score: 0, high: -over };
  context.font = `700 ${PLOT_FONT}`;
  const words = `${nameOf(name)} ${value.toFixed(2)}`;
  const wide = context.measureText(words).width;
  /** @type {{[line: string]: number[]}} */
  const limits = { low: [wide, x(1)], bkg_score: [LEFT, x(1)], high: [0, x(1) + RIGHT - wide] };
  const [least, most] = limits[name];
  const [left, middle] = [Math.min(Math.max(at + shifts[name], least), most), row === 1 ? 28 : 10];
  [context.strokeStyle, context.lineWidth] = [getComputedStyle(page.root).getPropertyValue("--body-background-fill").trim(), 4];
  context.lineJoin = "round";
  context.strokeText(words, left, middle); // so that no line runs through it
  context.fillStyle = ink;
  context.fillText(words, left, middle);
  context.font = PLOT_FONT;
}
