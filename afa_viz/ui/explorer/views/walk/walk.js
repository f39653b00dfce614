// The random walk, step by step: from the CAM, or from seeds that somebody paints.

import { paintRegionQuantiles } from "../../charts/region_quantiles.js";
import { paintShareCurve } from "../../charts/share_curve.js";
import { playSlider } from "../../components/play_slider.js";
import * as seeds from "../../components/seeds.js";
import { linkSetting } from "../../components/setting_slider.js";
import { setText } from "../../core/dom.js";
import { percent, signed, significant } from "../../core/format.js";
import { takeLaterTexts } from "../../core/later.js";
import { channelOf, layer, toFloats } from "../../core/packed.js";
import { linkCell } from "../../core/pointer.js";
import * as recompute from "../../core/recompute.js";
import { registerTab } from "../../core/schedule.js";
import { className, queryCell } from "../../core/selection.js";
import { announce } from "../../core/status.js";
import { store, view } from "../../core/store.js";
import { text } from "../../core/words.js";
import { colours } from "../../draw/colours.js";
import { paintLabelFigure, paintMapFigure, setCaption } from "../../draw/figures.js";
import { createMarks, markCell, markWindow, outlineRegion, outlineText } from "../../draw/marks.js";
import { argmaxLabels } from "../../method/labels.js";
import { parStep } from "../../method/par.js";
import { regionQuantiles } from "../../method/region_scores.js";
import { OUTLIER_SHARE, quantiles, robustChange, robustLimits } from "../../method/statistics.js";
import { walkSteps } from "../../method/walk.js";
import { borders, labelAt, outside, regionOf } from "./region.js";

const STEPS = 10;
/** @type {{[setting: string]: number}} */
const DIGITS = { power: 1, radius: 0, low: 2 };
const REFINE = 30; // milliseconds without a change before PAR follows, so that playing and painting stay quick
/** @type {any} */
let section = null;
let mode = "cam";
/** @type {any} */
let step = null; // null: the method's own number
/** @type {any[]} */
let shows = [];
/** @type {any} */
let plays = null;
/** @type {any} */
let refining = 0;
/** @type {ReturnType<typeof import("./path.js").createWalkPath> | null} */
let path = null; // of the query cell, once its script is here
/** @type {(() => void) | null} */
let drawPath = null;

const find = (/** @type {string} */ selector) => section.querySelector(selector);
const figure = (/** @type {string} */ name) => find(`[data-view="${name}"]`);
const cells = () => store.trace.grid[0] * store.trace.grid[1];
const shownStep = () => step ?? Math.min(STEPS, store.trace.num_steps);

/** What is walked: scores after every step, the channels' labels, and of the shown one its maps, region and name. */
function walked() {
  const s = recompute.settings();
  if (mode === "cam") {
    const { labels } = recompute.pipeline();
    const steps = recompute.pipeline().steps(s, s.low, STEPS, "look");
    return walkOf(steps, labels, labels.indexOf(view.label), view.label, className(view.label));
  }
  const { kinds, maps } = seeds.start();
  const channel = Math.max(0, kinds.indexOf(seeds.brushKind()));
  return walkOf(walkSteps(maps, recompute.pipeline().matrix(s), STEPS), kinds, channel,
    seeds.regionOf(kinds[channel], labelAt), seeds.nameOf(kinds[channel] ?? seeds.brushKind()));
}

/**
 * A walk, and the maps of one of its channels.
 *
 * @param {Float32Array[]} steps
 * @param {number[]} labels
 * @param {number} channel
 * @param {number} label
 * @param {string} name
 */
function walkOf(steps, labels, channel, label, name) {
  return { steps, labels, channel, label, name, maps: steps.map((scores) => channelOf(scores, channel, cells())) };
}

/** Whether the walk starts from seeds, and none is there. */
const nothingYet = (/** @type {Walk} */ { maps }) => mode === "seeds" && !maps[0].some(Boolean);

// --- drawing -------------------------------------------------------------------------------------------------------

const title = (/** @type {string} */ name, /** @type {string} */ words) => setCaption(figure(name), words);

/** What the server made, where the grid is too large for the browser. */
function drawServed() {
  const map = layer(store.trace.cam_rw, 1 + store.trace.classes.findIndex((c) => c.label === view.label));
  const values = toFloats(map);
  const limits = view.shared ? [map.low, map.high] : robustLimits(values);
  paintMapFigure(figure("after"), values, [map.rows, map.cols], limits);
  title("after", text("walk.after", { name: className(view.label), at: store.trace.num_steps }));
  marks.keep([figure("after").querySelector("canvas")]);
}

