// What was answered, kept in this browser tab: the first answer to each question about an image and a class counts.

const STORE = "afa-lab";
const MAX_ROWS = 300;

/**
 * One question about one class of one image. `first` and `last`: answers with their reasons and what is right of them;
 * `verdict` is that on the first one.
 *
 * @typedef {{answer: any, reason: string | null, right: boolean, reasonRight: boolean | null}} Given
 * @typedef {{name: string, question: string, kind: string, image: string, words: {[name: string]: any}, verdict: LabVerdict,
 *   asksReason: boolean, first: Given, last: Given}} Row
 */

/** @type {Row[]} */
let rows = recall();

function recall() {
  try {
    const kept = JSON.parse(window.sessionStorage.getItem(STORE) ?? "null");
    return Array.isArray(kept) ? kept : [];
  } catch {
    return []; // no storage, or not ours
  }
}

function keep() {
  try {
    window.sessionStorage.setItem(STORE, JSON.stringify(rows));
  } catch {
    // they then last as long as the page
  }
}

/** All rows, in the order of the first answers. */
export const answeredRows = () => rows;

/** Whether the question of this name was answered. */
export const isAnswered = (/** @type {string} */ name) => rows.some((row) => row.name === name);

/** Keep an answer: of a question that was answered before, as the last one. */
export function record(/** @type {Omit<Row, "first" | "last">} */ asked, /** @type {Given} */ given) {
  const known = rows.find((row) => row.name === asked.name);
  if (known) Object.assign(known, { last: given });
  else if (rows.length < MAX_ROWS) rows.push({ ...asked, first: given, last: given });
  keep();
}

/** Forget all answers. */
export function forgetAnswers() {
  rows = [];
  keep();
}

/** Points of an answer: one if it is right, one for its reason. */
export const pointsOf = (/** @type {Given} */ { right, reasonRight }) => Number(right) + Number(reasonRight === true);

/** Points of all first answers, and how many there were to get. */
export function score() {
  const possible = rows.reduce((sum, row) => sum + 1 + Number(row.asksReason), 0);
  return { answered: rows.length, points: rows.reduce((sum, row) => sum + pointsOf(row.first), 0), possible };
}

/** How the last answer to a question was, about whatever image: "right", "half", "wrong", or "" without one. */
export function markOf(/** @type {string} */ question) {
  const row = rows.findLast((one) => one.question === question);
  if (!row) return "";
  const points = pointsOf(row.last);
  return points === 1 + Number(row.asksReason) ? "right" : points ? "half" : "wrong";
}
