// What all tabs share: the explanation that is shown, what is chosen in it, and who draws when. Gradio gives element,
// props, server and watch. Everything that follows the pointer is drawn from what is already here.

element.innerHTML = props.markup;
const root = element.querySelector(".afa");
const views = root.querySelector(".afa-views");
const $ = (selector, from = root) => from.querySelector(selector);
const $$ = (selector, from = root) => [...from.querySelectorAll(selector)];
const fill = (name, words, from = root) => { for (const e of $$(`[data-fill="${name}"]`, from)) e.textContent = words; };
const control = (name) => $(`.afa-bar [data-do="${name}"]`);

const tables = JSON.parse(props.tables);
const lut = bytesOfText(tables.lut);
const HEAT = 0.85; // opacity of the largest value on the photograph, as in figures/colour.py
const heat = heatTable(lut);
const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
const MEAN = -1; // the head that stands for the mean of all

const view = { label: 0, block: -1, head: MEAN, rest: [0, 0], pin: null, hover: null, iteration: null, shared: false,
  opacity: HEAT, logits: false, tab: "", step: "",
  shownLabel: "pseudo_label", // of the two labels the one that the tab Regions shows
  picked: false, // the class was chosen by hand or by the address
  home: true, // the query cell rests on the strongest one of the class
  guessing: false }; // a question of the lab is open, and what would tell its answer is covered
let data = null; // stages of the present settings
let scene = null; // picture, prediction, truth, blocks
let par = null; // all PAR iterations where the browser does not make them itself; null until asked for
let turn = 0; // of the newest payload: what arrives late is dropped
const KEPT = 12; // pictures, and answers of each kind, that the page keeps
const scenes = new Map();

const cell = () => view.pin ?? view.hover ?? view.rest;
const unseen = () => view.guessing && view.home && !view.pin && !view.hover; // the strongest cell would tell
/** The cell that keys begin from. */
const begin = () => (unseen() ? data.grid.map((count) => Math.floor(count / 2)) : cell());
const same = (a, b) => a && b && a[0] === b[0] && a[1] === b[1];
const classId = (label) => data.names[label] ?? ""; // in addresses, and what the server is asked with
const classWords = (id) => tables.texts[`class.${id}`] ?? id; // an own data set has classes of its own
const className = (label) => classWords(classId(label));
const place = () => data.classes.findIndex((c) => c.label === view.label); // of the class among the CAMs
const channel = () => 1 + place(); // of walk and PAR; background is 0
const strongest = () => data.classes.find((c) => c.label === view.label)?.cell ?? [0, 0];
const atHome = () => ({ pin: null, hover: null, rest: strongest(), home: true });

// --- words -----------------------------------------------------------------------------------------------------------

const percent = (share) => (share == null ? "–" : `${(100 * share).toFixed(1)}\u00a0%`); // the two stay on one line
const signed = (number, digits = 1) => `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(digits)}`;
const three = (number) => (Math.abs(number) < 1e-6 ? "0"
  : number.toLocaleString(language, { maximumSignificantDigits: 3 }).replace("-", "−"));
const grouped = (number) => number.toLocaleString(language); // 4,191: as the page's language writes it

const seconds = (value) => (value < 1 ? `${Math.round(1000 * value)} ms` : `${value.toFixed(2)} s`);

/** A text of texts/en.json, its {names} filled in; whole numbers come grouped. */
const text = (key, values = {}) => withParticles((tables.texts[key] ?? key)
  .replace(/\{(\w+)\}/g, (_, name) => (Number.isInteger(values[name]) ? grouped(values[name]) : values[name] ?? ""))
  .replaceAll(" %", "\u00a0%"));

let speaking = 0;
/** Say it in the status line, and aloud once the hand rests (or `now`). */
function say(words, now = false) {
  fill("status", words);
  clearTimeout(speaking);
  speaking = setTimeout(() => { $(".afa-aloud").textContent = words; }, now ? 0 : 500);
}

