// Heads under the hand: every learned weight is a slider, bias and symmetry too; what follows is drawn beside the learned
// result. With the path of one pair's number: path.js.

import { createAcross } from "./across.js";
import { createPath } from "./path.js";
import { createResults } from "./results.js";
import { affinityUnder, apply, countMoved, equal, explained, nameOf, numbersOf, only, send, without } from "./weights.js";
import { createWorth } from "./worth.js";
import { cached } from "../../../core/cache.js";
import { $, $$ } from "../../../core/dom.js";
import { editTexts } from "../../../core/edits.js";
import { signed } from "../../../core/format.js";
import { openHeads } from "../../../core/heads.js";
import { lacks } from "../../../core/parts.js";
import * as recompute from "../../../core/recompute.js";
import { setView } from "../../../core/schedule.js";
import { blockValues, countCells } from "../../../core/selection.js";
import { accepted, errorText } from "../../../core/status.js";
import { store, view } from "../../../core/store.js";
import { text } from "../../../core/words.js";
import { host } from "../../../host/host.js";
import { combinedLogits } from "../../../method/heads.js";

/** @typedef {import("../../../core/heads.js").Heads} Heads */
/** @typedef {import("./weights.js").Setting} Setting */

/** @type {Map<string, Promise<Heads>>} */
const answers = new Map(); // scene -> its heads
/** @type {any} */
let box = null;
/** @type {any} */
let pathBox = null; // below the matrix, where a pair is pressed
/** @type {any} */
let parts = null; // results, path, worth
/** @type {Heads | null} */
let heads = null; // of the present explanation
/** @type {Setting} */
let setting = { weights: [], bias: null, symmetric: true };
/** @type {Float32Array | null} */
let learned = null; // the affinity as it was learned, symmetric
let learnedName = ""; // of which image and edits
let held = false; // a slider is under the hand
let chosen = 0; // the head that was touched last
let drawing = 0; // the frame that is asked for

const find = (/** @type {string} */ selector) => $(selector, box);

/** A number above, of one or two digits: 1.37 -> 1.4, 213 -> 220. */
function roundUp(/** @type {number} */ value) {
  const unit = 10 ** (Math.floor(Math.log10(Math.max(value, 1e-9))) - 1);
  return Number((Math.ceil(value / unit) * unit).toPrecision(2));
}

/** A number that a slider was moved to, without digits that no hand means. */
const rounded = (/** @type {number} */ value, /** @type {number} */ most) => {
  const digits = Math.max(0, 3 - Math.floor(Math.log10(most)) - 1);
  return Number(value.toFixed(digits));
};

// --- what it is made of --------------------------------------------------------------------------------------------

const SHELL = `<h4></h4><p class="afa-hint" data-part="hint"></p><p class="afa-lacks" data-part="lacks" hidden></p>
<div data-part="body" hidden><div class="afa-tools"><div class="afa-field" data-part="presets"></div>
<label class="afa-check"><input type="checkbox"> <span></span></label></div>
<div class="afa-weights" data-list="weights"></div><p class="afa-words" data-part="state" aria-live="polite"><span></span> <b></b></p>
<div data-part="results" class="afa-hand-results"></div><div data-part="worth"></div></div>`;
const PRESETS = ["learned", "equal", "only", "without"];

/** Build it in the tab, once. */
export function build(/** @type {HTMLElement} */ section) {
  box = $('[data-for="weights"]', section);
  pathBox = $('[data-for="path"]', section);
  box.innerHTML = SHELL;
  $("h4", box).textContent = text("affinity.weights");
  find('[data-part="presets"]').append(...PRESETS.map((name) => {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.dataset.preset = name;
    button.addEventListener("click", () => preset(name));
    return button;
  }));
  const symmetric = find("input[type=checkbox]");
  symmetric.addEventListener("change", () => change({ ...setting, symmetric: symmetric.checked }, true));
  parts = { results: createResults(find('[data-part="results"]')), path: createPath(pathBox),
    worth: createWorth(find('[data-part="worth"]')), across: createAcross($('[data-for="across"]', section)) };
}

