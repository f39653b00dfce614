// The random walk, as ops/random_walk.py. Maps are planes: channel by channel, row by row.
//
// Symbols: P channels (background first, then the present classes), h w cells, N = h w.

/**
 * A constant background channel in front of the classes, softmax over all: (P - 1, …) and beta -> (P, …). `shifts` are
 * added to the classes first, one to each.
 *
 * @param {Float32Array} cam
 * @param {number} places
 * @param {number} beta
 * @param {number[] | null} [shifts]
 */
export function withBackground(cam, places, beta, shifts = null) {
  const classes = cam.length / places;
  const out = new Float32Array((classes + 1) * places);
  const ground = Math.exp(beta);
  const factors = Array.from({ length: classes }, (_, c) => Math.exp(shifts?.[c] ?? 0));
  for (let i = 0; i < places; i++) {
    let total = ground;
    for (let c = 0; c < classes; c++) total += factors[c] * Math.exp(cam[c * places + i]);
    out[i] = ground / total;
    for (let c = 0; c < classes; c++) out[(c + 1) * places + i] = (factors[c] * Math.exp(cam[c * places + i])) / total;
  }
  return out;
}

/**
 * T_ij = A_ij^power / (sum_i A_ij^power + eps) within the window: (N, N) affinities -> (N, N).
 *
 * @param {Float32Array} affinity
 * @param {number[]} grid
 * @param {{radius: number, power: number, eps: number}} options
 */
export function transitionMatrix(affinity, [rows, cols], { radius, power, eps }) {
  const cells = rows * cols;
  const out = new Float32Array(cells * cells);
  const sums = new Float64Array(cells);
  for (let i = 0; i < cells; i++) {
    const row = Math.floor(i / cols);
    const col = i % cols;
    const [left, right] = [Math.max(0, col - radius), Math.min(cols - 1, col + radius)];
    for (let y = Math.max(0, row - radius); y <= Math.min(rows - 1, row + radius); y++) {
      for (let j = y * cols + left; j <= y * cols + right; j++) {
        const value = affinity[i * cells + j];
        const sharp = power === 2 ? value * value : value ** power;
        out[i * cells + j] = sharp;
        sums[j] += sharp;
      }
    }
  }
  for (let j = 0; j < cells; j++) sums[j] = 1 / (sums[j] + eps);
  for (let i = 0; i < cells; i++) for (let j = 0; j < cells; j++) out[i * cells + j] *= sums[j];
  return out;
}

/**
 * The scores before the walk and after each step: out[c, j] = sum_i scores[c, i] T_ij.
 *
 * @param {Float32Array} start
 * @param {Float32Array} matrix
 * @param {number} count
 */
export function walkSteps(start, matrix, count) {
  const cells = Math.round(Math.sqrt(matrix.length));
  const steps = [start];
  for (let step = 0; step < count; step++) {
    const from = steps[step];
    const to = new Float32Array(from.length);
    for (let c = 0; c < from.length; c += cells) {
      for (let i = 0; i < cells; i++) {
        const score = from[c + i];
        if (!score) continue;
        const row = i * cells;
        for (let j = 0; j < cells; j++) to[c + j] += score * matrix[row + j];
      }
    }
    steps.push(to);
  }
  return steps;
}
