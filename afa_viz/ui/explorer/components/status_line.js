// The query cell in words.

import { layer } from "../core/packed.js";
import { affinityOfCell, classIndex, className, queryCell } from "../core/selection.js";
import { describe } from "../core/status.js";
import { MEAN_HEAD, store, view } from "../core/store.js";
import { text } from "../core/words.js";

/** The value of a map at the middle of the query cell. */
function valueAtCell(/** @type {ByteMap} */ map) {
  const [row, col] = queryCell();
  const y = Math.min(map.rows - 1, Math.floor(((row + 0.5) * map.rows) / store.trace.grid[0]));
  return map.bytes[y * map.cols + Math.min(map.cols - 1, Math.floor(((col + 0.5) * map.cols) / store.trace.grid[1]))];
}

/** Say in the status line what the query cell is in every stage. */
export function describeCell() {
  const [row, col] = queryCell();
  const flat = (/** @type {Unpacked} */ map) => valueAtCell({ ...map, rows: map.shape[0], cols: map.shape[1] });
  const named = (/** @type {Unpacked | null} */ map) => (!map ? "–" : flat(map) === 255 ? text("uncertain") : className(flat(map)));
  const close = affinityOfCell().bytes.reduce((count, byte) => count + Number(byte > 127), 0);
  const { grid } = store.trace;
  const band = store.trace.affinity?.band;
  const reach = (/** @type {number} */ axis) => Math.min(grid[axis], queryCell()[axis] + band + 1) - Math.max(0, queryCell()[axis] - band);
  const cells = band ? reach(0) * reach(1) : grid[0] * grid[1]; // a band knows its window alone
  describe(text(store.scene.target ? "bar.status_known" : "bar.status", {
    row: row + 1, col: col + 1, pinned: view.pin ? text("bar.pinned") : "", close: store.trace.affinity ? close : "–", cells,
    name: className(view.label), cam: (valueAtCell(layer(store.trace.cam, classIndex())) / 255).toFixed(2),
    label: named(store.trace.pseudo_label), seg: named(store.scene.seg), truth: store.scene.target ? named(store.scene.target) : "",
    head: view.head === MEAN_HEAD ? text("bar.mean_head") : text("bar.one_head", { head: view.head + 1 }),
  }));
}
