// The bar above the tabs: story, classes, block, head, query cell.

import { describeCell } from "./status_line.js";
import { $, $$, barControl, setText } from "../core/dom.js";
import { on } from "../core/events.js";
import { percent } from "../core/format.js";
import { moveCell } from "../core/keyboard.js";
import { lacks } from "../core/parts.js";
import { registerAlways, setView } from "../core/schedule.js";
import { blockValues, className, isCellHidden, isHeld, nearestQuery, queryCell, startCell } from "../core/selection.js";
import { translateServerText } from "../core/server_words.js";
import { MEAN_HEAD, store, view } from "../core/store.js";
import { text, translateClass } from "../core/words.js";

const OFFERED = 5; // predictions that are named

/** Everything here that a new explanation may change. */
function rebuildBar() {
  $('[data-list="classes"]').replaceChildren(...store.trace.classes.map(({ label }) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.label = String(label);
    button.style.setProperty("--colour", `rgb(${store.trace.palette[label]})`);
    button.textContent = className(label);
    button.onclick = () => chooseClass(label);
    return button;
  }));
  barControl("block").replaceChildren(...store.scene.blocks.map((block, i) => new Option(
    text(block.weights ? "bar.block_read" : "bar.block_name", blockValues(block)), String(i), false, i === view.block)));
  for (const option of barControl("block").options) option.disabled = !isHeld(Number(option.value));
  const [rows, cols] = store.trace.grid;
  barControl("row").max = rows;
  barControl("col").max = cols;
  setText("domain", store.trace.domain === "photograph" ? text("bar.outside") : "");
  setText("picture", translateServerText(store.trace.title));
  setText("story", translateServerText(store.trace.story));
  const names = store.trace.classes.map((c) => className(c.label)).join(", ");
  setText("labels", text(store.trace.labels_given ? "bar.labels_given" : "bar.labels_predicted", { names }));
  setText("method", methodWords());
  setText("grid", text("bar.grid", { width: store.trace.size[1], height: store.trace.size[0], cols, rows }));
  rebuildHeads();
}

/** What a method that is not AFA is, and what it predicts where that is one class among very many; "" for AFA. */
function methodWords() {
  const { parts, predictions } = store.trace;
  const words = [];
  if (predictions) words.push(text("bar.imagenet"));
  if (lacks("learned_affinity")) words.push(text("bar.not_learned"));
  if (lacks("affinity")) words.push(text("bar.no_affinity"));
  if (lacks("decoder")) words.push(text("bar.no_decoder"));
  const sentences = words.length ? [`${words.join(", ")}.`] : [];
  if (parts.cam === "class token") sentences.push(text("bar.class_token"));
  if (predictions) {
    const names = predictions.slice(0, OFFERED).map((one) => `${translateClass(one.name)} ${percent(one.probability)}`);
    sentences.push(text("bar.predictions", { names: names.join(", ") }));
  }
  return sentences.join(" ");
}

function rebuildHeads() {
  const heads = store.scene.blocks[view.block]?.heads ?? 0; // of a method without attention there is no block
  view.head = Math.min(view.head, heads - 1);
  barControl("block").value = view.block;
  barControl("head").replaceChildren(...[MEAN_HEAD, ...Array(heads).keys()].map((head) => new Option(
    head === MEAN_HEAD ? text("bar.mean") : text("bar.head_of", { head: head + 1, heads }), String(head), false, head === view.head)));
}

function chooseClass(/** @type {number} */ label) {
  setView(view.pin ? { label, picked: true }
    : { label, picked: true, rest: store.trace.classes.find((c) => c.label === label)?.cell, home: true });
}

let editedField = ""; // the field of the query cell that holds a number which is not taken over yet

function listen() {
  barControl("block").addEventListener("change", (/** @type {ControlEvent} */ event) => setView({ block: Number(event.target.value) }));
  barControl("head").addEventListener("change", (/** @type {ControlEvent} */ event) => setView({ head: Number(event.target.value) }));
  barControl("shared").addEventListener("click", () => setView({ shared: !view.shared }));
  for (const button of $$("[data-move]")) { // for fingers, which have no arrow keys
    const [rows, cols] = button.dataset.move.split(" ").map(Number);
    button.addEventListener("click", () => { if (store.trace) moveCell(rows, cols); });
  }
  for (const [axis, name] of ["row", "col"].entries()) {
    barControl(name).addEventListener("input", () => { editedField = name; });
    barControl(name).addEventListener("change", (/** @type {ControlEvent} */ event) => {
      editedField = "";
      const next = [...startCell()];
      const typed = event.target.value === "" ? next[axis] + 1 : Math.round(Number(event.target.value));
      next[axis] = Math.min(store.trace.grid[axis], Math.max(1, typed)) - 1;
      const cell = nearestQuery(next);
      setView({ pin: cell, rest: cell, hover: null, home: false });
    });
  }
}

/** The numbers of the query cell, and what it is in words. */
function showCell() {
  for (const [axis, name] of ["row", "col"].entries()) {
    if (editedField !== name) barControl(name).value = isCellHidden() ? "" : queryCell()[axis] + 1;
  }
  if (!view.guessing) describeCell();
}

registerAlways({
  build() {
    listen();
    on("trace", rebuildBar);
    on("block", rebuildHeads);
  },
  selection() {
    for (const chip of $$('[data-list="classes"] button')) {
      chip.setAttribute("aria-pressed", Number(chip.dataset.label) === view.label);
    }
    barControl("head").value = view.head;
    const shared = $('[data-do="shared"]');
    shared.setAttribute("aria-pressed", view.shared);
    shared.textContent = text(view.shared ? "bar.scale_shared" : "bar.scale_own");
    showCell();
  },
  cell: showCell,
});
