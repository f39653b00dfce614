// Pixel-adaptive refinement, as ops/par.py. Maps are planes: channel by channel, row by row.
//
// Symbols: H W pixels, n neighbours.

/**
 * (row, column) of the n neighbours: dilation by dilation, each ring row by row without its centre.
 *
 * @param {number[]} dilations
 */
export function neighbourOffsets(dilations) {
  const ring = [[-1, -1], [-1, 0], [-1, 1], [0, -1], [0, 1], [1, -1], [1, 0], [1, 1]];
  return dilations.flatMap((d) => ring.map(([row, col]) => [d * row, d * col]));
}

/**
 * A frame around a map, as wide as the farthest neighbour, that repeats the edge pixels.
 *
 * @param {number[]} size
 * @param {number[]} dilations
 */
function paddedPlane([height, width], dilations) {
  const reach = Math.max(...dilations);
  const stride = width + 2 * reach;
  const padded = new Float32Array(stride * (height + 2 * reach));
  const offsets = Int32Array.from(neighbourOffsets(dilations), ([row, col]) => row * stride + col);
  const start = (/** @type {number} */ y) => (reach + y) * stride + reach; // where row y of the map begins
  const fill = (/** @type {Float32Array} */ maps, /** @type {any} */ from) => {
    for (let y = 0; y < height; y++) {
      const at = start(y);
      padded.set(maps.subarray(from + y * width, from + (y + 1) * width), at);
      padded.fill(padded[at], at - reach, at);
      padded.fill(padded[at + width - 1], at + width, at + width + reach);
    }
    const [top, bottom] = [start(0) - reach, start(height - 1) - reach];
    for (let y = 1; y <= reach; y++) {
      padded.copyWithin(top - y * stride, top, top + stride);
      padded.copyWithin(bottom + y * stride, bottom, bottom + stride);
    }
  };
  return { padded, offsets, start, fill };
}

/**
 * softmax_n of -(rho_n / (std(rho) + 1e-8) / w1)^2, rho the distance in pixels.
 *
 * @param {number[]} dilations
 * @param {number} w1
 */
function positionTerm(dilations, w1) {
  const rho = neighbourOffsets(dilations).map(([row, col]) => Math.hypot(row, col));
  const mean = rho.reduce((a, b) => a + b) / rho.length;
  const std = Math.sqrt(rho.reduce((sum, r) => sum + (r - mean) ** 2, 0) / (rho.length - 1));
  const exponents = rho.map((r) => -((r / (std + 1e-8) / w1) ** 2));
  const top = Math.max(...exponents);
  const weights = exponents.map((e) => Math.exp(e - top));
  const total = weights.reduce((a, b) => a + b);
  return weights.map((w) => w / total);
}

/**
 * How much each pixel takes from each neighbour: (channels, H, W) in [0, 1] -> {weights (n, H, W), …}, summing to
 * 1 + w2. Made row by row: `more()` makes the next one and says whether any is left, `all()` makes the rest and gives
 * the kernel.
 *
 * @param {Float32Array} image
 * @param {number[]} size
 * @param {{dilations: number[], w1: number, w2: number}} options
 */
