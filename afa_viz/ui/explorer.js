// The explorer: one query cell, class, block and head shared by all views. Gradio gives element, props, server, watch.
// Everything that follows the pointer is drawn from what is already here; only a new picture, block or setting asks
// the server.

const root = element.querySelector(".afa");
const panels = root.querySelector(".afa-panels");
const $ = (selector, from = root) => from.querySelector(selector);
const $$ = (selector, from = root) => [...from.querySelectorAll(selector)];
const panelOf = (key) => $(`[data-panel="${key}"]`);
const fill = (name, text, from = root) => { for (const e of $$(`[data-fill="${name}"]`, from)) e.textContent = text; };
const control = (name) => $(`[data-do="${name}"]`);

const tables = JSON.parse(props.tables);
const lut = Uint8Array.from(atob(tables.lut), (c) => c.charCodeAt(0));
const heat = heatTable(lut);
const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
const MEAN = -1; // the head that stands for the mean of all

const view = { label: 0, block: -1, head: 0, rest: [0, 0], pin: null, hover: null, iteration: null, shared: false };
let data = null; // stages of the present settings
let scene = null; // picture, prediction, truth, blocks
let attention = null; // all heads of the chosen block
let par = null; // all iterations, once they are here
let turn = 0; // of the newest payload: what arrives late is dropped
const KEPT = 12; // pictures, and blocks of attention, that the page keeps
const scenes = new Map();
const attentions = new Map();
const bases = new Map(); // panel -> finished picture without the marker
let player = 0;

const cell = () => view.pin ?? view.hover ?? view.rest;
const same = (a, b) => a && b && a[0] === b[0] && a[1] === b[1];
const className = (label) => data.names[label] ?? "";
const channel = () => 1 + data.classes.findIndex((c) => c.label === view.label); // of walk and PAR; background is 0
const percent = (share) => (share == null ? "–" : `${(100 * share).toFixed(1)} %`);
const signed = (number, digits = 1) => `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(digits)}`;
const three = (number) => (Math.abs(number) < 1e-6 ? "0" : Number(number.toPrecision(3)).toString());

// --- receiving -------------------------------------------------------------------------------------------------------

/** What a loader gave, from a few kept ones; a failed load is forgotten. */
function kept(store, name, load) {
  if (!store.has(name)) {
    if (store.size >= KEPT) store.delete(store.keys().next().value);
    store.set(name, load());
    store.get(name).catch(() => store.delete(name));
  }
  return store.get(name);
}

async function loadScene(name, key) {
  return kept(scenes, name, async () => {
    const raw = JSON.parse(await server.scene({ key }));
    const image = new Image();
    image.src = raw.image;
    await image.decode();
    const [seg, target] = await Promise.all([unpack(raw.seg), unpack(raw.target)]);
    return { ...raw, image, grey: greyOf(image), seg, target };
  });
}

async function loadAttention(of, key, block) {
  const name = `${of} ${block}`;
  return kept(attentions, name, async () => {
    const raw = JSON.parse(await server.attention({ key, block }));
    const [maps, peaks] = await Promise.all([unpack(raw), inflate(raw.peaks)]);
    return { ...maps, peaks: new Float32Array(peaks.buffer) };
  });
}

async function receive() {
  if (!props.value) return;
  const mine = ++turn;
  try {
    const raw = JSON.parse(props.value);
    const names = ["cam", "affinity", "cam_rw", "cam_par", "pseudo_label"];
    const block = view.block >= 0 && view.block < raw.num_blocks ? view.block : raw.num_blocks - 1;
    const [nextScene, nextAttention, ...maps] = await Promise.all([loadScene(raw.scene, raw.key),
      loadAttention(raw.scene, raw.key, block), ...names.map((name) => unpack(raw[name]))]);
    if (mine !== turn) return;
    const next = { ...raw, ...Object.fromEntries(names.map((name, i) => [name, maps[i]])) };
    const otherPicture = scene !== nextScene;
    [data, scene, attention, par] = [next, nextScene, nextAttention, null];
    view.block = block;
    if (!data.classes.some((c) => c.label === view.label)) view.label = data.main;
    if (otherPicture) Object.assign(view, { pin: null, hover: null, rest: strongest() });
    view.iteration = null;
    stop();
    rebuild();
    root.dataset.state = "ready";
    root.dataset.key = data.key;
    const steps = await unpack(JSON.parse(await server.par({ key: raw.key })));
    if (mine !== turn) return;
    par = steps;
    parReady();
  } catch (error) {
    if (mine === turn) say("The server no longer holds this explanation: choose the picture again.", true);
    console.warn(error);
  }
}

