// The CAM, and why no threshold on it gives a mask.

import { createPlot, drawCurveNames, drawGrid, QUARTERS } from "../../charts/axes.js";
import { linkEditFold } from "../../components/edit_fold.js";
import { linkSetting } from "../../components/setting_slider.js";
import { $, $$, setText } from "../../core/dom.js";
import { percent } from "../../core/format.js";
import { layer, toFloats } from "../../core/packed.js";
import { linkCell } from "../../core/pointer.js";
import * as recompute from "../../core/recompute.js";
import { registerTab } from "../../core/schedule.js";
import { classIndex, className, queryCell } from "../../core/selection.js";
import { store, view } from "../../core/store.js";
import { text } from "../../core/words.js";
import { context2d } from "../../draw/canvas.js";
import { paintLabelFigure, paintMapFigure, setCaption } from "../../draw/figures.js";
import { fillLegend } from "../../draw/legend.js";
import { createMarks, markCell, outlineRegion, outlineText } from "../../draw/marks.js";
import { fitCanvas } from "../../draw/size.js";
import { limitsOf } from "../../method/statistics.js";

/** @type {{[kind: number]: Colour}} */
const COLOURS = { 1: [0, 158, 115], 2: [0, 114, 178], 3: [213, 94, 0] }; // true positive, false negative, false positive
/** @type {any} */
let section = null;
/** @type {any} */
let show = null;
/** @type {ReturnType<typeof linkEditFold>} */
let edit;
/** @type {any} */
let counted = null; // of the chosen class: pixels by score, inside and outside
/** @type {Uint8Array} */
let kinds; // of the pixels under the cut: true positive, false negative, false positive

const figure = (/** @type {string} */ name) => $(`[data-view="${name}"]`, section);
const inside = () => store.scene.target?.bytes ?? store.trace.pseudo_label.bytes;

const title = (/** @type {string} */ name, /** @type {string} */ words) => setCaption(figure(name), words);

/** Found, right and IoU (shares) of each of the 256 cuts. Marked is what exceeds it, where no other class is stronger,
 * as in the label of the CAM. Null without a truth. */
function curves() {
  if (!store.scene.target) return null;
  if (counted?.of === store.trace && counted.label === view.label) return counted.curves;
  const [hits, misses] = [new Float64Array(257), new Float64Array(257)];
  const [own, truth] = [classIndex(), store.scene.target.bytes];
  const maps = store.trace.classes.map((_, i) => layer(store.trace.cam, i).bytes);
  const mine = (/** @type {number} */ i) => maps.every((map, other) => (other < own ? map[i] < maps[own][i] : map[i] <= maps[own][i]));
  for (let i = 0; i < truth.length; i++) {
    if (truth[i] !== 255) (truth[i] === view.label ? hits : misses)[mine(i) ? maps[own][i] : 0]++;
  }
  for (let i = 255; i >= 0; i--) {
    hits[i] += hits[i + 1];
    misses[i] += misses[i + 1];
  }
  const all = hits[0];
  const found = Array.from({ length: 256 }, (_, i) => [hits[i + 1], misses[i + 1]]);
  const result = { all, found: found.map(([hit]) => (all ? hit / all : 0)),
    right: found.map(([hit, miss]) => (hit + miss ? hit / (hit + miss) : null)),
    iou: found.map(([hit, miss]) => (all + miss ? hit / (all + miss) : 0)) };
  counted = { of: store.trace, label: view.label, curves: result };
  return result;
}

function draw() {
  if (!store.trace) return;
  const name = className(view.label);
  const picture = figure("picture").querySelector("canvas");
  fitCanvas(picture);
  if (picture.width) context2d(picture).drawImage(store.scene.image, 0, 0, picture.width, picture.height);
  outline("picture");
  paintMap();
  title("picture", text("cam.picture", { outline: outlineText(inside()) }));
  title("map", text("cam.map", { name }));
  drawCut();
}

/** The border of the class on a finished picture. */
function outline(/** @type {string} */ box) {
  const [canvas, map] = [figure(box).querySelector("canvas"), inside()];
  outlineRegion(canvas, store.trace.size, (i) => map[i] === view.label);
  marks.keep([canvas]);
}

function paintMap() {
  const field = toFloats(layer(store.trace.cam, classIndex()));
  paintMapFigure(figure("map"), field, store.trace.size, view.shared ? [0, 1] : limitsOf(field), { smooth: true });
  outline("map");
}

function paintCut() {
  marks.keep([paintLabelFigure(figure("result"), kinds, store.trace.size, (kind) => COLOURS[kind] ?? null, () => "")]);
}