function draw() {
  if (!store.trace) return;
  if (!recompute.pipeline()) {
    drawServed();
    return;
  }
  const [look, at] = [walked(), shownStep()];
  const region = regionOf(look.label);
  controls(at);
  paint(look, at, region);
  title("after", text("walk.after", { name: look.name, at }));
  const scale = view.shared ? "walk.scale_shared" : "walk.scale_own";
  setText("scale", nothingYet(look) ? "" : text(mode === "cam" ? scale : "walk.scale_seeds"), section);
  setText("marks", text("walk.marks", { outline: outlineText(borders(), "by_label", look.label),
    radius: recompute.settings().radius }), section);
  drawLevels(look, at, region);
  const s = recompute.settings();
  drawPath = () => path?.draw(look, at, recompute.pipeline().matrix(s), s.edited?.affinity ?? recompute.pipeline().affinity, s);
  drawPath();
}

/** Which neighbours gave how much: the script is loaded when the tab is first opened. */
async function loadPath() {
  if (path) return;
  try {
    const { createWalkPath } = await import("./path.js");
    takeLaterTexts();
    path = createWalkPath(find('[data-for="path"]'));
  } catch {
    announce(text("tabs.lost", { name: text("tabs.walk") }), true);
    return;
  }
  drawPath?.();
}

function paint(/** @type {Walk} */ look, /** @type {number} */ at, /** @type {Float32Array} */ region) {
  if (mode === "cam") drawFromCam(look, at);
  else drawFromSeeds(look, at, region);
  markBorders(look.label);
  marks.keep(section.querySelectorAll('.afa-figs figure:not([data-view="refined"]) canvas[role=img]'));
  clearTimeout(refining);
  refining = setTimeout(() => drawRefined(look, at), REFINE);
}

function controls(/** @type {number} */ at) {
  section.dataset.from = mode;
  for (const button of section.querySelectorAll("[data-mode]")) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  find('[data-for="seeds"]').hidden = mode !== "seeds";
  find('[data-setting="low"]').hidden = mode === "seeds";
  find("[data-step]").value = at;
  const used = at === store.trace.num_steps ? "walk.step_used" : "walk.step_of";
  find('[data-fill="step"]').textContent = text(used, { at, of: STEPS });
}

function drawFromCam(/** @type {Walk} */ { maps, name }, /** @type {number} */ at) {
  const limits = (/** @type {Float32Array} */ map) => (view.shared ? robustLimits(...maps) : robustLimits(map));
  paintMapFigure(figure("before"), maps[0], store.trace.grid, limits(maps[0]));
  paintMapFigure(figure("after"), maps[at], store.trace.grid, limits(maps[at]));
  const change = maps[at].map((v, i) => v - maps[0][i]);
  const most = Math.max(1e-6, robustChange(change, maps[0], maps[at]));
  paintMapFigure(figure("change"), change, store.trace.grid, [-most, most], { table: colours.signed });
  title("before", text("walk.before_cam", { name }));
  title("change", text("walk.change", { at }));
}

function drawFromSeeds(/** @type {Walk} */ { maps, label }, /** @type {number} */ at, /** @type {Float32Array} */ region) {
  const before = figure("before");
  before.querySelector(".afa-scale")?.remove();
  seeds.paint(before.querySelector("canvas"));
  const reached = maps[at].filter((score) => score > 1e-6);
  const top = reached.length ? quantiles(reached, [1 - OUTLIER_SHARE])[0] : 1;
  paintMapFigure(figure("after"), maps[at], store.trace.grid, [0, top]);
  paintMapFigure(figure("change"), maps[at].map((v, i) => v * (1 - region[i])), store.trace.grid, [0, top]);
  title("before", text("walk.before_seeds"));
  title("change", text("walk.outside", { name: className(label) }));
}

function markBorders(/** @type {number} */ label) {
  const map = borders();
  for (const name of ["after", "change"]) {
    outlineRegion(figure(name).querySelector("canvas"), store.trace.size, (i) => map[i] === label);
  }
}

const marks = createMarks((canvas) => {
  const radius = recompute.settings()?.radius ?? store.trace.radius;
  if (canvas.closest("figure")?.dataset.view === "after") markWindow(canvas, store.trace.grid, queryCell(), radius);
  markCell(canvas, store.trace.grid, queryCell(), Boolean(view.pin));
});

/** PAR from where the walk stands. */
function drawRefined(/** @type {Walk} */ { steps, labels, maps }, /** @type {number} */ at) {
  const s = recompute.settings();
  if (!s || steps[at].length !== Math.max(1, labels.length) * cells()) return; // another picture came in between
  const winners = mode === "seeds" && labels.length > 1;
  let refined = recompute.pipeline().enlarged(winners ? steps[at] : maps[at], s);
  for (let i = 0; i < s.num_iters; i++) refined = parStep(refined, recompute.pipeline().kernel(s));
  const [half, box] = [recompute.pipeline().half(s), figure("refined")];
  if (winners) {
    box.querySelector(".afa-scale")?.remove();
    const won = argmaxLabels(refined, Array.from(labels, (_, i) => i));
    paintLabelFigure(box, won, half, (i) => seeds.colourOf(labels[i]), (i) => seeds.nameOf(labels[i]));
    title("refined", text("walk.winner"));
  } else {
    const [low, high] = robustLimits(refined);
    paintMapFigure(box, refined, half, mode === "seeds" ? [0, high] : [low, high], { smooth: true });
    title("refined", text("walk.refined", { at, iterations: s.num_iters }));
  }
  marks.keep([box.querySelector("canvas")]);
}

