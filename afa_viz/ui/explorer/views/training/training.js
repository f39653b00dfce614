// The same image through the snapshots of one training run. Each is explained once by the host, one after the other while
// the tab is open; what is here is scrubbed without asking. The walk is made here, with the page's settings.

import { createChart } from "../../charts/plotly.js";
import { frameAt, frameName, keep, walked, walkLimits } from "./frames.js";
import { describeSnapshot, phaseName } from "./snapshot_words.js";
import { playSlider } from "../../components/play_slider.js";
import { setText } from "../../core/dom.js";
import { percent } from "../../core/format.js";
import { channelOf, layer, toFloats } from "../../core/packed.js";
import { lacks } from "../../core/parts.js";
import { registerPermalink, SNAPSHOT_KEY, updatePermalink } from "../../core/permalink.js";
import { linkCell } from "../../core/pointer.js";
import * as recompute from "../../core/recompute.js";
import { DATA, registerTab, tabs } from "../../core/schedule.js";
import { classColour, className, queryCell } from "../../core/selection.js";
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
import { host } from "../../host/host.js";

const PACE = 800; // milliseconds for each snapshot that is played
const AGAIN = 500; // milliseconds until a busy server is asked again
const LARGEST_AREAS = 4; // named below the prediction: early ones have a patch of every class
const STAGES_SHOWN = ["cam", "affinity", "cam_rw", "seg"];

/** @type {any} */
let section = null;
/** @type {TrainingRun | null} */
let run = null;
/** @type {Chart} */
let chart; // of the scores
let at = 0; // number of the shown snapshot
/** @type {number | null} */
let iteration = null; // of the shown snapshot, kept when run or picture change; of a link before the run is here
let linked = false; // whether a link named it
let loading = false;
/** @type {ReturnType<typeof playSlider>} */
let plays;

const find = (/** @type {string} */ selector) => section.querySelector(selector);
const figure = (/** @type {string} */ name) => find(`[data-view="${name}"]`);
const marks = createMarks((canvas) => markCell(canvas, store.trace.grid, queryCell(), Boolean(view.pin)));

// --- loading -------------------------------------------------------------------------------------------------------

