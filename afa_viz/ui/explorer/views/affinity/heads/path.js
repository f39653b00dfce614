// From one number of the affinity down to single multiplications: a pair of cells, in four steps inside the formula.

import { numbersOf } from "./weights.js";
import { affinityEdits, editTexts } from "../../../core/edits.js";
import { signed } from "../../../core/format.js";
import { cellOfIndex, countCells, queryCell } from "../../../core/selection.js";
import { store } from "../../../core/store.js";
import { text } from "../../../core/words.js";
import { editedValue } from "../../../method/edits.js";
import { columnOf, pairOf } from "../../../method/heads.js";

/** @typedef {import("../../../core/heads.js").Heads} Heads */
/** @typedef {import("./weights.js").Setting} Setting */

// The formula of the tab; in each step the part that it works out is marked.
const [S, T] = ["<i>S<sub>k</sub></i>", "<i>S<sub>k</sub></i><sup>\u22a4</sup>"];
const mark = (/** @type {string} */ words) => `<mark>${words}</mark>`;
const sumOf = (/** @type {string} */ inner) => `Σ<sub><i>k</i></sub> <i>w<sub>k</sub></i> ${inner} + <i>b</i>`;
const formula = (/** @type {string} */ sum, open = "σ(", close = ")") => `<i>A</i> = ${open} ${sum} ${close}`;
const [BOTH, TWICE] = [`( ${S} + ${T} )`, `2 ${S}`];
const STEPS = [ // [step, formula with S + its transpose, formula without symmetry]
  ["product", formula(sumOf(`( ${mark(S)} + ${T} )`)), formula(sumOf(`2 ${mark(S)}`))],
  ["transposed", formula(sumOf(mark(BOTH))), formula(sumOf(mark(TWICE)))],
  ["sum", formula(mark(sumOf(BOTH))), formula(mark(sumOf(TWICE)))],
  ["sigmoid", formula(sumOf(BOTH), mark("σ("), mark(")")), formula(sumOf(TWICE), mark("σ("), mark(")"))],
];

const made = (/** @type {string} */ tag, /** @type {object} */ given = {}, /** @type {(Node | string)[]} */ ...children) => {
  const element = Object.assign(document.createElement(tag), given);
  element.append(...children);
  return element;
};
const number = (/** @type {number} */ value) => signed(value, Math.abs(value) < 10 ? 2 : 1);

/** A row of bars, up for positive and down for negative numbers. */
function bars(/** @type {string} */ name, /** @type {ArrayLike<number>} */ values, /** @type {number} */ most) {
  const row = made("div", { className: "afa-bars" });
  for (const value of Array.from(values)) {
    const bar = made("i", { title: value.toFixed(3), className: value < 0 ? "afa-negative" : "" });
    bar.style.setProperty("--size", `${(50 * Math.abs(value)) / most}%`);
    row.append(bar);
  }
  row.setAttribute("role", "img");
  row.setAttribute("aria-label", name);
  row.dataset.values = Array.from(values, (value) => value.toPrecision(7)).join(" ");
  return made("div", { className: "afa-bars-row" }, made("span", { textContent: name }), row);
}

/** A sigmoid from -8 to 8 with a point on it. */
function curve(/** @type {number} */ logit, /** @type {number} */ value) {
  const points = Array.from({ length: 65 }, (_, i) => [i, 32 - 30 / (1 + Math.exp(-(i - 32) / 4))]);
  const x = Math.min(63, Math.max(1, 32 + 4 * logit));
  const picture = made("div", { className: "afa-sigmoid" });
  picture.innerHTML = `<svg viewBox="0 0 64 34" role="img"><line x1="32" x2="32" y1="1" y2="33"/><polyline points="${
    points.map((p) => p.join(",")).join(" ")}"/><circle cx="${x}" cy="${32 - 30 * value}" r="2.2"/></svg>`;
  /** @type {any} */ (picture.firstChild).setAttribute("aria-label", text("path.curve"));
  return picture;
}

