// Label maps: colours, outlines, hatching where uncertain, names.

import { imagePixels } from "./background.js";
import { context2d, createCanvas } from "./canvas.js";
import { labelNames, paintWith } from "./repaint.js";

/**
 * A label map at another size, nearest pixel.
 *
 * @param {ByteMap} map
 * @param {number} width
 * @param {number} height
 */
export function resizeLabels(map, width, height) {
  const out = new Uint8Array(width * height);
  const cols = Int32Array.from({ length: width }, (_, x) => Math.floor((x * map.cols) / width));
  let before = -1;
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * map.rows) / height);
    const at = y * width;
    if (row === before) out.copyWithin(at, at - width, at);
    else for (let x = 0; x < width; x++) out[at + x] = map.bytes[row * map.cols + cols[x]];
    before = row;
  }
  return out;
}

/**
 * Fill a canvas with labels over a ground at its own resolution: colours at `opacityNow()`, outlines and names on top.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLCanvasElement | HTMLImageElement} ground
 * @param {ByteMap} map
 * @param {ColourOf} colourOf
 * @param {NameOf} nameOf
 * @param {() => number} opacityNow
 */
export function paintLabels(canvas, ground, map, colourOf, nameOf, opacityNow) {
  const [colours, lines, names] = labelLayers(canvas, map, colourOf, nameOf);
  paintWith(canvas, () => {
    const context = context2d(canvas);
    context.putImageData(imagePixels(ground, canvas.width, canvas.height), 0, 0);
    context.globalAlpha = opacityNow();
    context.drawImage(colours, 0, 0);
    context.globalAlpha = 1;
    context.drawImage(lines, 0, 0);
    context.drawImage(names, 0, 0);
  });
  labelNames.set(canvas, names);
}

/**
 * Labels as three sheets: their colours, with 255 hatched; their outlines, white in black; and their names.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {ByteMap} map
 * @param {ColourOf} colourOf
 * @param {NameOf} nameOf
 */
function labelLayers(canvas, map, colourOf, nameOf) {
  const { width, height } = canvas;
  const labels = resizeLabels(map, width, height);
  const areas = labelAreas(map);
  const { table, light, white, black } = labelColours(areas, colourOf);
  const pixels = emptyPixels(width, height);
  const [filled, edged] = pixels.map(({ data: bytes }) => new Uint32Array(bytes.buffer));
  const period = Math.max(6, Math.round(width / 34));
  const thin = Math.max(1, Math.round(width / 260));
  for (let y = 0; y < height; y++) {
    const [above, below] = [y >= thin ? -thin * width : 0, y + thin < height ? thin * width : 0];
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      const label = labels[at];
      if (labels[at + below] !== label || (x + thin < width && labels[at + thin] !== label)) edged[at] = white;
      else if (labels[at + above] !== label || (x >= thin && labels[at - thin] !== label)) edged[at] = black;
      else filled[at] = label === 255 && (x + y) % period >= period / 2 ? light : table[label];
    }
  }
  const made = layersOf(canvas);
  pixels.forEach((filling, i) => context2d(made[i]).putImageData(filling, 0, 0));
  context2d(made[2]).clearRect(0, 0, width, height);
  writeNames(context2d(made[2]), areas.filter(({ label }) => label && label < 255 && table[label]), nameOf);
  return made;
}

const layerCache = new WeakMap(); // canvas -> its three sheets: dragging fills them anew in every frame
/** @type {ImageData[]} */
let scratch = []; // the pixels that filled the last ones

/**
 * Three sheets of a canvas's size.
 *
 * @param {HTMLCanvasElement} canvas
 */
function layersOf(canvas) {
  const { width, height } = canvas;
  const [old] = layerCache.get(canvas) ?? [];
  if (old?.width !== width || old.height !== height) layerCache.set(canvas, [0, 1, 2].map(() => createCanvas(width, height)));
  return layerCache.get(canvas);
}

/**
 * Empty pixels of that size, two times; good until the next call.
 *
 * @param {number} width
 * @param {number} height
 */
function emptyPixels(width, height) {
  if (scratch[0]?.width !== width || scratch[0].height !== height) {
    scratch = [new ImageData(width, height), new ImageData(width, height)];
  } else {
    for (const { data: bytes } of scratch) bytes.fill(0);
  }
  return scratch;
}

/**
 * The labels of a map, largest first: {label, share, x, y}, the last two the middle as shares of width and height.
 *
 * @param {ByteMap} options
 */
function labelAreas({ bytes, rows, cols }) {
  const [xs, ys, counts] = [new Float64Array(256), new Float64Array(256), new Float64Array(256)];
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < cols; x++) {
      const label = bytes[y * cols + x];
      xs[label] += x + 0.5;
      ys[label] += y + 0.5;
      counts[label]++;
    }
  }
  return Array.from(counts, (count, label) => ({ label, share: count / (rows * cols), x: xs[label] / count / cols,
    y: ys[label] / count / rows })).filter(({ share }) => share).sort((a, b) => b.share - a.share);
}

/**
 * Pixels of all labels, 0 where one has no colour; then of the light stripes of 255, of white and of black.
 *
 * @param {any[]} areas
 * @param {ColourOf} colourOf
 */
function labelColours(areas, colourOf) {
  const bytes = new Uint8ClampedArray(4 * 259);
  const set = (/** @type {number} */ at, /** @type {any} */ colour) => { if (colour) bytes.set([...colour, 255], 4 * at); };
  for (const { label } of areas) set(label, label === 255 ? DARK_STRIPE : colourOf(label));
  [LIGHT_STRIPE, [255, 255, 255], [0, 0, 0]].forEach((colour, i) => set(256 + i, colour));
  const pixels = new Uint32Array(bytes.buffer);
  const [light, white, black] = pixels.subarray(256);
  return { table: pixels.subarray(0, 256), light, white, black };
}

/**
 * Names in the middle of their areas; one that would cover a larger area's is left out.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {any[]} areas
 * @param {NameOf} nameOf
 */
function writeNames(context, areas, nameOf) {
  const { width, height } = context.canvas;
  const size = Math.max(11, Math.round(width / 17));
  context.font = `700 ${size}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  /** @type {any[]} */
  const written = [];
  for (const area of areas) {
    const name = nameOf(area.label);
    if (!name || area.share < 0.012) continue;
    const half = context.measureText(name).width / 2 + 4;
    const x = Math.min(Math.max(area.x * width, half), width - half);
    const y = Math.min(Math.max(area.y * height, size), height - size);
    if (written.some((w) => Math.abs(w.x - x) < w.half + half && Math.abs(w.y - y) < size)) continue;
    written.push({ x, y, half });
    context.lineWidth = size / 4;
    context.strokeStyle = "#000";
    context.lineJoin = "round";
    context.strokeText(name, x, y);
    context.fillStyle = "#fff";
    context.fillText(name, x, y);
  }
}

const DARK_STRIPE = [90, 90, 90];
const LIGHT_STRIPE = [200, 200, 200];
