// What is changed by hand as an address has it: "j3-7.19_40-41,s5" joins the cells 3 to 7 and 19 with 40 and 41, and
// separates cell 5 from all others, cells from 1, row by row; "cow:0.6~cat:0.5" are thresholds; "0,32,16,64" is a box in pixels. The
// same texts: ui/page/edit_settings.py.

/** @typedef {import("../method/edits.js").Edit} Edit */
/** @typedef {{[label: string]: number}} Thresholds of classes, by their labels */

export const FIELDS = ["affinity_edits", "class_thresholds", "occlude", "scales", "flip"];
const MAX_EDITS = 32;
const MAX_TEXT = 8000; // characters: an address has room for so many
const RUNS = "\\d{1,7}(?:-\\d{1,7})?(?:\\.\\d{1,7}(?:-\\d{1,7})?)*";
const EDIT = new RegExp(`^([js])(${RUNS})(?:_(${RUNS}))?$`);
const NUMBER = /^\d*\.?\d+(?:e-\d{1,3})?$/;
const BOX = /^(\d{1,5}),(\d{1,5}),(\d{1,5}),(\d{1,5})$/;

/** Cells from 0 as runs from 1: 0, 1, 2, 5 -> "1-3.6". */
function runsText(/** @type {number[]} */ cells) {
  /** @type {number[][]} */
  const runs = [];
  for (const cell of [...cells].sort((a, b) => a - b)) {
    const last = runs[runs.length - 1];
    if (last && last[1] === cell) last[1] = cell + 1;
    else runs.push([cell + 1, cell + 1]);
  }
  return runs.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(".");
}

/** Cells from 0 of a text of runs; null where one does not fit a grid of `count` cells. */
function cellsOf(/** @type {string} */ runs, /** @type {number} */ count) {
  /** @type {Set<number>} */
  const found = new Set();
  for (const run of runs.split(".")) {
    const [from, to = from] = run.split("-").map(Number);
    if (!(from >= 1 && from <= to && to <= count)) return null;
    for (let cell = from; cell <= to; cell++) found.add(cell - 1);
  }
  return [...found].sort((a, b) => a - b);
}

/** The text of some edits; "" for none. */
export const editsText = (/** @type {Edit[]} */ edits) => edits.map(({ what, cells, others }) => (
  `${what[0]}${runsText(cells)}${others ? `_${runsText(others)}` : ""}`)).join(",");

/** The edits that a text names, of a grid of `count` cells; null where it does not fit. */
export function parseEdits(/** @type {string} */ text, /** @type {number} */ count) {
  /** @type {Edit[]} */
  const edits = [];
  for (const entry of text ? text.split(",") : []) {
    const [, what, own, rest] = EDIT.exec(entry) ?? [];
    const [cells, others] = [own && cellsOf(own, count), rest ? cellsOf(rest, count) : null];
    if (!cells || (rest && !others)) return null;
    edits.push({ what: what === "j" ? "join" : "separate", cells, others });
  }
  return edits.length <= MAX_EDITS && text.length <= MAX_TEXT ? edits : null;
}

/** The text of thresholds; "" for none. */
export const thresholdsText = (/** @type {Thresholds | null} */ thresholds, /** @type {string[]} */ names) => (
  Object.entries(thresholds ?? {}).map(([label, score]) => `${names[Number(label)]}:${score}`).sort().join("~"));

/** The thresholds that a text names; null where it does not fit. `names`: of the labels, background first. */
export function parseThresholds(/** @type {string} */ text, /** @type {string[]} */ names) {
  /** @type {Thresholds} */
  const found = {};
  for (const entry of text ? text.split("~") : []) {
    const at = entry.lastIndexOf(":");
    const [label, number] = [names.indexOf(entry.slice(0, Math.max(0, at))), entry.slice(at + 1)];
    if (label < 1 || label in found || !NUMBER.test(number) || !(Number(number) <= 1)) return null;
    found[label] = Number(number);
  }
  return found;
}

/** The box that a text names, [top, bottom, left, right] in pixels of an image of a size; null where it does not fit. */
export function parseBox(/** @type {string} */ text, /** @type {Size} */ [height, width]) {
  const [top, bottom, left, right] = (BOX.exec(text) ?? []).slice(1).map(Number);
  return top < bottom && bottom <= height && left < right && right <= width ? [top, bottom, left, right] : null;
}