const strongest = () => data.classes.find((c) => c.label === view.label)?.cell ?? [0, 0];

// --- controls --------------------------------------------------------------------------------------------------------

/** Everything that a new payload may change: buttons, lists, words, numbers, then the pictures. */
function rebuild() {
  const chips = $('[data-list="classes"]');
  chips.replaceChildren(...data.classes.map(({ label }) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.label = label;
    button.style.setProperty("--colour", `rgb(${data.palette[label]})`);
    button.textContent = className(label);
    button.onclick = () => chooseClass(label);
    return button;
  }));
  control("block").replaceChildren(...scene.blocks.map((block, i) => new Option(
    `${block.name}${block.weights ? " (read by the affinity)" : ""}`, i, false, i === view.block)));
  const [rows, cols] = data.grid;
  control("row").max = rows;
  control("col").max = cols;
  control("iteration").max = Math.max(1, data.num_iters);
  parReady();
  fill("domain", data.domain === "photograph" ? "photograph, outside the training world" : "");
  fill("picture", data.title);
  fill("story", data.story);
  const names = data.classes.map((c) => className(c.label)).join(", ");
  fill("labels", `${data.labels_given ? "Image labels given" : "Image labels predicted"}: ${names}.`);
  fill("grid", `${data.size[1]} × ${data.size[0]} pixels, ${cols} × ${rows} cells`);
  for (const e of $$('[data-fill="symmetric"]')) {
    e.innerHTML = data.symmetric ? "(<i>S<sub>k</sub></i> + <i>S<sub>k</sub></i><sup>⊤</sup>)" : "2 <i>S<sub>k</sub></i>";
  }
  fill("low", data.low.toFixed(2));
  fill("high", data.high.toFixed(2));
  const steps = data.num_steps === 1 ? "" : `, ${data.num_steps} steps`;
  fill("title", data.use_walk ? `Random walk${steps}` : "No walk (left out)", panelOf("cam_rw"));
  fill("title", data.use_par ? "PAR refinement" : "Enlarged, no PAR", panelOf("cam_par"));
  fill("title", `${data.symmetric ? "Learned" : "Unsymmetric"} affinity`, panelOf("affinity"));
  for (const section of $$(".afa-panel")) section.style.setProperty("--ratio", `${data.size[1]} / ${data.size[0]}`);
  panelOf("target").hidden = !scene.target;
  root.classList.toggle("afa-known", Boolean(scene.target));
  rebuildHeads();
  classChanged();
}

/** The iterations come a moment after the rest: until then there is nothing to play. */
function parReady() {
  control("iteration").disabled = control("play").disabled = !par || !data.use_par || !data.num_iters;
}

function rebuildHeads() {
  const block = scene.blocks[view.block];
  if (view.head >= block.heads) view.head = 0;
  const heads = [MEAN, ...Array(block.heads).keys()];
  control("head").replaceChildren(...heads.map((head) => new Option(
    head === MEAN ? "mean of all" : `${head + 1} of ${block.heads}`, head, false, head === view.head)));
  $(".afa-heads").replaceChildren(...heads.map((head) => {
    const button = document.createElement("button");
    const canvas = document.createElement("canvas");
    const words = document.createElement("span");
    button.type = "button";
    button.dataset.head = head;
    button.onclick = () => chooseHead(head);
    const weight = head === MEAN ? null : block.weights?.[head];
    const sign = weight == null ? "" : ` <small class="${weight < 0 ? "afa-less" : "afa-more"}">w ${signed(weight, 2)}</small>`;
    words.innerHTML = (head === MEAN ? "mean" : `${head + 1}`) + sign;
    button.setAttribute("aria-label", head === MEAN ? "Mean of all heads" : `Head ${head + 1}${weight == null ? "" :
      `, weight ${signed(weight, 2)}`}`);
    canvas.setAttribute("aria-hidden", "true");
    button.append(canvas, words);
    return button;
  }));
  fitCanvases();
}

function chooseClass(label) {
  view.label = label;
  if (!view.pin) view.rest = strongest();
  classChanged();
}

function chooseHead(head) {
  view.head = head;
  drawCell();
}

