// Pictures of float maps for the tabs that compute in the browser: heat, signed differences, labels, outlines.

const LABELS = 0.6; // opacity of labels while that of the largest value is HEAT, as in figures/colour.py
const SIGNED = signedTable(bytesOfText(tables.difference));

/** RGBA colours of 256 signed values: 0 and 255 are the extremes, the middle is 0 and lets the photograph through. */
function signedTable(colours) {
  const table = new Uint8ClampedArray(1024);
  for (let i = 0; i < 256; i++) {
    table.set(colours.subarray(3 * i, 3 * i + 3), 4 * i);
    table[4 * i + 3] = 255 * (0.3 + 0.7 * Math.min(1, Math.abs(i - 127.5) / 64));
  }
  return table;
}

/** Packed map or layer -> numbers. */
function fieldOf({ bytes, low, high }) {
  const out = new Float32Array(bytes.length); // a loop: `from` with a function takes ten times as long
  for (let i = 0; i < out.length; i++) out[i] = low + ((high - low) * bytes[i]) / 255;
  return out;
}

/** Float map -> bytes, 0 for `low` and less, 255 for `high` and more. */
function bytesOf(values, low, high) {
  const gain = high > low ? 255 / (high - low) : 0;
  const out = new Uint8ClampedArray(values.length);
  for (let i = 0; i < out.length; i++) out[i] = (values[i] - low) * gain;
  return out;
}

/** One channel of planes. */
const plane = (maps, index, size) => maps.subarray(index * size, (index + 1) * size);

/** The caption of a figure; its picture is called the same. */
function caption(figure, words) {
  figure.querySelector("figcaption").textContent = words;
  figure.querySelector("canvas[role=img]").setAttribute("aria-label", words);
}

/** Draw a float map over the grey photograph, and its colour bar with numbers below it. */
function paintField(figure, values, [rows, cols], [low, high], { table = heat, smooth = false } = {}) {
  const canvas = figure.querySelector("canvas[role=img]");
  fitFigure(canvas);
  heatCanvas(canvas, { rows, cols, bytes: bytesOf(values, low, high) }, table, smooth);
  fieldBar(figure, low, high, table, limitsOf(values));
  return canvas;
}

/** Fill a canvas with a map over the grey photograph. */
function heatCanvas(canvas, map, table, smooth) {
  paintHeat(canvas, scene.grey, map, table, smooth, () => view.opacity);
}

/** The colour bar of a figure; the numbers at its ends say so where values `from` … `to` lie beyond them. A map of one
 * value has no use for one: its place stays empty. */
function fieldBar(figure, low, high, table, [from, to] = [low, high]) {
  let bar = figure.querySelector(".afa-scale");
  if (!bar) {
    bar = document.createElement("div");
    bar.className = "afa-scale";
    const ramp = sheet(256, 1);
    ramp.setAttribute("aria-hidden", "true");
    bar.append(document.createElement("span"), ramp, document.createElement("span"));
    figure.querySelector("canvas").after(bar);
  }
  const used = high > low && to > from;
  bar.classList.toggle("afa-unused", !used);
  if (!used) {
    bar.firstChild.textContent = bar.lastChild.textContent = "";
    return;
  }
  const context = bar.children[1].getContext("2d");
  const pixels = context.createImageData(256, 1);
  for (let i = 0; i < 256; i++) pixels.data.set([table[4 * i], table[4 * i + 1], table[4 * i + 2], 255], 4 * i);
  context.putImageData(pixels, 0, 0);
  const words = (value) => (table === SIGNED ? signed(value, Math.max(2, digitsFor(high))) : three(value));
  const rounding = 1e-4 * (high - low);
  bar.firstChild.textContent = `${from < low - rounding ? "≤ " : ""}${words(low)}`;
  bar.lastChild.textContent = `${to > high + rounding ? "≥ " : ""}${words(high)}`;
}

/** Decimals with which a number is not 0. */
const digitsFor = (value) => Math.max(0, Math.ceil(-Math.log10(Math.abs(value))));

/** Draw labels over the grey photograph. */
function paintLabelField(figure, bytes, [rows, cols], colourOf, nameOf) {
  const canvas = figure.querySelector("canvas[role=img]");
  fitFigure(canvas);
  labelCanvas(canvas, { rows, cols, bytes }, colourOf, nameOf);
  return canvas;
}

