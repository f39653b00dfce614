// Answers that were made beforehand (handlers/prepared.py): a host without a server. Somebody hands it `find`, which gives
// the answer of a name. What follows from settings below the network is made here.

import { createStudio, refusal } from "./prepared/studio.js";
import { translateServerText } from "../core/server_words.js";
import { announce } from "../core/status.js";

/**
 * The name of a question, as handlers.prepared.answer_name: parameters sorted, those that are null left out.
 *
 * @param {string} question
 * @param {{[name: string]: any}} asked
 */
export function answerName(question, asked) {
  /** @type {(value: any) => any} */
  const canonical = (value) => {
    if (Array.isArray(value)) return value.map(canonical);
    if (value === null || typeof value !== "object") return value;
    /** @type {{[name: string]: any}} */
    const sorted = {};
    for (const name of Object.keys(value).sort()) if (value[name] != null) sorted[name] = canonical(value[name]);
    return sorted;
  };
  return `${question} ${JSON.stringify(canonical(asked))}`;
}

/** @typedef {import("./host.js").Host} Host */
/** @typedef {import("./prepared/studio.js").Changed} Changed */

/**
 * A host that answers from prepared answers.
 *
 * @param {object} given
 * @param {(name: string, question: string, asked: {[name: string]: any}) => Promise<any>} given.find the answer of a name
 *   (parsed), null where there is none
 * @param {string} given.markup see `Host`
 * @param {{[name: string]: any}} given.tables see `Host`
 * @param {Partial<Host>} [given.parts] what this home answers in its own way: examples, dataset, exports, connect
 * @returns {{host: Host, show: (key: string, changes?: Changed, facts?: object) => Promise<void>, changes: () => Changed,
 *   change: (patch: Changed) => Promise<void>, base: () => any, onChange: (listener: () => void) => void}}
 *   host: for `use`; show: a prepared image next, under changed settings; change: other settings for the image that is
 *   shown; base: its prepared stages; onChange: after every change, and every refusal of one
 */
export function preparedHost({ find, markup, tables, parts = {} }) {
  const findAnswer = (/** @type {string} */ question, /** @type {any} */ asked) => find(answerName(question, asked), question, asked);
  const studio = createStudio(findAnswer);
  /** @type {any} */
  let shown = null; // stages
  /** @type {any} */
  let base = null; // as they were prepared
  /** @type {Changed} */
  let changes = {};
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

  async function show(/** @type {string} */ key, /** @type {Changed} */ wanted = changes, facts = {}) {
    const mine = ++number;
    const prepared = await findAnswer("stages", { key });
    if (mine !== number) return;
    if (!prepared) {
      announce(translateServerText(refusal("site.not_prepared").refused), true);
      return;
    }
    const next = significantChanges(prepared, wanted);
    let answer = prepared;
    if (Object.keys(next).length) {
      const name = `${key} ${JSON.stringify(next)}`;
      changedKeys.set(name, { key, changes: next });
      answer = await studio.explain(key, next, { name });
      if (mine !== number) return;
      if (answer.refused) {
        announce(translateServerText(answer.refused), true);
        for (const listener of listeners.change) listener();
        return;
      }
    }
    [base, changes] = [prepared, next];
    shown = { ...answer, ...facts, link: prepared.link && { ...prepared.link, ...linkOf(next) } };
    for (const listener of [...listeners.stages, ...listeners.change]) listener();
  }

  const change = (/** @type {Changed} */ patch) => (base ? show(base.key, { ...changes, ...patch }) : Promise.resolve());

  const nothing = async () => refusal("site.needs_server");
  const host = {
    markup,
    tables,
    connect() {},
    translatable: () => [],
    stages: () => shown,
    onStages: (/** @type {() => void} */ listener) => { listeners.stages.push(listener); },
    setSetting: (/** @type {string} */ field, /** @type {number} */ value) => { change({ [field]: value }); },
    scene: fixed("scene"),
    attention: fixed("attention"),
    overview: fixed("overview"),
    affinity: published("affinity"),
    par: published("par"),
    crf: published("crf"),
    async compare(/** @type {any} */ { key, b }) {
      const own = changedKeys.get(key)?.changes ?? {};
      if (b.crf) return published("compare")({ key, b: { crf: true, ...onlyChanges(b) } });
      return studio.compare(baseKey(key), own, b);
    },
    snapshots: { run: fixed("training_run"), frame: fixed("snapshot") },
    dataset: { page: nothing, thumbnails: nothing, scoring: nothing, open() {} },
    lab: {
      steps: published("lab"),
      async check(/** @type {any} */ { key, step, answer, label }) {
        const found = await published("lab_verdicts")({ key, step, label });
        if (found.refused) return found;
        return found.verdicts[found.answers[JSON.stringify(answer)] ?? found.answers.other];
      },
    },
    training: { form: { off: tables.texts["site.needs_server"] }, status: nothing, start: nothing, stop: nothing, resume: nothing,
      panel: nothing, apply() {} },
    exports: { file: nothing, python: nothing },
    examples: { thumbnails: () => [], open: () => false },
    photograph: { mustWait: () => false, noteTrace() {}, dismiss() {}, isAwaited: () => false, isMissing: () => false },
    ...parts,
  };
  return { host, show, change, changes: () => changes, base: () => base, onChange: (listener) => { listeners.change.push(listener); } };
}

/** What really differs from a prepared explanation. */
function significantChanges(/** @type {any} */ prepared, /** @type {Changed} */ wanted) {
  /** @type {{[field: string]: any}} */
  const own = { ...prepared, ...prepared.chain, bkg_score_low: prepared.low, bkg_score_high: prepared.high };
  return Object.fromEntries(Object.entries(wanted).filter(([field, value]) => (field === "left_out" ? value.length : value !== own[field]))
    .sort());
}

/** Changes as the address has them. */
const linkOf = (/** @type {Changed} */ changes) => Object.fromEntries(
  Object.entries(changes).map(([name, value]) => [name, String(value)]));

/** What differs in B beside the CRF. */
function onlyChanges(/** @type {any} */ { model, switched, setting, value }) {
  return { model, ...(switched.length && { switched }), setting, ...(setting && { value }) };
}
