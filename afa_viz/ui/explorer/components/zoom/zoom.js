// Maps in detail: any map large, zoomed by wheel, pinch and keys, the same part of every map; and the values under the
// pointer. Loaded when a map is first touched, see `listenToMaps` in main.js.
//
// Zooming is a transform of the finished canvases (zoom.css): their boxes on the page tell the query cell as ever.

import { $$, page } from "../../core/dom.js";
import { on } from "../../core/events.js";
import { takeLaterTexts } from "../../core/later.js";
import { isCellHidden, queryCell } from "../../core/selection.js";
import { store } from "../../core/store.js";
import { text } from "../../core/words.js";
import { listenToGestures } from "./gestures.js";
import { frameOf, moved, showing, WHOLE, zoomed } from "./part.js";
import { valueAt } from "./values.js";

const MAPS = ".afa-tab figure canvas[data-shape]";
const PAINTED = "[data-from=seeds] [data-view=before], [data-view=pixel], [data-view=cut]"; // a drag there is no move
const STEP = 1.5; // of a key or a button
const MARGIN = 32; // pixels around a large map, beside its caption and its buttons

let part = WHOLE;
/** @type {HTMLElement | null} */
let large = null; // figure
/** @type {HTMLElement | null} */
let filler = null; // takes its place in the tab

const FIGURES = "figure:has(> canvas[data-shape])";

/** @returns {HTMLElement | null} the map under an event, or of the figure under it */
function mapAt(/** @type {EventTarget | null} */ target) {
  if (!(target instanceof Element)) return null;
  return target.closest(MAPS) ?? target.closest(FIGURES)?.querySelector("canvas[data-shape]") ?? null;
}

const SIGNS = { // drawn, since few fonts have them
  enlarge: "M9.5 2H14v4.5M14 2 9 7M6.5 14H2V9.5M2 14l5-5", full: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4", close: "m3 3 10 10M13 3 3 13",
};

function button(/** @type {string} */ name, /** @type {string} */ sign, /** @type {() => void} */ act) {
  const element = Object.assign(document.createElement("button"), { type: "button", title: text(`zoom.${name}`) });
  const drawn = name in SIGNS && SIGNS[/** @type {keyof SIGNS} */ (name)];
  if (drawn) element.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${drawn}"></path></svg>`;
  else element.textContent = sign;
  element.setAttribute("aria-label", text(`zoom.${name}`));
  element.addEventListener("click", act);
  return element;
}

/** @type {ReturnType<typeof makeControls>} */
let made; // by `start`

function makeControls() {
  const opener = button("enlarge", "", () => { if (opener.parentElement) enlarge(opener.parentElement); });
  opener.className = "afa-enlarge";
  const bar = document.createElement("div");
  bar.className = "afa-zoom";
  bar.setAttribute("role", "group");
  bar.setAttribute("aria-label", text("zoom.group"));
  const amount = document.createElement("output");
  const value = document.createElement("p");
  value.className = "afa-zoom-value";
  const whole = button("reset", "1 : 1", () => show(WHOLE));
  const full = button("full", "", () => { fillScreen(); });
  const close = button("close", "", () => leave());
  bar.append(button("out", "−", () => step(1 / STEP)), amount, button("in", "+", () => step(STEP)), whole, full, close, value);
  return { opener, bar, amount, value, whole, full, close };
}

function show(/** @type {import("./part.js").Part} */ next) {
  part = next;
  const { style } = page.views;
  for (const [name, number] of Object.entries(part)) style.setProperty(`--part-${name}`, String(number));
  page.views.classList.toggle("afa-zoomed", part.zoom > 1);
  made.whole.disabled = part.zoom === 1;
  made.amount.textContent = `${Math.round(100 * part.zoom)} %`;
  placeBar();
}

/** The bar lies in the large figure, else at the edge of the window while the maps are zoomed. */
function placeBar() {
  const needed = large !== null || part.zoom > 1;
  const place = large ?? page.views;
  const { bar, full, close } = made;
  full.hidden = close.hidden = !large;
  if (needed && bar.parentElement === place) return;
  bar.remove();
  bar.removeAttribute("popover");
  if (!needed) return;
  place.append(bar);
  bar.classList.toggle("afa-floating", !large);
  if (!large) lift(bar);
}

const step = (/** @type {number} */ factor) => show(zoomed(part, factor, 0.5, 0.5));

function fit() {
  if (!large) return;
  const [rows, cols] = store.trace.size;
  const others = [...large.children].filter((child) => !child.matches("canvas, .afa-enlarge"))
    .reduce((sum, child) => sum + child.getBoundingClientRect().height, 0);
  const [width, height] = [window.innerWidth - MARGIN, window.innerHeight - others - 2 * MARGIN];
  const side = Math.min(width, Math.max(height, 80) * (cols / rows)); // of the map
  large.style.setProperty("--tallest", `${Math.floor(side / Math.min(1, cols / rows))}px`);
}

/** Above whatever the elements around it clip. */
function lift(/** @type {HTMLElement} */ element) {
  if (!("popover" in element)) return;
  element.popover = "manual";
  element.showPopover();
}

function enlarge(/** @type {HTMLElement} */ figure) {
  leave();
  large = figure;
  filler = document.createElement("div");
  filler.style.height = `${figure.offsetHeight}px`;
  figure.after(filler);
  figure.classList.add("afa-large");
  lift(figure);
  placeBar();
  made.opener.remove();
  fit();
  const canvas = /** @type {HTMLElement} */ (figure.querySelector("canvas[data-shape]"));
  if (!canvas.hasAttribute("tabindex")) canvas.tabIndex = -1;
  canvas.focus({ preventScroll: true });
}

