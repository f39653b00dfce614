// The same image through the snapshots of one training run. Each is explained once by the host, one after the other while
// the tab is open; what is here is scrubbed without asking. The walk is made here, with the page's settings.

import { createChart } from "../../charts/plotly.js";
import { playSlider } from "../../components/play_slider.js";
import { setText } from "../../core/dom.js";
import { percent, significant } from "../../core/format.js";
import { channelOf, layer, toFloats, unpack } from "../../core/packed.js";
import { registerPermalink, SNAPSHOT_KEY, updatePermalink } from "../../core/permalink.js";
import { linkCell } from "../../core/pointer.js";
import * as recompute from "../../core/recompute.js";
import { DATA, registerTab, tabs } from "../../core/schedule.js";
import { classColour, className, queryCell } from "../../core/selection.js";
import { translateServerText } from "../../core/server_words.js";
import { announce, reportError } from "../../core/status.js";
import { store, view } from "../../core/store.js";
import { tables } from "../../core/tables.js";
import { trainingRun } from "../../core/training_run.js";
import { text } from "../../core/words.js";
import { paintLabelFigure, paintMapFigure } from "../../draw/figures.js";
import { areaRows, fillLegend, largestAreas } from "../../draw/legend.js";
import { createMarks, markCell } from "../../draw/marks.js";
import { paintImage } from "../../draw/repaint.js";
import { fitCanvas } from "../../draw/size.js";
import { argmaxLabels } from "../../method/labels.js";
import { resize } from "../../method/resize.js";
import { iouScores } from "../../method/scores.js";
import { robustLimits } from "../../method/statistics.js";
import { transitionMatrix, walkSteps, withBackground } from "../../method/walk.js";
import { host } from "../../host/host.js";

const FRAMES = 60; // kept; a quarter of a megabyte each
const PACE = 800; // milliseconds for each snapshot that is played
const AGAIN = 500; // milliseconds until a busy server is asked again
const LARGEST_AREAS = 4; // named below the prediction: early ones have a patch of every class
const STAGES_SHOWN = ["cam", "affinity", "cam_rw", "seg"];

/** @type {any} */
let section = null;
/** @type {any} */
let run = null;
/** @type {any} */
let chart = null; // of the scores
let at = 0; // number of the shown snapshot
/** @type {any} */
let iteration = null; // of the shown snapshot, kept when run or picture change; of a link before the run is here
let linked = false; // whether a link named it
let loading = false;
/** @type {any} */
let plays = null;
/** @type {Map<any, any>} */
const frames = new Map(); // series and model -> what the server made

const find = (selector) => section.querySelector(selector);
const figure = (name) => find(`[data-view="${name}"]`);
const nameOf = (number) => `${run.series} ${run.snapshots[number].model}`;
const frameAt = (number) => frames.get(nameOf(number));
const marks = createMarks((canvas) => markCell(canvas, store.trace.grid, queryCell(), Boolean(view.pin)));

// --- loading -------------------------------------------------------------------------------------------------------

async function open() {
  const { key } = store.trace;
  try {
    const next = await trainingRun(key);
    if (key !== store.trace.key) return;
    run = next;
    const same = run.snapshots.findIndex((s) => s.iteration === iteration);
    if (same < 0 && linked) announce(text("link.wrong", { names: "snapshot" }), true);
    [at, linked] = [Math.max(0, same), false];
  } catch (error) {
    reportError(error);
    return;
  }
  const some = run.snapshots.length > 0;
  find('[data-for="snapshots"]').hidden = !some;
  find('[data-for="ladder"]').hidden = !run.points.length;
  find('[data-fill="none"]').hidden = some;
  find('[data-fill="none"]').textContent = text("training.none", { name: run.model });
  section.dataset.state = some ? "loading" : "none";
  if (!some) return;
  const slider = find('[data-do="frame"]');
  slider.max = run.snapshots.length - 1;
  slider.disabled = run.snapshots.length < 2;
  setText("phases", run.phases.length ? text("training.phases", { list: run.phases.map(phaseName).join(", ") }) : "", section);
  draw();
  drawChart(key).catch(reportError);
  load();
}

/** The scores over the run; drawn once, then only its mark moves. */
async function drawChart(key) {
  const { scores } = await host.charts.snapshots({ key, language: tables.language }) ?? {};
  if (key === store.trace.key && run) chart.draw(scores, { keep: run.model, mark: run.snapshots[at].iteration });
}

/** A phase of the training with its number. */
const phaseName = ({ name }, i) => text("training.phase", { number: i + 1, name: text(`training.short_${name}`) });

/** The shown snapshot if it is not here yet, else the first missing one; -1 when all are here. */
function missing() {
  if (!frameAt(at)) return at;
  return run.snapshots.findIndex((_, i) => !frameAt(i));
}

