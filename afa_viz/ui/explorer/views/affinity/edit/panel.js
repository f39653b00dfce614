// Regions joined or separated by hand: cells are brushed over, their affinities become 1 or 0, and what follows is drawn beside the
// affinity as it was computed.

import { createResults } from "../heads/results.js";
import { createGridCanvas } from "../../../components/edits/grid_canvas.js";
import { made } from "../../../components/edits/made.js";
import { affinityEdits, editTexts, sendEdits, unedited } from "../../../core/edits.js";
import { editsText, parseEdits } from "../../../core/edit_settings.js";
import { $ } from "../../../core/dom.js";
import { toFloats } from "../../../core/packed.js";
import { lacks } from "../../../core/parts.js";
import * as recompute from "../../../core/recompute.js";
import { cellOfIndex, countCells, queryCell } from "../../../core/selection.js";
import { errorText } from "../../../core/status.js";
import { store, view } from "../../../core/store.js";
import { text } from "../../../core/words.js";
import { editAffinity } from "../../../method/edits.js";

/** @typedef {import("../../../method/edits.js").Edit} Edit */

const COLOURS = /** @type {{[region: string]: string}} */ ({ a: "rgba(0, 114, 178, .62)", b: "rgba(230, 159, 0, .62)" });
const SIDES = { learned: "edits.side_computed", now: "edits.side_now", change: "heads.side_change" };
const KEPT = 0.5; // opacity of regions that are kept, beside those under the hand
/** @type {any} */
let box = null;
/** @type {ReturnType<typeof createGridCanvas>} */
let grid;
/** @type {ReturnType<typeof createResults>} */
let results;
/** @type {{[region: string]: Set<number>}} */
const regions = { a: new Set(), b: new Set() };
let brush = "a"; // a, b or erase
let what = "join";
let against = "b"; // the other region, or "rest"
let brushed = ""; // of which image the regions are
/** @type {{key: string, affinity: Float32Array} | null} */
let computed = null; // the affinity as it was computed
let drawing = 0; // the frame that is asked for
/** @type {string | null} */
let expected = null; // the text of edits that the host was asked for

const find = (/** @type {string} */ selector) => $(selector, box);
const imageOf = () => `${store.trace.scene.split("#")[0]} ${store.trace.grid}`;

/** The edit that the brushed regions make; null while a region is missing. */
function pending() {
  const [cells, others] = [[...regions.a], against === "b" ? [...regions.b] : null];
  if (!cells.length || (others && !others.length)) return null;
  return /** @type {Edit} */ ({ what, cells, others });
}

/** Buttons of which one is pressed. */
function choice(/** @type {string} */ name, /** @type {string[]} */ values, /** @type {(value: string) => void} */ choose) {
  const group = made("div", { className: "afa-field" }, made("span", { className: "afa-name", textContent: text(`edits.${name}`) }),
    ...values.map((value) => {
      const button = made("button", { type: "button", textContent: text(`edits.${name}_${value}`), data: { [name]: value } });
      button.addEventListener("click", () => { choose(value); show(); follow(); });
      return button;
    }));
  group.title = text(`edits.${name}_info`);
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", text(`edits.${name}`));
  return group;
}

/** Build it in the tab, once. */
export function build(/** @type {HTMLElement} */ section) {
  box = $('[data-for="edit"]', section);
  grid = createGridCanvas({ name: text("edits.canvas"), paint, begin: paintCell, move: paintCell, end: show });
  const buttons = ["apply", "clear"].map((name) => made("button", { type: "button", data: { do: name } }));
  buttons[0].addEventListener("click", apply);
  buttons[1].addEventListener("click", () => { clear(); show(); follow(); });
  const tools = made("div", { className: "afa-edit-tools" },
    choice("brush", ["a", "b", "erase"], (value) => { brush = value; }),
    choice("what", ["join", "separate"], (value) => { what = value; }),
    choice("against", ["b", "rest"], (value) => { against = value; }),
    made("div", { className: "afa-edit-buttons" }, ...buttons),
    made("p", { className: "afa-words", data: { part: "pending" } }),
    made("ol", { className: "afa-edit-list", data: { list: "edits" } }));
  const body = made("div", { data: { part: "body" }, hidden: true }, made("div", { className: "afa-edit" }, grid.canvas, tools),
    made("p", { className: "afa-words", data: { part: "brief" } }),
    made("div", { className: "afa-hand-results", data: { part: "results" } }));
  box.replaceChildren(made("h4", { textContent: text("edits.title") }),
    made("p", { className: "afa-hint", textContent: text("edits.hint") }),
    made("p", { className: "afa-lacks", hidden: true, data: { part: "lacks" } }), body);
  find('[data-part="brief"]').setAttribute("aria-live", "polite");
  results = createResults(find('[data-part="results"]'), SIDES);
}

// --- hands ---------------------------------------------------------------------------------------------------------

function paintCell(/** @type {Cell} */ [row, col]) {
  const cell = row * store.trace.grid[1] + col;
  for (const [name, region] of Object.entries(regions)) {
    if (name === brush) region.add(cell);
    else region.delete(cell);
  }
  follow();
}

function clear() {
  for (const region of Object.values(regions)) region.clear();
}