function leave() {
  if (!large) return;
  const figure = large;
  large = null;
  if (document.fullscreenElement === figure) document.exitFullscreen();
  if (figure.popover) figure.hidePopover();
  figure.removeAttribute("popover");
  figure.classList.remove("afa-large");
  figure.style.removeProperty("--tallest");
  filler?.remove();
  placeBar();
  page.views.focus({ preventScroll: true });
}

async function fillScreen() {
  const figure = large;
  if (!figure) return;
  if (document.fullscreenElement) {
    await document.exitFullscreen();
    return;
  }
  if (figure.popover) figure.hidePopover();
  figure.removeAttribute("popover"); // what is a popover cannot fill the screen
  try {
    await figure.requestFullscreen();
  } catch {
    made.value.textContent = text("zoom.no_full"); // a frame that may not, or a phone
    if (large === figure) lift(figure);
  }
  fit();
}

/** Share of the map's height and width under a pointer. */
function sharesAt(/** @type {HTMLElement} */ map, /** @type {{clientX: number, clientY: number}} */ { clientX, clientY }) {
  const box = map.getBoundingClientRect();
  return [(clientY - box.top) / box.height, (clientX - box.left) / box.width];
}

function read(/** @type {PointerEvent} */ event) {
  const map = /** @type {HTMLCanvasElement | null} */ (mapAt(event.target));
  if (!map || !store.trace || !made.bar.isConnected) return;
  const [v, u] = sharesAt(map, event);
  if (v < 0 || v >= 1 || u < 0 || u >= 1) return;
  const [rows, cols] = store.trace.size;
  made.value.textContent = [text("zoom.pixel", { x: Math.floor(u * cols), y: Math.floor(v * rows) }), ...valueAt(map, v, u)].join(" · ");
}

/** @type {{[key: string]: () => void}} */
const LARGE_KEYS = { Escape: leave, 0: () => show(WHOLE) };
for (const key of "+=") LARGE_KEYS[key] = () => step(STEP);
for (const key of "-−") LARGE_KEYS[key] = () => step(1 / STEP);

function onKey(/** @type {KeyboardEvent} */ event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = /** @type {Element} */ (event.target);
  if (large && LARGE_KEYS[event.key] && !target.matches("input, select, textarea")) {
    event.preventDefault();
    event.stopPropagation();
    LARGE_KEYS[event.key]();
  } else if (/^Arrow/.test(event.key) && part.zoom > 1) {
    setTimeout(reveal); // once the cell has moved
  }
}

/** Bring the query cell into sight. */
function reveal() {
  if (isCellHidden()) return;
  const [[row, col], [rows, cols]] = [queryCell(), store.trace.grid];
  show(showing(part, { x0: col / cols, y0: row / rows, x1: (col + 1) / cols, y1: (row + 1) / rows }));
}

/** Show the map that has the focus, or the first one of the open tab, large; or leave it. */
export function toggleLarge() {
  start();
  const map = mapAt(document.activeElement) ?? $$(MAPS).find((canvas) => canvas.checkVisibility());
  if (large) leave();
  else if (map?.parentElement) enlarge(map.parentElement);
}

/** Put the button on the map under an event. */
export function offer(/** @type {Event} */ event) {
  start();
  const map = mapAt(event.target);
  const figure = map?.parentElement;
  if (!map || !figure || large || figure.tagName !== "FIGURE") return;
  const { opener } = made;
  if (opener.parentElement !== figure) figure.append(opener); // first: the figure is then what places are counted from
  opener.style.top = `${map.offsetTop + 4}px`;
  opener.style.left = `${map.offsetLeft + map.offsetWidth - 36}px`;
}

/** Make the controls and listen to the page; again does nothing. */
function start() {
  if (made) return;
  takeLaterTexts();
  made = makeControls();
  show(WHOLE);
  const imageOf = () => [store.trace?.title, store.trace?.photo, store.trace?.size].join();
  let image = imageOf();
  listenToGestures(page.views, {
    mapAt: (target) => (target instanceof Element ? /** @type {HTMLElement | null} */ (target.closest(MAPS)) : null),
    isLarge: () => large !== null,
    isPaintable: (map) => map.closest(PAINTED) !== null,
    zoom(map, factor, clientX, clientY) {
      const frame = frameOf(part, map.getBoundingClientRect());
      show(zoomed(part, factor, (clientX - frame.left) / frame.width, (clientY - frame.top) / frame.height));
    },
    move(map, dx, dy) {
      if (part.zoom === 1) return false;
      const frame = frameOf(part, map.getBoundingClientRect());
      show(moved(part, dx / frame.width, dy / frame.height));
      return true;
    },
  });
  page.views.addEventListener("pointerover", offer);
  page.views.addEventListener("pointermove", read);
  page.views.addEventListener("click", ({ target }) => {
    if (target instanceof Element && target.closest("[role=tab], [data-open]")) leave();
  }, true);
  document.addEventListener("keydown", onKey, true);
  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement && large && !large.popover) leave();
    made.opener.remove(); // its place was that of another size
    fit();
  });
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth !== width) made.opener.remove();
    width = window.innerWidth;
    fit();
  });
  on("trace", () => {
    if (imageOf() === image) return;
    image = imageOf();
    show(WHOLE);
    fit();
  });
}
