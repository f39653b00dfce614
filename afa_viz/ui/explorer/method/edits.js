// The affinity with pairs of regions set by hand, as ops/affinity_edits.py.
//
// Symbols: N cells, in row-major order.

/** @typedef {{what: string, cells: number[], others: number[] | null}} Edit what: "join" or "separate"; others: null for all other cells */

const VALUES = /** @type {{[what: string]: number}} */ ({ join: 1, separate: 0 });

/**
 * The affinity with 1 ("join") or 0 ("separate") for every cell of one region and every cell of the other, in both directions;
 * a cell with itself stays. A later edit wins.
 *
 * @param {Float32Array} affinity (N, N), not changed
 * @param {Edit[]} edits
 */
export function editAffinity(affinity, edits) {
  const count = Math.round(Math.sqrt(affinity.length));
  const out = affinity.slice();
  for (const { what, cells, others } of edits) {
    const own = new Set(cells);
    const rest = others ?? Array.from({ length: count }, (_, i) => i).filter((i) => !own.has(i));
    for (const i of cells) {
      for (const j of rest) if (i !== j) out[i * count + j] = out[j * count + i] = VALUES[what];
    }
  }
  return out;
}

/** What edits set the affinity of a pair of cells to: 1, 0, or null where it stays. */
export function editedValue(/** @type {Edit[]} */ edits, /** @type {number} */ i, /** @type {number} */ j) {
  const holds = (/** @type {Edit} */ { cells, others }, /** @type {number} */ a, /** @type {number} */ b) => (
    cells.includes(a) && (others ? others.includes(b) : !cells.includes(b)));
  const found = i === j ? [] : edits.filter((edit) => holds(edit, i, j) || holds(edit, j, i));
  return found.length ? VALUES[found[found.length - 1].what] : null;
}
