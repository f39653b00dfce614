// The chain in the browser for the picture that is shown: what the tabs draw while a setting moves. When it is let go
// the sidebar is set, the server explains the same settings, and its maps take the place of these.

const LARGEST = 1024; // cells; larger grids are left to the server
const PIECE = 8; // milliseconds of work before the page may do something else: a frame takes 16
const LATER = 5000; // milliseconds, when another picture is asked for

// setting here -> slider of the sidebar (#afa-…)
const SIDEBAR = { low: "bkg_score_low", high: "bkg_score_high", radius: "radius", power: "power",
  num_steps: "num_steps", num_iters: "num_iters" };

const live = (() => {
  let maker = null; // stages.open of this picture, these labels and this model
  let source = null; // what it was made from
  let settings = null;
  let moved = false; // away from what the server explained
  let held = {}; // moved, and not yet answered by the server
  let pause = 0;
  let quiet = false; // while the sidebar is set from here
  let chosen = null; // cut through the CAM; lives in the browser alone
  const listeners = [];

  const equal = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);

  /** The photograph as the network saw it: (3, H, W) in [0, 1]. */
  function pixelsOf(image, [height, width]) {
    const canvas = sheet(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const bytes = context.getImageData(0, 0, width, height).data;
    const size = height * width;
    const out = new Float32Array(3 * size);
    for (let c = 0; c < 3; c++) for (let i = 0; i < size; i++) out[c * size + i] = bytes[4 * i + c] / 255;
    return out;
  }

  /** Take over what the server sent; what is under the hand stays. False where the grid is too large for that. */
  function open() {
    moved = Object.keys(held).length > 0;
    if (!data || data.grid[0] * data.grid[1] > LARGEST) {
      [maker, source, settings] = [null, null, null];
      return false;
    }
    const labels = [0, ...data.classes.map((c) => c.label)];
    const next = { scene, labels, cam: data.cam.bytes, affinity: data.affinity.bytes };
    if (!source || source.scene !== scene || !["labels", "cam", "affinity"].every((k) => equal(source[k], next[k]))) {
      maker = stages.open({ size: data.size, grid: data.grid, labels, cam: fieldOf(data.cam),
        affinity: fieldOf(data.affinity), image: pixelsOf(scene.image, data.size) });
      source = next;
    }
    const { low, high, radius, num_steps, num_iters, use_walk, use_par } = data;
    settings = { ...data.chain, low, high, radius, num_steps, num_iters, use_walk, use_par, ...held, bkg_score: cut() };
    if (data.partial) clearTimeout(pause); // until the rest is here the processor is the server's
    else prepare();
    return true;
  }

  /** Get ready for dragging, a short piece at a time. */
  function prepare(wait = 200) {
    clearTimeout(pause);
    pause = setTimeout(() => {
      const until = performance.now() + PIECE;
      let more = Boolean(maker);
      const first = view.tab === "affinity" ? data.cellsOf ?? "affinity_label" : view.shownLabel;
      while (more && performance.now() < until) more = maker.prepare(settings, first);
      if (more) prepare(0);
    }, wait);
  }

  /** One of the two labels under the present settings: the server's own, or where a setting moved, made here. */
  const label = (name = "pseudo_label") => (maker && moved ? maker.label(settings, name) : data[name].bytes);

  const cut = () => chosen ?? data?.chain.bkg_score ?? 0;

  /** The label of the CAM cut once: the server's own, as the strip scores it, or for another cut from the map here. */
  function cutLabel() {
    if (cut() === data.chain.bkg_score) return data.labels.cam.bytes;
    return maker ? maker.cut(settings) : chain.cutCam(fieldOf(data.cam), data.classes.map((c) => c.label), cut());
  }

  /** Tell who draws from here; tabs that are not open follow when they are. */
  function tell(name) {
    for (const [tab, it] of tabs) if (tab !== view.tab) it.stale = Math.max(it.stale, SELECTION);
    for (const listener of listeners) listener(name);
  }

  /** A setting moves. `final`: it was let go, so the server is asked. */
  function set(name, value, final = false) {
    if (name === "bkg_score") chosen = value;
    if (!settings) { // too large a grid: only the server draws, all but the cut
      if (name === "bkg_score") tell(name);
      if (final && SIDEBAR[name]) setSidebar(SIDEBAR[name], value);
      return;
    }
    const patch = { [name]: value };
    if (name === "low" && value > settings.high) patch.high = value;
    if (name === "high" && value < settings.low) patch.low = value;
    settings = { ...settings, ...patch };
    if (SIDEBAR[name]) [held, moved] = [{ ...held, ...patch }, true];
    tell(name);
    if (!final) return;
    const changed = Object.entries(held).filter(([key, v]) => data[key] !== v && data.chain[key] !== v);
    held = {};
    for (const [key, v] of changed) setSidebar(SIDEBAR[key], v);
    prepare();
  }

  /** Set a slider of the sidebar as a hand would; closed groups are opened first, since gradio builds them then. */
  async function setSidebar(field, value) {
    const find = () => document.querySelector(`#afa-${field} input[type=range]`);
    const closed = find() ? [] : document.querySelectorAll("#afa-settings button.label-wrap:not(.open)");
    for (const button of closed) button.click();
    for (let i = 0; i < 100 && !find(); i++) await new Promise((done) => { setTimeout(done, 30); });
    const slider = find();
    if (!slider) return;
    slider.value = value;
    quiet = true;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    quiet = false;
  }

  // Another picture may have been asked for: the processor is the server's.
  for (const kind of ["click", "change", "drop"]) {
    document.querySelector("#afa-pick")?.addEventListener(kind, () => prepare(LATER), true);
  }

  // A slider of the sidebar under the pointer: its own number follows, the page draws from here, and gradio hears of it
  // when it is let go.
  let dragged = null;
  const sidebar = document.querySelector("#afa-settings");
  const settingOf = (slider) => Object.keys(SIDEBAR).find((key) => slider.closest(`#afa-${SIDEBAR[key]}`));
  sidebar?.addEventListener("pointerdown", (event) => {
    dragged = event.target.matches("input[type=range]") && maker ? event.target : null;
  });
  sidebar?.addEventListener("input", (event) => {
    if (quiet || event.target !== dragged || !settingOf(dragged)) return;
    event.stopPropagation();
    set(settingOf(dragged), Number(dragged.value));
  });
  window.addEventListener("pointerup", () => {
    const [slider, name] = [dragged, dragged && settingOf(dragged)];
    dragged = null;
    if (!slider || !name || held[name] == null) return;
    held = {};
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    prepare();
  });

  return { open, label, get moved() { return Boolean(maker) && moved; }, cut, cutLabel, set,
    changed: (listener) => { listeners.push(listener); },
    get maker() { return maker; },
    get settings() { return settings; } };
})();

/** Buttons, sliders and numbers of one setting inside a tab, linked with the sidebar. */
function linkSetting(box, name, digits) {
  const slider = box.querySelector("input");
  const output = box.querySelector("output");
  const show = () => {
    const value = name === "bkg_score" ? live.cut() : live.settings?.[name] ?? data?.[name] ?? data?.chain[name] ?? 0;
    slider.value = value;
    output.textContent = Number(value).toFixed(digits);
  };
  slider.addEventListener("input", () => live.set(name, Number(slider.value)));
  slider.addEventListener("change", () => live.set(name, Number(slider.value), true)); // let go, or a key
  live.changed(show);
  return show;
}
