// The address of what is shown. The host restores example, model, labels and settings from it, the page the rest.

import { query as currentQuery, writeQuery } from "./address.js";
import { on } from "./events.js";
import { showTab, tabs } from "./schedule.js";
import { classId, isHeld, nearestQuery, strongestCell } from "./selection.js";
import { announce } from "./status.js";
import { MEAN_HEAD, store, view } from "./store.js";
import { tables } from "./tables.js";
import { text } from "./words.js";
import { host } from "../host/host.js";

const VIEW_KEYS = ["tab", "step", "class", "cell", "block", "head", "maps", "scale"]; // of the page
const IMAGE_KEYS = ["example", "data", "photo"];
export const HOST_KEYS = [...IMAGE_KEYS, "model", "labels", "left_out", "radius", "power", "num_steps", "num_iters",
  "bkg_score_low", "bkg_score_high", "head_weights", "affinity_bias",
  "affinity_edits", "class_thresholds", "occlude", "scales", "flip"]; // of the host

// Of tabs that may not be loaded yet:
export const SIDE_B_KEYS = ["b_model", "b_switched", "b_crf", "b_setting", "b_stage"];
export const SNAPSHOT_KEY = "snapshot";

/** @type {PermalinkPart[]} */
const parts = [];

/**
 * A tab with an own share of the address: {names, read(asked) -> names that do not fit, write(query)}. A tab that is loaded after
 * the address was read reads it at once.
 *
 * @param {PermalinkPart} part
 */
export function registerPermalink(part) {
  parts.push(part);
  if (!isRead) return;
  const wrong = part.read(addressed);
  if (wrong.length) announce(text("link.wrong", { names: wrong.join(", ") }), true);
}

const WAIT_LIMIT = 4000; // milliseconds that a first picture waits for the one that the address names
export const addressed = currentQuery(); // as the page was opened
const namesTrace = HOST_KEYS.some((name) => addressed.has(name));
let restored = false; // what the address says of the page is taken over, or no longer counts
let isRead = false; // it is taken over
let overdue = false;
/** @type {string[]} */
let unfit = []; // names of parts of it that the host has left out
let written = false; // the address is what this page has written
/** @type {{query: URLSearchParams, until: number} | null} what the browser went back to, and is opened now */
let awaited = null;
const PATIENCE = 10000; // milliseconds that it may take
/** @type {any} */
let waiting = 0;

/**
 * Whether an explanation must wait: the address names another one, which the host has not sent yet. What the host has left
 * out of the address is kept until the address is taken over, which for a photograph is later.
 * `again` is called when it has waited long enough.
 *
 * @param {any} raw
 * @param {() => void} again
 */
export function mustWait(raw, again) {
  if (raw.linked) unfit = raw.unfit ?? [];
  const held = host.photograph.mustWait(raw);
  if (!namesTrace || restored || overdue || raw.photo || (raw.linked && !held)) return false;
  if (!waiting) waiting = setTimeout(() => { overdue = true; again(); }, WAIT_LIMIT);
  return true;
}

/** What is shown is no longer what the address names. */
export function dropAddress() {
  restored = true;
}

/** The image that a query names; "" for none. */
export const imageOf = (/** @type {URLSearchParams} */ asked) => IMAGE_KEYS.map((name) => asked.get(name) ?? "").join("");

/** The image that is shown. */
export const shownImage = () => imageOf(new URLSearchParams({ ...store.trace.link, photo: store.trace.photo ?? "" }));

/** Whether an image is opened that the browser went back to. */
export const isReturning = () => Boolean(awaited) && performance.now() < /** @type {any} */ (awaited).until;

/** An image is opened to which the browser went back: the rest of its address is taken over when it is here. */
export function returnTo(/** @type {URLSearchParams} */ asked) {
  awaited = { query: asked, until: performance.now() + PATIENCE };
}

/** Take over what the address says, once what it names is here; what does not fit is left out, and a sentence says so. */
export function restorePermalink() {
  if (awaited && shownImage() === imageOf(awaited.query)) {
    const asked = awaited.query;
    awaited = null;
    Object.assign(view, { block: store.trace.num_blocks - 1, head: MEAN_HEAD, logits: false, shared: false });
    return takeOver(asked);
  }
  if (restored || host.photograph.isAwaited() || (namesTrace && !store.trace.linked && !store.trace.photo)) return "";
  [restored, isRead] = [true, true];
  return takeOver(addressed, unfit, host.photograph.isMissing());
}

