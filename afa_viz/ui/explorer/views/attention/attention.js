// Attention: all heads as numbers, every head for the query cell, one head large.

import { $, $$, setText } from "../../core/dom.js";
import { percent, signed } from "../../core/format.js";
import { toBytes } from "../../core/packed.js";
import { lacks, lackWords } from "../../core/parts.js";
import { linkCell } from "../../core/pointer.js";
import { registerTab, setView } from "../../core/schedule.js";
import { blockValues, className, countCells, queryCell } from "../../core/selection.js";
import { MEAN_HEAD, store, view } from "../../core/store.js";
import { text } from "../../core/words.js";
import { context2d, createCanvas } from "../../draw/canvas.js";
import { drawColourBar } from "../../draw/colour_bar.js";
import { colours } from "../../draw/colours.js";
import { setCaption } from "../../draw/figures.js";
import { mapToCanvas } from "../../draw/maps.js";
import { markCell, outlineRegion, outlineText } from "../../draw/marks.js";
import { fitCanvas } from "../../draw/size.js";
import { limitsOf } from "../../method/statistics.js";
import * as headMaps from "./head_maps.js";
import * as overview from "./overview.js";

/** @type {any} */
let section = null;
/** @type {any} */
let edge = null; // of the chosen class; null until it is drawn
const figure = (/** @type {string} */ name) => $(`[data-view="${name}"]`, section);
const kindOf = () => (view.logits ? "attention.logits" : "attention.probs");

const region = () => store.scene.target?.bytes ?? store.trace.affinity_label.bytes; // as payload_attention.overview

/** The photograph, the class outlined, and the query. */
function drawQuery() {
  const canvas = figure("query").querySelector("canvas");
  fitCanvas(canvas);
  if (!canvas.width) return;
  context2d(canvas).drawImage(store.scene.image, 0, 0, canvas.width, canvas.height);
  const map = region();
  outlineRegion(canvas, store.trace.size, (i) => map[i] === view.label);
  edge = createCanvas(canvas.width, canvas.height);
  context2d(edge).drawImage(canvas, 0, 0);
  setCaption(figure("query"), text("attention.query", { outline: outlineText(map, "by_affinity_label") }));
}

/** How much of the picture the keys of a block cover: rows and columns that fill no whole key have none. */
function cover(/** @type {Block} */ { queries, keys, ratio }) {
  return [0, 1].map((axis) => Math.min(1, (keys[axis] * ratio) / queries[axis]));
}

/**
 * A map over the keys of the block on the grey photograph, squares at their places.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Float32Array} values
 * @param {number[]} limits
 * @param {Block} block
 */
