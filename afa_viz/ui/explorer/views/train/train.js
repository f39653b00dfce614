// The Train tab: start a training, watch it, stop it, resume it, and explain with what it has learned. The training is a
// process of its own; the page asks for its numbers once a second, while it is looked at and there is something new.

import { createChart } from "../../charts/plotly.js";
import { showResult } from "../../components/fold.js";
import { playSlider } from "../../components/play_slider.js";
import { cached } from "../../core/cache.js";
import { prefersReducedMotion, setText } from "../../core/dom.js";
import { percent } from "../../core/format.js";
import { registerTab } from "../../core/schedule.js";
import { translateServerText } from "../../core/server_words.js";
import { announce } from "../../core/status.js";
import { view } from "../../core/store.js";
import { tables } from "../../core/tables.js";
import { text, translateClass } from "../../core/words.js";
import { host } from "../../host/host.js";

const LIVE = 1000; // milliseconds between two looks at a training that is at work
const IDLE = 5000; // at one that is not: it may be started elsewhere
const CHARTS = ["scores", "losses", "energy", "rates"];
/** @type {TrainingOffers} */
let offers; // what the form offers
/** @type {Map<string, Promise<TrainingPanel>>} */
const panels = new Map(); // "run iteration" -> its panel, coming or here

/** @type {any} */
let section = null;
/** @type {string | null} */
let chosen = null; // run that somebody chose; null: the newest
/** @type {TrainingState | null} */
let run = null; // what the server said of it last
/** @type {{[name: string]: Figure} | null} */
let figures = null; // its charts, as the server makes them
/** @type {Map<string, Chart>} */
const charts = new Map(); // the places where they are drawn
/** @type {number[]} */
let iterations = []; // iterations with a panel
let known = ""; // mark of the numbers that are here
/** @type {number | null} */
let chosenIteration = null; // iteration that is looked at; null: the newest
let painted = ""; // panel that is in sight
/** @type {ReturnType<typeof playSlider> | null} */
let plays = null;
/** @type {ReturnType<typeof setTimeout>} */
let timer;
let asking = false;
let number = 0; // of what is asked for: an answer to an earlier question is not shown

const find = (/** @type {string} */ selector) => section.querySelector(selector);
const put = (/** @type {string} */ name, /** @type {string} */ words) => setText(name, words, section);
const field = (/** @type {string} */ name) => find(`[data-choice="${name}"]`);
const watching = () => view.tab === "train" && !document.hidden && !offers.off;

// --- the form ------------------------------------------------------------------------------------------------------

const recipe = () => find("[name=afa-recipe]:checked").value;
const preset = () => (field("start").value === "bundled" ? `${recipe()}_on` : recipe());

function buildForm() {
  find('[data-list="recipe"]').replaceChildren(...offers.recipe.map((name, i) => {
    const [label, input, title, words] = ["label", "input", "b", "small"].map((tag) => document.createElement(tag));
    Object.assign(input, { type: "radio", name: "afa-recipe", value: name, checked: !i });
    title.textContent = text(`train.recipe_${name}`);
    words.textContent = text(`train.recipe_${name}_words`);
    label.append(input, title, words);
    return label;
  }));
  for (const name of ["start", "pooling", "backbone", "device"]) {
    field(name).replaceChildren(...offers[name].map((/** @type {string} */ value) => new Option(text(`train.${name}_${value}`), value)));
  }
  Object.assign(field("iterations"), { min: offers.shortest, max: offers.longest });
  for (const name of ["recipe", "start"]) {
    const box = name === "start" ? field(name) : find('[data-list="recipe"]');
    box.addEventListener("change", byRecipe);
  }
  find("form").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    start();
  });
  byRecipe();
}

/** What a recipe brings with it, and what is to be expected of it. */
function byRecipe() {
  const bundled = field("start").value === "bundled";
  field("iterations").value = offers.iterations[preset()];
  field("pooling").value = offers.own_pooling[preset()];
  if (bundled) field("backbone").value = offers.bundled_backbone;
  field("backbone").disabled = bundled;
  const measured = offers.measured[preset()];
  put("expect", measured ? text(`train.expect_${field("start").value}`, { ...measured,
    minutes: duration(measured.seconds), render: duration(measured.render_seconds) }) : "");
}