function takeOver(/** @type {URLSearchParams} */ asked, /** @type {string[]} */ left = [], missing = false) {
  const wrong = [...left];
  const read = (/** @type {string} */ name, /** @type {(value: string) => any} */ fits, /** @type {(value: string) => void} */ take) => {
    const value = asked.get(name);
    if (value == null) return;
    if (fits(value)) take(value);
    else wrong.push(name);
  };
  const whole = (/** @type {string} */ value) => (/^\d{1,4}$/.test(value) ? Number(value) : -1);
  read("step", (value) => tables.texts[`lab.${value}.title`], (value) => { view.step = value; });
  read("tab", (value) => tabs.has(value), (value) => showTab(value));
  read("maps", (value) => value === "logits", () => { view.logits = true; });
  read("scale", (value) => value === "shared", () => { view.shared = true; });
  for (const part of parts) wrong.push(...part.read(asked));
  if (missing) return text("link.photo_gone"); // class, cell and head were those of the photograph
  const labelOf = (/** @type {string} */ value) => store.trace.classes.find((c) => classId(c.label) === value)?.label;
  read("class", labelOf, (value) => Object.assign(view, { label: labelOf(value), picked: true }));
  Object.assign(view, { rest: strongestCell(), home: true });
  const cellOf = (/** @type {string} */ value) => value.split(",").map((n) => whole(n) - 1);
  read("cell", (value) => {
    const [row, col, ...more] = cellOf(value);
    return !more.length && row >= 0 && col >= 0 && row < store.trace.grid[0] && col < store.trace.grid[1];
  }, (value) => Object.assign(view, { pin: nearestQuery(cellOf(value)), rest: nearestQuery(cellOf(value)), home: false }));
  read("block", (value) => whole(value) <= store.scene.blocks.length && isHeld(whole(value) - 1),
    (value) => { view.block = whole(value) - 1; });
  const { heads } = store.scene.blocks[view.block];
  read("head", (value) => whole(value) >= 1 && whole(value) <= heads, (value) => { view.head = whole(value) - 1; });
  return wrong.length ? text("link.wrong", { names: wrong.join(", ") }) : "";
}

/** The query string of what is shown; what others have put there stays. */
export function permalinkQuery() {
  const query = currentQuery();
  for (const name of [...VIEW_KEYS, ...HOST_KEYS, ...SIDE_B_KEYS, SNAPSHOT_KEY,
    ...parts.flatMap((part) => part.names)]) query.delete(name);
  for (const [name, value] of Object.entries(store.trace.link ?? {})) query.set(name, value);
  if (store.trace.photo) query.set("photo", store.trace.photo);
  query.set("tab", view.tab);
  if (view.tab === "lab" && view.step) query.set("step", view.step);
  query.set("class", classId(view.label));
  if (view.pin) query.set("cell", view.pin.map((n) => n + 1).join(","));
  if (view.block !== store.scene.blocks.length - 1) query.set("block", String(view.block + 1));
  if (view.head !== MEAN_HEAD) query.set("head", String(view.head + 1));
  if (view.logits) query.set("maps", "logits");
  if (view.shared) query.set("scale", "shared");
  for (const part of parts) part.write(query);
  return query.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
}

/** @type {any} */
let updating = 0;
/** Write the address a moment after the last change, since browsers allow only so many in a while; of another image at once. */
export function updatePermalink() {
  clearTimeout(updating);
  const isOther = written && shownImage() !== imageOf(currentQuery());
  updating = setTimeout(() => {
    const early = namesTrace && !restored && !overdue; // the address is still to be read
    if (!store.trace || early || isReturning()) return;
    const next = permalinkQuery();
    const image = imageOf(new URLSearchParams(next));
    writeQuery(next, written && Boolean(image) && image !== imageOf(currentQuery()));
    written = true;
  }, isOther ? 0 : 250);
}

/** Keep the address true. */
export const listenToView = () => on("view", updatePermalink);