async function chooseBlock(block) {
  const [mine, of, key] = [turn, data.scene, data.key];
  try {
    const next = await loadAttention(of, key, block);
    if (mine !== turn) return;
    view.block = block;
    attention = next;
    rebuildHeads();
    drawCell();
  } catch (error) {
    say("The server no longer holds this explanation: choose the picture again.", true);
    console.warn(error);
  }
}

// --- numbers and words -----------------------------------------------------------------------------------------------

const BEFORE = { cam_rw: ["cam", "by the walk"], cam_par: ["cam_rw", "by PAR"],
  pseudo_label: ["cam_par", "by leaving out"], seg: ["pseudo_label", "to the label"] };

function classChanged() {
  for (const chip of $$('[data-list="classes"] button')) {
    chip.setAttribute("aria-pressed", Number(chip.dataset.label) === view.label);
  }
  fill("title", `CAM of ${className(view.label)}`, panelOf("cam"));
  for (const key of ["cam", "cam_rw", "cam_par"]) scaleBar(key, data[key].low, data[key].high);
  for (const key of ["cam", "cam_rw", "cam_par", "pseudo_label", "seg"]) {
    const score = data.scores?.[key].iou[view.label];
    const old = data.scores?.[BEFORE[key]?.[0]]?.iou[view.label];
    const out = $('[data-fill="score"]', panelOf(key));
    out.textContent = score == null ? "" : `IoU ${percent(score)}`;
    out.title = score == null ? "" : `Intersection over union of ${className(view.label)} with the truth`;
    if (score != null && old != null && Math.abs(score - old) >= 0.0005) {
      const change = document.createElement("span");
      change.className = score < old ? "afa-less" : "afa-more";
      change.textContent = ` ${score < old ? "▼" : "▲"} ${Math.abs(100 * (score - old)).toFixed(1)} ${BEFORE[key][1]}`;
      out.append(change);
    }
  }
  legends();
  ladder();
  bases.clear();
  drawAll();
}

function legends() {
  const { foreground, background, uncertain } = data.shares;
  const right = (share) => (share == null ? "" : `, ${(100 * share).toFixed(0)} % right`);
  const rows = [
    [`rgb(${tables.foreground})`, "foreground", foreground, data.precision?.foreground],
    [`rgb(${tables.background})`, "background", background, data.precision?.background],
    ["hatch", "uncertain", uncertain, null],
  ];
  $(".afa-legend", panelOf("regions")).replaceChildren(...rows.map(([colour, name, share, precision]) =>
    legendItem(colour, `${name} ${percent(share)}${right(precision)}`)));
  const shown = { pseudo_label: data.pseudo_label, seg: scene.seg, target: scene.target };
  for (const [key, map] of Object.entries(shown)) {
    if (!map) continue;
    const counts = new Map();
    for (const label of map.bytes) counts.set(label, (counts.get(label) ?? 0) + 1);
    const items = [...counts].filter(([label]) => label).sort((a, b) => b[1] - a[1]).slice(0, 4).map(([label, count]) =>
      legendItem(label === 255 ? "hatch" : `rgb(${data.palette[label]})`,
        `${label === 255 ? (key === "target" ? "not counted" : "uncertain") : className(label)} ${percent(count / map.bytes.length)}`));
    if (!items.length) items.push(legendItem("none", "background everywhere"));
    $(".afa-legend", panelOf(key)).replaceChildren(...items);
  }
}

function legendItem(colour, text) {
  const item = document.createElement("span");
  const swatch = document.createElement("i");
  if (colour === "hatch") swatch.className = "afa-hatch";
  else swatch.style.background = colour;
  item.append(swatch, text);
  return item;
}

const LADDER = [["cam", "CAM, cut"], ["cam_rw", "+ random walk"], ["cam_par", "+ PAR"],
  ["pseudo_label", "pseudo label"], ["seg", "prediction"]];

