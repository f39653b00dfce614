// Two images and one query: which cells of a second image belong with the query cell of this one? The learned weights are
// applied to the query of one image and the keys of the other, and the other way round.

import { numbersOf } from "./weights.js";
import { cached } from "../../../core/cache.js";
import { openFactors } from "../../../core/heads.js";
import { toBytes, unpack } from "../../../core/packed.js";
import { registerPermalink, updatePermalink } from "../../../core/permalink.js";
import { loadScene } from "../../../core/receive.js";
import { MAX_CELLS } from "../../../core/recompute.js";
import { className, queryCell } from "../../../core/selection.js";
import { translateServerText } from "../../../core/server_words.js";
import { accepted, errorText } from "../../../core/status.js";
import { store, view } from "../../../core/store.js";
import { text } from "../../../core/words.js";
import { drawColourBar } from "../../../draw/colour_bar.js";
import { colours } from "../../../draw/colours.js";
import { paintMapFigure, setCaption } from "../../../draw/figures.js";
import { paintHeatmap } from "../../../draw/maps.js";
import { markCell, outlineRegion } from "../../../draw/marks.js";
import { displayWidth } from "../../../draw/size.js";
import { host } from "../../../host/host.js";
import { crossAffinity } from "../../../method/heads.js";

/** @typedef {import("../../../core/heads.js").Heads} Heads */
/** @typedef {import("./weights.js").Setting} Setting */
/** @typedef {{title: string, grid: number[], size: number[], stride: number, scene: Scene, label: Uint8Array,
 *   factors: {queries: Float32Array[], keys: Float32Array[]}}} Other the second image; label: of its pixels */

const BEFORE = " before"; // the image that was open before; no name of an example begins with a space
const HALF = 0.5;

/** @type {Map<string, Promise<Other>>} */
const others = new Map();
let chosen = ""; // the second image: an example, `BEFORE`, or none
/** @type {string[]} */
const earlier = []; // what was chosen before, the newest last
let changed = () => {}; // by the address

registerPermalink({
  names: ["second"],
  read(query) {
    const name = query.get("second") ?? "";
    const known = !name || host.examples.names.includes(name);
    chosen = known ? name : "";
    changed();
    return known ? [] : ["second"];
  },
  write(query) {
    const name = chosen === BEFORE ? store.before?.trace.link?.example : chosen;
    if (name && name !== store.trace.link?.example) query.set("second", name);
  },
});

const sameModel = () => store.before?.trace.model === store.trace.model;
const titleOf = (/** @type {Trace | {title: string}} */ trace) => translateServerText(trace.title);

/** The images to choose from: [name, title]. */
function offered() {
  const pictures = host.examples.thumbnails();
  const examples = host.examples.names.map((name, i) => [name, translateServerText(pictures[i]?.alt || name)]);
  const before = store.before && sameModel() ? [[BEFORE, text("across.before", { title: titleOf(store.before.trace) })]] : [];
  return [...before, ...examples].filter(([name]) => name !== store.trace.link?.example);
}

const unfit = (/** @type {string} */ key, values = {}) => Object.assign(new Error(key), { said: text(key, values) });

/** A second image with what its cells are compared by. Throws what the host refuses. */
async function load(/** @type {string} */ name) {
  const raw = name === BEFORE ? /** @type {any} */ (store.before).trace
    : accepted(await host.example({ key: store.trace.key, name }));
  const cells = raw.grid[0] * raw.grid[1];
  if (cells > MAX_CELLS) throw unfit("across.too_large", { cells, most: MAX_CELLS });
  const [scene, label, sent] = await Promise.all([loadScene(raw.scene, raw.key), unpack(raw.pseudo_label), host.heads({ key: raw.key })]);
  const factors = await openFactors(accepted(sent));
  if (!factors) throw unfit("across.no_factors");
  return { title: titleOf(raw), grid: raw.grid, size: raw.size, stride: raw.parts.stride, scene, factors,
    label: scene.target?.bytes ?? /** @type {any} */ (label).bytes };
}

