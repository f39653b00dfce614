// Answers that were made beforehand (handlers/prepared.py): a host without a server. Somebody hands it `find`, which gives
// the answer of a name. What follows from settings below the network is made here.

import { createStudio, EDITS, refusal, RERUNS, SYMMETRY } from "./prepared/studio.js";
import { translateServerText } from "../core/server_words.js";
import { announce } from "../core/status.js";

/**
 * Parameters sorted, also inside objects, those that are null left out.
 *
 * @type {(value: any) => any}
 */
export function canonical(value) {
  if (Array.isArray(value)) return value.map(canonical);
  if (value === null || typeof value !== "object") return value;
  /** @type {{[name: string]: any}} */
  const sorted = {};
  for (const name of Object.keys(value).sort()) if (value[name] != null) sorted[name] = canonical(value[name]);
  return sorted;
}

/**
 * The name of a question, as handlers.prepared.answer_name.
 *
 * @param {string} question
 * @param {{[name: string]: any}} asked
 */
export const answerName = (question, asked) => `${question} ${JSON.stringify(canonical(asked))}`;

/** @typedef {import("./host.js").Host} Host */
/** @typedef {import("./prepared/studio.js").Changed} Changed */
/** @typedef {(name: string, question: string, asked: {[name: string]: any}) => Promise<any>} Find */

/**
 * A host that answers from prepared answers.
 *
 * @param {object} given
 * @param {Find} given.find the answer of a name (parsed), null where there is none; the parameters come canonical
 * @param {{[name: string]: any}} given.tables see `Host`
 * @param {Partial<Host>} given.parts what this home answers in its own way: its markup; examples, dataset, exports, connect
 * @returns {{host: Host, show: (key: string, changes?: Changed, facts?: object) => Promise<void>, changes: () => Changed,
 *   change: (patch: Changed) => Promise<void>, base: () => any, onChange: (listener: () => void) => void}}
 *   host: for `use`; show: a prepared image next, under changed settings; change: other settings for the image that is
 *   shown; base: its prepared stages; onChange: after every change, and every refusal of one
 */
