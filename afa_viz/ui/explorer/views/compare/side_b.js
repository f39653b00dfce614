// What B is in a comparison: the form, the same in words, and its part of the address. A is what the page shows.

import { significant } from "../../core/format.js";
import { registerPermalink, SIDE_B_KEYS } from "../../core/permalink.js";
import { translateServerText } from "../../core/server_words.js";
import { store, view } from "../../core/store.js";
import { tables } from "../../core/tables.js";
import { text } from "../../core/words.js";

export const STAGES = ["cam", "affinity_label", "affinity", "cam_rw", "cam_par", "pseudo_label", "seg"]; // that are compared
/** @type {{[step: string]: string}} */
const SWITCHES = { "random walk": "walk", PAR: "par", "symmetry of the affinity": "symmetry",
  "other scales of the CAM": "scales" }; // what the server calls it -> texts
/** @type {{[field: string]: [string, number]}} */
const SETTINGS = { bkg_score_low: ["compare.low", 2], bkg_score_high: ["compare.high", 2], radius: ["walk.radius", 0],
  power: ["walk.power", 1], num_steps: ["compare.num_steps", 0], num_iters: ["par.num_iters", 0] }; // name, digits
const WALK = "random walk"; // what B does without until somebody chooses

/** @type {any} */
let section = null;
/** @type {any} */
let changed = null; // called when somebody changed B
/** @type {TrainingRun | null} */
let run = null; // the models there are
/** @type {SideChanges} */
let current = { model: null, switched: [WALK], crf: false, setting: null, value: null };
let stage = "cam_par"; // the large one

const find = (/** @type {string} */ selector) => section.querySelector(selector);
const leftOut = () => (store.trace.link?.left_out ?? "").split(",");
const settingName = (/** @type {string} */ field) => text(SETTINGS[field][0]);

/** A's value of a setting. */
function own(/** @type {string} */ field) {
  const { trace } = store;
  return { bkg_score_low: trace.low, bkg_score_high: trace.high, power: trace.chain.power }[field] ?? trace[field];
}


function change(/** @type {Partial<SideChanges>} */ patch) {
  current = { ...current, ...patch };
  drawForm();
  changed();
}

const switchWords = (/** @type {string} */ name) => text(`compare.${leftOut().includes(name) ? "with" : "without"}_${SWITCHES[name]}`);

function modelWords(/** @type {string} */ name) {
  const snapshot = run?.snapshots.find((s) => s.model === name);
  return text(snapshot ? "compare.snapshot" : "compare.other_model", { name, iteration: snapshot?.iteration });
}

/** What differs, in words; [] where nothing does. */
export function differences() {
  const { model, switched, crf, setting, value } = current;
  const parts = switched.map(switchWords);
  if (model) parts.unshift(modelWords(model));
  if (crf) parts.push(text("compare.with_crf"));
  const moved = setting && value !== own(setting);
  if (moved) parts.push(text("compare.moved", { name: settingName(setting), value: significant(value), own: significant(own(setting)) }));
  return parts;
}

export function drawForm() {
  const models = (run?.models ?? []).filter((name) => name !== run?.model);
  const snapshots = (run?.snapshots ?? []).filter((s) => s.model !== run?.model);
  const select = find('[data-do="model"]');
  /** @type {(HTMLOptionElement | HTMLOptGroupElement)[]} */
  const options = [new Option(text("compare.same_model"), ""),
    ...models.map((name) => new Option(translateServerText(run?.offered?.[name] ?? name), name))];
  if (snapshots.length) {
    const group = document.createElement("optgroup");
    group.label = text("compare.snapshots");
    group.append(...snapshots.map((s) => new Option(modelWords(s.model), s.model)));
    options.push(group);
  }
  if (current.model && !models.includes(current.model) && !snapshots.some((s) => s.model === current.model)) {
    options.push(new Option(current.model, current.model)); // of a link: the server says whether it is there
  }
  select.replaceChildren(...options);
  select.value = current.model ?? "";
  select.disabled = options.length < 2;
  select.closest("label").hidden = run?.models.length === 0; // the host has no models
  const box = (/** @type {string} */ words, /** @type {boolean} */ on, /** @type {(on: boolean) => void} */ toggle, disabled = false) => {
    const [label, input] = [document.createElement("label"), document.createElement("input")];
    label.className = "afa-step";
    Object.assign(input, { type: "checkbox", checked: on, disabled });
    input.addEventListener("change", () => toggle(input.checked));
    label.append(input, words);
    return label;
  };
  const switched = (/** @type {string} */ name, /** @type {boolean} */ on) =>
    change({ switched: on ? [...current.switched, name] : current.switched.filter((s) => s !== name) });
  find('[data-list="switches"]').replaceChildren(
    ...Object.keys(SWITCHES).map((name) => box(switchWords(name), current.switched.includes(name),
      (on) => switched(name, on), name === "PAR" && current.crf)),
    box(text("compare.with_crf"), current.crf, (on) => change({ crf: on }), current.switched.includes("PAR")),
  );
  find('[data-do="setting"]').value = current.setting ?? "";
  find('[data-for="value"]').hidden = !current.setting;
  if (current.setting) slider();
}

