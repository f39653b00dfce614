// Tabs, and who draws when.

import { $, $$, scrollIntoRow } from "./dom.js";
import { emit } from "./events.js";
import { takeLaterTexts } from "./later.js";
import { lackOfTab, lackWords } from "./parts.js";
import { announce } from "./status.js";
import { store, view } from "./store.js";
import { text } from "./words.js";

// How much a change asks to be drawn; what redraws more also redraws less.
export const CELL = 1; // the query cell moved
const OPACITY = 2; // the opacity of the maps
export const SELECTION = 3; // class, block, head, scale, or the size of the page
export const DATA = 4; // another explanation
/** @type {any} */
const HOOKS = [null, "cell", "opacity", "selection", "data"]; // what draws each of them
/** @type {{[name: string]: number}} */
const LEVELS = { pin: CELL, hover: CELL, rest: CELL, home: CELL, picked: CELL, opacity: OPACITY }; // else: SELECTION

/** @type {Map<string, any>} */
export const tabs = new Map(); // name -> {hooks, section, stale, load}; load: of a tab whose script is not here yet
/** @type {Hooks[]} */
const alwaysHooks = []; // hooks of what is always in sight: strip, status line

/**
 * A tab and what it does; `data` draws everything, `selection` what class, block and head change, `opacity`
 * only paints the maps anew, `cell` does what follows the pointer.
 * Beside that: `build`, called once with the tab's element; `show`, when the tab is opened; `keys`; `other`, a second side
 * for the program to copy; `facts`, words for its picture; `figures`, what that consists of where the tab has no figures.
 *
 * @param {string} name
 * @param {Hooks} hooks
 */
export function registerTab(name, hooks) {
  if (tabs.has(name)) tabs.get(name).hooks = hooks;
  else tabs.set(name, { hooks, section: null, stale: DATA });
}

/**
 * A tab whose module is loaded when the tab is first opened; it then registers its hooks.
 *
 * @param {string} name
 * @param {() => Promise<any>} load
 */
export function registerLater(name, load) {
  tabs.set(name, { hooks: {}, section: null, stale: DATA, load });
}

/**
 * Hooks that are called for every change, whatever tab is open; `build` once, before the tabs are built.
 *
 * @param {Hooks} hooks
 */
export function registerAlways(hooks) {
  alwaysHooks.push(hooks);
}

/** Build everything that was registered; the page is mounted. A tab that the host's page lacks is forgotten. */
export function buildAll() {
  for (const hooks of alwaysHooks) hooks.build?.(null);
  for (const [name, tab] of tabs) {
    tab.section = $(`[role=tabpanel][data-tab="${name}"]`);
    if (!tab.section) tabs.delete(name);
    else if (!tab.load) tab.hooks.build?.(tab.section); // else once it is opened, also where its script is here already
  }
}

/**
 * The strongest hook that there is for a change.
 *
 * @param {any} hooks
 * @param {number} level
 */
function callHook(hooks, level) {
  for (let i = level; i <= DATA; i++) if (hooks[HOOKS[i]]) return hooks[HOOKS[i]]();
  for (let i = level - 1; i > 0; i--) if (hooks[HOOKS[i]]) return hooks[HOOKS[i]]();
  return undefined;
}

let frame = 0;
let pending = 0; // the largest change that is not drawn yet

/**
 * Draw in the next frame; changes add up.
 *
 * @param {number} [level]
 */
export function scheduleDraw(level = SELECTION) {
  pending = Math.max(pending, level);
  for (const tab of tabs.values()) tab.stale = Math.max(tab.stale, level);
  if (!frame) frame = requestAnimationFrame(drawPending);
}

/** Draw another explanation at once. */
export function drawTrace() {
  for (const tab of tabs.values()) tab.stale = DATA;
  pending = DATA;
  if (!view.tab) showTab([...tabs.keys()][0]);
  drawPending();
}

function drawPending() {
  cancelAnimationFrame(frame);
  const level = pending;
  [frame, pending] = [0, 0];
  if (!store.trace || !level) return;
  for (const hooks of alwaysHooks) callHook(hooks, level);
  drawTab();
}

function drawTab() {
  const tab = tabs.get(view.tab);
  if (!tab?.stale || tab.load || !store.trace) return;
  const level = tab.stale;
  tab.stale = 0;
  if (!showLack(tab.section, view.tab)) callHook(tab.hooks, level);
}

/** One sentence in the place of a tab whose subject the method lacks; whether it does. */
function showLack(/** @type {HTMLElement | null} */ section, /** @type {string} */ name) {
  const part = lackOfTab(name);
  section?.querySelector(":scope > .afa-lacks")?.remove();
  section?.classList.toggle("afa-lacking", Boolean(part));
  if (!part) return false;
  const said = document.createElement("p");
  [said.className, said.textContent] = ["afa-lacks", lackWords(part)];
  section?.prepend(said);
  return true;
}

/**
 * Open a tab, or show it inside another one, `within`; an unknown name changes nothing.
 *
 * @param {string} name
 * @param {string} [within]
 */
export function showTab(name, within = "") {
  if (!tabs.has(name)) return;
  [view.tab, view.within] = [name, within];
  const open = within || name;
  for (const [other, { section }] of tabs) section.hidden = other !== name && other !== open;
  for (const button of $$("[role=tab]")) {
    const chosen = button.dataset.tab === open;
    button.setAttribute("aria-selected", chosen);
    button.tabIndex = chosen ? 0 : -1;
    if (chosen) scrollIntoRow(button);
  }
  for (const button of $$("[data-open]")) button.classList.toggle("afa-here", button.dataset.open === name);
  emit("tab");
  const tab = tabs.get(name);
  if (tab.load) loadTab(name, tab);
  else if (store.trace) {
    if (!lackOfTab(name)) tab.hooks.show?.();
    drawTab();
  }
}

/**
 * Load the module of a tab, then show the tab if it is still open. One that did not load is tried again when next opened.
 *
 * @param {string} name
 * @param {any} tab
 */
async function loadTab(name, tab) {
  const { load, section } = tab;
  section.dataset.state = "loading";
  try {
    await load();
    takeLaterTexts();
  } catch {
    delete section.dataset.state;
    if (view.tab === name) announce(text("tabs.lost", { name: text(`tabs.${name}`) }), true);
    return;
  }
  if (!tab.load) return; // opened twice meanwhile
  tab.load = null;
  delete section.dataset.state;
  tab.hooks.build?.(section);
  if (view.tab === name) showTab(name);
}

/**
 * Change what is chosen: {label, block, head, pin, rest, hover, shared, logits, tab, within, …}; everything follows. A tab is
 * opened by itself unless `within` says where.
 *
 * @param {Partial<View>} patch
 */
export function setView(patch) {
  const { tab, within, block, ...rest } = patch;
  Object.assign(view, rest);
  const levels = Object.keys(rest).map((key) => LEVELS[key] ?? SELECTION);
  if (levels.length) scheduleDraw(Math.max(...levels));
  if (block != null) {
    view.block = block;
    emit("block");
    scheduleDraw(SELECTION);
  }
  if (tab != null) showTab(tab, within);
  emit("view");
}
