// Undoing settings: a button in the bar, and Ctrl+Z.

import { $, page } from "../../core/dom.js";
import { takeLaterTexts } from "../../core/later.js";
import { FIELDS } from "../../core/recompute.js";
import { store } from "../../core/store.js";
import { text } from "../../core/words.js";
import { host } from "../../host/host.js";

/** @typedef {{[field: string]: number | string}} Settings */

const EDITS = ["affinity_edits", "class_thresholds", "occlude", "scales", "flip"]; // as core/edit_settings.js
const SCALES = "other scales of the CAM"; // as config_fields.ABLATIONS
const PATIENCE = 5000; // milliseconds that an answer may take which is no new change
/** @type {Settings[]} */
const earlier = []; // the newest last
/** @type {{settings: Settings, until: number} | null} */
let undoing = null;
/** @type {HTMLButtonElement} */
let button;

/** The settings of an explanation by their fields. */
const settingsOf = (/** @type {any} */ trace) => /** @type {Settings} */ ({
  ...Object.fromEntries(Object.entries(FIELDS).map(([name, field]) => [field, trace[name] ?? trace.chain[name]])),
  left_out: trace.link?.left_out ?? "",
  ...editsOf(trace),
});
/** What is changed by hand; other scales by `left_out` are named once. */
const editsOf = (/** @type {any} */ { edits = {}, link }) => Object.fromEntries(EDITS.map((name) => [name,
  name === "scales" && link?.left_out?.includes(SCALES) ? "" : edits[name] ?? ""]));
const different = (/** @type {Settings} */ a, /** @type {Settings} */ b) => Object.keys(a).filter((field) => a[field] !== b[field]);

/** Note that other settings are shown; the ones before can be had again. */
export function note(/** @type {object} */ before, /** @type {object} */ now) {
  if (!button) build();
  const [old, next] = [settingsOf(before), settingsOf(now)];
  if (!different(old, next).length) return;
  if (undoing && performance.now() < undoing.until) {
    if (!different(undoing.settings, next).length) undoing = null;
  } else earlier.push(old);
  show();
}

function show() {
  const last = earlier.at(-1);
  const fields = last ? different(last, settingsOf(store.trace)) : [];
  const hadFocus = button === document.activeElement;
  button.hidden = !fields.length;
  if (hadFocus && button.hidden) page.views.focus({ preventScroll: true });
  const name = fields[0] === "left_out" ? text("side.group_left_out")
    : text(EDITS.includes(fields[0]) ? `undo.${fields[0]}` : `side.${fields[0]}`);
  button.textContent = fields.length > 1 ? text("undo.several") : text("undo.one", { name });
}

function undo() {
  const settings = earlier.pop();
  if (!settings) return;
  undoing = { settings, until: performance.now() + PATIENCE };
  const fields = different(settings, settingsOf(store.trace));
  for (const field of fields.filter((name) => !EDITS.includes(name))) host.setSetting(field, settings[field]);
  const edits = fields.filter((name) => EDITS.includes(name));
  if (edits.length) host.setEdits(Object.fromEntries(edits.map((name) => [name, String(settings[name])])));
  show();
}

function build() {
  takeLaterTexts();
  button = Object.assign(document.createElement("button"), { type: "button" });
  button.dataset.do = "undo";
  button.addEventListener("click", undo);
  $(".afa-end").prepend(button);
  document.addEventListener("keydown", (event) => {
    const isTyped = event.target instanceof Element && event.target.matches("input:not([type=range], [type=checkbox]), textarea");
    if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey || isTyped || button.hidden) return;
    event.preventDefault();
    undo();
  });
}