/** The row of a head, or of the bias: its name, its slider, its number. */
function rowOf(/** @type {HTMLElement} */ name, /** @type {string} */ label, /** @type {number} */ most, /** @type {number} */ own,
  /** @type {(value: number) => Setting} */ moved, /** @type {number | null} */ head) {
  const row = document.createElement("div");
  row.className = "afa-head";
  const slider = Object.assign(document.createElement("input"), { type: "range", min: -most, max: most, step: "any" });
  slider.setAttribute("aria-label", label);
  const notch = document.createElement("span");
  notch.className = "afa-notch";
  notch.style.setProperty("--learned", String((own + most) / (2 * most)));
  notch.append(slider);
  const number = document.createElement("output");
  row.append(name, notch, number);
  const touch = () => { if (head != null) choose(head); };
  slider.addEventListener("focus", touch);
  slider.addEventListener("pointerdown", touch);
  slider.addEventListener("input", () => { held = true; change(moved(rounded(Number(slider.value), most))); });
  slider.addEventListener("change", () => { held = false; change(moved(rounded(Number(slider.value), most)), true); });
  slider.addEventListener("dblclick", () => change(head == null ? { ...setting, bias: null } : withWeight(head, null), true));
  return row;
}

const withWeight = (/** @type {number} */ head, /** @type {number | null} */ weight) => (
  { ...setting, weights: setting.weights.map((old, i) => (i === head ? weight : old)) });

/** The rows of all heads, by block, and of the bias. */
function fillRows(/** @type {Heads} */ given) {
  const most = roundUp(1.5 * Math.max(1e-3, ...given.weights.map(Math.abs)));
  const read = store.scene.blocks.map((block, at) => ({ ...block, at })).filter((block) => block.weights);
  const groups = read.map((block, number) => {
    const group = document.createElement("div");
    group.append(Object.assign(document.createElement("h5"), { textContent: text("bar.block_name", blockValues(block)) }));
    given.places.forEach(({ block: of, place }, head) => {
      if (of !== number) return;
      const button = Object.assign(document.createElement("button"), { type: "button",
        textContent: text("attention.head", { head: place + 1 }) });
      button.setAttribute("aria-label", text("affinity.weight_of", { head: place + 1, weight: signed(given.weights[head], 2) }));
      button.addEventListener("click", () => setView({ block: block.at, head: place, tab: "attention" }));
      const label = text("heads.slider", { head: place + 1, block: block.place });
      const row = rowOf(button, label, most, given.weights[head], (value) => withWeight(head, value), head);
      row.dataset.head = String(head);
      group.append(row);
    });
    return group;
  });
  const name = Object.assign(document.createElement("span"), { textContent: text("heads.bias") });
  const bias = rowOf(name, text("heads.bias"), roundUp(spread(given)), given.bias, (value) => ({ ...setting, bias: value }), null);
  bias.dataset.head = "bias";
  find('[data-list="weights"]').replaceChildren(...groups, bias);
}

/** How far the affinity's logits lie from 0, about: what a bias has to be to matter. */
function spread(/** @type {Heads} */ given) {
  const logits = combinedLogits(given.logits, given.weights, given.bias, true);
  return Math.max(1, Math.sqrt(logits.reduce((sum, logit) => sum + logit * logit, 0) / logits.length));
}

// --- hands ---------------------------------------------------------------------------------------------------------

function choose(/** @type {number} */ head) {
  chosen = head;
  for (const row of $$(".afa-head", box)) row.classList.toggle("afa-here", row.dataset.head === String(head));
  presetWords();
}

function presetWords() {
  const place = (heads?.places[chosen]?.place ?? 0) + 1;
  for (const button of $$("[data-preset]", box)) button.textContent = text(`heads.${button.dataset.preset}`, { head: place });
}

function preset(/** @type {string} */ name) {
  if (!heads) return;
  /** @type {{[name: string]: (number | null)[]}} */
  const weights = { learned: heads.weights.map(() => null), equal: equal(heads), only: only(heads, chosen),
    without: without(heads, chosen) };
  change({ ...setting, weights: weights[name], ...(name === "learned" && { bias: null, symmetric: true }) }, true);
}

/** Another setting: drawn in the next frame, and explained by the host once the hand lets go. */
function change(/** @type {Setting} */ next, final = false) {
  if (!heads) return;
  setting = next;
  show();
  if (!drawing) drawing = requestAnimationFrame(drawMoved);
  if (final) send(heads, setting);
}

