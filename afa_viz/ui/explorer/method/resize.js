// Bilinear resizing, as torch.nn.functional.interpolate does it. Maps are planes: channel by channel, row by row.

/**
 * For each of `out` places the two it lies between among `size`, and the share of the second.
 *
 * @param {any} size
 * @param {number} out
 * @param {boolean} corners
 */
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

/**
 * Bilinear, no antialiasing, as torch does it; `corners` is its align_corners. Same size: the maps themselves.
 *
 * @param {Float32Array} maps
 * @param {number[]} grid
 * @param {number[]} size
 * @param {boolean} [corners]
 */
export function resize(maps, [rows, cols], [height, width], corners = false) {
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
