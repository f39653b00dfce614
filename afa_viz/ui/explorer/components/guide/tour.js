// The guided tour: a card beside the page, and at each stop a tab that is opened and operated for the visitor. Everything
// can be touched meanwhile. Esc ends it.

import { $, page, prefersReducedMotion } from "../../core/dom.js";
import { on } from "../../core/events.js";
import { setView } from "../../core/schedule.js";
import { store, view } from "../../core/store.js";
import { text } from "../../core/words.js";
import { TOURED } from "../next_step.js";
import { showAbove } from "./above.js";
import { spotOf, stops, topOf, wordsOf } from "./stops.js";

const SPOT = "afa-tour-spot"; // class of what is marked

/** @type {ReturnType<typeof build> | null} */
let card = null;
let at = 0; // number of the stop
let running = false;
let act = new AbortController(); // of what happens at the stop
/** @type {Partial<View>} */
let before = {}; // the query cell as the visitor had it
/** @type {HTMLElement} */
let opener;

function button(/** @type {string} */ name, /** @type {() => void} */ press) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: text(`tour.${name}`) });
  made.addEventListener("click", press);
  return made;
}

function build() {
  const box = Object.assign(document.createElement("section"), { className: "afa-tour" });
  box.setAttribute("role", "dialog");
  box.setAttribute("aria-labelledby", "afa-tour-title");
  box.setAttribute("aria-describedby", "afa-tour-words");
  const [count, title, words, row] = ["p", "h3", "div", "div"].map((tag) => document.createElement(tag));
  [count.className, row.className, title.id, words.id] = ["afa-tour-count", "afa-tour-row", "afa-tour-title", "afa-tour-words"];
  words.setAttribute("aria-live", "polite");
  const [end, again] = [button("end", endTour), button("again", () => perform())];
  const [back, next] = [button("back", () => go(at - 1)), button("next", () => (at + 1 < stops().length ? go(at + 1) : endTour()))];
  next.className = "afa-tour-next";
  row.append(end, again, back, next);
  box.append(count, title, words, row);
  return { box, count, title, words, again, back, next };
}

/** Stop what happens at the present stop, and put back what it moved. */
function settle() {
  act.abort();
  stops()[at]?.restore?.();
  document.querySelector(`.${SPOT}`)?.classList.remove(SPOT);
}

/** Let happen what the present stop shows, again where it has happened. */
async function perform() {
  settle();
  const mine = act = new AbortController();
  const stop = stops()[at];
  const spot = spotOf(stop);
  spot.classList.add(SPOT);
  topOf(stop).scrollIntoView({ behavior: prefersReducedMotion() ? "instant" : "smooth", block: "start" });
  try {
    await stop.act?.(mine.signal);
  } catch (error) {
    if (!mine.signal.aborted) throw error;
  }
}

function draw() {
  if (!card) return;
  const [stop, count] = [stops()[at], stops().length];
  card.count.textContent = text("tour.count", { at: at + 1, of: count });
  card.title.textContent = text(`tour.${stop.name}_title`);
  card.words.replaceChildren(...wordsOf(stop).map((words) => Object.assign(document.createElement("p"), { textContent: words })));
  card.again.hidden = !stop.act;
  card.back.disabled = !at;
  card.next.textContent = text(at + 1 < count ? "tour.next" : "tour.done");
}

function go(/** @type {number} */ to) {
  if (to < 0 || to >= stops().length) return;
  settle();
  at = to;
  showStop();
  card?.next.focus({ preventScroll: true });
}

function showStop() {
  setView({ tab: stops()[at].tab, ...before });
  draw();
  perform();
}

/** @type {{[key: string]: () => void}} */
const KEYS = { ArrowRight: () => go(at + 1), ArrowLeft: () => go(at - 1) };

function onKey(/** @type {KeyboardEvent} */ event) {
  if (!running || event.defaultPrevented) return;
  const press = event.key === "Escape" ? endTour : card?.box.contains(/** @type {Node} */ (event.target)) && KEYS[event.key];
  if (!press) return;
  event.preventDefault();
  event.stopPropagation();
  press();
}

function endTour() {
  settle();
  running = false;
  setView(before);
  card?.box.remove();
  const places = [opener, $(".afa-keys summary"), page.views];
  places.find((place) => place.isConnected && place.checkVisibility())?.focus({ preventScroll: true });
}

/** Begin the tour; `from` has the focus afterwards, where it is still in sight. */
export function startTour(/** @type {HTMLElement} */ from) {
  if (running || !store.trace || !stops().length) return;
  if (!card) {
    document.addEventListener("keydown", onKey, true);
    on("trace", () => { if (running) showStop(); }); // another image, or other settings
  }
  card ??= build();
  remember();
  $(".afa-keys").open = false;
  [opener, running, at] = [from, true, 0];
  before = { pin: view.pin, rest: view.rest, home: view.home, hover: null };
  showAbove(card.box);
  go(0);
}

/** It is not offered again in this browser. */
function remember() {
  $(".afa-story [data-guide=tour]").hidden = true;
  try {
    window.localStorage.setItem(TOURED, "1");
  } catch {
    // no storage
  }
}
