// The sidebar of a page without gradio: pictures to choose, the model, sliders of the settings that the browser computes.

import { on } from "../core/events.js";
import * as recompute from "../core/recompute.js";
import { translateServerText } from "../core/server_words.js";
import { store } from "../core/store.js";
import { tables } from "../core/tables.js";
import { text } from "../core/words.js";

/** @type {[string, string[]][]} */
const GROUPS = [["side.group_regions", ["bkg_score_low", "bkg_score_high"]], // as page/controls.py
  ["side.group_walk", ["radius", "power", "num_steps"]], ["side.group_par", ["num_iters"]]];
const OPENED = "side.group_regions";
const PARTS = { "random walk": "side.without_walk", PAR: "side.without_par", // of the method; what the server calls them -> texts
  "symmetry of the affinity": "side.without_symmetry", "other scales of the CAM": "side.without_scales" };

/** @returns {any} an element of any kind, with its properties */
function made(/** @type {string} */ tag, /** @type {{[name: string]: any}} */ props = {}, /** @type {(Element | string)[]} */ ...children) {
  const element = Object.assign(document.createElement(tag), props);
  element.append(...children);
  return element;
}

/**
 * Pictures to choose from. Returns their `img` elements, in order.
 *
 * @param {Element} box
 * @param {{title: string, photograph: boolean, thumbnail: string}[]} images
 * @param {(place: number) => void} open
 */
export function buildGallery(box, images, open) {
  const list = made("ul", { className: "afa-gallery" });
  list.setAttribute("aria-label", text("site.gallery"));
  const pictures = images.map(({ title, photograph, thumbnail }, place) => {
    const name = translateServerText(title);
    const words = photograph ? text("side.photograph", { title: name }) : name;
    const image = made("img", { src: thumbnail, alt: words, title: words, width: 96, height: 96, loading: "lazy", decoding: "async" });
    const button = made("button", { type: "button" }, image);
    button.addEventListener("click", () => open(place));
    list.append(made("li", {}, button));
    return image;
  });
  box.append(list);
  return pictures;
}

/** Mark the picture that is shown; none where it is not in the gallery. */
export function markPicture(/** @type {HTMLImageElement[]} */ pictures, /** @type {number} */ shown) {
  pictures.forEach((picture, place) => picture.closest("button")?.setAttribute("aria-pressed", String(place === shown)));
}

const settingOf = (/** @type {string} */ field) => Object.keys(recompute.FIELDS).find((name) => recompute.FIELDS[name] === field) ?? "";
const digitsOf = (/** @type {number} */ step) => (String(step).split(".")[1] ?? "").length;

function slider(/** @type {string} */ field, /** @type {string} */ prefix) {
  const [low, high, step] = tables.sliders[field];
  const name = settingOf(field);
  const input = made("input", { type: "range", min: low, max: high, step, id: prefix + field });
  const output = made("output", { htmlFor: input.id });
  input.setAttribute("aria-describedby", `${input.id}-info`);
  const show = () => {
    const { trace } = store;
    const value = recompute.settings()?.[name] ?? trace?.[name] ?? /** @type {any} */ (trace?.chain)?.[name];
    if (value == null) return;
    input.value = value;
    output.textContent = Number(value).toFixed(digitsOf(step));
  };
  for (const event of ["pointerdown", "focus"]) input.addEventListener(event, () => recompute.prepare(0));
  input.addEventListener("input", () => recompute.setSetting(name, Number(input.value)));
  input.addEventListener("change", () => recompute.setSetting(name, Number(input.value), true)); // let go, or a key
  const element = made("div", { className: "afa-setting-row" },
    made("div", {}, made("label", { htmlFor: input.id, textContent: text(`side.${field}`) }), output),
    made("small", { id: `${input.id}-info`, textContent: text(`side.${field}_info`) }), input);
  return { element, input, show };
}

function group(/** @type {string} */ key, /** @type {boolean} */ opened, /** @type {Element[]} */ ...children) {
  return made("details", { open: opened, className: "afa-group" }, made("summary", { textContent: text(key) }), ...children);
}

/**
 * Model and settings.
 *
 * @param {Element} box
 * @param {object} given
 * @param {string} given.model what is said of it
 * @param {string} given.note what this page does not offer
 * @param {string} [given.prefix] of the ids of the sliders
 * @param {() => string[]} given.leftOut the parts that are left out now
 * @param {(names: string[]) => void} given.leaveOut
 * @param {() => void} given.reset
 * @param {(listener: () => void) => void} given.onChange calls a listener when the settings may have changed
 */
export function buildSettings(box, { model, note, prefix = "afa-", leftOut, leaveOut, reset, onChange }) {
  const sliders = GROUPS.map(([key, fields]) => ({ key, rows: fields.map((field) => slider(field, prefix)) }));
  const boxes = Object.entries(PARTS).map(([name, key]) => {
    const input = made("input", { type: "checkbox", value: name });
    input.addEventListener("change", () => leaveOut(boxes.filter((one) => one.input.checked).map((one) => one.input.value)));
    return { input, element: made("label", { className: "afa-part" }, input, text(key)) };
  });
  const button = made("button", { type: "button", className: "afa-reset", textContent: text("side.reset") });
  button.addEventListener("click", reset);
  const large = made("p", { className: "afa-note", textContent: text("site.grid_needs_server"), hidden: true });
  if (model) box.append(made("p", { id: "afa-model-line", textContent: translateServerText(model) }));
  box.append(
    large,
    ...sliders.map(({ key, rows }) => group(key, key === OPENED, ...rows.map(({ element }) => element))),
    group("side.group_left_out", true, made("small", { textContent: text("side.left_out_info") }),
      made("div", { className: "afa-parts" }, ...boxes.map(({ element }) => element))),
    button,
    made("p", { className: "afa-note", textContent: note }),
  );
  const controls = [...sliders.flatMap(({ rows }) => rows.map(({ input }) => input)), ...boxes.map(({ input }) => input), button];
  const show = () => {
    for (const { rows } of sliders) for (const row of rows) row.show();
    for (const { input } of boxes) input.checked = leftOut().includes(input.value);
    const tooLarge = Boolean(store.trace) && store.trace.grid[0] * store.trace.grid[1] > recompute.MAX_CELLS;
    for (const control of controls) control.disabled = tooLarge;
    large.hidden = !tooLarge;
  };
  recompute.onSetting(show);
  on("trace", () => { // the tab that is open takes it over first
    recompute.openTrace(false);
    show();
  });
  onChange(show);
}
