// What the choices in the store mean for the trace that is shown: cell, class, block.

import { store, view } from "./store.js";
import { translateClass } from "./words.js";

// --- the query cell, (row, column) -----------------------------------------------------------------------------------

/** The query cell: pinned, under the pointer, or the one it rests on. */
export const queryCell = () => view.pin ?? view.hover ?? view.rest;

/** Whether the query cell is not to be shown: the strongest cell would tell the answer to a question of the lab. */
export const isCellHidden = () => view.guessing && view.home && !view.pin && !view.hover;

/** The cell that keys start from. */
export const startCell = () => (isCellHidden() ? store.trace.grid.map((count) => Math.floor(count / 2)) : queryCell());

/** Whether two cells are the same one. */
export const sameCell = (/** @type {Cell | null} */ a, /** @type {Cell | null} */ b) => Boolean(a && b && a[0] === b[0] && a[1] === b[1]);

/** The cell with the highest CAM of the chosen class. */
export const strongestCell = () => store.trace.classes.find((c) => c.label === view.label)?.cell ?? [0, 0];

/** The choice of that cell, for `setView`. */
export const strongestCellSelection = () => ({ pin: null, hover: null, rest: strongestCell(), home: true });

/**
 * The cell with the least `cost` of those that can be asked about; null where all can. A file holds the maps of some cells
 * alone where an image has very many.
 *
 * @param {(cell: Cell) => number} cost
 */
function bestHeld(cost) {
  const queries = store.trace.held?.queries;
  return queries ? queries.reduce((/** @type {Cell} */ best, /** @type {Cell} */ cell) => (cost(cell) < cost(best) ? cell : best)) : null;
}

/** A cell, or the nearest one that can be asked about. */
export const nearestQuery = (/** @type {Cell} */ [row, col]) => bestHeld((cell) => Math.hypot(cell[0] - row, cell[1] - col)) ?? [row, col];

/** The cell some rows and columns away, or the next one in that direction that can be asked about; within the grid. */
export function steppedQuery(/** @type {Cell} */ from, /** @type {number[]} */ by) {
  const along = (/** @type {Cell} */ cell) => by.reduce((sum, step, axis) => sum + step * (cell[axis] - from[axis]), 0);
  const aside = (/** @type {Cell} */ cell) => by.reduce((sum, step, axis) => sum + (step ? 0 : Math.abs(cell[axis] - from[axis])), 0);
  const held = bestHeld((cell) => (along(cell) > 0 ? along(cell) + 2 * aside(cell) : Infinity));
  if (held) return along(held) > 0 ? held : from;
  return by.map((step, axis) => Math.min(store.trace.grid[axis] - 1, Math.max(0, from[axis] + step)));
}

/** The cell at shares of the height and the width. */
export const cellAtShares = (/** @type {number} */ y, /** @type {number} */ x) => nearestQuery([y, x].map(
  (share, axis) => Math.min(store.trace.grid[axis] - 1, Math.max(0, Math.floor(share * store.trace.grid[axis])))));

/** How many cells the grid has. */
export const countCells = () => store.trace.grid[0] * store.trace.grid[1];

/** The cell with a number, counted row by row. */
export const cellOfIndex = (/** @type {number} */ index) => [Math.floor(index / store.trace.grid[1]), index % store.trace.grid[1]];

/** The affinities of the query cell. */
export function affinityOfCell() {
  const [rows, cols] = store.trace.grid;
  const size = rows * cols;
  const query = queryCell()[0] * cols + queryCell()[1];
  if (!store.trace.affinity) return { rows, cols, low: 0, high: 1, bytes: new Uint8Array(size) }; // the method has none
  return { rows, cols, low: 0, high: 1, bytes: store.trace.affinity.bytes.subarray(query * size, (query + 1) * size) };
}

// --- classes ---------------------------------------------------------------------------------------------------------

/** The English name of a label, as in addresses and in questions to the host. */
export const classId = (/** @type {number} */ label) => store.trace.names[label] ?? "";

/** The name of a label in the page's language. */
export const className = (/** @type {number} */ label) => translateClass(classId(label));

/** The colour of a label; none for the background. */
export const classColour = (/** @type {number} */ label) => (label ? store.trace.palette[label] : null);

/** Whether the classifier recognised none of its classes: the label is the best of them all the same. Of very many classes
 * the most probable ones are named. */
export const isNothingRecognised = () => !store.trace.labels_given && !store.trace.predictions && !store.trace.partial
  && store.trace.classes.every(({ logit }) => logit <= 0);

/** The place of the chosen class among the CAMs. */
export const classIndex = () => store.trace.classes.findIndex((c) => c.label === view.label);

/** Its channel of walk and PAR, where the background is channel 0. */
export const classChannel = () => 1 + classIndex();

// --- blocks and stages -----------------------------------------------------------------------------------------------

/** Whether the attention of a block was kept, and a file that shows it holds it. */
export const isHeld = (/** @type {number} */ block) => block >= store.trace.first_block
  && (store.trace.held?.probs.includes(block) ?? true);

/** What the words for a block are filled with. */
export const blockValues = (/** @type {Block} */ block) => ({ stage: block.stage, place: block.place, heads: block.heads });

/** What a stage is held against: the stage before by the same rule over the same pixels, or undefined. */
export const stageBefore = (/** @type {string} */ key) => store.trace.steps.find(({ stage }) => stage === key)?.before;