/** What the server answers. Throws its sentence where it refuses. */
function readAnswer(json) {
  const answer = JSON.parse(json);
  if (answer?.refused) throw Object.assign(new Error(answer.refused), { refused: answer.refused });
  return answer;
}

const whyGone = (error) => (error.refused ? inOurLanguage(error.refused) : text("gone"));

function gone(error) {
  say(whyGone(error), true);
  console.warn(error);
}

// --- tabs: who draws when --------------------------------------------------------------------------------------------

const CELL = 1; // the query cell moved
const OPACITY = 2; // the opacity of the maps
const SELECTION = 3; // class, block, head, scale, or the size of the page
const DATA = 4; // another explanation
const HOOKS = [null, "cell", "opacity", "selection", "data"];
const LEVELS = { pin: CELL, hover: CELL, rest: CELL, home: CELL, picked: CELL, opacity: OPACITY }; // of what is chosen; all else: SELECTION
const tabs = new Map(); // name -> {hooks, section, stale}
const always = []; // hooks of what is always in sight: strip, status line

/** A tab and what it does; `data` draws everything, `selection` what class, block and head change, `opacity`
 * only paints the maps anew, `cell` does what follows the pointer.
 * Beside that: `build`, `show`, `keys`; `other`, a second side for the program to copy; `facts`, words for its picture. */
function registerTab(name, hooks) {
  const section = $(`[role=tabpanel][data-tab="${name}"]`);
  tabs.set(name, { hooks, section, stale: DATA });
  hooks.build?.(section);
}

/** Hooks that are called for every change, whatever tab is open. */
const registerAlways = (hooks) => { always.push(hooks); };

/** The strongest hook that there is for a change: what redraws more also redraws less. */
function call(hooks, level) {
  for (let i = level; i <= DATA; i++) if (hooks[HOOKS[i]]) return hooks[HOOKS[i]]();
  for (let i = level - 1; i > 0; i--) if (hooks[HOOKS[i]]) return hooks[HOOKS[i]]();
  return undefined;
}

let frame = 0;
let coming = 0; // the largest change that is not drawn yet
/** Draw in the next frame; changes add up. */
function scheduleDraw(level = SELECTION) {
  coming = Math.max(coming, level);
  for (const tab of tabs.values()) tab.stale = Math.max(tab.stale, level);
  if (!frame) frame = requestAnimationFrame(drawNow);
}

function drawNow() {
  cancelAnimationFrame(frame);
  const level = coming;
  [frame, coming] = [0, 0];
  if (!data || !level) return;
  for (const hooks of always) call(hooks, level);
  drawTab();
}

function drawTab() {
  const tab = tabs.get(view.tab);
  if (!tab?.stale || !data) return;
  const level = tab.stale;
  tab.stale = 0;
  call(tab.hooks, level);
}

function showTab(name) {
  if (!tabs.has(name)) return;
  view.tab = name;
  for (const [other, { section }] of tabs) section.hidden = other !== name;
  for (const button of $$("[role=tab]")) {
    const chosen = button.dataset.tab === name;
    button.setAttribute("aria-selected", chosen);
    button.tabIndex = chosen ? 0 : -1;
    if (chosen) scrollAcross(button);
  }
  for (const button of $$("[data-open]")) button.classList.toggle("afa-here", button.dataset.open === name);
  if (data) {
    tabs.get(name).hooks.show?.();
    drawTab();
  }
}

/** Bring an element into sight in its row, and leave the page where it is. */
function scrollAcross(element) {
  const [row, box] = [element.parentElement, element.getBoundingClientRect()];
  const { left, right } = row.getBoundingClientRect();
  row.scrollLeft += Math.min(0, box.left - left) + Math.max(0, box.right - right);
}

