// Every head of every block as one number each, as a table of buttons: what it does, and which ones the affinity reads.

import { cached } from "../../core/cache.js";
import { $, $$, setText } from "../../core/dom.js";
import { setView } from "../../core/schedule.js";
import { blockValues, className } from "../../core/selection.js";
import { accepted, reportError } from "../../core/status.js";
import { MEAN_HEAD, store, view } from "../../core/store.js";
import { text } from "../../core/words.js";
import { colours, paintColourRamp } from "../../draw/colours.js";
import { host } from "../../host/host.js";

const KINDS = ["inside", "entropy", "distance", "asymmetry"];
/** @type {Map<any, any>} */
const loaded = new Map(); // key of the settings -> numbers
/** @type {any} */
let numbers = null;
let kind = "inside";

const digits = (/** @type {number} */ value) => (kind === "distance" ? value.toFixed(1) : value.toFixed(2).replace(/^0\./, "."));

/** The present number of every head of a block: {heads, even}; heads null where it has none. */
function valuesOf(/** @type {HeadNumbers} */ block) {
  if (kind === "inside") return block.inside[view.label] ?? { heads: null, even: null };
  const even = { entropy: 1, distance: block.even_distance, asymmetry: null }[kind];
  return { heads: block[kind], even };
}

/** Another explanation. */
export async function load(/** @type {HTMLElement} */ section) {
  const mine = store.trace.key;
  try {
    const found = await cached(loaded, mine, async () => accepted(await host.overview({ key: mine })));
    if (mine !== store.trace.key) return;
    numbers = found;
    build(section);
  } catch (error) {
    reportError(error);
  }
}

function button(/** @type {string} */ words, /** @type {string} */ title, /** @type {() => void} */ act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = words;
  made.title = title;
  made.addEventListener("click", act);
  return made;
}

function build(/** @type {HTMLElement} */ section) {
  const choices = $('[data-list="kinds"]', section);
  choices.replaceChildren(...KINDS.map((name) => {
    const made = button(text(`attention.${name}`), text(`attention.${name}_info`), () => {
      kind = name;
      build(section);
    });
    made.setAttribute("aria-pressed", String(name === kind));
    return made;
  }));
  const by = text(numbers.by_truth ? "attention.by_truth" : "attention.by_affinity_label");
  setText("kind", text(`attention.${kind}_info`, { name: className(view.label), by }), section);
  const all = numbers.blocks.map((/** @type {HeadNumbers} */ block) => (block ? valuesOf(block) : { heads: null, even: null }));
  const known = all.flatMap((/** @type {HeadValues} */ { heads: list, even }) => [...(list ?? []), even])
    .filter((/** @type {number | null} */ value) => value != null);
  const top = kind === "distance" || kind === "asymmetry" ? Math.max(...known) : 1;
  const widest = Math.max(...store.scene.blocks.map((block) => block.heads));
  const body = $('[data-list="blocks"]', section);
  body.replaceChildren(...store.scene.blocks.map((block, i) => rowOf(block, i, all[i], top, widest)).slice(store.trace.first_block));
  scaleOf(section, top);
  mark(section);
}

/**
 * @param {Block} block
 * @param {number} at
 * @param {HeadValues} numbers
 * @param {number} top
 * @param {number} widest
 */
function rowOf(block, at, { heads: list, even }, top, widest) {
  const row = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = text("bar.block_name", blockValues(block));
  const grids = document.createElement("small");
  grids.textContent = text("attention.grids", { queries: block.queries.join("×"), keys: block.keys.join("×") });
  head.append(grids);
  row.classList.toggle("afa-read", Boolean(block.weights));
  row.append(head);
  for (let h = 0; h < widest; h++) {
    const box = document.createElement("td");
    if (h < block.heads) {
      const value = list?.[h];
      const words = value == null ? "–" : digits(value);
      const title = text("attention.head_title", { ...blockValues(block), head: h + 1, kind: text(`attention.${kind}`), value: words });
      const made = button(words, title, () => setView({ block: at, head: h }));
      made.setAttribute("aria-label", title);
      Object.assign(made.dataset, { block: at, head: h });
      if (value != null) shadeBox(made, value / top);
      box.append(made);
    }
    row.append(box);
  }
  const last = document.createElement("td");
  last.className = "afa-even";
  last.textContent = even == null ? "–" : digits(even);
  row.append(last);
  return row;
}

/** The colour of a share, and letters that can be read on it. */
function shadeBox(/** @type {HTMLElement} */ box, /** @type {number} */ share) {
  const i = 3 * Math.round(255 * Math.min(1, Math.max(0, share)));
  const colour = colours.magnitude.subarray(i, i + 3);
  box.style.background = `rgb(${colour})`;
  box.style.color = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 130 ? "#000" : "#fff";
}

function scaleOf(/** @type {HTMLElement} */ section, /** @type {number} */ top) {
  const bar = $(".afa-overview-scale", section);
  bar.classList.remove("afa-unused");
  paintColourRamp(bar.querySelector("canvas"), colours.magnitude);
  bar.lastElementChild.textContent = digits(top);
}

function mark(/** @type {HTMLElement} */ section) {
  for (const made of $$("[data-block]", section)) {
    made.setAttribute("aria-pressed", Number(made.dataset.block) === view.block
      && (view.head === MEAN_HEAD || Number(made.dataset.head) === view.head));
  }
}

/** Another class, block or head. */
export function draw(/** @type {HTMLElement} */ section) {
  if (numbers && kind === "inside") build(section);
  else if (numbers) mark(section);
}