/** Fill a canvas with labels over the grey photograph, as opaque as the page's other maps are. */
function labelCanvas(canvas, map, colourOf, nameOf = () => "") {
  paintLabels(canvas, scene.grey, map, colourOf, nameOf, () => (LABELS * view.opacity) / HEAT);
}

const covered = new WeakMap(); // canvas -> how many pixels of the page it is wide; 0 while it is out of sight
const sizes = new ResizeObserver((changes) => {
  let other = false;
  for (const { target, contentRect } of changes) {
    const width = Math.round(contentRect.width);
    other ||= width > 0 && covered.get(target) > 0 && covered.get(target) !== width;
    covered.set(target, width);
  }
  if (other) scheduleDraw(SELECTION);
});

/** How wide a canvas is on the page. To ask makes the browser lay out the page, so it is asked once and told of changes. */
function widthOf(canvas) {
  if (!covered.get(canvas)) {
    covered.set(canvas, canvas.clientWidth);
    sizes.observe(canvas);
  }
  return covered.get(canvas);
}

/** Give a canvas as many pixels as it covers on the screen, of which a tall picture gets no more than a square one. */
function fitFigure(canvas) {
  const shape = `${data.size[1]} / ${data.size[0]}`;
  if (canvas.dataset.shape !== shape) {
    canvas.dataset.shape = canvas.style.aspectRatio = shape;
    canvas.style.maxWidth = `calc(var(--tallest) * ${Math.min(1, data.size[1] / data.size[0])})`; // the page stays usable
    covered.delete(canvas);
  }
  const width = Math.round(widthOf(canvas) * Math.min(2, window.devicePixelRatio || 1));
  const height = Math.round((width * data.size[0]) / data.size[1]);
  if (width && (canvas.width !== width || canvas.height !== height)) [canvas.width, canvas.height] = [width, height];
}

/** A button that plays a slider from its first to its last place, `pace` milliseconds each; returns how to stop it. */
function playSlider(button, slider, pace = 350) {
  let timer = 0;
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    button.replaceChildren(icon("play"));
  };
  const go = (value) => {
    slider.value = value;
    slider.dispatchEvent(new Event("input"));
  };
  const play = () => {
    if (timer) return stop();
    if (slider.disabled) return undefined;
    if (Number(slider.value) >= Number(slider.max)) go(slider.min);
    button.replaceChildren(icon("pause"));
    timer = setInterval(() => {
      if (Number(slider.value) >= Number(slider.max)) stop();
      else go(Number(slider.value) + 1);
    }, calm ? Math.max(900, pace) : pace);
    return undefined;
  };
  button.addEventListener("click", play);
  slider.addEventListener("pointerdown", stop);
  return { play, stop };
}

/** Canvases that show the same at another opacity, with their mark. */
function recolour(canvases, marks) {
  canvases.forEach(repaint);
  marks.keep(canvases);
}

/** Labels of a map with their colour, name and share, largest first, without the background; `of` has the classes. */
function areasOf(label, nameOfUnknown, of = data) {
  const here = [...countsOf(label).entries()].filter(([l, count]) => l && count).sort((a, b) => b[1] - a[1]);
  return here.map(([l, count]) => [l === 255 ? "hatch" : `rgb(${of.palette[l]})`,
    l === 255 ? nameOfUnknown : classWords(of.names[l]), count / label.length]);
}

/** The largest areas by name, the others together. */
function largestAreas(areas, count) {
  const others = areas.slice(count).reduce((sum, [, , share]) => sum + share, 0);
  return [...areas.slice(0, count), ...(others ? [["transparent", text("training.other_classes"), others]] : [])];
}

/** Fill a legend with [colour or "hatch", words, share or null]. */
function fillLegend(list, rows) {
  list.replaceChildren(...rows.map(([colour, words, share]) => {
    const item = document.createElement("span");
    const swatch = document.createElement("i");
    if (colour === "hatch") swatch.className = "afa-hatch";
    else swatch.style.background = colour;
    item.append(swatch, share == null ? words : `${words} ${percent(share)}`);
    return item;
  }));
  if (!rows.length) list.textContent = text("regions.nothing");
}