function ladder() {
  const box = $(".afa-ladder");
  const sentence = $(".afa-sentence", panelOf("ladder"));
  if (!data.scores) {
    sentence.textContent = "No mask of this picture is known, so there is nothing to score: judge with your eyes. "
      + "Examples of the training world have one.";
    box.replaceChildren();
    return;
  }
  sentence.textContent = `Intersection over union of “${className(view.label)}” with the truth, step by step (bars), and the mean `
    + "over the classes of this picture, background included (ticks). Uncertain pixels are left out of the pseudo label’s.";
  box.replaceChildren(...LADDER.map(([key, name]) => {
    const { iou, miou, coverage } = data.scores[key];
    const row = document.createElement("div");
    const share = iou[view.label] ?? 0;
    const counted = key === "pseudo_label" ? ` of ${(100 * coverage).toFixed(0)} %` : "";
    row.innerHTML = `<span>${name}</span><div class="afa-bar-track"><div style="width:${100 * share}%"></div>`
      + `<b style="left:${100 * (miou ?? 0)}%"></b></div><span>${percent(share)}${counted}</span>`;
    row.title = `${name}: ${percent(share)}, mean ${percent(miou)}`;
    return row;
  }));
}

function scaleBar(key, low, high) {
  const box = $(".afa-scale", panelOf(key));
  if (!box.firstChild) {
    const ramp = sheet(256, 1);
    paintRamp(ramp, lut);
    ramp.setAttribute("aria-hidden", "true");
    box.append(document.createElement("span"), ramp, document.createElement("span"));
  }
  box.firstChild.textContent = three(low);
  box.lastChild.textContent = three(high);
}

let speaking = 0;
function say(text, now = false) {
  fill("status", text);
  clearTimeout(speaking);
  speaking = setTimeout(() => { $(".afa-aloud").textContent = text; }, now ? 0 : 500);
}

// --- drawing ---------------------------------------------------------------------------------------------------------

/** Attention of the present cell in one head, with the number that its brightest colour stands for. */
function attentionMap(head) {
  const [heads, cells, keys] = attention.shape;
  const [rows, cols] = scene.blocks[view.block].keys;
  const query = cell()[0] * data.grid[1] + cell()[1];
  const one = (h) => attention.bytes.subarray((h * cells + query) * keys, (h * cells + query + 1) * keys);
  const peak = (h) => attention.peaks[h * cells + query];
  if (head !== MEAN) return { rows, cols, bytes: one(head), peak: peak(head) };
  const total = new Float32Array(keys);
  for (let h = 0; h < heads; h++) one(h).forEach((byte, i) => { total[i] += (byte * peak(h)) / (255 * heads); });
  const top = total.reduce((a, b) => Math.max(a, b), 0);
  return { rows, cols, bytes: Uint8Array.from(total, (v) => Math.round((255 * v) / (top || 1))), peak: top };
}

/** The pictures that do not depend on the query cell, by panel. */
const BASES = {
  image: (canvas) => canvas.getContext("2d").drawImage(scene.image, 0, 0, canvas.width, canvas.height),
  cam: (canvas) => paintHeat(canvas, scene.grey, layer(data.cam, channel() - 1), heat, true),
  cam_rw: (canvas) => paintHeat(canvas, scene.grey, layer(data.cam_rw, channel()), heat, false),
  cam_par: (canvas) => {
    const steps = par && view.iteration != null && view.iteration < data.num_iters;
    paintHeat(canvas, scene.grey, steps ? layer(par, view.iteration, channel()) : layer(data.cam_par, channel()), heat, true);
  },
  regions: (canvas) => paintLabels(canvas, scene.grey, layer(data.pseudo_label),
    (label) => (label ? tables.foreground : tables.background), () => ""),
  pseudo_label: (canvas) => paintLabels(canvas, scene.grey, layer(data.pseudo_label), colourOf, className),
  seg: (canvas) => paintLabels(canvas, scene.grey, layer(scene.seg), colourOf, className),
  target: (canvas) => scene.target && paintLabels(canvas, scene.grey, layer(scene.target), colourOf, className),
};
const colourOf = (label) => (label ? data.palette[label] : null);

function drawBase(key) {
  const canvas = $("canvas", panelOf(key));
  if (!canvas.width) return;
  if (!bases.has(key)) {
    const base = sheet(canvas.width, canvas.height);
    BASES[key](base);
    bases.set(key, base);
  }
  canvas.getContext("2d").drawImage(bases.get(key), 0, 0);
  if (key === "cam_rw" && data.use_walk) markWindow(canvas, data.grid, cell(), data.radius);
  markCell(canvas, data.grid, cell(), Boolean(view.pin));
}

