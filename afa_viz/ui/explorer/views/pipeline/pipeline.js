// The whole pipeline as one diagram: the strip, drawn large. Each box expands into the view of its stage, which is mounted
// here, and back.

import { neighbourOf } from "./graph.js";
import { boxesNow, createOperations } from "./operations.js";
import * as headMaps from "../attention/head_maps.js";
import { keyLimits, paintKeys } from "../attention/attention.js";
import { enlarge, stageFigures } from "../../components/strip.js";
import { $, $$, page, prefersReducedMotion } from "../../core/dom.js";
import { on } from "../../core/events.js";
import { lacks } from "../../core/parts.js";
import { registerPermalink } from "../../core/permalink.js";
import { registerTab, setView, tabs } from "../../core/schedule.js";
import { store, view } from "../../core/store.js";
import { text } from "../../core/words.js";
import { context2d } from "../../draw/canvas.js";

const NAME = "pipeline";
const BOX = ".afa-stage > [data-open]";
/** @type {{[key: string]: number[]}} */
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const DURATION = 220; // milliseconds
const ELSEWHERE = ".afa-large, .afa-tour, .afa-present, .afa-drawer"; // what Esc leaves first

/** @type {any} */
let section = null;
/** @type {any} */
let frame = null; // of the strip
/** @type {any} */
let bar = null; // the way back
/** @type {any} */
let slot = null; // where a view is mounted
/** @type {ReturnType<typeof createOperations>} */
let operations;
let asked = ""; // the box of the address that is still to be opened
let inside = ""; // the tab whose view is mounted
/** @type {Comment | null} */
let home = null; // its place among the tabs
let pressed = /** @type {{stage: string, from: DOMRect | null}} */ ({ stage: "", from: null }); // the last box, and where it was

const isAround = () => view.tab === NAME || view.within === NAME;

/** The attention of the chosen head for the query cell; the photograph in grey while it is not here. */
function paintAttention(/** @type {HTMLCanvasElement} */ canvas) {
  const lacking = lacks("attention");
  if (!lacking && !headMaps.isWhole()) headMaps.request();
  const values = lacking ? null : headMaps.headMap(view.head);
  section.dataset.state = lacking || values ? "ready" : "waiting";
  if (values) paintKeys(canvas, values, keyLimits(values), store.scene.blocks[view.block]);
  else context2d(canvas).drawImage(store.scene.grey, 0, 0, canvas.width, canvas.height);
}

const LARGE = { paint: { attention: paintAttention }, lines() {
  if (!lacks("attention")) headMaps.request();
  operations.draw();
} };

// --- expanding and back --------------------------------------------------------------------------------------------

/** Let an element grow, or shrink, from where something was. */
function move(/** @type {HTMLElement} */ element, /** @type {DOMRect | null} */ from) {
  if (!from?.width || prefersReducedMotion()) return;
  const to = element.getBoundingClientRect();
  const begin = `translate(${from.left - to.left}px, ${from.top - to.top}px) scale(${from.width / to.width})`;
  element.animate([{ transformOrigin: "0 0", transform: begin, opacity: 0.2 }, { transformOrigin: "0 0", transform: "none", opacity: 1 }],
    { duration: DURATION, easing: "ease-out" });
}

/** Mount the view that is open inside, and give back the one before. */
function mount(/** @type {string} */ name) {
  if (home) home.replaceWith(tabs.get(inside).section);
  [home, inside] = [null, name];
  if (!name) return;
  home = document.createComment(name);
  const opened = tabs.get(name).section;
  opened.before(home);
  slot.append(opened);
  $("b", bar).textContent = text(`tabs.${name}`);
}

/** Follow what is open: the diagram, a view inside it, or another tab. */
function follow() {
  const next = view.within === NAME ? view.tab : "";
  const around = isAround();
  if (next === inside && around === section.contains(frame)) return;
  const row = $(".afa-tabs");
  const { top } = row.getBoundingClientRect();
  if (next !== inside) mount(next);
  if (around) $('[data-for="diagram"]', section).append(frame);
  else $(".afa-change").before(frame);
  const isLarge = around && !next;
  bar.hidden = !next;
  section.classList.toggle("afa-expanded", Boolean(next));
  frame.classList.toggle("afa-whole", isLarge);
  operations.close();
  enlarge(isLarge ? LARGE : null);
  window.scrollBy(0, row.getBoundingClientRect().top - top); // the row of tabs stays under the pointer
  if (next && pressed.from) {
    if (section.getBoundingClientRect().top < 0) section.scrollIntoView();
    move(slot, pressed.from);
    $("button", bar).focus({ preventScroll: true });
  }
  pressed.from = null;
}

