// An image made smaller or larger as Pillow does it with BILINEAR, to the last bit: `explain` resizes so.
//
// A triangle as wide as a pixel of the coarser grid, first along the rows, then along the columns, both rounded to bytes.

const PRECISION = 2 ** 22; // of the weights, as in Pillow

/** @typedef {{starts: Int32Array, counts: Int32Array, weights: Float64Array, most: number}} Taps */

/** Rounds half to even, as Python does. */
export function roundHalfEven(/** @type {number} */ value) {
  const low = Math.floor(value);
  const part = value - low;
  return part > 0.5 || (part === 0.5 && low % 2 === 1) ? low + 1 : low;
}

/**
 * Size (height, width) with the longer side at `longSide`, no side under one cell: as inputs.fit_size.
 *
 * @param {number[]} size
 * @param {number} longSide
 */
export function fitSize([height, width], longSide) {
  const factor = longSide / Math.max(height, width);
  return [height, width].map((side) => Math.max(16, roundHalfEven(side * factor)));
}

/**
 * Of each of `out` places, from which of `size` it is made, and the weights as whole numbers of 1 / `PRECISION`.
 *
 * @param {number} size
 * @param {number} out
 * @returns {Taps}
 */
export function tapsOf(size, out) {
  const scale = size / out;
  const reach = Math.max(scale, 1);
  const most = Math.ceil(reach) * 2 + 1;
  const [starts, counts, weights] = [new Int32Array(out), new Int32Array(out), new Float64Array(out * most)];
  for (let i = 0; i < out; i++) {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const count = Math.min(size, Math.trunc(centre + reach + 0.5)) - first;
    let total = 0;
    for (let k = 0; k < count; k++) {
      const weight = Math.max(0, 1 - Math.abs((k + first - centre + 0.5) / reach));
      weights[i * most + k] = weight;
      total += weight;
    }
    for (let k = 0; k < count; k++) weights[i * most + k] = Math.floor((weights[i * most + k] / total) * PRECISION + 0.5);
    [starts[i], counts[i]] = [first, count];
  }
  return { starts, counts, weights, most };
}

/**
 * Rows of RGBA at another width, as RGB: some of the rows of an image at a time.
 *
 * @param {ArrayLike<number>} rgba
 * @param {number} rows
 * @param {number} width
 * @param {Taps} taps of the width
 * @param {Uint8ClampedArray} out (…, new width, 3)
 * @param {number} firstRow of `out`
 */
export function resampleRows(rgba, rows, width, { starts, counts, weights, most }, out, firstRow) {
  const across = starts.length;
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < across; x++) {
      let [r, g, b] = [0, 0, 0];
      for (let k = 0; k < counts[x]; k++) {
        const at = 4 * (y * width + starts[x] + k);
        const weight = weights[x * most + k];
        r += weight * rgba[at];
        g += weight * rgba[at + 1];
        b += weight * rgba[at + 2];
      }
      const to = 3 * ((firstRow + y) * across + x);
      [out[to], out[to + 1], out[to + 2]] = [r, g, b].map((sum) => Math.floor((sum + PRECISION / 2) / PRECISION));
    }
  }
}

/**
 * (rows, width, 3) at another height.
 *
 * @param {Uint8ClampedArray} rgb
 * @param {number} width
 * @param {Taps} taps of the height
 */
export function resampleColumns(rgb, width, { starts, counts, weights, most }) {
  const [down, stride] = [starts.length, 3 * width];
  const out = new Uint8ClampedArray(down * stride);
  const sums = new Float64Array(stride);
  for (let y = 0; y < down; y++) {
    sums.fill(PRECISION / 2);
    for (let k = 0; k < counts[y]; k++) {
      const [weight, from] = [weights[y * most + k], (starts[y] + k) * stride];
      for (let i = 0; i < stride; i++) sums[i] += weight * rgb[from + i];
    }
    for (let i = 0; i < stride; i++) out[y * stride + i] = Math.floor(sums[i] / PRECISION);
  }
  return out;
}
