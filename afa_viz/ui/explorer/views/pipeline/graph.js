// The pipeline as a graph: which stage leads to which and by what operation, and the way of each line. Places are counted
// along the flow (`main`) and across it (`cross`): the same ways serve a wide page and, transposed, a narrow one.

/** @typedef {{left: number, right: number, top: number, bottom: number, x: number, y: number}} Box x, y: middle of its picture */
/** @typedef {{start: number, end: number, near: number, far: number, main: number, cross: number}} Place */
/** @typedef {{[stage: string]: Place}} Places */
/** @typedef {[number, number]} Point along and across the flow */

/**
 * @typedef {object} Edge
 * @property {string} name of its operation, in the texts
 * @property {string} from a stage
 * @property {string} [to] a stage; without it the line ends where others begin
 * @property {string} [tab] whose equation says what happens
 * @property {boolean} [trains] whether it is followed in training alone
 * @property {(at: Places) => Point[]} way the corners of its line
 * @property {[number, number]} [words] which piece of the line has the words beside it, on a wide and on a narrow page
 */

const OVER = 12; // pixels: the decoder's line passes outside of all boxes
const TRUNK = 0.55; // of the way from the image to the CAM: where the outputs of the encoder part

const trunk = (/** @type {Places} */ { image, cam }) => image.end + TRUNK * (cam.start - image.end);
/** Straight on. */
const along = (/** @type {string} */ from, /** @type {string} */ to) => (/** @type {Places} */ at) => (
  /** @type {Point[]} */ ([[at[from].end, at[from].cross], [at[to].start, at[from].cross]]));
/** Straight across. */
const across = (/** @type {Place} */ from, /** @type {Place} */ to) => /** @type {Point[]} */ (
  from.cross < to.cross ? [[from.main, from.far], [from.main, to.near]] : [[from.main, from.near], [from.main, to.far]]);
/** From the encoder into the start of a box. */
const branch = (/** @type {string} */ to) => (/** @type {Places} */ at) => /** @type {Point[]} */ (
  [[trunk(at), at.image.cross], [trunk(at), at[to].cross], [at[to].start, at[to].cross]]);

/** @type {Edge[]} */
export const EDGES = [
  { name: "encoder", from: "image", way: (at) => [[at.image.end, at.image.cross], [trunk(at), at.image.cross]] },
  { name: "classifier", from: "image", to: "cam", tab: "cam", way: branch("cam"), words: [1, 1] },
  { name: "products", from: "image", to: "attention", tab: "attention", way: branch("attention"), words: [1, 1] },
  { name: "decoder", from: "image", to: "seg", tab: "seg", words: [1, 0],
    way: (at) => [[trunk(at), at.cam.cross], [trunk(at), OVER], [at.seg.main, OVER], [at.seg.main, at.seg.near]] },
  { name: "heads", from: "attention", to: "affinity", tab: "affinity", way: along("attention", "affinity") },
  { name: "label", from: "cam", to: "affinity_label", tab: "regions", words: [1, 1],
    way: ({ cam, affinity_label: to }) => [[cam.end, cam.cross], [to.main, cam.cross], [to.main, to.near]] },
  { name: "trains_affinity", from: "affinity_label", to: "affinity", tab: "train", trains: true,
    way: (at) => across(at.affinity_label, at.affinity) },
  { name: "start", from: "cam", to: "cam_rw", tab: "walk", words: [1, 1],
    way: ({ cam, affinity_label: fork, cam_rw: to }) => [[fork.main, cam.cross], [to.main, cam.cross], [to.main, to.near]] },
  { name: "transition", from: "affinity", to: "cam_rw", tab: "walk", words: [0, 1],
    way: ({ affinity, cam_rw: to }) => [[affinity.end, affinity.cross], [to.main, affinity.cross], [to.main, to.far]] },
  { name: "refinement", from: "cam_rw", to: "cam_par", tab: "par", way: along("cam_rw", "cam_par") },
  { name: "thresholds", from: "cam_par", to: "regions", tab: "regions", way: along("cam_par", "regions") },
  { name: "best", from: "regions", to: "pseudo_label", tab: "regions", way: (at) => across(at.regions, at.pseudo_label) },
  { name: "trains_decoder", from: "pseudo_label", to: "seg", tab: "train", trains: true,
    way: ({ pseudo_label: from, seg }) => [[from.start, from.cross], [seg.end, from.cross]] },
];
const BACKWARD = 1.2; // of two that are about as near the one that the flow leads to
const ALSO = [["regions", "target"]]; // beside each other, for the keys

/** Whether the flow runs down the page. */
export const isNarrow = (/** @type {{[stage: string]: Box}} */ { image, cam }) => cam.top > image.bottom;

/** Boxes as places of the flow. */
export function placesOf(/** @type {{[stage: string]: Box}} */ boxes) {
  const narrow = isNarrow(boxes);
  return Object.fromEntries(Object.entries(boxes).map(([stage, { left, right, top, bottom, x, y }]) => [stage, narrow
    ? { start: top, end: bottom, near: left, far: right, main: y, cross: x }
    : { start: left, end: right, near: top, far: bottom, main: x, cross: y }]));
}

/** Corners of a line on the page, (x, y). */
export const cornersOf = (/** @type {Edge} */ edge, /** @type {Places} */ at, /** @type {boolean} */ narrow) => (
  edge.way(at).map(([main, cross]) => (narrow ? [cross, main] : [main, cross])));

/** Where the words of a line stand: above a piece that lies, right of one that stands. */
export function spotOf(/** @type {Edge} */ { words = [0, 0] }, /** @type {number[][]} */ corners, /** @type {boolean} */ narrow) {
  const piece = words[Number(narrow)];
  const [[x0, y0], [x1, y1]] = [corners[piece], corners[piece + 1]];
  return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, lies: Math.abs(x1 - x0) > Math.abs(y1 - y0), length: Math.abs(x1 - x0) };
}

/**
 * The stage that a key leads to along a line: the nearest one about that way; null where there is none.
 *
 * @param {string} from
 * @param {number[]} direction (x, y)
 * @param {{[stage: string]: Box}} boxes
 */
export function neighbourOf(from, [dx, dy], boxes) {
  const pairs = [...EDGES.map((edge) => [edge.from, edge.to ?? ""]), ...ALSO];
  let [best, least] = [/** @type {string | null} */ (null), Infinity];
  for (const [a, b] of pairs) {
    const other = { [a]: b, [b]: a }[from];
    if (!other || !boxes[other] || !boxes[from]) continue;
    const [x, y] = [boxes[other].x - boxes[from].x, boxes[other].y - boxes[from].y];
    const cosine = (x * dx + y * dy) / Math.hypot(x, y);
    const cost = cosine > 0.35 ? (a === from ? 1 : BACKWARD) * Math.hypot(x, y) / cosine ** 2 : Infinity;
    if (cost < least) [best, least] = [other, cost];
  }
  return best;
}
