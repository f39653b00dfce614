// Drawing: deflated uint8 maps -> canvases. No state of the page here.

/** Base64 -> Uint8Array. */
function bytesOfText(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text); // browsers of 2025 on; fifty times as fast
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

/** Base64 of deflated bytes -> Uint8Array. */
async function inflate(text) {
  const stream = new Blob([bytesOfText(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A packed map with its bytes: {bytes, shape, low, high}. */
async function unpack(packed) {
  return packed && { ...packed, data: undefined, bytes: await inflate(packed.data) };
}

/** One (rows, columns) layer of a packed map, with the numbers that 0 and 255 stand for. */
function layer(packed, ...index) {
  const [rows, cols] = packed.shape.slice(-2);
  let number = 0;
  index.forEach((i, axis) => { number = number * packed.shape[axis] + i; });
  const size = rows * cols;
  return { bytes: packed.bytes.subarray(number * size, (number + 1) * size), rows, cols, low: packed.low, high: packed.high };
}

function sheet(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

/** The photograph in soft grey, so that colour on it stands out (as figures.colour.grey). */
function greyOf(image) {
  const canvas = sheet(image.width, image.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const d = pixels.data;
  for (let i = 0; i < d.length; i += 4) {
    const soft = 128 + (0.299 * d[i] + 0.587 * d[i + 1] + 0.114 * d[i + 2] - 128) * 0.8;
    d[i] = d[i + 1] = d[i + 2] = soft;
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** RGBA colours of the 256 values of a map: weak values let the photograph through (as figures.colour.heat). */
function heatTable(lut) {
  const table = new Uint8ClampedArray(1024);
  for (let i = 0; i < 256; i++) {
    table.set(lut.subarray(3 * i, 3 * i + 3), 4 * i);
    table[4 * i + 3] = 255 * Math.min(1, 0.12 + (1.5 * i) / 255);
  }
  return table;
}

/** A map as a small coloured canvas. */
function heatSheet(map, table) {
  const canvas = sheet(map.cols, map.rows);
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(map.cols, map.rows);
  const out = new Uint32Array(pixels.data.buffer);
  const colours = new Uint32Array(table.buffer);
  for (let i = 0; i < out.length; i++) out[i] = colours[map.bytes[i]];
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** Fill a canvas: a ground, over it a map as squares or smooth. `opacityNow()` is asked now and at each `repaint`. */
function paintHeat(canvas, ground, map, table, smooth, opacityNow) {
  const colours = heatSheet(map, table);
  paintBy(canvas, () => {
    const context = canvas.getContext("2d");
    context.putImageData(groundPixels(ground, canvas.width, canvas.height), 0, 0);
    context.imageSmoothingEnabled = smooth;
    context.globalAlpha = opacityNow();
    context.drawImage(colours, 0, 0, canvas.width, canvas.height);
    context.globalAlpha = 1;
  });
}

const painters = new WeakMap(); // canvas -> what has filled it, to be called again at another opacity
const nameSheets = new WeakMap(); // canvas -> the names of its labels alone: they lie above every mark

/** Fill a canvas, and remember how. */
function paintBy(canvas, painter) {
  painters.set(canvas, painter);
  nameSheets.delete(canvas);
  painter();
}

/** Fill a canvas anew with what it shows, at the present opacity; what was drawn on top is gone. */
const repaint = (canvas) => painters.get(canvas)?.();

/** Fill a canvas with a picture. */
const paintPicture = (canvas, picture) => paintBy(canvas,
  () => canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height));

const grounds = new WeakMap(); // picture -> its pixels at the few sizes it is drawn at
const SIZES = 6; // kept of a picture

/** A picture's pixels at a size, not to be changed; read from the canvas only once, since that is slow. */
function groundPixels(ground, width, height) {
  const sizes = grounds.get(ground) ?? new Map();
  grounds.set(ground, sizes);
  const name = `${width} ${height}`;
  if (!sizes.has(name)) {
    if (sizes.size >= SIZES) sizes.delete(sizes.keys().next().value);
    const context = sheet(width, height).getContext("2d", { willReadFrequently: true });
    context.drawImage(ground, 0, 0, width, height);
    sizes.set(name, context.getImageData(0, 0, width, height));
  }
  return sizes.get(name);
}

/** A copy of them. */
function groundCopy(ground, width, height) {
  return new ImageData(new Uint8ClampedArray(groundPixels(ground, width, height).data), width, height);
}

/** A label map at another size, nearest pixel. */
function scaledLabels(map, width, height) {
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

/** Fill a canvas with labels over a ground at its own resolution: colours at `opacityNow()`, outlines and names on top. */
function paintLabels(canvas, ground, map, colourOf, nameOf, opacityNow) {
  const [colours, lines, names] = labelSheets(canvas, map, colourOf, nameOf);
  paintBy(canvas, () => {
    const context = canvas.getContext("2d");
    context.putImageData(groundPixels(ground, canvas.width, canvas.height), 0, 0);
    context.globalAlpha = opacityNow();
    context.drawImage(colours, 0, 0);
    context.globalAlpha = 1;
    context.drawImage(lines, 0, 0);
    context.drawImage(names, 0, 0);
  });
  nameSheets.set(canvas, names);
}

/** Labels as three sheets: their colours, with 255 hatched; their outlines, white in black; and their names. */
function labelSheets(canvas, map, colourOf, nameOf) {
  const { width, height } = canvas;
  const labels = scaledLabels(map, width, height);
  const areas = areasIn(map);
  const [table, light, white, black] = labelTable(areas, colourOf);
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
  const made = sheetsOf(canvas);
  pixels.forEach((filling, i) => made[i].getContext("2d").putImageData(filling, 0, 0));
  made[2].getContext("2d").clearRect(0, 0, width, height);
  writeNames(made[2].getContext("2d"), areas.filter(({ label }) => label && label < 255 && table[label]), nameOf);
  return made;
}

const sheets = new WeakMap(); // canvas -> its three sheets: dragging fills them anew in every frame
let scratch = []; // the pixels that filled the last ones

/** Three sheets of a canvas's size. */
function sheetsOf(canvas) {
  const { width, height } = canvas;
  const [old] = sheets.get(canvas) ?? [];
  if (old?.width !== width || old.height !== height) sheets.set(canvas, [0, 1, 2].map(() => sheet(width, height)));
  return sheets.get(canvas);
}

/** Empty pixels of that size, two times; good until the next call. */
function emptyPixels(width, height) {
  if (scratch[0]?.width !== width || scratch[0].height !== height) {
    scratch = [new ImageData(width, height), new ImageData(width, height)];
  } else {
    for (const { data: bytes } of scratch) bytes.fill(0);
  }
  return scratch;
}

/** The labels of a map, largest first: {label, share, x, y}, the last two the middle as shares of width and height. */
function areasIn({ bytes, rows, cols }) {
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

/** Pixels of all labels, 0 where one has no colour; then of the light stripes of 255, of white and of black. */
function labelTable(areas, colourOf) {
  const bytes = new Uint8ClampedArray(4 * 259);
  const set = (at, colour) => { if (colour) bytes.set([...colour, 255], 4 * at); };
  for (const { label } of areas) set(label, label === 255 ? DARK_STRIPE : colourOf(label));
  [LIGHT_STRIPE, [255, 255, 255], [0, 0, 0]].forEach((colour, i) => set(256 + i, colour));
  const pixels = new Uint32Array(bytes.buffer);
  return [pixels.subarray(0, 256), ...pixels.subarray(256)];
}

/** Names in the middle of their areas; one that would cover a larger area's is left out. */
function writeNames(context, areas, nameOf) {
  const { width, height } = context.canvas;
  const size = Math.max(11, Math.round(width / 17));
  context.font = `700 ${size}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
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

/** The colours of a map from 0 to 255, on a canvas of 256 by 1. */
function paintRamp(canvas, lut) {
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(256, 1);
  for (let i = 0; i < 256; i++) pixels.data.set([...lut.subarray(3 * i, 3 * i + 3), 255], 4 * i);
  context.putImageData(pixels, 0, 0);
}
