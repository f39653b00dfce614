// A mask: which of a few values lies at each pixel, which class each value means, and what was painted over it. Pure
// functions on typed arrays.

export const IGNORE = 255; // label of pixels that do not count
export const UNPAINTED = 254;
const MAX_VALUES = 64; // of a mask; an image of more is a photograph, or its colours were mixed
const LEAST_SHARE = 0.005; // of the pixels, of a colour that is kept where edges were smoothed
const NEAR = 60; // distance of a mixed colour to the one that it is counted to
const VOC_IGNORE = 0xe0e0c0;

/**
 * @typedef {object} Mask
 * @property {number} width
 * @property {number} height
 * @property {Uint8Array} places of each pixel's colour in `colours`; 255: none of them
 * @property {number[]} colours 0xRRGGBB, the most frequent first
 * @property {number[]} shares of the pixels
 */

const hexOf = (/** @type {Uint8ClampedArray} */ data, /** @type {number} */ i) => (data[i] << 16) | (data[i + 1] << 8) | data[i + 2];
const distance = (/** @type {number} */ a, /** @type {number} */ b) => Math.hypot(
  ...[16, 8, 0].map((shift) => ((a >> shift) & 255) - ((b >> shift) & 255)));

/**
 * The colours of an image as the values of a mask. Where edges were smoothed, mixed colours count to the nearest one that
 * covers an area. null where there are too many colours for a mask.
 *
 * @param {{width: number, height: number, data: Uint8ClampedArray}} image
 * @returns {Mask | null}
 */
export function maskOf({ width, height, data }) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  const count = width * height;
  for (let i = 0; i < 4 * count; i += 4) {
    const colour = hexOf(data, i);
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  let colours = [...counts.keys()].sort((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0));
  if (colours.length > MAX_VALUES) colours = colours.filter((colour) => (counts.get(colour) ?? 0) >= LEAST_SHARE * count);
  if (!colours.length || colours.length > MAX_VALUES) return null;
  /** @type {Map<number, number>} */
  const places = new Map();
  let lost = 0;
  for (const [colour, times] of counts) {
    const gaps = colours.map((one) => distance(one, colour));
    const nearest = Math.min(...gaps);
    places.set(colour, nearest <= NEAR ? gaps.indexOf(nearest) : 255);
    if (nearest > NEAR) lost += times;
  }
  if (lost > 0.2 * count) return null;
  const map = new Uint8Array(count);
  const found = colours.map(() => 0);
  for (let i = 0; i < count; i++) {
    map[i] = /** @type {number} */ (places.get(hexOf(data, 4 * i)));
    if (map[i] < 255) found[map[i]] += 1;
  }
  return { width, height, places: map, colours, shares: found.map((times) => times / count) };
}

/**
 * The classes that colours mean most likely: class indices as grey levels, the colours of a palette, else the most
 * frequent colour (black, where there is black) as background and the others as the classes of the image.
 *
 * @param {number[]} colours
 * @param {number[][]} palette of the labels
 * @param {number[]} present labels of the image
 * @returns {number[]} labels
 */
export function guessClasses(colours, palette, present) {
  const greys = colours.map((colour) => ((colour & 255) * 0x10101 === colour ? colour & 255 : -1));
  const binary = colours.length === 2 && greys.includes(0) && greys.includes(255);
  if (binary) return greys.map((grey) => (grey ? present[0] ?? 1 : 0));
  if (greys.every((grey) => grey >= 0 && (grey < palette.length || grey === IGNORE))) return greys;
  const known = palette.map(([red, green, blue]) => (red << 16) | (green << 8) | blue);
  const named = colours.map((colour) => (colour === VOC_IGNORE ? IGNORE : known.indexOf(colour)));
  if (named.every((label) => label >= 0)) return named;
  const ground = Math.max(0, colours.indexOf(0));
  let next = 0;
  return colours.map((_, i) => (i === ground ? 0 : present[next++ % Math.max(1, present.length)] ?? 1));
}

/** Labels of all pixels: the classes of the values, and over them what was painted. */
export function labelsOf(/** @type {Mask} */ { places }, /** @type {number[]} */ classes, /** @type {Uint8Array} */ painted) {
  return places.map((place, i) => (painted[i] === UNPAINTED ? classes[place] ?? IGNORE : painted[i]));
}

/**
 * Paint a disc.
 *
 * @param {Uint8Array} painted
 * @param {number} width
 * @param {{x: number, y: number, radius: number, label: number}} brush
 */
export function paintDisc(painted, width, { x, y, radius, label }) {
  const height = painted.length / width;
  for (let row = Math.max(0, Math.ceil(y - radius)); row <= Math.min(height - 1, y + radius); row++) {
    const reach = Math.sqrt(radius * radius - (row - y) ** 2);
    painted.fill(label, row * width + Math.max(0, Math.ceil(x - reach)), row * width + Math.min(width, Math.floor(x + reach) + 1));
  }
}