export function kernelByRows(image, [height, width], { dilations, w1, w2 }) {
  const pixels = height * width;
  const channels = Array.from({ length: image.length / pixels }, (_, c) => {
    const framed = paddedPlane([height, width], dilations);
    framed.fill(image, c * pixels);
    return framed;
  });
  const position = positionTerm(dilations, w1);
  const n = position.length;
  const weights = new Float32Array(n * pixels); // first the exponents
  const [mean, variance, top, total] = [0, 1, 2, 3].map(() => new Float64Array(width));
  let made = 0;

  function exponents(/** @type {ReturnType<typeof paddedPlane>} */ { padded, offsets, start }, /** @type {number} */ y) {
    const at = start(y);
    mean.fill(0);
    variance.fill(0);
    for (let k = 0; k < n; k++) for (let x = 0; x < width; x++) mean[x] += padded[at + offsets[k] + x];
    for (let x = 0; x < width; x++) mean[x] /= n;
    for (let k = 0; k < n; k++) {
      for (let x = 0; x < width; x++) variance[x] += (padded[at + offsets[k] + x] - mean[x]) ** 2;
    }
    for (let x = 0; x < width; x++) {
      variance[x] = 1 / ((Math.sqrt(variance[x] / (n - 1)) + 1e-8) * w1) ** 2 / channels.length;
    }
    for (let k = 0; k < n; k++) {
      const to = k * pixels + y * width;
      const shifted = at + offsets[k];
      for (let x = 0; x < width; x++) {
        const difference = padded[shifted + x] - padded[at + x];
        weights[to + x] -= difference * difference * variance[x];
      }
    }
  }

  function softmax(/** @type {number} */ y) {
    top.fill(-Infinity);
    total.fill(0);
    for (let k = 0, at = y * width; k < n; k++, at += pixels) {
      for (let x = 0; x < width; x++) if (weights[at + x] > top[x]) top[x] = weights[at + x];
    }
    for (let k = 0, at = y * width; k < n; k++, at += pixels) {
      for (let x = 0; x < width; x++) total[x] += weights[at + x] = Math.exp(weights[at + x] - top[x]);
    }
    for (let x = 0; x < width; x++) total[x] = 1 / total[x];
    for (let k = 0, at = y * width; k < n; k++, at += pixels) {
      for (let x = 0; x < width; x++) weights[at + x] = weights[at + x] * total[x] + w2 * position[k];
    }
  }

  function more() {
    if (made < height) {
      for (const channel of channels) exponents(channel, made);
      softmax(made);
      made += 1;
    }
    return made < height;
  }

  const kernel = { weights, size: [height, width], dilations };
  return {
    more,
    all() {
      while (more());
      return kernel;
    },
  };
}

/**
 * The maps after one iteration: scores <- sum_n kernel_n scores_n.
 *
 * @param {Float32Array} scores
 * @param {Kernel} options
 */
export function parStep(scores, { weights, size: [height, width], dilations }) {
  const pixels = height * width;
  const { padded, offsets, start, fill } = paddedPlane([height, width], dilations);
  const out = new Float32Array(scores.length);
  const row = new Float64Array(width);
  for (let c = 0; c < scores.length; c += pixels) {
    fill(scores, c);
    for (let y = 0; y < height; y++) {
      row.fill(0);
      for (let k = 0; k < offsets.length; k += 8) { // a ring at a time: eight loads for one store
        const w0 = k * pixels + y * width;
        const [w1, w2, w3, w4] = [w0 + pixels, w0 + 2 * pixels, w0 + 3 * pixels, w0 + 4 * pixels];
        const [w5, w6, w7] = [w0 + 5 * pixels, w0 + 6 * pixels, w0 + 7 * pixels];
        const at = start(y);
        const [p0, p1, p2, p3] = [at + offsets[k], at + offsets[k + 1], at + offsets[k + 2], at + offsets[k + 3]];
        const [p4, p5, p6, p7] = [at + offsets[k + 4], at + offsets[k + 5], at + offsets[k + 6], at + offsets[k + 7]];
        for (let x = 0; x < width; x++) {
          row[x] += weights[w0 + x] * padded[p0 + x] + weights[w1 + x] * padded[p1 + x]
            + weights[w2 + x] * padded[p2 + x] + weights[w3 + x] * padded[p3 + x]
            + weights[w4 + x] * padded[p4 + x] + weights[w5 + x] * padded[p5 + x]
            + weights[w6 + x] * padded[p6 + x] + weights[w7 + x] * padded[p7 + x];
        }
      }
      out.set(row, c + y * width);
    }
  }
  return out;
}
