// The method below the network, in the browser: CAM and affinity -> walk -> PAR -> labels. Pure functions on typed
// arrays, no page in sight; the same steps as ops/random_walk.py, ops/par.py and ops/pseudo_label.py, which the tests
// hold them to. Maps are planes: channel by channel, row by row.
//
// Symbols: P channels (background first, then the present classes), h w cells, N = h w, H W pixels, n neighbours.

const chain = (() => {
  const UNCERTAIN = 255;

  // --- resizing ------------------------------------------------------------------------------------------------------

  /** For each of `out` places the two it lies between among `size`, and the share of the second. */
  function taps(size, out, corners) {
    const first = new Int32Array(out);
    const second = new Int32Array(out);
    const share = new Float32Array(out);
    for (let i = 0; i < out; i++) {
      const at = corners ? (out > 1 ? (i * (size - 1)) / (out - 1) : 0) : Math.max(0, ((i + 0.5) * size) / out - 0.5);
      first[i] = Math.min(size - 1, Math.floor(at));
      second[i] = Math.min(size - 1, first[i] + 1);
      share[i] = at - first[i];
    }
    return { first, second, share };
  }

  /** Bilinear, no antialiasing, as torch does it; `corners` is its align_corners. Same size: the maps themselves. */
  function resize(maps, [rows, cols], [height, width], corners = false) {
    if (rows === height && cols === width) return maps;
    const count = maps.length / (rows * cols);
    const out = new Float32Array(count * height * width);
    const across = taps(cols, width, corners);
    const down = taps(rows, height, corners);
    const narrow = new Float32Array(rows * width); // every row at its new width
    for (let c = 0; c < count; c++) {
      for (let y = 0; y < rows; y++) {
        const from = (c * rows + y) * cols;
        for (let x = 0; x < width; x++) {
          const a = maps[from + across.first[x]];
          narrow[y * width + x] = a + across.share[x] * (maps[from + across.second[x]] - a);
        }
      }
      for (let y = 0; y < height; y++) {
        const [top, bottom, share] = [down.first[y] * width, down.second[y] * width, down.share[y]];
        const to = (c * height + y) * width;
        for (let x = 0; x < width; x++) out[to + x] = narrow[top + x] + share * (narrow[bottom + x] - narrow[top + x]);
      }
    }
    return out;
  }

  // --- random walk ---------------------------------------------------------------------------------------------------

  /** A constant background channel in front of the classes, softmax over all: (P - 1, …) and beta -> (P, …). */
  function withBackground(cam, places, beta) {
    const classes = cam.length / places;
    const out = new Float32Array((classes + 1) * places);
    const ground = Math.exp(beta);
    for (let i = 0; i < places; i++) {
      let total = ground;
      for (let c = 0; c < classes; c++) total += Math.exp(cam[c * places + i]);
      out[i] = ground / total;
      for (let c = 0; c < classes; c++) out[(c + 1) * places + i] = Math.exp(cam[c * places + i]) / total;
    }
    return out;
  }

  /** T_ij = A_ij^power / (sum_i A_ij^power + eps) within the window: (N, N) affinities -> (N, N). */
  function transition(affinity, [rows, cols], { radius, power, eps }) {
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

  /** The scores before the walk and after each step: out[c, j] = sum_i scores[c, i] T_ij. */
  function walkSteps(start, matrix, count) {
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

  // --- PAR -----------------------------------------------------------------------------------------------------------

  /** (row, column) of the n neighbours: dilation by dilation, each ring row by row without its centre. */
  function neighbours(dilations) {
    const ring = [[-1, -1], [-1, 0], [-1, 1], [0, -1], [0, 1], [1, -1], [1, 0], [1, 1]];
    return dilations.flatMap((d) => ring.map(([row, col]) => [d * row, d * col]));
  }

  /** A frame around a map, as wide as the farthest neighbour, that repeats the edge pixels. */
  function frame([height, width], dilations) {
    const reach = Math.max(...dilations);
    const stride = width + 2 * reach;
    const padded = new Float32Array(stride * (height + 2 * reach));
    const offsets = Int32Array.from(neighbours(dilations), ([row, col]) => row * stride + col);
    const start = (y) => (reach + y) * stride + reach; // where row y of the map begins
    const fill = (maps, from) => {
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

  /** softmax_n of -(rho_n / (std(rho) + 1e-8) / w1)^2, rho the distance in pixels. */
  function positionTerm(dilations, w1) {
    const rho = neighbours(dilations).map(([row, col]) => Math.hypot(row, col));
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
   */
  function kernelByRows(image, [height, width], { dilations, w1, w2 }) {
    const pixels = height * width;
    const channels = Array.from({ length: image.length / pixels }, (_, c) => {
      const framed = frame([height, width], dilations);
      framed.fill(image, c * pixels);
      return framed;
    });
    const position = positionTerm(dilations, w1);
    const n = position.length;
    const weights = new Float32Array(n * pixels); // first the exponents
    const [mean, variance, top, total] = [0, 1, 2, 3].map(() => new Float64Array(width));
    let made = 0;

    function exponents({ padded, offsets, start }, y) {
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

    function softmax(y) {
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

  /** The maps after one iteration: scores <- sum_n kernel_n scores_n. */
  function parStep(scores, { weights, size: [height, width], dilations }) {
    const pixels = height * width;
    const { padded, offsets, start, fill } = frame([height, width], dilations);
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

  // --- labels --------------------------------------------------------------------------------------------------------

  /** Label of the strongest channel, the first of equals: (P, places) -> (places,); `labels` are the channels'. */
  function strongest(scores, labels) {
    const places = scores.length / labels.length;
    const out = new Uint8Array(places);
    for (let i = 0; i < places; i++) {
      let best = 0;
      for (let c = 1; c < labels.length; c++) if (scores[c * places + i] > scores[best * places + i]) best = c;
      out[i] = labels[best];
    }
    return out;
  }

  /** Label of the strongest class, background where its score does not exceed `cut`: (P - 1, places) -> (places,). */
  function cutCam(cam, labels, cut) {
    const places = cam.length / labels.length;
    const out = new Uint8Array(places);
    for (let i = 0; i < places; i++) {
      let best = 0;
      for (let c = 1; c < labels.length; c++) if (cam[c * places + i] > cam[best * places + i]) best = c;
      out[i] = cam[best * places + i] > cut ? labels[best] : 0;
    }
    return out;
  }

  /** Sure foreground from the high background score, sure background where both agree, the rest uncertain. */
  function merge(low, high) {
    return high.map((label, i) => label || (low[i] ? UNCERTAIN : 0));
  }

  return { resize, withBackground, transition, walkSteps, neighbours, kernelByRows, parStep, strongest, cutCam, merge };
})();