function drawMoved() {
  drawing = 0;
  if (heads) apply(heads, setting); // tells the tab, which draws
}

/** The numbers of the sliders, and what they are called. */
function show() {
  if (!heads) return;
  const { weights, bias } = numbersOf(heads, setting);
  for (const row of $$(".afa-head", box)) {
    const head = row.dataset.head === "bias" ? null : Number(row.dataset.head);
    const [value, moved] = head == null ? [bias, setting.bias != null] : [weights[head], setting.weights[head] != null];
    const slider = row.querySelector("input");
    if (Number(slider.value) !== value) slider.value = String(value);
    const at = (value + Number(slider.max)) / (2 * Number(slider.max));
    slider.parentElement.style.setProperty("--at", String(Math.min(1, Math.max(0, at))));
    slider.parentElement.style.setProperty("--colour", value < 0 ? "var(--accent)" : "var(--warm)");
    row.classList.toggle("afa-moved", moved);
    row.querySelector("output").textContent = signed(value, head == null && Math.abs(value) >= 100 ? 0 : 2);
  }
  find("input[type=checkbox]").checked = setting.symmetric;
  $('[data-part="state"] span', box).textContent = text(countMoved(setting) || !setting.symmetric ? "heads.moved" : "heads.as_learned",
    { count: countMoved(setting) }) + (setting.symmetric ? "" : ` ${text("heads.one_way")}`);
}

// --- drawing -------------------------------------------------------------------------------------------------------

/** Another explanation is here. */
export async function data() {
  const { trace } = store;
  box.hidden = lacks("learned_affinity") || lacks("affinity");
  parts.across.data(box.hidden);
  if (box.hidden || trace.partial) return;
  find('[data-part="hint"]').textContent = text("heads.hint");
  find('[data-check], .afa-check span').textContent = text("heads.symmetric");
  if (countCells() > recompute.MAX_CELLS) return refuse(text("heads.too_large", { cells: countCells(), most: recompute.MAX_CELLS }));
  try {
    const found = await cached(answers, trace.scene, async () => openHeads(accepted(await host.heads({ key: trace.key })), countCells()));
    if (store.trace.key !== trace.key) return;
    const other = heads !== found;
    heads = found;
    const name = `${trace.scene} ${editTexts().affinity_edits}`;
    if (learnedName !== name) learned = affinityUnder(heads, { weights: [], bias: null, symmetric: true });
    learnedName = name;
    if (other) {
      fillRows(heads);
      choose(Math.min(chosen, heads.weights.length - 1));
    }
  } catch (error) {
    if (store.trace.key === trace.key) refuse(errorText(error));
    return;
  }
  find('[data-part="lacks"]').hidden = true;
  find('[data-part="body"]').hidden = pathBox.hidden = false;
  if (held) drawMoved(); // the hand has gone on meanwhile
  else setting = explained(heads);
  show();
  draw();
}

/** One sentence in the place of what cannot be moved here. */
function refuse(/** @type {string} */ words) {
  heads = null;
  parts.across.data(true);
  find('[data-part="body"]').hidden = pathBox.hidden = true;
  Object.assign(find('[data-part="lacks"]'), { hidden: false, textContent: words });
}

/** The query cell, the class or a weight moved. */
export function draw() {
  if (!heads || !learned || !recompute.pipeline() || view.tab !== "affinity") return;
  parts.results.draw(learned, recompute.settings()?.edited ?? affinityNow(), tell);
  parts.path.draw(heads, setting);
  parts.worth.draw(heads);
  parts.across.draw(heads, setting);
}

const tell = (/** @type {string} */ words) => { find('[data-part="state"] b').textContent = words; };

/** The affinity that the host explained, without the rounding of what it sends. */
let now = /** @type {{name: string, affinity: Float32Array} | null} */ (null);
function affinityNow() {
  const name = `${store.trace.scene} ${nameOf(setting)}`;
  if (now?.name !== name) now = { name, affinity: affinityUnder(/** @type {Heads} */ (heads), setting) };
  return now;
}

/** A pair of cells is pressed in the matrix. */
export const pair = (/** @type {Cell} */ from, /** @type {Cell} */ to) => parts.path.open(from, to);
