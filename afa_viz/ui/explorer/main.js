// The explorer: builds the page, then draws whatever the host explains.

import { placeIcons } from "./components/icons.js";
import { listenToPopups } from "./components/popups.js";
import "./components/bar.js";
import "./components/fold.js";
import "./components/next_step.js";
import "./components/opacity.js";
import "./components/strip.js";
import { query } from "./core/address.js";
import { $, $$, mount, page } from "./core/dom.js";
import { on } from "./core/events.js";
import { keys, listenToKeys } from "./core/keyboard.js";
import { listenToView } from "./core/permalink.js";
import { listenToPointer } from "./core/pointer.js";
import { imageOfScene, receive } from "./core/receive.js";
import { buildAll, registerLater, scheduleDraw, SELECTION } from "./core/schedule.js";
import { isNothingRecognised } from "./core/selection.js";
import { reportError } from "./core/status.js";
import { store } from "./core/store.js";
import { loadTables } from "./core/tables.js";
import { translatePage } from "./core/translate.js";
import { loadColours } from "./draw/colours.js";
import { host } from "./host/host.js";
import "./views/cam/cam.js";
import "./views/attention/attention.js";
import "./views/affinity/affinity.js";
import "./views/walk/walk.js";
import "./views/par/par.js";
import "./views/regions/regions.js";
import "./views/seg/seg.js";

// What a first look does not need is loaded when it is opened.
registerLater("pipeline", () => import("./views/pipeline/pipeline.js"));
registerLater("compare", () => import("./views/compare/compare.js"));
registerLater("training", () => import("./views/training/training.js"));
registerLater("data", () => import("./views/data/data.js"));
registerLater("train", () => import("./views/train/train.js"));
registerLater("lab", () => import("./views/lab/lab.js"));

/** Build the page in an element, and show what the host explains. The language is that of the address (?lang=ko), else
 * the host's, else the first of the browser's that there is, else English. */
export function start(/** @type {HTMLElement} */ element) {
  mount(element, host.markup);
  loadTables(host.tables, [query().get("lang"), host.language ?? null, ...navigator.languages]);
  loadColours(host.tables);
  translatePage(host.translatable());
  placeIcons();
  listenToPointer();
  listenToKeys();
  listenToPopups();
  listenToView();
  listenToMaps();
  listenToGuide();
  listenToTerms();
  listenToTraces();
  listenToMenu();
  buildAll();
  host.connect();
  redrawOnResize();
  host.onStages(receive);
  receive();
}

/** Maps in detail, whose script is loaded when a map is first touched, or by the key F. */
function listenToMaps() {
  const load = () => import("./components/zoom/zoom.js");
  const first = async (/** @type {Event} */ event) => {
    if (!(event.target instanceof Element) || !event.target.closest(".afa-tab figure canvas")) return;
    page.views.removeEventListener("pointerover", first);
    (await load()).offer(event);
  };
  page.views.addEventListener("pointerover", first); // of a finger, too
  keys.f = keys.F = async () => (await load()).toggleLarge();
}

/** Buttons whose script is loaded when one of them is first pressed. */
function listenToPresses(/** @type {string} */ buttons, /** @type {(button: any) => Promise<void>} */ press) {
  page.root.addEventListener("click", ({ target }) => {
    const button = /** @type {Element} */ (target).closest(buttons);
    if (button) press(button).catch(reportError);
  });
}

/** Tour, presentation and drawer. */
function listenToGuide() {
  const open = async (/** @type {string} */ name, /** @type {HTMLElement} */ from) => {
    (await import("./components/guide/guide.js")).run(name, from);
  };
  listenToPresses("[data-guide]", (button) => open(button.dataset.guide, button));
  keys.p = keys.P = () => { open("present", page.views).catch(reportError); };
}

/** Terms of the texts, explained from the first time that a text is pointed at. */
function listenToTerms() {
  const first = async (/** @type {Event} */ { target }) => {
    if (!(target instanceof Element) || !target.closest(".afa-intro, .afa-why")) return;
    page.views.removeEventListener("pointerover", first);
    (await import("./components/guide/glossary.js")).markTerms();
  };
  page.views.addEventListener("pointerover", first);
}

/** The menu to save and share; what the host does not offer is not shown. */
function listenToMenu() {
  for (const button of $$(".afa-share [data-export]")) {
    button.hidden = button.dataset.export !== "png" && !host.exports.kinds.includes(button.dataset.export);
  }
  $('[data-do="python"]').hidden = !host.exports.python;
  const load = () => import("./components/share_menu.js");
  $(".afa-share").addEventListener("toggle", load, { once: true }); // a link is copied as soon as its button is pressed
  listenToPresses(".afa-share button", async (button) => { (await load()).run(button); });
}

/** What another explanation may ask for: undoing settings, what is changed by hand, and classes where none was recognised. */
function listenToTraces() {
  /** @type {any} */
  let before = null;
  on("trace", async () => {
    const { key, scene, partial, low, high, radius, num_steps, num_iters, chain, link, edits = {} } = store.trace;
    const now = { key, scene, partial, low, high, radius, num_steps, num_iters, chain, link, edits };
    const last = before;
    before = now;
    const isSame = imageOfScene(last?.scene) === imageOfScene(scene);
    if (isSame && last.key !== key && !last.partial) (await import("./components/guide/undo.js")).note(last, now);
    if (Object.keys({ ...last?.edits, ...edits }).length) (await import("./components/edits/line.js")).tellEdits();
    if (isNothingRecognised()) (await import("./components/guide/unrecognised.js")).offerClasses();
  });
  window.addEventListener("popstate", async () => (await import("./components/guide/history.js")).follow());
}

function redrawOnResize() {
  let widths = "";
  new ResizeObserver(() => {
    const now = `${page.views.clientWidth} ${window.devicePixelRatio}`;
    if (now === widths) return;
    widths = now;
    scheduleDraw(SELECTION);
  }).observe(page.views);
}
