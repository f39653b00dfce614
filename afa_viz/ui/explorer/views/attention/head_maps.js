// Attention of the chosen block: all heads of every cell where that is little, else the chosen head for every cell, and
// all heads for the one cell on which the pointer rests.

import { cached } from "../../core/cache.js";
import { toFloats, unpackAttention } from "../../core/packed.js";
import { scheduleDraw, SELECTION } from "../../core/schedule.js";
import { queryCell, sameCell } from "../../core/selection.js";
import { accepted, reportError } from "../../core/status.js";
import { MEAN_HEAD, store, view } from "../../core/store.js";
import { host } from "../../host/host.js";

const MAX_BYTES = 2 ** 20; // bytes of maps that the page takes at once
const HOVER_DELAY = 150; // milliseconds without a move
/** @type {Map<any, any>} */
const blocks = new Map(); // name -> maps, a few kept ones
/** @type {any[]} */
let parts = []; // maps of the present block that are here
let of = ""; // whose they are
/** @type {any} */
let resting = 0;

const cells = () => store.trace.grid[0] * store.trace.grid[1];
const query = () => queryCell()[0] * store.trace.grid[1] + queryCell()[1];
const block = () => store.scene.blocks[view.block];
const keys = () => block().keys[0] * block().keys[1];
const name = () => `${store.trace.scene} ${view.block} ${view.logits}`;
export const isWhole = () => block().heads * cells() * keys() <= MAX_BYTES;

function load(/** @type {HeadMapQuery} */ asked) {
  return cached(blocks, `${name()} ${JSON.stringify(asked)}`, async () => {
    const raw = accepted(await host.attention({ key: store.trace.key, block: view.block, logits: view.logits, ...asked }));
    return { ...await unpackAttention(raw), asked };
  });
}

async function addPart(/** @type {HeadMapQuery} */ asked) {
  const mine = of;
  try {
    const part = await load(asked);
    if (mine !== of || parts.includes(part)) return;
    parts = [...parts.filter((p) => JSON.stringify(Object.keys(p.asked)) !== JSON.stringify(Object.keys(asked))), part];
    scheduleDraw(SELECTION);
  } catch (error) {
    reportError(error);
  }
}

/** Ask for what is looked at and not here. */
export function request() {
  if (of !== name()) [of, parts] = [name(), []];
  if (isWhole()) {
    if (!parts.length) addPart({});
    return;
  }
  const whole = !store.trace.held?.queries && cells() * keys() <= MAX_BYTES;
  if (whole && !parts.some((p) => p.asked.head === view.head)) addPart({ head: view.head });
  clearTimeout(resting);
  resting = setTimeout(() => addPart({ cell: queryCell() }), HOVER_DELAY);
}

/** The map of a head (`MEAN`: of all) for the query cell, as numbers; null while it is not here. */
export function headMap(/** @type {number} */ head) {
  for (const part of parts) {
    const { asked, shape: [count, , size] } = part;
    if (asked.cell && !sameCell(asked.cell, queryCell())) continue;
    const at = asked.cell ? 0 : query();
    if (asked.head != null) {
      if (asked.head === head) return row(part, 0, at);
      continue;
    }
    if (head !== MEAN_HEAD) return row(part, head, at);
    const mean = new Float32Array(size);
    for (let h = 0; h < count; h++) row(part, h, at).forEach((value, i) => { mean[i] += value / count; });
    return mean;
  }
  return null;
}

/**
 * One map of a part, as numbers.
 *
 * @param {HeadMaps} part
 * @param {number} head
 * @param {number} at
 */
function row({ bytes, shape: [, queries, size], lows, peaks }, head, at) {
  const place = head * queries + at;
  return toFloats({ bytes: bytes.subarray(place * size, (place + 1) * size), low: lows[place], high: peaks[place] });
}

/** Bytes that this block's view came as. */
export const sentBytes = () => parts.reduce((sum, part) => sum + part.sent, 0);