const requestedTraining = () => ({ recipe: recipe(), iterations: Number(field("iterations").value),
  ...Object.fromEntries(["start", "pooling", "backbone", "device"].map((name) => [name, field(name).value])) });

// --- asking the server ---------------------------------------------------------------------------------------------

/**
 * An answer; {refused: sentence} if it was refused, or lost on the way.
 *
 * @param {"status" | "start" | "stop" | "resume" | "panel"} name
 * @param {{[field: string]: unknown}} asked
 * @returns {Promise<Answer>}
 */
async function ask(name, asked) {
  try {
    return await host.training[name](asked) ?? { refused: text("train.lost") };
  } catch (error) {
    console.info(error);
    return { refused: text("train.lost") };
  }
}

/** The newest of the run that is looked at; after a choice or an action the answer on its way is not waited for. */
async function refresh(anew = false) {
  clearTimeout(timer);
  if (!watching() || (asking && !anew)) return;
  if (anew) known = "";
  const mine = ++number;
  asking = true;
  const answer = await ask("status", { run: chosen, known, language: tables.language });
  if (mine !== number) return;
  asking = false;
  if (answer.refused) put("refusal", translateServerText(answer.refused));
  else show(answer);
  timer = setTimeout(refresh, run?.live ? LIVE : IDLE);
}

/** Do something with a run, then look at once. */
async function act(/** @type {"start" | "stop" | "resume"} */ name, /** @type {{[field: string]: unknown}} */ asked) {
  const buttons = section.querySelectorAll('[data-do="start"], [data-do="stop"], [data-do="resume"]');
  for (const button of buttons) button.disabled = true;
  const answer = await ask(name, asked);
  for (const button of buttons) button.disabled = false;
  put("refusal", translateServerText(answer.refused ?? ""));
  await refresh(true);
  return !answer.refused;
}

async function start() {
  const before = chosen;
  chosen = null;
  put("refusal", text("train.starting"));
  if (!await act("start", { request: requestedTraining() })) chosen = before;
  else find('[data-for="run"]').scrollIntoView({ block: "nearest", behavior: prefersReducedMotion() ? "auto" : "smooth" });
}

function show(/** @type {Answer} */ answer) {
  const other = answer.run?.name !== run?.name;
  run = answer.run;
  find('[data-for="run"]').hidden = !run;
  if (!run) return;
  if (other) [chosenIteration, painted] = [null, ""];
  if (answer.charts) {
    [figures, iterations, known] = [answer.charts, answer.iterations, answer.mark];
    listRuns(answer.runs);
    drawCurves();
    drawSlider();
  }
  drawState();
}

// --- words and buttons ---------------------------------------------------------------------------------------------

function duration(/** @type {number} */ seconds) {
  if (seconds < 90) return text("train.seconds", { count: Math.max(1, Math.round(seconds)) });
  return text("train.minutes", { count: (seconds / 60).toFixed(seconds < 570 ? 1 : 0) });
}

function listRuns(/** @type {TrainingEntry[]} */ runs) {
  find('[data-do="run"]').replaceChildren(...runs.map((one) => new Option(text("train.title", {
    number: Number(one.name.split("-").pop()), recipe: text(`train.recipe_${one.recipe}`),
    start: text(`train.short_${one.start}`), pooling: text(`train.pooling_${one.pooling}`),
    state: text(`train.is_${one.state}`) }), one.name, false, one.name === run?.name)));
}

function drawState() {
  if (!run) return;
  const of = run.request.iterations;
  const share = run.state === "rendering" ? run.rendered[0] / Math.max(1, run.rendered[1]) : run.iteration / of;
  put("state", text(run.state === "training" && run.left == null ? "train.state_first" : `train.state_${run.state}`, {
    iteration: run.iteration, of, share: percent(share), left: run.left == null ? "" : duration(run.left),
    done: run.rendered[0], pictures: run.rendered[1], time: duration(run.seconds) }));
  const bar = find(".afa-progress");
  bar.setAttribute("aria-valuenow", Math.round(100 * share));
  bar.firstElementChild.style.width = `${100 * share}%`;
  const trouble = find('[data-fill="trouble"]');
  trouble.hidden = !run.message;
  trouble.textContent = translateServerText(run.message);
  find('[data-do="stop"]').hidden = !run.live || run.state === "stopping";
  find('[data-do="resume"]').hidden = run.live || run.state === "finished";
  put("command", run.command);
  section.dataset.run = run.state; // for tests and styles
}

