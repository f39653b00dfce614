// How numbers spread: limits, quantiles, and the pairwise AUC of two lists. Pure functions on typed arrays.

/**
 * The smallest and the largest number of some lists.
 *
 * @param {...ArrayLike<number>} lists
 */
export function limitsOf(...lists) {
  let [low, high] = [Infinity, -Infinity];
  for (const list of lists) {
    for (let i = 0; i < list.length; i++) {
      if (list[i] < low) low = list[i];
      if (list[i] > high) high = list[i];
    }
  }
  return [low, high];
}

/**
 * How often each of the 256 bytes is there.
 *
 * @param {Uint8Array} bytes
 */
export function byteHistogram(bytes) {
  const counts = new Uint32Array(256);
  for (let i = 0; i < bytes.length; i++) counts[bytes[i]]++;
  return counts;
}

/**
 * The values below which given shares of a list lie.
 *
 * @param {ArrayLike<number> & Iterable<number>} values
 * @param {number[]} shares
 */
export function quantiles(values, shares) {
  const sorted = Float32Array.from(values).sort();
  return shares.map((share) => sorted[Math.round(share * (sorted.length - 1))]);
}

export const OUTLIER_SHARE = 0.02; // share of the cells of a map of scores that may lie beyond one end of its colours
/**
 * The numbers of the colours for maps of scores. A step of the walk is a weighted mean, so none rises above the others;
 * but a few cells that nothing reaches fall to 0, and those do not stretch them.
 *
 * @param {...ArrayLike<number>} lists
 */
export function robustLimits(...lists) {
  const values = new Float32Array(lists.reduce((sum, list) => sum + list.length, 0));
  lists.reduce((at, list) => {
    values.set(list, at);
    return at + list.length;
  }, 0);
  const [low, high] = quantiles(values, [OUTLIER_SHARE, 1]);
  return high > low ? [low, high] : limitsOf(values);
}

/**
 * The same of bytes, by counting them.
 *
 * @param {Uint8Array} bytes
 */
export function robustByteLimits(bytes) {
  const counts = byteHistogram(bytes);
  let [low, left] = [0, Math.round(OUTLIER_SHARE * (bytes.length - 1)) - counts[0]];
  while (left >= 0) left -= counts[++low];
  const [least, high] = limitsOf(bytes);
  return [high > low ? low : least, high];
}

/**
 * The largest change from one map of scores to another, but for cells below the colours of either.
 *
 * @param {Float32Array} change
 * @param {Float32Array} before
 * @param {Float32Array} after
 */
export function robustChange(change, before, after) {
  const [[lowBefore], [lowAfter]] = [robustLimits(before), robustLimits(after)];
  const counted = change.filter((_, i) => before[i] >= lowBefore && after[i] >= lowAfter);
  return maxAbs(counted) || maxAbs(change);
}

/** The number farthest from 0, without its sign. */
export const maxAbs = (/** @type {Float32Array} */ values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/**
 * Of all pairs of a number of each list, the share in which the first is higher; ties count half.
 *
 * @param {Float32Array} first
 * @param {Float32Array} second
 */
export function pairwiseAuc(first, second) {
  const sorted = second.slice().sort();
  const below = (/** @type {number} */ value, /** @type {boolean} */ orEqual) => { // how many of the second are less
    let [from, to] = [0, sorted.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (sorted[middle] < value || (orEqual && sorted[middle] === value)) from = middle + 1;
      else to = middle;
    }
    return from;
  };
  let wins = 0;
  for (const value of first) wins += (below(value, false) + below(value, true)) / 2;
  return wins / (first.length * second.length);
}