/** The slider of the chosen setting; the two background scores can not pass each other. */
function slider() {
  const { setting, value } = current;
  if (setting == null || value == null) return;
  const [low, high, step] = tables.sliders[setting];
  const input = find('[data-do="value"]');
  input.min = setting === "bkg_score_high" ? store.trace.low : low;
  input.max = setting === "bkg_score_low" ? store.trace.high : high;
  input.step = step;
  input.value = value;
  showValue(value);
}

const showValue = (/** @type {number | string} */ value) => {
  find('[data-fill="value"]').textContent = Number(value).toFixed(SETTINGS[String(current.setting)][1]);
};

/** Which steps of the chain B has. */
export function stagesOfB() {
  const { switched, crf } = current;
  return { walk: store.trace.use_walk !== switched.includes(WALK), par: store.trace.use_par !== switched.includes("PAR"), crf };
}

/** Bind the form; `listener` hears of every change. */
export function build(/** @type {HTMLElement} */ element, /** @type {() => void} */ listener) {
  [section, changed] = [element, listener];
  find('[data-do="setting"]').append(new Option(text("compare.no_setting"), ""),
    ...Object.keys(SETTINGS).map((field) => new Option(settingName(field), field)));
  find('[data-do="model"]').addEventListener("change", (/** @type {ControlEvent} */ event) => (
    change({ model: event.target.value || null })));
  find('[data-do="setting"]').addEventListener("change", (/** @type {ControlEvent} */ event) => {
    const setting = event.target.value || null;
    change({ setting, value: setting && own(setting) });
  });
  const input = find('[data-do="value"]');
  input.addEventListener("input", () => showValue(input.value));
  input.addEventListener("change", () => change({ value: Number(input.value) }));
  find('[data-do="clear"]').addEventListener("click",
    () => change({ model: null, switched: [], crf: false, setting: null, value: null }));
}

/** The models there are, once they are known. */
export function setModels(/** @type {TrainingRun} */ found) {
  run = found;
  drawForm();
}

registerPermalink({
  names: SIDE_B_KEYS,
  read(query) {
    /** @type {any[]} */
    const wrong = [];
    const [model, switched, crf, setting, shown] = SIDE_B_KEYS.map((name) => query.get(name));
    /** @type {SideChanges} */
    const next = { model: null, switched: [], crf: false, setting: null, value: null };
    if (model != null) {
      if (model.length && model.length < 200) next.model = model;
      else wrong.push("b_model");
    }
    if (switched) {
      next.switched = switched.split(",").filter((name) => name in SWITCHES);
      if (next.switched.length !== switched.split(",").length) wrong.push("b_switched");
    }
    if (crf != null) {
      next.crf = crf === "1";
      if (!next.crf) wrong.push("b_crf");
    }
    if (setting != null) {
      const [, field, number] = /^([a-z_]+):(\d+(?:\.\d+)?)$/.exec(setting) ?? [];
      const [low, high] = tables.sliders[field] ?? [1, 0];
      if (Number(number) >= low && Number(number) <= high) Object.assign(next, { setting: field, value: Number(number) });
      else wrong.push("b_setting");
    }
    if (shown != null) {
      if (STAGES.includes(shown)) stage = shown;
      else wrong.push("b_stage");
    }
    if ([model, switched, crf, setting].some((value) => value != null)) current = next;
    return wrong;
  },
  write(query) {
    if (view.tab !== "compare") return;
    const { model, switched, crf, setting, value } = current;
    if (model) query.set("b_model", model);
    query.set("b_switched", switched.join(","));
    if (crf) query.set("b_crf", "1");
    if (setting) query.set("b_setting", `${setting}:${value}`);
    query.set("b_stage", stage);
  },
});

/** What differs in B, as the server is asked for it. */
export const changes = () => current;
/** The stage that is shown large. */
export const largeStage = () => stage;
/** Show another stage large. */
export function chooseStage(/** @type {string} */ name) {
  stage = name;
}