/** Change what is chosen: {label, block, head, pin, rest, hover, shared, logits, tab, …}; everything follows. */
function setView(patch) {
  const { tab, block, ...rest } = patch;
  Object.assign(view, rest);
  const levels = Object.keys(rest).map((key) => LEVELS[key] ?? SELECTION);
  if (levels.length) scheduleDraw(Math.max(...levels));
  if (block != null) {
    view.block = block;
    rebuildHeads();
    scheduleDraw(SELECTION);
  }
  if (tab != null) showTab(tab);
  linkLater();
}

const onGrid = (y, x) => [y, x].map((share, axis) => Math.min(data.grid[axis] - 1, Math.max(0, Math.floor(share * data.grid[axis]))));
const linked = new WeakMap(); // canvas -> (shares of its height and width) => cell
/** Let a canvas follow and define the query cell: pointer moves, click and tap pin. */
function linkCell(canvas, locate = onGrid) {
  linked.set(canvas, locate);
}

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

function loadScene(name, key) {
  return kept(scenes, name, async () => {
    const raw = readAnswer(await server.scene({ key }));
    const image = new Image();
    image.src = raw.image;
    await image.decode();
    const [seg, target] = await Promise.all([raw.seg, raw.target].map(unpack));
    return { ...raw, image, grey: greyOf(image), seg, target };
  });
}

const MAPS = ["cam", "affinity", "cam_rw", "cam_par", "affinity_label", "pseudo_label"];

async function receive() {
  if (!props.value) return;
  const mine = ++turn;
  try {
    const raw = JSON.parse(props.value);
    if (waits(raw)) return;
    const labels = Object.entries(raw.labels);
    const [nextScene, ...maps] = await Promise.all([loadScene(raw.scene, raw.key),
      ...MAPS.map((name) => unpack(raw[name])), ...labels.map(([, packed]) => unpack(packed))]);
    if (mine !== turn) return;
    const next = { ...raw, labels: {} };
    MAPS.forEach((name, i) => { next[name] = maps[i]; });
    labels.forEach(([name], i) => { next.labels[name] = maps[MAPS.length + i]; });
    next.affinity = wholeMatrix(next.affinity, next.grid);
    const [otherPicture, first] = [scene !== nextScene, Boolean(data?.partial)];
    [data, scene, par] = [next, nextScene, null];
    photo.note(raw);
    view.iteration = null;
    view.block = view.block >= raw.first_block && view.block < raw.num_blocks ? view.block : raw.num_blocks - 1;
    chooseAgain(otherPicture || first);
    if (otherPicture) Object.assign(view, atHome());
    else if (view.home) view.rest = strongest();
    const complaint = restoreLink();
    rebuild();
    for (const tab of tabs.values()) tab.stale = DATA;
    coming = DATA;
    if (!view.tab) showTab([...tabs.keys()][0]);
    drawNow();
    linkLater();
    root.dataset.state = "ready";
    if (data.partial) { // a first look: the rest is on its way
      root.dataset.first = data.key;
      say(text("first_look"), true);
    } else {
      root.dataset.key = root.dataset.settled = data.key;
    }
    if (complaint) say(complaint, true); // after all that says something else
  } catch (error) {
    if (mine === turn) gone(error);
  }
}

/** Keep the class if it is still there; one that nobody picked is the main one of a `fresh` explanation. */
function chooseAgain(fresh) {
  const there = data.classes.some((c) => c.label === view.label);
  if (there && (view.picked || !fresh)) return;
  Object.assign(view, { label: data.main, picked: false });
}

/** All PAR iterations of the server, for grids that the browser does not refine itself. */
async function loadPar() {
  const mine = turn;
  try {
    const steps = await unpack(readAnswer(await server.par({ key: data.key })));
    if (mine !== turn) return;
    par = steps;
    scheduleDraw(DATA);
  } catch (error) {
    gone(error);
  }
}

/** A band of an affinity matrix (cells within a window) as the whole matrix, 0 outside; a whole one as it is. */
function wholeMatrix(packed, [rows, cols]) {
  if (!packed.band) return packed;
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
