// The presentation: the stages alone, over the whole screen and in large letters; arrow keys and those of a presenter go
// through the pipeline.

import { $, page, prefersReducedMotion } from "../../core/dom.js";
import { lackOfTab } from "../../core/parts.js";
import { setView, tabs } from "../../core/schedule.js";
import { announce } from "../../core/status.js";
import { store, view } from "../../core/store.js";
import { text } from "../../core/words.js";
import { showAbove } from "./above.js";

const ON = "afa-present"; // class of the document
const STAGES = ["cam", "attention", "affinity", "walk", "par", "regions", "seg"];
/** @type {HTMLElement | null} */
let bar = null;
/** @type {HTMLElement} */
let opener;

const isOn = () => document.documentElement.classList.contains(ON);
const stages = () => STAGES.filter((name) => tabs.has(name) && !lackOfTab(name));

/** The stage some places away; the first one from a tab that is none. */
function turn(/** @type {number} */ by) {
  const at = stages().indexOf(view.tab);
  const next = stages()[at < 0 ? 0 : at + by];
  if (!next) return;
  setView({ tab: next });
  $(`[role=tabpanel][data-tab="${next}"]`).scrollIntoView({ behavior: prefersReducedMotion() ? "instant" : "auto" });
  draw();
  announce(text("present.stage", { at: stages().indexOf(next) + 1, of: stages().length, name: text(`tabs.${next}`) }), true);
}

function draw() {
  const count = bar?.querySelector("output");
  if (count) count.textContent = `${stages().indexOf(view.tab) + 1} / ${stages().length}`;
}

/** @type {{[key: string]: () => void}} */
const KEYS = { ArrowRight: () => turn(1), PageDown: () => turn(1), ArrowLeft: () => turn(-1), PageUp: () => turn(-1),
  Escape: leave, p: leave, P: leave };

function onKey(/** @type {KeyboardEvent} */ event) {
  if (!isOn() || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (!KEYS[event.key] || /** @type {Element} */ (event.target).matches("input, select, textarea")) return;
  event.preventDefault();
  event.stopPropagation();
  KEYS[event.key]();
}

function build() {
  const made = Object.assign(document.createElement("div"), { className: "afa-present-bar" });
  made.setAttribute("role", "group");
  made.setAttribute("aria-label", text("present.group"));
  const buttons = [["back", "←", () => turn(-1)], ["next", "→", () => turn(1)], ["leave", text("present.leave"), leave]];
  for (const [name, words, press] of /** @type {[string, string, () => void][]} */ (buttons)) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: words });
    button.setAttribute("aria-label", text(`present.${name}`));
    button.addEventListener("click", press);
    made.append(button);
    if (name === "back") made.append(document.createElement("output"));
  }
  document.addEventListener("keydown", onKey, true);
  document.addEventListener("fullscreenchange", () => { if (!document.fullscreenElement) leave(); });
  return made;
}

function leave() {
  if (!isOn()) return;
  document.documentElement.classList.remove(ON);
  bar?.remove();
  if (document.fullscreenElement) document.exitFullscreen();
  (opener.checkVisibility() ? opener : page.views).focus({ preventScroll: true });
}

/** Begin or end it. */
export async function togglePresentation(/** @type {HTMLElement} */ from) {
  if (isOn()) {
    leave();
    return;
  }
  if (!store.trace) return;
  $(".afa-keys").open = false;
  opener = from;
  bar ??= build();
  document.documentElement.classList.add(ON);
  if (!stages().includes(view.tab)) turn(0);
  page.views.focus({ preventScroll: true });
  try {
    await document.documentElement.requestFullscreen();
  } catch {
    // a frame that may not, or a phone: the window is filled
  }
  if (!isOn()) return;
  $(`[role=tabpanel][data-tab="${view.tab}"]`).scrollIntoView();
  showAbove(bar); // after the screen, which would cover it
  draw();
}