function apply() {
  const edit = pending();
  if (!edit) return;
  const next = editsText([...affinityEdits(), edit]);
  if (!parseEdits(next, countCells())) {
    find('[data-part="pending"]').textContent = text("edits.too_many");
    return;
  }
  expected = next;
  clear();
  sendEdits({ affinity_edits: next });
  show();
}

/** What is brushed is drawn in the next frame. */
function follow() {
  drawing ||= requestAnimationFrame(() => {
    drawing = 0;
    if (store.trace && recompute.pipeline()) preview();
  });
}

/** The affinity with the regions under the hand: the page draws with it, the host is not asked. */
function preview() {
  const edit = pending();
  const base = toFloats(store.trace.affinity);
  recompute.setAffinity(edit && { name: `${store.trace.key} ${editsText([edit])}`, affinity: editAffinity(base, [edit]) });
}

// --- drawing -------------------------------------------------------------------------------------------------------

/** The regions under the hand, and fainter those of what is kept. */
function paint(/** @type {CanvasRenderingContext2D} */ context, /** @type {number} */ width, /** @type {number} */ height) {
  const fill = (/** @type {string} */ name, /** @type {Iterable<number>} */ cells, /** @type {number} */ opacity) => {
    [context.fillStyle, context.strokeStyle, context.globalAlpha] = [COLOURS[name], "#fff", opacity];
    for (const cell of cells) {
      const [row, col] = cellOfIndex(cell);
      context.fillRect(col * width, row * height, width, height);
      if (name !== "b") continue;
      context.beginPath(); // told from A without colour
      context.moveTo(col * width, (row + 1) * height);
      context.lineTo((col + 1) * width, row * height);
      context.stroke();
    }
    context.globalAlpha = 1;
  };
  for (const { cells, others } of affinityEdits()) {
    fill("a", cells, KEPT);
    fill("b", others ?? [], KEPT);
  }
  for (const [name, region] of Object.entries(regions)) fill(name, region, 1);
}

const cellsWords = (/** @type {Edit} */ { what: kind, cells, others }) => text(`edits.${kind}_${others ? "pair" : "rest"}`,
  { cells: cells.length, others: others?.length ?? 0 });

/** Tools, regions and the list of what is applied. */
function show() {
  for (const [name, value] of Object.entries({ brush, what, against })) {
    for (const button of box.querySelectorAll(`[data-${name}]`)) button.setAttribute("aria-pressed", button.dataset[name] === value);
  }
  const edit = pending();
  find('[data-do="apply"]').textContent = text(`edits.apply_${what}`);
  find('[data-do="apply"]').disabled = !edit;
  find('[data-do="clear"]').textContent = text("edits.clear");
  find('[data-do="clear"]').disabled = !regions.a.size && !regions.b.size;
  find('[data-part="pending"]').textContent = edit ? cellsWords(edit) : text(regions.a.size ? "edits.then_b" : "edits.first_a");
  const edits = affinityEdits();
  find('[data-list="edits"]').replaceChildren(...edits.map((one, at) => {
    const button = made("button", { type: "button", textContent: text("edits.remove") });
    button.addEventListener("click", () => {
      expected = editsText(edits.filter((_, i) => i !== at));
      sendEdits({ affinity_edits: expected });
    });
    return made("li", {}, made("span", { textContent: cellsWords(one) }), " ", button);
  }));
  grid.draw();
}

/** Another explanation is here. */
export async function data() {
  const { trace } = store;
  box.hidden = lacks("affinity");
  if (box.hidden || trace.partial) return;
  if (brushed !== imageOf()) clear();
  brushed = imageOf();
  if (expected === (editTexts().affinity_edits ?? "")) expected = null;
  if (countCells() > recompute.MAX_CELLS) return refuse(text("edits.too_large", { cells: countCells(), most: recompute.MAX_CELLS }));
  try {
    const found = await unedited();
    if (store.trace.key !== trace.key) return;
    computed = { key: trace.key, affinity: toFloats(/** @type {any} */ (found.affinity)) };
  } catch (error) {
    if (store.trace.key === trace.key) refuse(errorText(error));
    return;
  }
  find('[data-part="lacks"]').hidden = true;
  find('[data-part="body"]').hidden = false;
  if (!grid.isHeld()) grid.setCursor(queryCell());
  show();
  if (pending()) preview(); // tells the tab, which draws
  draw();
}

/** One sentence in the place of what cannot be changed here. */
function refuse(/** @type {string} */ words) {
  computed = null;
  find('[data-part="body"]').hidden = true;
  Object.assign(find('[data-part="lacks"]'), { hidden: false, textContent: words });
}

/** The query cell, the class or the affinity moved. */
export function draw() {
  if (!computed || computed.key !== store.trace.key || !recompute.pipeline() || view.tab !== "affinity") return;
  grid.draw();
  const moved = recompute.settings()?.edited;
  const shown = Boolean(pending() || affinityEdits().length);
  find('[data-part="results"]').hidden = find('[data-part="brief"]').hidden = !shown;
  if (!shown) return;
  const now = moved ?? { name: store.trace.key, affinity: toFloats(store.trace.affinity) };
  results.draw(computed.affinity, now, (words) => { find('[data-part="brief"]').textContent = words; });
}
