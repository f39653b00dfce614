// Pixel-adaptive refinement, iteration by iteration; below it the weights of one pixel (pixel_weights.js) and a dense CRF
// (crf.js).

import { playSlider } from "../../components/play_slider.js";
import { linkSetting } from "../../components/setting_slider.js";
import { setText } from "../../core/dom.js";
import { channelOf, layer, toFloats } from "../../core/packed.js";
import { linkCell } from "../../core/pointer.js";
import { requestParIterations } from "../../core/receive.js";
import * as recompute from "../../core/recompute.js";
import { registerTab } from "../../core/schedule.js";
import { className, queryCell } from "../../core/selection.js";
import { announce, reportError } from "../../core/status.js";
import { store, view } from "../../core/store.js";
import { text } from "../../core/words.js";
import { colours } from "../../draw/colours.js";
import { paintMapFigure, setCaption } from "../../draw/figures.js";
import { createMarks, markCell, repaintMarked } from "../../draw/marks.js";
import { repaint } from "../../draw/repaint.js";
import { robustChange, robustLimits } from "../../method/statistics.js";
import { drawPixelWeights, markPixel } from "./pixel_weights.js";

/** @type {any} */
let section = null;
/** @type {any} */
let at = null; // iteration; null: the last one
/** @type {any} */
let pixel = null; // (row, column) on PAR's grid that was chosen; null: the middle of the query cell
/** @type {any[]} */
let shows = [];
/** @type {any} */
let plays = null;
/** @type {typeof import("./crf.js") | null} */
let crf = null; // once it was asked for

const find = (/** @type {string} */ selector) => section.querySelector(selector);
const figure = (/** @type {string} */ name) => find(`[data-view="${name}"]`);
const count = () => ((recompute.settings() ?? store.trace).use_par ? (recompute.settings() ?? store.trace).num_iters : 0);
const shown = () => Math.min(at ?? count(), count());
const half = () => recompute.pipeline().half(recompute.settings());

const title = (/** @type {string} */ name, /** @type {string} */ words) => setCaption(figure(name), words);
const stepMaps = () => ["before", "after", "change"].map((name) => figure(name).querySelector("canvas"));

/** The maps of the chosen class before PAR and after each iteration, and their size. */
function iterations() {
  const channel = 1 + store.trace.classes.findIndex((c) => c.label === view.label);
  if (!recompute.pipeline()) { // too large a grid: what the server made, once it is here
    const made = store.parIterations;
    const maps = made ? Array.from({ length: count() + 1 }, (_, i) => layer(made, i, channel)) : [];
    return { maps: maps.map(toFloats), size: maps.length ? [maps[0].rows, maps[0].cols] : null };
  }
  const s = recompute.settings();
  const size = half();
  const steps = recompute.pipeline().parSteps(s, s.low, count()).slice(0, count() + 1);
  return { maps: steps.map((/** @type {Float32Array} */ scores) => channelOf(scores, channel, size[0] * size[1])), size };
}

function draw() {
  if (!store.trace) return;
  const { maps, size } = iterations();
  if (!maps.length) return;
  const limits = (/** @type {Float32Array} */ map) => (view.shared ? robustLimits(maps[0], maps.at(-1)) : robustLimits(map));
  const name = className(view.label);
  const slider = find('[data-do="iteration"]');
  slider.max = Math.max(1, count());
  slider.value = shown();
  slider.disabled = !count();
  const words = count() ? text("par.of", { at: shown(), of: count() }) : text("par.left_out");
  find('[data-fill="iteration"]').textContent = words;
  paintMapFigure(figure("before"), maps[0], size, limits(maps[0]), { smooth: true });
  paintMapFigure(figure("after"), maps[shown()], size, limits(maps[shown()]), { smooth: true });
  const growth = (1 + store.trace.chain.w2) ** shown(); // the weights of a pixel sum to that: all scores have grown alike
  const change = maps[shown()].map((/** @type {number} */ v, /** @type {number} */ i) => v / growth - maps[0][i]);
  const most = Math.max(1e-6, robustChange(change, maps[0], maps[shown()]));
  paintMapFigure(figure("change"), change, size, [-most, most], { table: colours.signed, smooth: true });
  title("after", text("par.after", { name, at: shown() }));
  title("change", text("par.change", { at: shown() }));
  setText("scale", text(view.shared ? "par.scale_shared" : "par.scale_own", { growth: growth.toFixed(2) }), section);
  marks.keep(stepMaps());
  drawPixel();
  crf?.draw();
}