/** The box of a tab: the one that was pressed where it is one of several. */
const boxOf = (/** @type {string} */ tab) => {
  const boxes = $$(BOX, frame).filter((box) => box.dataset.open === tab);
  return boxes.find((box) => box.parentElement.dataset.stage === pressed.stage) ?? boxes.find((box) => box.checkVisibility());
};

function collapse() {
  const [name, from] = [view.tab, slot.getBoundingClientRect()];
  setView({ tab: NAME });
  const box = boxOf(name);
  box?.focus();
  if (box) move($("canvas", box), from);
}

/** Esc, unless something lies above the view, or a pinned cell is let go first. */
function onEscape(/** @type {KeyboardEvent} */ event) {
  if (event.key !== "Escape" || view.within !== NAME || event.defaultPrevented || document.querySelector(ELSEWHERE)) return;
  const target = /** @type {Element} */ (event.target);
  if (target.matches("select") || (view.pin && (target === page.views || target.matches("canvas")))) return;
  event.preventDefault();
  event.stopPropagation();
  collapse();
}

function onArrow(/** @type {KeyboardEvent} */ event) {
  const box = /** @type {HTMLElement} */ (event.target).closest(BOX);
  const direction = DIRECTIONS[event.key];
  if (!box || !direction || !frame.matches(".afa-whole") || event.ctrlKey || event.metaKey || event.altKey) return;
  const next = neighbourOf(/** @type {any} */ (box.parentElement).dataset.stage, direction, boxesNow());
  if (!next) return;
  event.preventDefault();
  $(`[data-stage="${next}"] > [data-open]`, frame).focus();
}

/** A view that is mounted here leads to the next one here. */
function onNext(/** @type {MouseEvent} */ event) {
  const order = [...new Set($$(BOX, frame).map((box) => box.dataset.open))];
  const next = order[order.indexOf(view.tab) + 1];
  if (!next || !/** @type {Element} */ (event.target).closest(".afa-next")) return;
  event.stopPropagation();
  setView({ tab: next, within: NAME });
  section.scrollIntoView();
  $("button", bar).focus({ preventScroll: true });
}

registerTab(NAME, {
  build(element) {
    section = element;
    [frame, bar, slot] = [$(".afa-strip-frame"), $(".afa-inside", section), $('[data-for="stage"]', section)];
    const formula = Object.assign(document.createElement("div"), { className: "afa-change afa-formula", hidden: true });
    section.append(formula);
    operations = createOperations(formula);
    frame.append(operations.list);
    const back = $("button", bar);
    back.textContent = text("pipeline.back");
    back.addEventListener("click", collapse);
    frame.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      const box = /** @type {Element} */ (event.target).closest(BOX);
      if (box) pressed = { stage: /** @type {any} */ (box.parentElement).dataset.stage, from: $("canvas", box).getBoundingClientRect() };
    }, true);
    frame.addEventListener("keydown", onArrow);
    slot.addEventListener("click", onNext, true);
    document.addEventListener("keydown", onEscape, true);
    new ResizeObserver(() => { if (store.trace && frame.matches(".afa-whole")) operations.draw(); }).observe($(".afa-strip", frame));
    on("tab", follow);
  },
  show() {
    const tab = asked;
    asked = "";
    if (tab) setView({ tab, within: NAME });
  },
  figures: stageFigures,
});

registerPermalink({
  names: ["box"],
  read(query) {
    asked = (query.get("tab") === NAME && query.get("box")) || "";
    const wrong = asked && !$$(BOX).some((box) => box.dataset.open === asked);
    if (wrong) asked = "";
    if (asked && section && isAround()) tabs.get(NAME).hooks.show();
    return wrong ? ["box"] : [];
  },
  write(query) {
    if (view.within !== NAME) return;
    query.set("tab", NAME);
    query.set("box", view.tab);
  },
});