// --- the plot ------------------------------------------------------------------------------------------------------

/** From the CAM: whether the cells of the region agree and stand out. From seeds: what has left their region. */
function drawLevels(/** @type {Walk} */ look, /** @type {number} */ at, /** @type {Float32Array} */ region) {
  const { maps, label } = look;
  const canvas = find(".afa-plot");
  const name = className(label);
  const which = text(store.scene.target ? "walk.by_truth" : "walk.by_label");
  setText("levels", text(mode === "cam" ? "walk.levels_title" : "walk.leak_title"), section);
  const found = mode === "cam" ? regionQuantiles(maps, region) : null;
  const words = found ? levelWords(found, at, { name, which })
    : mode === "cam" ? text("walk.leak_nowhere", { name, which }) : leakWords(maps, at, region, { name, which });
  find('[data-fill="leak"]').textContent = words;
  canvas.setAttribute("aria-label", words);
  canvas.hidden = mode === "cam" ? !found : nothingYet(look);
  if (found) paintRegionQuantiles(canvas, found, at, [name, text("walk.others")]);
  else if (!canvas.hidden) {
    const shares = /** @type {number[]} */ (maps.map((map) => outside(map, region))); // without a seed all are null
    paintShareCurve(canvas, shares, areaOutside(region), at, text("walk.even"));
  }
}

/**
 * @param {RegionQuantiles[]} found
 * @param {number} at
 * @param {{name: string, which: string}} names
 */
function levelWords(found, at, names) {
  const [first, now] = [found[0], found[at]];
  const wide = (/** @type {RegionQuantiles} */ { inside }) => significant(inside[2] - inside[0]);
  const apart = (/** @type {RegionQuantiles} */ { inside, outside }) => signed(inside[1] - outside[1], 3);
  return text("walk.levels", { ...names, at, order: percent(now.order), order_before: percent(first.order),
    wide: wide(now), wide_before: wide(first), apart: apart(now), apart_before: apart(first) });
}

const areaOutside = (/** @type {Float32Array} */ region) => 1 - region.reduce((a, b) => a + b, 0) / region.length;

/**
 * @param {Float32Array[]} maps
 * @param {number} at
 * @param {Float32Array} region
 * @param {{name: string, which: string}} names
 */
function leakWords(maps, at, region, names) {
  const [before, now, area] = [outside(maps[0], region), outside(maps[at], region), areaOutside(region)];
  if (before == null) return text("walk.leak_empty");
  return text(area > 0.9995 ? "walk.leak_nowhere" : "walk.leak", { ...names, at, now: percent(now), before: percent(before),
    area: percent(area) });
}

// --- hands ---------------------------------------------------------------------------------------------------------

/** @type {any} */
let waiting = 0;
const redraw = () => {
  if (!waiting) waiting = requestAnimationFrame(() => { waiting = 0; draw(); });
};

function dropHere() {
  mode = "seeds";
  seeds.drop();
  draw();
}

registerTab("walk", {
  build(element) {
    section = element;
    shows = ["power", "radius", "low"].map((name) => linkSetting(find(`[data-setting="${name}"]`), name,
      DIGITS[name]));
    const slider = find("[data-step]");
    slider.addEventListener("input", () => {
      step = Math.max(0, Math.min(STEPS, Number(slider.value)));
      draw();
    });
    plays = playSlider(find("[data-play]"), slider);
    for (const button of section.querySelectorAll("[data-mode]")) {
      button.addEventListener("click", () => {
        mode = button.dataset.mode;
        draw();
      });
    }
    find('[data-do="drop"]').addEventListener("click", dropHere);
    seeds.build(section, figure("before").querySelector("canvas"), () => mode === "seeds", redraw);
    for (const canvas of section.querySelectorAll(".afa-figs canvas")) linkCell(canvas);
    recompute.onSetting(() => { if (view.tab === "walk") redraw(); });
  },
  data() {
    const known = recompute.openTrace();
    section.classList.toggle("afa-served", !known);
    if (!known) announce(text("live.too_large"));
    shows.forEach((show) => show());
    seeds.renew();
    draw();
  },
  selection: draw,
  opacity() {
    if (!recompute.pipeline()) return drawServed();
    const look = walked();
    return paint(look, shownStep(), regionOf(look.label));
  },
  show: loadPath,
  cell() {
    if (!store.trace) return;
    marks.each();
    if (recompute.pipeline()) drawPath?.();
  },
  keys: { Enter: dropHere, " ": () => plays.play() },
});