/** The place where a pair is followed. */
export function createPath(/** @type {HTMLElement} */ box) {
  box.innerHTML = '<h4></h4><p class="afa-hint"></p><div class="afa-tools"></div><div class="afa-path-steps"></div>';
  const [title, hint, tools, steps] = ["h4", "p", ".afa-tools", ".afa-path-steps"].map((selector) => (
    /** @type {HTMLElement} */ (box.querySelector(selector))));
  /** @type {{from: Cell, to: Cell} | null} */
  let pair = null;
  let scene = ""; // that the pair belongs to
  let shown = ""; // what is drawn
  let head = -1; // that is worked out; before one is pressed the one that counts most for the pair
  let isHeadPressed = false;
  /** @type {() => void} */
  let again = () => {};

  const begin = made("button", { type: "button" });
  begin.dataset.do = "path";
  begin.addEventListener("click", () => {
    const from = queryCell();
    const across = from[1] + 1 < store.trace.grid[1] ? 1 : -1;
    open(from, cellOfIndex(Math.max(0, Math.min(countCells() - 1, from[0] * store.trace.grid[1] + from[1] + across))));
  });
  const inputs = ["from", "to"].flatMap((end) => [0, 1].map((axis) => {
    const input = made("input", { type: "number", min: 1 });
    input.addEventListener("change", () => {
      if (!pair) return;
      const moved = /** @type {any} */ (pair);
      const value = Math.round(Number(/** @type {any} */ (input).value)) || 1;
      moved[end] = moved[end].map((/** @type {number} */ at, /** @type {number} */ i) => (
        i === axis ? Math.min(store.trace.grid[axis], Math.max(1, value)) - 1 : at));
      open(pair.from, pair.to);
    });
    input.dataset.end = `${end} ${axis}`;
    return input;
  }));
  tools.append(begin, ...inputs.map((input) => made("label", { className: "afa-step", hidden: true }, made("span"), input)));

  function open(/** @type {Cell} */ from, /** @type {Cell} */ to) {
    [pair, scene, shown] = [{ from, to }, store.trace.scene, ""];
    if (!isHeadPressed) head = -1;
    again();
  }

  /** Step 1: q of one cell, k of the other, and their product number by number. */
  function product(/** @type {Heads} */ heads, /** @type {number} */ i, /** @type {number} */ j, /** @type {number} */ value) {
    const [queries, keys] = [heads.queries[head], heads.keys[head]];
    if (!queries || !keys) return [made("p", { className: "afa-hint", textContent: text("path.no_factors", { value: number(value) }) })];
    const [q, k] = [columnOf(queries, countCells(), i), columnOf(keys, countCells(), j)];
    const products = q.map((one, d) => one * k[d]);
    const top = (/** @type {Float32Array[]} */ ...rows) => Math.max(1e-9, ...rows.flatMap((row) => Array.from(row, Math.abs)));
    const both = top(q, k);
    return [bars(text("path.q"), q, both), bars(text("path.k"), k, both), bars(text("path.qk"), products, top(products)),
      made("p", { className: "afa-words", textContent: text("path.product_words", { count: q.length, value: number(value) }) })];
  }

  /** Step 3: every head with its weight; a press chooses the head of the steps before. */
  function table(/** @type {Heads} */ heads, /** @type {ReturnType<typeof pairOf>} */ found, /** @type {boolean} */ symmetric) {
    const most = Math.max(1e-9, Math.abs(found.bias), ...found.heads.map(({ part }) => Math.abs(part)));
    const body = made("tbody");
    const line = (/** @type {string | HTMLElement} */ name, /** @type {string[]} */ cells, /** @type {number} */ part) => {
      const bar = made("i", { className: part < 0 ? "afa-negative" : "" });
      bar.style.setProperty("--size", `${(50 * Math.abs(part)) / most}%`);
      const row = made("tr", {}, made("th", {}, name), ...cells.map((words) => made("td", { textContent: words })),
        made("td", { textContent: number(part) }), made("td", { className: "afa-part" }, bar));
      row.dataset.part = part.toPrecision(9);
      body.append(row);
      return row;
    };
    found.heads.forEach(({ both, weight, part }, i) => {
      const { block, place } = heads.places[i];
      const button = made("button", { type: "button", textContent: text("path.head", { block: block + 1, head: place + 1 }) });
      button.setAttribute("aria-pressed", String(i === head));
      button.addEventListener("click", () => { [head, isHeadPressed, shown] = [i, true, ""]; again(); });
      line(button, [number(both), signed(weight, 2)], part);
    });
    line(text("heads.bias"), ["", ""], found.bias);
    const names = ["head", symmetric ? "both" : "twice", "weight", "part"];
    const columns = names.map((name) => made("th", { textContent: text(`path.column_${name}`) }));
    const top = made("thead", {}, made("tr", {}, ...columns, made("th")));
    return made("div", { className: "afa-scroll" }, made("table", { className: "afa-numbers afa-path-heads" }, top, body));
  }

  function draw(/** @type {Heads} */ heads, /** @type {Setting} */ setting) {
    again = () => draw(heads, setting);
    if (pair && scene !== store.trace.scene) pair = null;
    title.textContent = text("path.title");
    begin.textContent = text("path.begin");
    hint.textContent = text("path.hint");
    steps.hidden = !pair;
    for (const label of tools.querySelectorAll("label")) /** @type {HTMLElement} */ (label).hidden = !pair;
    if (!pair) return;
    const { weights, bias } = numbersOf(heads, setting);
    const { from, to } = pair;
    const state = [store.trace.scene, from, to, head, weights, bias, setting.symmetric, editTexts().affinity_edits].join(" ");
    if (state === shown) return;
    shown = state;
    inputs.forEach((input, at) => {
      const [end, axis] = [at < 2 ? from : to, at % 2];
      Object.assign(input, { value: end[axis] + 1, max: store.trace.grid[axis] });
      /** @type {any} */ (input.previousSibling).textContent = text(`path.${at < 2 ? "from" : "to"}_${axis ? "col" : "row"}`);
    });
    const [i, j] = [from, to].map(([row, col]) => row * store.trace.grid[1] + col);
    const found = pairOf(heads.logits, weights, bias, setting.symmetric, i, j);
    const edited = editedValue(affinityEdits(), i, j);
    if (head < 0) head = found.heads.reduce((best, { part }, at) => (Math.abs(part) > Math.abs(found.heads[best].part) ? at : best), 0);
    const own = found.heads[head];
    const { block, place } = heads.places[head];
    const values = { block: block + 1, head: place + 1, row: from[0] + 1, col: from[1] + 1, row2: to[0] + 1, col2: to[1] + 1,
      there: number(own.there), back: number(own.back), both: number(own.both), weight: signed(own.weight, 2), part: number(own.part),
      logit: number(found.logit), affinity: found.affinity.toFixed(3) };
    const words = (/** @type {string} */ key) => made("p", { className: "afa-words", textContent: text(key, values) });
    /** @type {{[step: string]: Node[]}} */
    const inside = {
      product: [words("path.product"), ...product(heads, i, j, own.there)],
      transposed: [words(setting.symmetric ? "path.transposed" : "path.twice")],
      sum: [words("path.sum"), table(heads, found, setting.symmetric)],
      sigmoid: [words("path.sigmoid"), curve(found.logit, found.affinity),
        ...(edited == null ? [] : [words(edited ? "path.joined" : "path.separated")])],
    };
    const focused = steps.contains(document.activeElement);
    steps.replaceChildren(...STEPS.map(([name, both, single], at) => {
      const equation = made("p", { className: "afa-equation", innerHTML: setting.symmetric ? both : single });
      const step = made("section", {}, made("h5", { textContent: `${at + 1}. ${text(`path.step_${name}`)}` }), equation, ...inside[name]);
      step.dataset.step = String(name);
      return step;
    }));
    if (focused) /** @type {any} */ (steps.querySelector("[aria-pressed=true]"))?.focus({ preventScroll: true });
    Object.assign(box.dataset, { logit: found.logit.toPrecision(9), affinity: (edited ?? found.affinity).toPrecision(9),
      pair: `${i} ${j}` });
  }

  return { draw, open };
}