/** What follows the query cell. */
function drawCell() {
  const [row, col] = cell();
  const block = scene.blocks[view.block];
  const maps = new Map([MEAN, ...Array(block.heads).keys()].map((head) => [head, attentionMap(head)]));
  const top = Math.max(...[...maps.values()].map((map) => map.peak));
  for (const button of $$(".afa-heads button")) {
    const head = Number(button.dataset.head);
    const map = maps.get(head);
    const canvas = $("canvas", button);
    button.setAttribute("aria-pressed", head === view.head);
    if (!canvas.width) continue;
    paintHeat(canvas, scene.grey, map, heat, false, view.shared ? map.peak / top : 1);
    markCell(canvas, data.grid, [row, col], true);
  }
  control("head").value = view.head;
  const chosen = maps.get(view.head);
  const canvas = $("canvas", panelOf("attention"));
  paintHeat(canvas, scene.grey, chosen, heat, false, view.shared ? chosen.peak / top : 1);
  markCell(canvas, data.grid, [row, col], Boolean(view.pin));
  scaleBar("attention", 0, view.shared ? top : chosen.peak);
  fill("title", view.head === MEAN ? "Attention, mean of heads" : `Attention of head ${view.head + 1}`, panelOf("attention"));
  const affinity = $("canvas", panelOf("affinity"));
  paintHeat(affinity, scene.grey, affinityMap(), heat, false);
  if (data.use_walk) markWindow(affinity, data.grid, [row, col], data.radius);
  markCell(affinity, data.grid, [row, col], Boolean(view.pin));
  scaleBar("affinity", 0, 1);
  for (const key of Object.keys(BASES)) drawBase(key);
  control("row").value = row + 1;
  control("col").value = col + 1;
  describe(chosen);
}

function affinityMap() {
  const [rows, cols] = data.grid;
  const size = rows * cols;
  const query = cell()[0] * cols + cell()[1];
  return { rows, cols, bytes: data.affinity.bytes.subarray(query * size, (query + 1) * size) };
}

function describe(chosen) {
  const [row, col] = cell();
  const [rows, cols] = data.grid;
  const at = (map) => {
    const y = Math.min(map.rows - 1, Math.floor(((row + 0.5) * map.rows) / rows));
    return map.bytes[y * map.cols + Math.min(map.cols - 1, Math.floor(((col + 0.5) * map.cols) / cols))];
  };
  const flat = (map) => at({ ...map, rows: map.shape[0], cols: map.shape[1] });
  const named = (map) => (flat(map) === 255 ? "uncertain" : className(flat(map)));
  const close = affinityMap().bytes.reduce((count, byte) => count + (byte > 127), 0);
  const cam = layer(data.cam, channel() - 1);
  const head = view.head === MEAN ? "mean attention" : `attention of head ${view.head + 1}`;
  say(`Cell in row ${row + 1}, column ${col + 1}${view.pin ? ", pinned" : ""}: ${head} at most ${three(chosen.peak)}; `
    + `affinity above ½ with ${close} of ${rows * cols} cells; CAM of ${className(view.label)} ${(at(cam) / 255).toFixed(2)}; `
    + `pseudo label ${named(data.pseudo_label)}, prediction ${named(scene.seg)}`
    + `${scene.target ? `, truth ${named(scene.target)}` : ""}.`);
  for (const canvas of $$(".afa-panel canvas[role=img]")) {
    const section = canvas.closest(".afa-panel");
    const score = $('[data-fill="score"]', section)?.textContent;
    canvas.setAttribute("aria-label", `${$('[data-fill="title"]', section).textContent}${score ? `, ${score}` : ""}`);
  }
}

function drawAll() {
  fitCanvases();
  showIteration();
  drawCell();
}

/** Give each canvas as many pixels as it covers on the screen. */
function fitCanvases() {
  const dense = Math.min(2, window.devicePixelRatio || 1);
  let changed = false;
  for (const canvas of $$(".afa-panel canvas")) {
    if (canvas.closest(".afa-scale")) continue;
    const width = Math.round(canvas.clientWidth * dense);
    const height = Math.round((width * data.size[0]) / data.size[1]);
    if (width && (canvas.width !== width || canvas.height !== height)) {
      [canvas.width, canvas.height] = [width, height];
      changed = true;
    }
  }
  if (changed) bases.clear();
  return changed;
}

// --- PAR iterations --------------------------------------------------------------------------------------------------

function showIteration() {
  const at = view.iteration ?? data.num_iters;
  control("iteration").value = at;
  fill("iteration", data.use_par ? `${at} of ${data.num_iters}` : "left out");
}