export function paintKeys(canvas, values, [low, high], block) {
  const context = context2d(canvas);
  context.imageSmoothingEnabled = true;
  context.drawImage(store.scene.grey, 0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = false;
  const [tall, wide] = cover(block);
  const map = { rows: block.keys[0], cols: block.keys[1], bytes: toBytes(values, low, high) };
  context.globalAlpha = view.opacity;
  context.drawImage(mapToCanvas(map, colours.heat), 0, 0, canvas.width * wide, canvas.height * tall);
  context.globalAlpha = 1;
}

export const keyLimits = (/** @type {Float32Array} */ values) => (view.logits ? limitsOf(values) : [0, limitsOf(values)[1]]);
/** One range for all heads, or each its own. */
function limitsFor(/** @type {Float32Array} */ values, /** @type {(Float32Array | null)[]} */ all) {
  if (!view.shared) return keyLimits(values);
  const each = all.filter((values) => values != null).map(keyLimits);
  return [Math.min(...each.map(([low]) => low)), Math.max(...each.map(([, high]) => high))];
}

function drawMaps() {
  const block = store.scene.blocks[view.block];
  const chosen = headMaps.headMap(view.head);
  const all = [MEAN_HEAD, ...Array(block.heads).keys()].map(headMaps.headMap);
  drawGrid(block, all);
  const large = figure("large");
  const canvas = large.querySelector("canvas");
  fitCanvas(canvas);
  if (edge) context2d(figure("query").querySelector("canvas")).drawImage(edge, 0, 0);
  markCell(figure("query").querySelector("canvas"), store.trace.grid, queryCell(), Boolean(view.pin));
  section.dataset.state = chosen ? "ready" : "waiting";
  if (!chosen || !canvas.width) return;
  const range = limitsFor(chosen, all);
  paintKeys(canvas, chosen, range, block);
  drawColourBar(large, range[0], range[1], colours.heat);
  markCell(canvas, store.trace.grid, queryCell(), Boolean(view.pin));
  words(chosen, block);
}

function drawGrid(/** @type {Block} */ block, /** @type {(Float32Array | null)[]} */ all) {
  const buttons = $$(".afa-heads button", section);
  buttons.forEach((button, i) => {
    const canvas = button.querySelector("canvas");
    button.setAttribute("aria-pressed", i + MEAN_HEAD === view.head);
    fitCanvas(canvas);
    if (!canvas.width || !all[i]) return;
    const range = limitsFor(all[i], all);
    paintKeys(canvas, all[i], range, block);
    markCell(canvas, store.trace.grid, queryCell(), Boolean(view.pin));
    button.querySelector("small").textContent = view.logits ? `${signed(range[0])} … ${signed(range[1])}`
      : text("attention.up_to", { most: percent(range[1]) });
  });
}

function buildGrid() {
  const block = store.scene.blocks[view.block];
  $(".afa-heads", section).replaceChildren(...[MEAN_HEAD, ...Array(block.heads).keys()].map((head) => {
    const button = document.createElement("button");
    button.type = "button";
    const [caption, range] = [document.createElement("span"), document.createElement("small")];
    const weight = head === MEAN_HEAD ? null : block.weights?.[head];
    caption.textContent = head === MEAN_HEAD ? text("bar.mean") : text("attention.head", { head: head + 1 });
    if (weight != null) {
      const sign = document.createElement("b");
      sign.textContent = `w ${signed(weight, 2)}`;
      sign.title = text("attention.weight_info");
      caption.append(sign);
    }
    button.append(caption, document.createElement("canvas"), range);
    button.addEventListener("click", () => setView({ head }));
    return button;
  }));
}

/** What this query does in the chosen head, in words. */
function words(/** @type {Float32Array} */ values, /** @type {Block} */ block) {
  const [rows, cols] = block.keys;
  const [tall, wide] = cover(block);
  const best = values.indexOf(Math.max(...values));
  const centre = (/** @type {number} */ index, /** @type {number} */ count, /** @type {number} */ share, /** @type {number} */ cells) =>
    Math.min(cells, Math.floor(((index + 0.5) / count) * share * cells) + 1);
  const numbers = { head: view.head === MEAN_HEAD ? text("attention.the_mean") : text("bar.one_head", { head: view.head + 1 }),
    name: className(view.label), row: centre(Math.floor(best / cols), rows, tall, store.trace.grid[0]),
    col: centre(best % cols, cols, wide, store.trace.grid[1]) };
  let sentence = "attention.words";
  if (view.logits) {
    sentence = "attention.words_logits";
    const [low, high] = limitsOf(values);
    Object.assign(numbers, { low: signed(low), high: signed(high) });
  } else {
    const inside = keyShares(block);
    const sum = values.reduce((total, value) => total + value, 0) || 1;
    const share = values.reduce((total, value, i) => total + value * inside[i], 0) / sum;
    const even = inside.reduce((/** @type {number} */ total, /** @type {number} */ part) => total + part, 0) / inside.length;
    Object.assign(numbers, { share: percent(share), even: percent(even) });
    if (!even) sentence = "attention.words_nowhere";
  }
  const line = text(sentence, numbers);
  setText("words", line, section);
  figure("large").querySelector("canvas").setAttribute("aria-label", line);
}

/** @type {any} */
let shares = null; // of the class in every key, with what it was counted for
function keyShares(/** @type {Block} */ block) {
  const name = `${store.trace.key} ${view.label} ${block.keys}`;
  if (shares?.name === name) return shares.list;
  const [[height, width], [rows, cols], map] = [store.trace.size, block.keys, region()];
  const [tall, wide] = cover(block);
  const [hits, counts] = [new Float32Array(rows * cols), new Float32Array(rows * cols)];
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * rows) / (height * tall));
    for (let x = 0; x < width; x++) {
      const col = Math.floor((x * cols) / (width * wide));
      if (row >= rows || col >= cols) continue;
      counts[row * cols + col]++;
      if (map[y * width + x] === view.label) hits[row * cols + col]++;
    }
  }
  shares = { name, list: hits.map((hit, i) => hit / (counts[i] || 1)) };
  return shares.list;
}

