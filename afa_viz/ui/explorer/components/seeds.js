// Seeds for the walk: cells that somebody drops or paints, each with or without a class.

import { cellAtShares, className, queryCell } from "../core/selection.js";
import { announce } from "../core/status.js";
import { store, view } from "../core/store.js";
import { text } from "../core/words.js";
import { context2d } from "../draw/canvas.js";
import { paintImage } from "../draw/repaint.js";
import { fitCanvas } from "../draw/size.js";

const NO_CLASS = -1; // the kind without a class
/** @type {Map<any, any>} */
const cells = new Map(); // cell index -> kind
/** @type {any} */
let section = null;
/** @type {any} */
let changed = null; // called when a cell or the brush changed
let brush = NO_CLASS;
let erasing = false;
/** @type {any} */
let stroke = null; // the cell that the brush came from, while it is down
/** @type {any} */
let paintedScene = null; // the picture

const find = (/** @type {string} */ selector) => section.querySelector(selector);
export const nameOf = (/** @type {number} */ kind) => (kind === NO_CLASS ? text("walk.seed") : className(kind));
export const colourOf = (/** @type {number} */ kind) => (kind === NO_CLASS ? [255, 255, 255] : store.trace.palette[kind]);

/** Where the walk starts: the kinds there are, and a map of each; one empty map where there is none. */
export function start() {
  const kinds = [...new Set(cells.values())].sort((a, b) => a - b);
  const size = store.trace.grid[0] * store.trace.grid[1];
  const maps = new Float32Array(Math.max(1, kinds.length) * size);
  for (const [index, kind] of cells) maps[kinds.indexOf(kind) * size + index] = 1;
  return { kinds, maps };
}

/** The label that a kind belongs to: its class, or the one under most of its cells; `labelAt` tells of a cell. */
export function regionOf(/** @type {number} */ kind, /** @type {(index: number) => number} */ labelAt) {
  if (kind !== NO_CLASS && kind != null) return kind;
  /** @type {Map<any, any>} */
  const counts = new Map();
  for (const [index, other] of cells) {
    if (other === kind) counts.set(labelAt(index), (counts.get(labelAt(index)) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? view.label;
}

/** Draw the photograph with its cells and the seeds in them. */
export function paint(/** @type {HTMLCanvasElement} */ canvas) {
  fitCanvas(canvas);
  const context = context2d(canvas);
  paintImage(canvas, store.scene.image);
  const [rows, cols] = store.trace.grid;
  const [w, h] = [canvas.width / cols, canvas.height / rows];
  context.strokeStyle = "rgba(255,255,255,.28)";
  context.lineWidth = 1;
  for (let i = 1; i < cols; i++) context.strokeRect(i * w, -1, 0, canvas.height + 2);
  for (let i = 1; i < rows; i++) context.strokeRect(-1, i * h, canvas.width + 2, 0);
  for (const [index, kind] of cells) {
    const [x, y] = [(index % cols) * w, Math.floor(index / cols) * h];
    context.fillStyle = `rgba(${colourOf(kind)},.75)`;
    context.fillRect(x, y, w, h);
    context.strokeStyle = "#000";
    context.strokeRect(x + 1, y + 1, w - 2, h - 2);
  }
}

// --- the hand ------------------------------------------------------------------------------------------------------

function put(/** @type {number} */ index, /** @type {number | null} */ kind) {
  if (kind == null) cells.delete(index);
  else cells.set(index, kind);
}

/** Drop one on the query cell, or take it away. */
export function drop() {
  const index = queryCell()[0] * store.trace.grid[1] + queryCell()[1];
  put(index, cells.get(index) === brush ? null : brush);
  announce(text("walk.dropped", { count: cells.size, row: queryCell()[0] + 1, col: queryCell()[1] + 1 }));
}

/** Brush the cells on the way from the last one to this one: a quick hand leaves no gaps. */
function brushTo(/** @type {Cell} */ [row, col]) {
  const [fromRow, fromCol] = stroke ?? [row, col];
  const count = Math.max(1, Math.abs(row - fromRow), Math.abs(col - fromCol));
  const at = (/** @type {number} */ a, /** @type {number} */ b, /** @type {number} */ i) => Math.round(a + ((b - a) * i) / count);
  for (let i = 0; i <= count; i++) put(at(fromRow, row, i) * store.trace.grid[1] + at(fromCol, col, i), erasing ? null : brush);
  stroke = [row, col];
  changed();
}

/** What to paint with, and whether the brush adds or erases. */
function brushes() {
  const kinds = [NO_CLASS, 0, ...store.trace.classes.map((c) => c.label)];
  if (!kinds.includes(brush)) brush = NO_CLASS;
  find('[data-list="brushes"]').replaceChildren(...kinds.map((kind) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = nameOf(kind);
    button.style.setProperty("--colour", `rgb(${colourOf(kind)})`);
    button.setAttribute("aria-pressed", String(kind === brush));
    button.addEventListener("click", () => choose(kind, false));
    return button;
  }));
  for (const button of section.querySelectorAll("[data-brush]")) {
    button.setAttribute("aria-pressed", (button.dataset.brush === "erase") === erasing);
  }
}

function choose(/** @type {number} */ kind, /** @type {boolean} */ erase) {
  [brush, erasing] = [kind, erase];
  brushes();
  changed();
}

/**
 * Bind the controls and the canvas that is painted on; it paints only while `active()`.
 *
 * @param {HTMLElement} element
 * @param {HTMLCanvasElement} paper
 * @param {() => boolean} active
 * @param {() => void} listener
 */
export function build(element, paper, active, listener) {
  [section, changed] = [element, listener];
  for (const button of section.querySelectorAll("[data-brush]")) {
    button.addEventListener("click", () => choose(brush, button.dataset.brush === "erase"));
  }
  find('[data-do="clear"]').addEventListener("click", () => {
    cells.clear();
    changed();
  });
  const under = (/** @type {PointerEvent} */ event) => {
    const box = paper.getBoundingClientRect();
    return cellAtShares((event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width);
  };
  paper.addEventListener("pointerdown", (event) => {
    if (!active() || event.button) return;
    stroke = null;
    paper.setPointerCapture(event.pointerId);
    brushTo(under(event));
  });
  paper.addEventListener("pointermove", (event) => { if (stroke) brushTo(under(event)); });
  for (const end of ["pointerup", "pointercancel"]) paper.addEventListener(end, () => { stroke = null; });
  paper.addEventListener("click", (event) => { if (active()) event.stopImmediatePropagation(); });
}

/** The kind that the brush paints. */
export const brushKind = () => brush;

/** Another explanation: seeds of another picture are gone. */
export function renew() {
  if (paintedScene !== store.scene) cells.clear();
  paintedScene = store.scene;
  brushes();
}
