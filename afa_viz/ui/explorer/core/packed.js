// Maps as the host sends them: deflated bytes in base64, with the numbers that 0 and 255 stand for.

/**
 * Base64 -> Uint8Array.
 *
 * @param {string} text
 */
export function bytesFromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text); // browsers of 2025 on; fifty times as fast
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

/**
 * Compressed bytes -> Uint8Array. Written to the stream here: a Blob would go through another process, five milliseconds
 * a map.
 *
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {"deflate" | "gzip"} format
 */
export async function decompress(bytes, format) {
  const stream = new DecompressionStream(format);
  const writer = stream.writable.getWriter();
  const whole = new Response(stream.readable).arrayBuffer();
  return new Uint8Array((await Promise.all([whole, writer.write(bytes), writer.close()]))[0]);
}

/**
 * Base64 of deflated bytes -> Uint8Array.
 *
 * @param {string} text
 */
export const inflate = (text) => decompress(bytesFromBase64(text), "deflate");

/**
 * A packed map with its bytes: {bytes, shape, low, high}; one that was made in the browser has them already.
 *
 * @param {any} packed
 */
export async function unpack(packed) {
  return packed && (packed.bytes ? packed : { ...packed, data: undefined, bytes: await inflate(packed.data) });
}

/**
 * Attention of (heads, cells, keys) with its bytes, and the numbers that 0 and 255 stand for in each row.
 *
 * @param {any} raw
 */
export async function unpackAttention(raw) {
  const numbers = async (/** @type {any} */ packed) => (
    typeof packed === "string" ? new Float32Array((await inflate(packed)).buffer) : packed);
  const [maps, lows, peaks] = await Promise.all([unpack(raw), numbers(raw.lows), numbers(raw.peaks)]);
  return { ...maps, lows, peaks };
}

/**
 * One (rows, columns) layer of a packed map, with the numbers that 0 and 255 stand for.
 *
 * @param {Unpacked} packed
 * @param {...any} index
 */
export function layer(packed, ...index) {
  const [rows, cols] = packed.shape.slice(-2);
  let number = 0;
  index.forEach((i, axis) => { number = number * packed.shape[axis] + i; });
  const size = rows * cols;
  return { bytes: packed.bytes.subarray(number * size, (number + 1) * size), rows, cols, low: packed.low, high: packed.high };
}

/**
 * A band of an affinity matrix (cells within a window) as the whole matrix, 0 outside; a whole one as it is.
 *
 * @param {Unpacked} packed
 * @param {number[]} grid
 */
export function expandBand(packed, [rows, cols]) {
  if (!packed?.band) return packed;
  const [cells, reach] = [rows * cols, packed.band];
  const side = 2 * reach + 1;
  const bytes = new Uint8Array(cells * cells);
  for (let i = 0; i < cells; i++) {
    const [row, col] = [Math.floor(i / cols), i % cols];
    const [left, right] = [Math.max(0, col - reach), Math.min(cols - 1, col + reach)];
    for (let y = Math.max(0, row - reach); y <= Math.min(rows - 1, row + reach); y++) {
      const from = (i * side + y - row + reach) * side + left - col + reach;
      bytes.set(packed.bytes.subarray(from, from + right - left + 1), i * cells + y * cols + left);
    }
  }
  return { ...packed, bytes, shape: [cells, cells] };
}

/**
 * Packed map or layer -> numbers.
 *
 * @param {{bytes: Uint8Array, low: number, high: number}} options
 */
export function toFloats({ bytes, low, high }) {
  const out = new Float32Array(bytes.length); // a loop: `from` with a function takes ten times as long
  for (let i = 0; i < out.length; i++) out[i] = low + ((high - low) * bytes[i]) / 255;
  return out;
}

/**
 * Float map -> bytes, 0 for `low` and less, 255 for `high` and more.
 *
 * @param {ArrayLike<number>} values
 * @param {number} low
 * @param {number} high
 */
export function toBytes(values, low, high) {
  const gain = high > low ? 255 / (high - low) : 0;
  const out = new Uint8ClampedArray(values.length);
  for (let i = 0; i < out.length; i++) out[i] = (values[i] - low) * gain;
  return out;
}

/** One channel of planes. */
export function channelOf(/** @type {Float32Array} */ maps, /** @type {number} */ index, /** @type {number} */ size) {
  return maps.subarray(index * size, (index + 1) * size);
}