/** What of the attention is not here, and why. */
function missingWords() {
  const { first_block: first, memory, held } = store.trace;
  const nameOf = (/** @type {number} */ block) => text("bar.block_name", blockValues(store.scene.blocks[block]));
  const named = (/** @type {number[]} */ blocks) => blocks.map(nameOf).join("; ");
  const words = [];
  if (first) words.push(memory ? text("attention.not_kept", { memory }) : text("site.attention_not_kept"));
  if (held?.queries) words.push(text("site.held_cells", { cells: countCells(), count: held.queries.length }));
  if (held && held.probs.length < store.scene.blocks.length - first) words.push(text("site.held_probs", { blocks: named(held.probs) }));
  if (lacks("attention_logits")) words.push(lackWords("attention_logits"));
  if (store.trace.parts.extra_tokens) words.push(text("attention.extra_tokens", { count: store.trace.parts.extra_tokens }));
  if (held && !lacks("attention_logits")) {
    words.push(held.logits.length ? text("site.held_logits", { blocks: named(held.logits) }) : text("site.no_logits"));
  }
  return words.join(" ");
}

function draw() {
  if (!store.trace) return;
  if (view.logits && lacks("attention_logits")) view.logits = false;
  const block = store.scene.blocks[view.block];
  headMaps.request();
  buildGrid();
  for (const button of $$("[data-logits]", section)) {
    button.setAttribute("aria-pressed", (button.dataset.logits === "yes") === view.logits);
    button.disabled = button.dataset.logits === "yes" && lacks("attention_logits");
  }
  const head = view.head === MEAN_HEAD ? text("bar.mean_head") : text("bar.one_head", { head: view.head + 1 });
  const words = { ...blockValues(block), head, what: text(kindOf()) };
  setText("heads", text("attention.heads", words), section);
  setText("not_kept", missingWords(), section);
  figure("large").querySelector("figcaption").textContent = text("attention.large", words);
  const ratio = [0, 1].map((axis) => Math.round(block.queries[axis] / store.trace.grid[axis]));
  setText("grids", text(block.ratio > 1 ? "attention.coarse" : "attention.fine", { queries: block.queries.join(" × "),
    keys: block.keys.join(" × "), per: ratio[0] * ratio[1], side: block.ratio }), section);
  const sent = headMaps.sentBytes();
  setText("bytes", sent ? text(headMaps.isWhole() ? "attention.bytes" : "attention.bytes_large", { kb: Math.round(sent / 1000) }) : "",
    section);
  overview.draw(section);
  drawQuery();
  drawMaps();
}

registerTab("attention", {
  build(element) {
    section = element;
    for (const name of ["query", "large"]) linkCell(figure(name).querySelector("canvas"));
    for (const button of $$("[data-logits]", section)) {
      button.addEventListener("click", () => setView({ logits: button.dataset.logits === "yes" }));
    }
  },
  data() {
    overview.load(section);
    draw();
  },
  selection: draw,
  opacity: drawMaps,
  cell() {
    if (!store.trace) return;
    if (!headMaps.isWhole()) headMaps.request();
    drawMaps();
  },
});