const marks = createMarks((canvas) => {
  if (recompute.pipeline()) markPixel(canvas, half(), chosen());
  else markCell(canvas, store.trace.grid, queryCell(), Boolean(view.pin));
});

// --- the weights of one pixel --------------------------------------------------------------------------------------

function chosen() {
  const [height, width] = half();
  if (pixel) return pixel;
  const middle = (/** @type {number} */ i, /** @type {number} */ n, /** @type {number} */ size) =>
    Math.min(size - 1, Math.floor(((i + 0.5) * size) / n));
  return [middle(queryCell()[0], store.trace.grid[0], height), middle(queryCell()[1], store.trace.grid[1], width)];
}

function drawPixel() {
  if (!store.trace) return;
  marks.each();
  if (recompute.pipeline()) drawPixelWeights(section, recompute.pipeline().kernel(recompute.settings()), chosen());
}

// --- hands ---------------------------------------------------------------------------------------------------------

function choosePixel(/** @type {number[]} */ [row, col]) {
  const [height, width] = half();
  pixel = [Math.min(height - 1, Math.max(0, row)), Math.min(width - 1, Math.max(0, col))];
  drawPixel();
}

function pixelAt(/** @type {HTMLCanvasElement} */ canvas, /** @type {PointerEvent} */ event) {
  const box = canvas.getBoundingClientRect();
  const [height, width] = half();
  return [Math.floor(((event.clientY - box.top) / box.height) * height),
    Math.floor(((event.clientX - box.left) / box.width) * width)];
}

registerTab("par", {
  build(element) {
    section = element;
    shows = [linkSetting(find('[data-setting="num_iters"]'), "num_iters", 0)];
    const slider = find('[data-do="iteration"]');
    slider.addEventListener("input", () => {
      at = Number(slider.value);
      draw();
    });
    plays = playSlider(find("[data-play]"), slider);
    const canvas = figure("pixel").querySelector("canvas");
    let down = false;
    canvas.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      down = true;
      canvas.setPointerCapture(event.pointerId);
      choosePixel(pixelAt(canvas, event));
    });
    canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => { if (down) choosePixel(pixelAt(canvas, event)); });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { down = false; });
    canvas.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      /** @type {{[key: string]: number[]}} */
      const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
      const move = moves[event.key];
      if (!move || !recompute.pipeline()) return;
      event.preventDefault();
      event.stopPropagation();
      choosePixel([chosen()[0] + move[0], chosen()[1] + move[1]]);
    });
    stepMaps().forEach((canvas) => linkCell(canvas));
    find('[data-do="crf"]').addEventListener("click", async () => {
      try {
        crf ??= await import("./crf.js");
        crf.ask(section);
      } catch (error) {
        reportError(error);
      }
    });
    recompute.onSetting((name) => {
      if (view.tab !== "par") return;
      if (name === "num_iters") at = null;
      draw();
    });
  },
  data() {
    const known = recompute.openTrace();
    section.classList.toggle("afa-served", !known);
    pixel = null;
    if (!known) {
      announce(text("live.too_large"));
      if (!store.parIterations) requestParIterations();
    }
    at = null;
    shows.forEach((show) => show());
    draw();
  },
  selection: draw,
  opacity() {
    repaintMarked(stepMaps(), marks);
    section.querySelectorAll('[data-list="crf"] canvas').forEach(repaint);
  },
  cell() {
    pixel = null;
    drawPixel();
  },
  keys: { " ": () => plays.play() },
});