// --- curves --------------------------------------------------------------------------------------------------------

function drawCurves() {
  if (!figures || !run) return;
  for (const name of CHARTS) charts.get(name)?.draw(figures[name], { keep: run.name, mark: iterations.length ? at() : null });
}

/** The iteration nearest to a point of a chart. */
function chooseNearest(/** @type {ChartPoint} */ point) {
  if (!iterations.length) return;
  const gaps = iterations.map((iteration) => Math.abs(iteration - point.x));
  chooseIteration(gaps.indexOf(Math.min(...gaps)));
}

// --- iterations -------------------------------------------------------------------------------------------------------

/** The iteration that is looked at; there are some. */
const at = () => (chosenIteration !== null && iterations.includes(chosenIteration) ? chosenIteration : iterations[iterations.length - 1]);

function drawSlider() {
  find('[data-for="snapshots"]').hidden = !iterations.length;
  if (!iterations.length || !run) return;
  const slider = find('[data-do="iteration"]');
  slider.max = iterations.length - 1;
  slider.value = iterations.indexOf(at());
  slider.setAttribute("aria-valuetext", text("train.at", { iteration: at() }));
  put("iteration", text("train.at", { iteration: at() }));
  showPanel(run.name, at());
}

function chooseIteration(/** @type {number} */ place) {
  chosenIteration = place >= iterations.length - 1 ? null : iterations[place]; // at the end it follows the training
  drawSlider();
  for (const chart of charts.values()) chart.mark(at());
}

async function showPanel(/** @type {string} */ name, /** @type {number} */ iteration) {
  const key = `${name} ${iteration}`;
  if (painted === key) return;
  painted = key;
  const panel = await cached(panels, key, () => /** @type {Promise<TrainingPanel>} */ (ask("panel", { run: name, iteration })));
  if (panel.refused) panels.delete(key);
  if (panel.refused || painted !== key) return;
  find('[data-list="columns"]').replaceChildren(...panel.stages.map((stage) => {
    const span = document.createElement("span");
    span.textContent = text(`strip.${stage}`);
    return span;
  }));
  const image = find('[data-view="panel"]');
  image.src = panel.picture;
  image.alt = text("train.panel_alt", { iteration, classes: panel.classes.map(translateClass).join(", ") });
  section.dataset.iteration = iteration;
}

registerTab("train", {
  build(element) {
    section = element;
    offers = /** @type {TrainingOffers} */ (host.training.form);
    find('[data-for="off"]').hidden = !offers.off;
    find('[data-for="on"]').hidden = Boolean(offers.off);
    if (offers.off) {
      find('[data-for="off"]').textContent = translateServerText(offers.off);
      return;
    }
    buildForm();
    for (const name of CHARTS) charts.set(name, createChart(find(`[data-chart="${name}"]`), { click: chooseNearest }));
    const slider = find('[data-do="iteration"]');
    slider.addEventListener("input", () => chooseIteration(Number(slider.value)));
    plays = playSlider(find("[data-play]"), slider);
    find('[data-do="run"]').addEventListener("change", (/** @type {ControlEvent} */ event) => {
      chosen = event.target.value;
      refresh(true);
    });
    find('[data-do="stop"]').addEventListener("click", () => act("stop", { run: run?.name }));
    find('[data-do="resume"]').addEventListener("click", () => act("resume", { run: run?.name }));
    find('[data-do="explain"]').addEventListener("click", () => {
      if (!run) return;
      announce(text("train.explaining", { iteration: at() }), true);
      host.training.apply(run.name, at());
      showResult();
    });
    document.addEventListener("visibilitychange", () => refresh());
  },
  show: () => refresh(),
  selection() {}, // class, block and head of the explorer change nothing here
  keys: { " ": () => plays?.play() },
  charts: () => [...charts.values()],
});