export function preparedHost({ find, tables, parts }) {
  const findAnswer = (/** @type {string} */ question, /** @type {any} */ asked) => (
    find(answerName(question, asked), question, canonical(asked)));
  const studio = createStudio(findAnswer);
  /** @type {any} */
  let shown = null; // stages
  /** @type {any} */
  let base = null; // as they were prepared
  /** @type {Changed} */
  let changes = {};
  /** @type {Changed} */
  let wanted = {}; // with what is on its way
  let number = 0; // of the newest question for stages
  /** @type {{stages: (() => void)[], change: (() => void)[]}} */
  const listeners = { stages: [], change: [] };
  const changedKeys = new Map(); // key of what was made here -> {key, changes}

  const baseKey = (/** @type {string} */ key) => changedKeys.get(key)?.key ?? key;
  const isPrepared = (/** @type {string} */ key) => !changedKeys.has(key);

  /** An answer that settings do not change. */
  const fixed = (/** @type {string} */ question) => async (/** @type {any} */ asked) => (
    await findAnswer(question, { ...asked, key: baseKey(asked.key) }) ?? refusal("site.not_prepared"));
  /** One that was prepared for the settings that the page opens with. */
  const published = (/** @type {string} */ question) => async (/** @type {any} */ asked) => (
    isPrepared(asked.key) ? await findAnswer(question, asked) ?? refusal("site.not_prepared") : refusal("site.settings_not_prepared"));

  async function show(/** @type {string} */ key, /** @type {Changed} */ settings = wanted, /** @type {any} */ facts = {}) {
    const mine = ++number;
    wanted = settings;
    const prepared = await findAnswer("stages", { key });
    let next = prepared ? await significantChanges(prepared, settings) : {};
    if (mine !== number) return;
    let answer = prepared ?? refusal("site.not_prepared");
    if (Object.keys(next).length) {
      const name = `${key} ${JSON.stringify(next)}`;
      changedKeys.set(name, { key, changes: next });
      answer = await studio.explain(key, next, { name });
      if (mine !== number) return;
    }
    if (answer.refused) {
      const words = translateServerText(answer.refused);
      announce(words, true);
      wanted = changes;
      for (const listener of listeners.change) listener();
      if (!prepared || prepared.key === base?.key) return;
      [answer, next] = [prepared, {}]; // another image, as it was prepared
      facts = { ...facts, complaint: [facts.complaint, words].join(" ").trim() };
    }
    [base, changes, wanted] = [prepared, next, next];
    shown = { ...answer, ...facts, link: prepared.link && { ...prepared.link, ...linkOf(next) } };
    for (const listener of [...listeners.stages, ...listeners.change]) listener();
  }

  const change = (/** @type {Changed} */ patch) => (base ? show(base.key, { ...wanted, ...patch }) : Promise.resolve());

  /** One that the page says the size of. */
  const measured = (/** @type {string} */ question) => async (/** @type {any} */ asked) => {
    const answer = await fixed(question)(asked);
    return answer.refused || answer.sent != null ? answer : { sent: JSON.stringify(answer).length, ...answer };
  };

  async function affinity(/** @type {any} */ asked) {
    const answer = await measured("affinity")(asked);
    if (answer.refused || isPrepared(asked.key) || asked.key !== shown.key) return answer;
    return studio.affinity(answer, shown, baseKey(asked.key));
  }

  async function overview(/** @type {any} */ asked) {
    const answer = await fixed("overview")(asked); // without a truth it is of a label, which follows the settings
    return answer.refused || answer.by_truth || isPrepared(asked.key) ? answer : refusal("site.settings_not_prepared");
  }

  const nothing = async () => refusal("site.needs_server");
  /** @type {Host} */
  const host = {
    markup: "",
    tables,
    connect() {},
    translatable: () => [],
    stages: () => shown,
    onStages: (/** @type {() => void} */ listener) => { listeners.stages.push(listener); },
    setSetting: (/** @type {string} */ field, /** @type {any} */ value) => {
      change({ [field]: field === "left_out" ? value.split(",").filter(Boolean) : value });
    },
    chooseLabels() {},
    setHeads({ symmetric, ...heads }) {
      const others = (wanted.left_out ?? []).filter((part) => part !== SYMMETRY);
      change({ ...heads, left_out: symmetric ? others : [...others, SYMMETRY] });
    },
    setEdits: change,
    reruns: () => false,
    unedited: async ({ key }) => (await import("./prepared/edited.js")).unedited(baseKey(key), changedKeys.get(key)?.changes ?? {},
      { find: findAnswer, differing: significantChanges, explain: studio.explain }),
    scene: fixed("scene"),
    attention: measured("attention"),
    overview,
    affinity,
    heads: fixed("heads"),
    example: nothing,
    par: published("par"),
    crf: published("crf"),
    async compare(/** @type {any} */ { key, b }) {
      const own = changedKeys.get(key)?.changes ?? {};
      if (b.crf) return isPrepared(key) && !others(b) ? fixed("compare")({ key, b: { crf: true } }) : refusal("site.crf_alone");
      return studio.compare(baseKey(key), own, b);
    },
    charts: {
      address: () => null,
      snapshots: async (asked) => await findAnswer("training_charts", { ...asked, key: baseKey(asked.key) }) ?? {},
      dataset: async () => ({}),
    },
    snapshots: { run: fixed("training_run"), frame: fixed("snapshot") },
    dataset: { page: nothing, thumbnails: nothing, scoring: nothing, open() {} },
    lab: {
      steps: published("lab"),
      async check(/** @type {any} */ { key, step, answer, label }) {
        const found = await published("lab_verdicts")({ key, step, label });
        return found.refused ? found : found.verdicts[found.answers[JSON.stringify(answer)]] ?? null;
      },
    },
    training: { form: { off: tables.texts["site.needs_server"] }, status: nothing, start: nothing, stop: nothing, resume: nothing,
      panel: nothing, apply() {} },
    exports: { kinds: [], file: nothing, python: null },
    examples: { names: [], thumbnails: () => [], open: () => false },
    photograph: { mustWait: () => false, noteTrace() {}, dismiss() {}, isAwaited: () => false, isMissing: () => false },
    ...parts,
  };
  return { host, show, change, changes: () => changes, base: () => base, onChange: (listener) => { listeners.change.push(listener); } };
}

/** What really differs from a prepared explanation. */
async function significantChanges(/** @type {any} */ prepared, /** @type {Changed} */ wanted) {
  /** @type {{[field: string]: any}} */
  const own = { ...prepared, ...prepared.chain, bkg_score_low: prepared.low, bkg_score_high: prepared.high,
    affinity_bias: prepared.affinity_bias ?? null };
  for (const name of [...EDITS, ...RERUNS]) own[name] = prepared.edits[name] ?? "";
  if ("head_weights" in wanted) own.head_weights = (await import("../core/head_settings.js")).weightsText(prepared.head_weights);
  return Object.fromEntries(Object.entries(wanted).filter(([field, value]) => (field === "left_out" ? value.length : value !== own[field]))
    .sort());
}

/** Changes as the address has them. */
const linkOf = (/** @type {Changed} */ changes) => Object.fromEntries(
  Object.entries(changes).map(([name, value]) => [name, String(value)]).filter(([, value]) => value));

/** Whether B differs in more than the CRF. */
const others = (/** @type {any} */ { model, switched, setting }) => Boolean(model || switched?.length || setting);