/** Fetch what is missing, one snapshot at a time, as long as the tab is open. */
async function load() {
  if (loading) return;
  loading = true;
  try {
    while (run && view.tab === "training") {
      const next = missing();
      progress();
      if (next < 0) {
        draw(); // the walk's colours now mean the same in all of them
        break;
      }
      const name = nameOf(next);
      const raw = await host.snapshots.frame({ key: store.trace.key, model: run.snapshots[next].model });
      if (!raw) throw new Error("no such snapshot");
      if (raw.waiting || raw.busy) await new Promise((done) => { setTimeout(done, AGAIN); });
      else keep(name, raw.refused ? raw : await opened(raw));
      if (run && name === nameOf(at)) draw();
    }
  } catch (error) {
    setText("progress", text("gone"), section);
    reportError(error);
  }
  loading = false;
}

function keep(name, frame) {
  while (frames.size >= FRAMES) frames.delete(frames.keys().next().value);
  frames.set(name, frame);
}

async function opened(raw) {
  const [cam, affinity, seg] = await Promise.all([raw.cam, raw.affinity, raw.seg].map(unpack));
  return { ...raw, cam, affinity, seg, walks: new Map() };
}

function progress() {
  const [of, done] = [run.snapshots.length, run.snapshots.filter((_, i) => frameAt(i)).length];
  section.dataset.state = done === of ? "ready" : "loading";
  setText("progress", text(done === of ? "training.all_here" : "training.progress", { done, of }), section);
}

// --- one snapshot --------------------------------------------------------------------------------------------------

/** Scores after the walk with the page's settings: (P, N); null where the grid is too large for the browser. */
function walked(frame) {
  const s = recompute.settings();
  if (!s || !frame.affinity) return null;
  const name = JSON.stringify([s.low, s.radius, s.power, s.num_steps, s.use_walk]);
  if (!frame.walks.has(name)) {
    frame.walks.clear();
    const small = resize(toFloats(frame.cam), store.trace.size, store.trace.grid);
    const start = withBackground(small, store.trace.grid[0] * store.trace.grid[1], s.low);
    const matrix = transitionMatrix(toFloats(frame.affinity), store.trace.grid, s);
    const scores = walkSteps(start, matrix, s.use_walk ? s.num_steps : 0).at(-1);
    const label = argmaxLabels(resize(/** @type {Float32Array} */ (scores), store.trace.grid, store.trace.size), [0, ...frame.labels]);
    const iou = store.scene.target ? iouScores(label, store.scene.target.bytes).iou : null;
    frame.walks.set(name, { scores, iou });
  }
  return frame.walks.get(name);
}

/** The numbers of the colours after the walk: one scale for all snapshots that are here. */
function walkLimits() {
  const cells = store.trace.grid[0] * store.trace.grid[1];
  const maps = run.snapshots.map((_, i) => frameAt(i)).filter((frame) => frame?.cam && walked(frame))
    .map((frame) => channelOf(walked(frame).scores, 1 + frame.labels.indexOf(view.label), cells));
  return robustLimits(...maps);
}

function title(name, words, /** @type {number | null} */ iou = null) {
  const key = name === "cam" ? "strip.iou_cut" : "strip.iou"; // the CAM is decided by another rule
  const all = iou == null ? words : `${words}, ${text(key, { iou: percent(iou) })}`;
  figure(name).querySelector("figcaption").textContent = all;
  figure(name).querySelector("canvas").setAttribute("aria-label", `${all}, ${iterationWords()}`);
}

const iterationWords = () => text("training.iteration", { iteration: run.snapshots[at].iteration });

function draw() {
  if (!store.trace || !run?.snapshots.length) return;
  find('[data-do="frame"]').value = at;
  find('[data-fill="frame"]').textContent = text("training.frame", {
    iteration: run.snapshots[at].iteration, at: at + 1, of: run.snapshots.length });
  setText("moment", describeMoment(), section);
  drawFrame();
  chart.mark(run.snapshots[at].iteration);
}

function drawFrame() {
  const frame = frameAt(at);
  const index = frame?.cam ? frame.labels.indexOf(view.label) : -1;
  const name = className(view.label);
  title("cam", text("training.cam", { name }), index < 0 ? null : frame.scores && (frame.scores.cam.iou[view.label] ?? 0));
  title("seg", text("strip.seg"), frame?.seg && frame.scores ? frame.scores.seg.iou[view.label] ?? 0 : null);
  if (index < 0) {
    for (const stage of STAGES_SHOWN) blank(stage);
    return;
  }
  paintMapFigure(figure("cam"), toFloats(layer(frame.cam, index)), store.trace.size, [0, 1], { smooth: true });
  const walk = walked(frame);
  for (const stage of ["affinity", "cam_rw"]) figure(stage).hidden = !walk;
  if (walk) {
    const cells = store.trace.grid[0] * store.trace.grid[1];
    paintMapFigure(figure("cam_rw"), channelOf(walk.scores, 1 + index, cells), store.trace.grid, walkLimits());
    title("cam_rw", text("training.cam_rw", { name }), walk.iou && (walk.iou[view.label] ?? 0));
    drawAffinity(frame);
  }
  paintLabelFigure(figure("seg"), frame.seg.bytes, store.trace.size, classColour, className);
  fillLegend(figure("seg").querySelector(".afa-legend"), largestAreas(areaRows(frame.seg.bytes, text("uncertain")), LARGEST_AREAS));
  marks.keep(section.querySelectorAll(".afa-figs canvas[role=img]"));
}