async function open() {
  const { key } = store.trace;
  try {
    const next = await trainingRun(key);
    if (key !== store.trace.key) return;
    run = next;
    const same = next.snapshots.findIndex((s) => s.iteration === iteration);
    if (same < 0 && linked) announce(text("link.wrong", { names: "snapshot" }), true);
    [at, linked] = [Math.max(0, same), false];
  } catch (error) {
    reportError(error);
    return;
  }
  const some = run.snapshots.length > 0;
  find('[data-for="snapshots"]').hidden = !some;
  find('[data-for="by_stage"]').hidden = !run.points.length;
  find('[data-fill="none"]').hidden = some;
  const foreign = lacks("decoder") || lacks("learned_affinity");
  find('[data-fill="none"]').textContent = text(foreign ? "training.foreign" : "training.none", { name: run.model });
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
async function drawChart(/** @type {string} */ key) {
  const { scores } = await host.charts.snapshots({ key, language: tables.language }) ?? {};
  if (key === store.trace.key && run) chart.draw(scores, { keep: run.model, mark: run.snapshots[at].iteration });
}

/** The shown snapshot if it is not here yet, else the first missing one; -1 when all are here. */
function missing(/** @type {TrainingRun} */ of) {
  return frameAt(of, at) ? of.snapshots.findIndex((_, i) => !frameAt(of, i)) : at;
}

/** Fetch what is missing, one snapshot at a time, as long as the tab is open. */
async function load() {
  if (loading) return;
  loading = true;
  try {
    while (run && view.tab === "training") {
      const of = run;
      const next = missing(of);
      progress(of);
      if (next < 0) {
        draw(); // the walk's colours now mean the same in all of them
        break;
      }
      const raw = await host.snapshots.frame({ key: store.trace.key, model: of.snapshots[next].model });
      if (!raw) throw new Error("no such snapshot");
      if (raw.waiting || raw.busy) await new Promise((done) => { setTimeout(done, AGAIN); });
      else await keep(of, next, raw);
      if (run && frameName(run, at) === frameName(of, next)) draw();
    }
  } catch (error) {
    setText("progress", text("gone"), section);
    reportError(error);
  }
  loading = false;
}

function progress(/** @type {TrainingRun} */ shown) {
  const [of, done] = [shown.snapshots.length, shown.snapshots.filter((_, i) => frameAt(shown, i)).length];
  section.dataset.state = done === of ? "ready" : "loading";
  setText("progress", text(done === of ? "training.all_here" : "training.progress", { done, of }), section);
}

// --- one snapshot --------------------------------------------------------------------------------------------------

function title(/** @type {string} */ name, /** @type {string} */ words, /** @type {number | null} */ iou = null) {
  const key = name === "cam" ? "strip.iou_cut" : "strip.iou"; // the CAM is decided by another rule
  const all = iou == null ? words : `${words}, ${text(key, { iou: percent(iou) })}`;
  figure(name).querySelector("figcaption").textContent = all;
  figure(name).querySelector("canvas").setAttribute("aria-label", `${all}, ${iterationWords()}`);
}

/** The snapshot that is shown, of a run that has some. */
const shownOf = (/** @type {TrainingRun} */ of) => of.snapshots[at];
const iterationWords = () => (run ? text("training.iteration", { iteration: shownOf(run).iteration }) : "");

function draw() {
  if (!store.trace || !run?.snapshots.length) return;
  const now = shownOf(run).iteration;
  find('[data-do="frame"]').value = at;
  find('[data-fill="frame"]').textContent = text("training.frame", { iteration: now, at: at + 1, of: run.snapshots.length });
  setText("snapshot", describeSnapshot(run, now, frameAt(run, at)), section);
  drawFrame(run);
  chart.mark(now);
}

function drawFrame(/** @type {TrainingRun} */ of) {
  const frame = frameAt(of, at);
  const index = frame?.cam ? frame.labels.indexOf(view.label) : -1;
  const name = className(view.label);
  const iou = (/** @type {"cam" | "seg"} */ stage) => (frame?.scores ? frame.scores[stage].iou[view.label] ?? 0 : null);
  title("cam", text("training.cam", { name }), index < 0 ? null : iou("cam"));
  title("seg", text("strip.seg"), frame?.seg ? iou("seg") : null);
  if (!frame?.cam || index < 0) {
    for (const stage of STAGES_SHOWN) blank(stage);
    return;
  }
  paintMapFigure(figure("cam"), toFloats(layer(frame.cam, index)), store.trace.size, [0, 1], { smooth: true });
  const walk = walked(frame);
  for (const stage of ["affinity", "cam_rw"]) figure(stage).hidden = !walk;
  if (walk) {
    const cells = store.trace.grid[0] * store.trace.grid[1];
    paintMapFigure(figure("cam_rw"), channelOf(walk.scores, 1 + index, cells), store.trace.grid, walkLimits(of));
    title("cam_rw", text("training.cam_rw", { name }), walk.iou && (walk.iou[view.label] ?? 0));
    drawAffinity(frame.affinity);
  }
  paintLabelFigure(figure("seg"), frame.seg.bytes, store.trace.size, classColour, className);
  fillLegend(figure("seg").querySelector(".afa-legend"), largestAreas(areaRows(frame.seg.bytes, text("uncertain")), LARGEST_AREAS));
  marks.keep(section.querySelectorAll(".afa-figs canvas[role=img]"));
}

function drawAffinity(/** @type {Unpacked | null} */ affinity) {
  if (!affinity) return;
  const [rows, cols] = store.trace.grid;
  const from = (queryCell()[0] * cols + queryCell()[1]) * rows * cols;
  const bytes = affinity.bytes.subarray(from, from + rows * cols);
  paintMapFigure(figure("affinity"), toFloats({ ...affinity, bytes }), store.trace.grid, [0, 1]);
  title("affinity", text("training.affinity", { row: queryCell()[0] + 1, col: queryCell()[1] + 1 }));
}

/** A snapshot that is not here: the grey photograph. */
function blank(/** @type {string} */ stage) {
  const canvas = figure(stage).querySelector("canvas");
  fitCanvas(canvas);
  paintImage(canvas, store.scene.grey);
  figure(stage).querySelector(".afa-legend")?.replaceChildren();
  if (stage === "affinity" || stage === "cam_rw") title(stage, text(`strip.${stage}`));
  marks.keep([canvas]);
}

function choose(/** @type {number} */ number) {
  if (!run) return; // another picture is on its way
  at = Math.max(0, Math.min(run.snapshots.length - 1, number));
  iteration = run.snapshots[at].iteration;
  draw();
  updatePermalink();
  load();
}

/** The snapshot nearest to a point of the chart. */
function chooseNearest(/** @type {ChartPoint} */ point) {
  if (!run) return;
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
    if (view.tab === "training" && run?.snapshots.length) query.set(SNAPSHOT_KEY, String(shownOf(run).iteration));
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
  opacity() { if (run?.snapshots.length) drawFrame(run); },
  cell() {
    const frame = run?.snapshots.length ? frameAt(run, at) : null;
    if (store.trace) marks.each();
    if (!store.trace || !frame?.cam || !walked(frame)) return;
    drawAffinity(frame.affinity);
    marks.keep([figure("affinity").querySelector("canvas")]);
  },
  keys: { " ": () => plays.play() },
  other: () => (run?.snapshots.length ? { model: shownOf(run).model } : null),
  facts: () => (run?.snapshots.length ? describeSnapshot(run, shownOf(run).iteration, frameAt(run, at)) : ""),
  charts: () => [chart],
});