function drawCut() {
  const [name, at] = [className(view.label), recompute.threshold()];
  const [label, truth] = [recompute.thresholdLabel(), store.scene.target?.bytes];
  kinds = label.map((/** @type {number} */ l, /** @type {number} */ i) => {
    const marked = l === view.label;
    if (!truth) return marked ? 1 : 0;
    if (truth[i] === 255) return 0;
    const real = truth[i] === view.label;
    return marked ? (real ? 1 : 3) : (real ? 2 : 0);
  });
  paintCut();
  title("result", text("cam.result", { name, cut: at.toFixed(2) }));
  const rows = truth ? ["true_positive", "false_negative", "false_positive"] : ["marked"];
  fillLegend($('[data-list="result"]', section), rows.map((row, i) => [`rgb(${COLOURS[i + 1]})`, text(`cam.${row}`), null])
    .filter((_, i) => kinds.includes(i + 1)));
  const lines = curves();
  $('[data-for="curve"]', section).hidden = !lines?.all;
  if (!lines?.all) {
    const area = percent(kinds.reduce((sum, kind) => sum + Number(kind > 0), 0) / kinds.length);
    setText("words", text(lines ? "cam.words_nowhere" : "cam.words_unknown", { name, cut: at.toFixed(2), area }), section);
    return;
  }
  const [right, missing, extra] = [1, 2, 3].map((kind) => kinds.reduce((sum, k) => sum + Number(k === kind), 0));
  const iou = right / (right + missing + extra);
  const peak = lines.iou.indexOf(Math.max(...lines.iou));
  const best = iou > lines.iou[peak] ? [at, iou] : [peak / 255, lines.iou[peak]];
  const words = text("cam.words", { name, cut: at.toFixed(2), recall: percent(right / lines.all),
    false_share: percent(right + extra ? extra / (right + extra) : 0), iou: percent(iou),
    best: best[0].toFixed(2), best_iou: percent(best[1]) });
  setText("words", words, section);
  drawCurves(lines, at, words);
}

/** The three curves over the cut, each with its name at its end, and the present cut. */
function drawCurves(/** @type {CutCurves} */ lines, /** @type {number} */ at, /** @type {string} */ words) {
  const canvas = $(".afa-plot", section);
  canvas.setAttribute("aria-label", words);
  const plot = createPlot(canvas, { right: 96, top: 10, bottom: 42 });
  if (!plot) return;
  const { context, x, y, ink } = plot;
  drawGrid(plot, [0, 0.5, 1].map((share) => [y(share), `${100 * share} %`]), QUARTERS.map((share) => [share, String(share)]));
  context.textAlign = "right";
  context.fillText(text("cam.curve_axis"), x(1), y(0) + 24);
  /** @type {any[]} */
  const ends = [];
  for (const [name, colour] of [["found", plot.accent], ["right", plot.warm], ["iou", ink]]) {
    [context.strokeStyle, context.lineWidth] = [colour, name === "iou" ? 3 : 2];
    context.beginPath();
    /** @type {any} */
    let last = null;
    lines[name].forEach((/** @type {number | null} */ share, /** @type {number} */ i) => {
      if (share == null) return;
      context[last == null ? "moveTo" : "lineTo"](x(i / 255), y(share));
      last = share;
    });
    context.stroke();
    ends.push({ name: text(`cam.curve_${name}`), colour, at: y(last) });
  }
  drawCurveNames(plot, ends);
  [context.strokeStyle, context.lineWidth] = [ink, 1.5];
  context.setLineDash([5, 4]);
  context.beginPath();
  context.moveTo(x(at), y(0));
  context.lineTo(x(at), y(1));
  context.stroke();
  context.setLineDash([]);
}

const marks = createMarks((canvas) => markCell(canvas, store.trace.grid, queryCell(), Boolean(view.pin)));

registerTab("cam", {
  build(element) {
    section = element;
    show = linkSetting($('[data-setting="bkg_score"]', section), "bkg_score", 2);
    for (const canvas of $$("figure canvas", section)) linkCell(canvas);
    edit = linkEditFold(section, ["occlude", "scales", "flip"], () => import("./edit/panel.js"));
    recompute.onSetting((name) => {
      if (view.tab !== "cam" || name !== "bkg_score") return;
      drawCut();
      edit.draw();
    });
  },
  data() {
    recompute.openTrace();
    show();
    draw();
    edit.data();
  },
  selection() {
    draw();
    edit.draw();
  },
  opacity() {
    marks.each();
    paintMap();
    paintCut();
    edit.draw();
  },
  cell() { if (store.trace) marks.each(); },
});