function drawAffinity(frame) {
  const [rows, cols] = store.trace.grid;
  const from = (queryCell()[0] * cols + queryCell()[1]) * rows * cols;
  const bytes = frame.affinity.bytes.subarray(from, from + rows * cols);
  paintMapFigure(figure("affinity"), toFloats({ ...frame.affinity, bytes }), store.trace.grid, [0, 1]);
  title("affinity", text("training.affinity", { row: queryCell()[0] + 1, col: queryCell()[1] + 1 }));
}

/** A snapshot that is not here: the grey photograph. */
function blank(stage) {
  const canvas = figure(stage).querySelector("canvas");
  fitCanvas(canvas);
  paintImage(canvas, store.scene.grey);
  figure(stage).querySelector(".afa-legend")?.replaceChildren();
  if (stage === "affinity" || stage === "cam_rw") title(stage, text(`strip.${stage}`));
  marks.keep([canvas]);
}

/** What is known of the shown moment, in words. */
function describeMoment() {
  const made = run.snapshots[at].iteration;
  const frame = frameAt(at);
  const phase = run.phases.find((p) => made <= p.until) ?? run.phases.at(-1);
  const scores = run.points.find((p) => p.iteration === made);
  const words = [text("training.after", { iteration: made })];
  if (phase) words.push(text(`training.phase_${phase.name}`));
  const number = (key) => (scores[key] == null ? "–" : `${scores[key].toFixed(1)} %`);
  words.push(scores ? text("training.scores", { map: number("map"), cam: number("miou_cam"),
    start: number("miou_walk_start"), walk: number("miou_cam_rw"),
    par: number("miou_cam_par"), seg: number("miou_seg") }) : text("training.no_scores"));
  const losses = ["cls", "seg", "aff"].filter((key) => scores?.[`loss_${key}`] != null);
  if (losses.length) {
    words.push(text("training.losses", { losses: losses.map((key) => text(`training.loss_${key}`,
      { value: significant(scores[`loss_${key}`]) })).join(", ") }));
  }
  if (!frame) words.push(text("training.wait"));
  else if (frame.refused) words.push(translateServerText(frame.refused));
  else if (!frame.affinity) words.push(text("training.too_large"));
  return words.join(" ");
}

function choose(number) {
  if (!run) return; // another picture is on its way
  at = Math.max(0, Math.min(run.snapshots.length - 1, number));
  iteration = run.snapshots[at].iteration;
  draw();
  updatePermalink();
  load();
}

/** The snapshot nearest to a point of the chart. */
function chooseNearest(point) {
  const gaps = run.snapshots.map((s) => Math.abs(s.iteration - point.x));
  choose(gaps.indexOf(Math.min(...gaps)));
}

registerPermalink({
  names: [SNAPSHOT_KEY],
  read(query) {
    const value = query.get(SNAPSHOT_KEY);
    if (value == null) return [];
    if (!/^\d{1,9}$/.test(value)) return [SNAPSHOT_KEY];
    [iteration, linked] = [Number(value), true];
    return [];
  },
  write(query) {
    if (view.tab === "training" && run?.snapshots.length) query.set(SNAPSHOT_KEY, run.snapshots[at].iteration);
  },
});

registerTab("training", {
  build(element) {
    section = element;
    const slider = find('[data-do="frame"]');
    slider.addEventListener("input", () => choose(Number(slider.value)));
    plays = playSlider(find("[data-play]"), slider, PACE);
    chart = createChart(find('[data-chart="scores"]'), { click: chooseNearest });
    for (const canvas of section.querySelectorAll(".afa-figs canvas")) linkCell(canvas);
    recompute.onSetting(() => { if (view.tab === "training") draw(); });
  },
  show() { if (run?.snapshots.length && tabs.get("training").stale < DATA) load(); },
  data() {
    recompute.openTrace();
    run = null;
    open();
  },
  selection: draw,
  opacity() { if (run?.snapshots.length) drawFrame(); },
  cell() {
    const frame = run?.snapshots.length ? frameAt(at) : null;
    if (store.trace) marks.each();
    if (!store.trace || !frame?.cam || !walked(frame)) return;
    drawAffinity(frame);
    marks.keep([figure("affinity").querySelector("canvas")]);
  },
  keys: { " ": () => plays.play() },
  other: () => (run?.snapshots.length ? { model: run.snapshots[at].model } : null),
  facts: () => (run?.snapshots.length ? describeMoment() : ""),
  charts: () => [chart],
});
