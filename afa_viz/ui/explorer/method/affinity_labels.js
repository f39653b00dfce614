// Affinity labels of one query cell, as ops/affinity.py: which pairs the affinity is trained to link, and which not.

const UNCERTAIN = 255;

/** Of a pair of cells: beyond the window, the same class, another class, or one of them without a label. */
/** @type {{[kind: string]: number}} */
export const PAIR = { beyond: 0, positive: 1, negative: 2, ignored: 255 };

/**
 * The kind of the pair of a query with every cell: (N,), of `PAIR`.
 *
 * `cells`: the label of every cell, (N,); `query`: (row, column); the window holds the cells at most `radius` rows and
 * columns away.
 *
 * @param {Uint8Array} cells
 * @param {number[]} cell
 * @param {number[]} grid
 * @param {number} radius
 */
export function affinityLabels(cells, [row, col], [rows, cols], radius) {
  const own = cells[row * cols + col];
  const out = new Uint8Array(rows * cols);
  for (let i = 0; i < out.length; i++) {
    const distance = Math.max(Math.abs(Math.floor(i / cols) - row), Math.abs((i % cols) - col));
    if (distance > radius) out[i] = PAIR.beyond;
    else if (own === UNCERTAIN || cells[i] === UNCERTAIN) out[i] = PAIR.ignored;
    else out[i] = own === cells[i] ? PAIR.positive : PAIR.negative;
  }
  return out;
}