function chooseIteration(number) {
  view.iteration = Math.min(data.num_iters, Math.max(0, number));
  showIteration();
  bases.delete("cam_par");
  drawBase("cam_par");
}

function stop() {
  clearInterval(player);
  player = 0;
  control("play").textContent = "▶";
}

function play() {
  if (player) return stop();
  if (!par || !data.num_iters || !data.use_par) return undefined;
  chooseIteration(0);
  control("play").textContent = "⏸";
  player = setInterval(() => {
    if (view.iteration >= data.num_iters) stop();
    else chooseIteration(view.iteration + 1);
  }, calm ? 900 : 300);
  return undefined;
}

// --- pointer, keys, controls -----------------------------------------------------------------------------------------

let waiting = 0;
function redraw() {
  if (!waiting) waiting = requestAnimationFrame(() => { waiting = 0; if (data) drawCell(); });
}

function cellAt(event) {
  const canvas = event.target.closest?.("canvas[role=img]");
  if (!canvas || !data) return null;
  const box = canvas.getBoundingClientRect();
  const index = (at, size, count) => Math.min(count - 1, Math.max(0, Math.floor((at / size) * count)));
  return [index(event.clientY - box.top, box.height, data.grid[0]), index(event.clientX - box.left, box.width, data.grid[1])];
}

function hover(next) {
  if (view.pin || same(view.hover, next) || (!view.hover && !next)) return;
  view.hover = next;
  redraw();
}

panels.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse") hover(cellAt(event)); });
panels.addEventListener("pointerleave", () => hover(null));
panels.addEventListener("click", (event) => {
  const at = cellAt(event);
  if (!at) return;
  view.pin = same(view.pin, at) ? null : at;
  view.rest = at;
  redraw();
});

function move(rows, cols) {
  const clamp = (value, count) => Math.min(count - 1, Math.max(0, value));
  const next = [clamp(cell()[0] + rows, data.grid[0]), clamp(cell()[1] + cols, data.grid[1])];
  if (view.pin) view.pin = next;
  Object.assign(view, { rest: next, hover: null });
  redraw();
}

const KEYS = {
  ArrowUp: () => move(-1, 0),
  ArrowDown: () => move(1, 0),
  ArrowLeft: () => move(0, -1),
  ArrowRight: () => move(0, 1),
  Enter: () => { view.pin = view.pin ? null : cell(); redraw(); },
  Escape: () => { Object.assign(view, { pin: null, hover: null, rest: strongest() }); redraw(); },
  "[": () => stepHead(-1),
  "]": () => stepHead(1),
  " ": play,
  "?": () => { const keys = $(".afa-keys"); keys.open = !keys.open; },
};

function stepHead(by) {
  const heads = scene.blocks[view.block].heads;
  chooseHead(((view.head - MEAN + by + heads + 1) % (heads + 1)) + MEAN);
}

panels.addEventListener("keydown", (event) => {
  if (event.target !== panels || !data || !KEYS[event.key] || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  KEYS[event.key]();
});

control("block").addEventListener("change", (event) => chooseBlock(Number(event.target.value)));
control("head").addEventListener("change", (event) => chooseHead(Number(event.target.value)));
control("shared").addEventListener("change", (event) => { view.shared = event.target.checked; redraw(); });
control("iteration").addEventListener("input", (event) => { stop(); chooseIteration(Number(event.target.value)); });
control("play").addEventListener("click", play);
for (const [name, axis] of [["row", 0], ["col", 1]]) {
  control(name).addEventListener("change", (event) => {
    const next = [...cell()];
    next[axis] = Math.min(data.grid[axis], Math.max(1, Math.round(Number(event.target.value)) || 1)) - 1;
    Object.assign(view, { pin: next, rest: next, hover: null });
    redraw();
  });
}

for (const button of $$("[data-export]")) {
  button.addEventListener("click", async () => {
    if (!data || button.disabled) return;
    button.disabled = true;
    try {
      const { path, name } = JSON.parse(await server.export_file({ key: data.key, kind: button.dataset.export }));
      const link = document.createElement("a");
      link.href = `${window.gradio_config?.root ?? ""}/gradio_api/file=${path}`;
      link.download = name;
      link.click();
    } catch (error) {
      say("This explanation could not be written: choose the picture again.", true);
      console.warn(error);
    }
    button.disabled = false;
  });
}

new ResizeObserver(() => { if (data && fitCanvases()) drawCell(); }).observe(panels);
watch("value", receive);
receive();