/** Give a canvas of another size than the open image's the pixels that it covers. */
function fit(/** @type {HTMLCanvasElement} */ canvas, /** @type {number[]} */ [rows, cols]) {
  Object.assign(canvas.style, { aspectRatio: `${cols} / ${rows}`, maxWidth: `calc(var(--tallest) * ${Math.min(1, cols / rows)})` });
  const width = Math.round(displayWidth(canvas) * Math.min(2, window.devicePixelRatio || 1));
  const height = Math.round((width * rows) / cols);
  if (width && (canvas.width !== width || canvas.height !== height)) [canvas.width, canvas.height] = [width, height];
}

const numbersText = (/** @type {Float32Array} */ values) => Array.from(values, (value) => value.toFixed(4)).join(" ");
const meanOf = (/** @type {number[]} */ values) => values.reduce((a, b) => a + b, 0) / values.length;

/** The place where a second image is chosen and drawn. */
export function createAcross(/** @type {HTMLElement} */ box) {
  box.innerHTML = `<h4></h4><p class="afa-hint" data-part="hint"></p><div class="afa-tools">
    <label class="afa-field"><span class="afa-name"></span> <select data-do="second"></select></label>
    <button type="button" data-do="undo-second" hidden></button></div>
    <p class="afa-lacks" hidden></p><div data-part="pair" hidden><div class="afa-figs afa-pair">
    <figure data-part="own"><figcaption></figcaption><canvas role="img"></canvas></figure>
    <figure data-part="other"><figcaption></figcaption><canvas role="img"></canvas></figure></div>
    <p class="afa-words" data-part="words"></p><p class="afa-hint" data-part="honest"></p></div>`;
  const part = (/** @type {string} */ selector) => /** @type {any} */ (box.querySelector(selector));
  const [select, undo, lack, pair] = ["select", "[data-do=undo-second]", ".afa-lacks", "[data-part=pair]"].map(part);
  const [own, second] = ["[data-part=own]", "[data-part=other]"].map(part);
  let given = /** @type {{heads: Heads, setting: Setting} | null} */ (null);
  /** @type {Other | null} */
  let other = null;
  let opened = ""; // what `other` is

  /** Another second image; "" for none. */
  function choose(/** @type {string} */ name) {
    chosen = name;
    list();
    request();
    updatePermalink();
  }

  function back() {
    const name = earlier.pop();
    if (name != null) choose(name);
  }

  select.addEventListener("change", () => {
    earlier.push(chosen);
    choose(select.value);
  });
  undo.addEventListener("click", back);
  box.addEventListener("keydown", (event) => {
    if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey || !earlier.length) return;
    event.preventDefault();
    event.stopPropagation(); // undoing settings
    back();
  });
  changed = () => { if (given) choose(chosen); };

  /** The images that there are now. */
  function list() {
    const images = offered();
    if (!images.some(([name]) => name === chosen)) chosen = "";
    select.replaceChildren(...[["", text("across.none")], ...images].map(
      ([name, title]) => new Option(title, name, false, name === chosen)));
    part("h4").textContent = text("across.title");
    part("[data-part=hint]").textContent = text(images.length ? "across.hint" : "across.alone");
    part("[data-part=honest]").textContent = text("across.honest");
    part(".afa-name").textContent = text("across.second");
    part(".afa-field").title = text("across.second_info");
    part(".afa-tools").hidden = !images.length;
    Object.assign(undo, { hidden: !earlier.length, textContent: text("across.undo") });
  }

  async function request() {
    const { key } = store.trace;
    const name = chosen;
    [other, opened] = opened === `${key} ${name}` ? [other, opened] : [null, ""];
    lack.hidden = true;
    box.dataset.state = name ? "waiting" : "none";
    if (!name) return draw();
    try {
      const scene = name === BEFORE ? store.before?.trace.scene : "";
      const found = await cached(others, [store.trace.model, scene, name].join(" "), () => load(name));
      if (store.trace.key !== key || chosen !== name) return;
      [other, opened] = [found, `${key} ${name}`];
    } catch (error) {
      if (store.trace.key !== key || chosen !== name) return;
      Object.assign(lack, { hidden: false, textContent: /** @type {any} */ (error).said ?? errorText(error) });
    }
    draw();
  }

  /** Another explanation is here; `lacking`: without heads. */
  function data(/** @type {boolean} */ lacking) {
    box.hidden = lacking;
    given = null;
    if (lacking || store.trace.partial) return;
    list();
    request();
  }

  function draw(heads = given?.heads, setting = given?.setting) {
    if (heads && setting) given = { heads, setting };
    const factors = /** @type {{queries: Float32Array[], keys: Float32Array[]} | undefined} */ (/** @type {unknown} */ (heads));
    const lacks = Boolean(chosen && heads?.queries.some((one) => !one));
    if (lacks) Object.assign(lack, { hidden: false, textContent: text("across.no_factors") });
    pair.hidden = !other || !factors || !setting || lacks;
    if (pair.hidden || !other || !factors || !setting || !heads) return;
    const { weights, bias } = numbersOf(heads, setting);
    const [[rows, cols], [row, col]] = [store.trace.grid, queryCell()];
    const [cells, count] = [rows * cols, other.grid[0] * other.grid[1]];
    const [inside, across] = [factors, other.factors].map((to, i) => (
      crossAffinity(factors, to, weights, bias, setting.symmetric, row * cols + col, [cells, [cells, count][i]])));
    setCaption(own, text("across.own", { row: row + 1, col: col + 1 }));
    setCaption(second, text("across.other", { title: other.title }));
    markCell(paintMapFigure(own, inside, store.trace.grid, [0, 1]), store.trace.grid, queryCell(), Boolean(view.pin));
    paintOther(across, other);
    words(inside, across, other);
    Object.assign(box.dataset, { state: "ready", own: numbersText(inside), other: numbersText(across) });
  }

  /** The second image with the affinities of its cells, its region of the class outlined, its best cell dotted. */
  function paintOther(/** @type {Float32Array} */ values, /** @type {Other} */ { grid, size, scene, label }) {
    const canvas = second.querySelector("canvas");
    fit(canvas, size);
    if (!canvas.width) return;
    const map = { rows: grid[0], cols: grid[1], bytes: toBytes(values, 0, 1) };
    paintHeatmap(canvas, scene.grey, map, colours.heat, false, () => view.opacity);
    if (label.includes(view.label)) outlineRegion(canvas, size, (i) => label[i] === view.label);
    const best = values.indexOf(Math.max(...values));
    markCell(canvas, grid, [Math.floor(best / grid[1]), best % grid[1]], true);
    drawColourBar(second, 0, 1, colours.heat);
  }

  /** How many cells of both are above one half, and whether the cells of the class stand out in the second one. */
  function words(/** @type {Float32Array} */ inside, /** @type {Float32Array} */ across, /** @type {Other} */ of) {
    const { grid, size, stride, scene, label } = of;
    const above = (/** @type {Float32Array} */ values) => values.reduce((sum, value) => sum + Number(value > HALF), 0);
    const most = Math.max(...across);
    const best = across.indexOf(most);
    const labelOf = (/** @type {number} */ i) => {
      const [y, x] = [Math.floor(i / grid[1]), i % grid[1]].map((at, axis) => Math.min(size[axis] - 1, Math.floor((at + 0.5) * stride)));
      return label[y * size[1] + x];
    };
    const labels = Array.from(across, (_, i) => labelOf(i));
    const [same, rest] = [labels.map((one) => one === view.label), labels.map((one) => one !== view.label && one !== 255)]
      .map((chosen) => Array.from(across).filter((_, i) => chosen[i]));
    const known = same.length && rest.length;
    const counts = { own: above(inside), cells: inside.length, other: above(across), others: across.length, best: most.toFixed(2),
      row: Math.floor(best / grid[1]) + 1, col: (best % grid[1]) + 1 };
    const found = { name: className(view.label), by: text(scene.target ? "across.by_truth" : "across.by_label"),
      ...(known && { same: meanOf(same).toFixed(2), rest: meanOf(rest).toFixed(2) }) };
    part("[data-part=words]").textContent = [text("across.words", counts),
      text(known ? "across.found" : "across.nothing_to_find", found)].join(" ");
  }

  return { data, draw };
}
