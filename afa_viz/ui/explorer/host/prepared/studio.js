// Explanations that are made in the browser: each begins with a prepared one and with what was prepared to begin from.

import { createExplainer, settingsOf } from "./explain.js";
import { cached } from "../../core/cache.js";
import { expandBand, toBytes, toFloats, unpack } from "../../core/packed.js";
import { MAX_CELLS, pixelsOf } from "../../core/recompute.js";
import { tables } from "../../core/tables.js";

export const SYMMETRY = "symmetry of the affinity"; // parts of the method that can be left out, as config_fields.ABLATIONS
const SCALES = "other scales of the CAM";
/** @type {{[part: string]: string}} */
const SWITCHES = { "random walk": "use_walk", PAR: "use_par" };
const HEADS = ["head_weights", "affinity_bias"]; // changes of the affinity's heads
const KEPT = 4; // images

/** @typedef {{[field: string]: any, left_out?: string[]}} Changed fields of ExplainConfig, and what is left out */

/** An answer that says why there is none. */
export const refusal = (/** @type {string} */ key) => ({ refused: tables.english[key] });

/**
 * @param {(question: string, asked: object) => Promise<any>} find a prepared answer, null where there is none
 */
export function createStudio(find) {
  /** @type {Map<string, Promise<any>>} */
  const images = new Map(); // key -> {base, scene}
  /** @type {Map<string, any>} */
  const explainers = new Map();
  /** @type {Map<string, Promise<import("../../core/heads.js").Heads>>} */
  const opened = new Map(); // key -> its heads

  async function openImage(/** @type {string} */ key) {
    const [raw, scene] = await Promise.all([find("stages", { key }), find("scene", { key })]);
    if (!raw || !scene) return null;
    const image = new Image();
    image.src = scene.image;
    await image.decode();
    const [cam, affinity, seg, target] = await Promise.all([raw.cam, raw.affinity, scene.seg, scene.target].map(unpack));
    const base = { ...raw, cam, affinity: expandBand(affinity, raw.grid) };
    return { base, pixels: pixelsOf(image, raw.size), seg: seg?.bytes ?? null, target: target?.bytes ?? null };
  }

  const imageOf = (/** @type {string} */ key) => {
    if (!images.has(key)) {
      while (images.size >= KEPT) images.delete(String(images.keys().next().value));
      images.set(key, openImage(key));
    }
    return /** @type {Promise<any>} */ (images.get(key));
  };

  /**
   * The affinity with other weights of heads or another bias; null where it cannot be made.
   *
   * @param {any} base
   * @param {string} key
   * @param {Changed} changes
   */
  async function affinityWith(base, key, changes) {
    const cells = base.grid[0] * base.grid[1];
    const [raw, { openHeads }, { parseWeights }, { affinityOf }] = await Promise.all([find("heads", { key }),
      import("../../core/heads.js"), import("../../core/head_settings.js"), import("../../method/heads.js")]);
    if (!raw) return null;
    const { head_weights: named, affinity_bias: bias = base.affinity_bias } = changes;
    const given = named == null ? base.head_weights : parseWeights(named, raw.weights.length);
    if (named && !given) return null;
    const heads = await cached(opened, key, () => openHeads(raw, cells));
    const symmetric = base.symmetric && !changes.left_out?.includes(SYMMETRY);
    const affinity = affinityOf(heads.logits, raw.weights.map((/** @type {number} */ w, /** @type {number} */ i) => given?.[i] ?? w),
      bias ?? raw.bias, symmetric);
    return { affinity, symmetric, head_weights: given, affinity_bias: bias ?? null };
  }

  /**
   * Where the stages start: as prepared, or without symmetry, with other weights of heads, or without the other scales.
   * Null where that is missing.
   *
   * @param {any} base
   * @param {string} key
   * @param {Changed} changes
   * @param {number} radius
   */
  async function startOf(base, key, changes, radius) {
    const { left_out: leftOut = [] } = changes;
    /** @type {import("./explain.js").Start} */
    const start = { cam: base.cam, affinity: base.affinity, classes: base.classes, symmetric: base.symmetric };
    if (leftOut.includes(SCALES)) {
      const found = await find("start", { key, left_out: SCALES });
      if (!found) return null;
      Object.assign(start, { cam: await unpack(found.cam), classes: found.classes });
    }
    if (HEADS.some((name) => name in changes)) {
      const made = await affinityWith(base, key, changes);
      if (!made) return null;
      const { affinity, ...facts } = made;
      const shape = [base.grid[0] * base.grid[1], base.grid[0] * base.grid[1]];
      const bytes = new Uint8Array(toBytes(affinity, 0, 1).buffer);
      Object.assign(start, facts, { affinity: { bytes, shape, low: 0, high: 1 }, floats: { cam: toFloats(start.cam), affinity } });
    } else if (leftOut.includes(SYMMETRY) && base.symmetric) {
      const found = await find("start", { key, left_out: SYMMETRY });
      if (!found) return null;
      Object.assign(start, { affinity: await unpack(found.affinity), symmetric: false });
    } else if (base.affinity.band && radius > base.affinity.band) { // the stages bring a window of the affinity only
      const found = await find("affinity", { key });
      if (!found?.learned) return null;
      start.affinity = await unpack(found.learned);
    }
    return start;
  }

  /** An explainer for a start, kept while nobody asks for another one in the same role. */
  function explainerOf(/** @type {string} */ role, /** @type {string} */ name, /** @type {() => any} */ make) {
    if (explainers.get(role)?.name !== name) explainers.set(role, { name, made: make() });
    return explainers.get(role).made;
  }

  /** Changes with the parts that are left out as fields. */
  function fieldsOf(/** @type {Changed} */ { left_out: leftOut = [], ...fields }) {
    const off = Object.entries(SWITCHES).filter(([part]) => leftOut.includes(part)).map(([, field]) => [field, false]);
    return { ...fields, ...Object.fromEntries(off) };
  }

  /**
   * The stages of a prepared image under other settings; {refused} where the browser cannot make them.
   *
   * @param {string} key of the prepared image
   * @param {Changed} changes
   * @param {{name?: string, role?: string, model?: string | null}} [as] the key of what is made; who asks; a snapshot
   */
  async function explain(key, changes, { name = key, role = "page", model = null } = {}) {
    const image = await imageOf(key);
    if (!image) return refusal("site.not_prepared");
    const { base } = image;
    if (base.grid[0] * base.grid[1] > MAX_CELLS) return refusal("site.grid_needs_server");
    const fields = fieldsOf(changes);
    const leftOut = changes.left_out ?? [];
    const { radius } = settingsOf(base, fields);
    let start = await startOf(base, key, changes, radius);
    let of = base;
    if (model) {
      const frame = leftOut.includes(SCALES) || leftOut.includes(SYMMETRY) ? null : await find("snapshot", { key, model });
      if (!frame?.affinity) return refusal("site.not_prepared");
      const [cam, affinity, map] = await Promise.all([frame.cam, frame.affinity, frame.seg].map(unpack));
      const classes = base.classes.filter((/** @type {any} */ c) => frame.labels.includes(c.label));
      [start, of] = [{ cam, affinity, classes, symmetric: base.symmetric, seg: map?.bytes }, { ...base, classes }];
    }
    if (!start) return refusal("site.not_prepared");
    await new Promise((done) => { setTimeout(done); }); // what the hand did is drawn first
    const { pixels, seg, target } = image;
    const parts = [key, model, leftOut.includes(SCALES), leftOut.includes(SYMMETRY), start.affinity?.band,
      ...HEADS.map((name) => changes[name])];
    const explainer = explainerOf(role, JSON.stringify(parts), () => createExplainer(of, start, { pixels, seg, target }));
    return { ...explainer.explain(name, fields), seg: start.seg ?? seg };
  }

  /**
   * The other side of a comparison, as payload.comparison.
   *
   * @param {string} key
   * @param {Changed} changes of the side that is shown
   * @param {{model?: string | null, switched?: string[], setting?: string | null, value?: number | null}} b what differs
   */
  async function compare(key, changes, { model, switched = [], setting, value }) {
    const mine = changes.left_out ?? [];
    const leftOut = [...mine.filter((part) => !switched.includes(part)), ...switched.filter((part) => !mine.includes(part))];
    const other = { ...changes, ...(setting && value != null ? { [setting]: value } : {}), left_out: leftOut };
    const made = await explain(key, other, { role: "other side", model });
    if (made.refused) return made;
    const { classes, labels, seg, size, ...stages } = made;
    const decided = seg && { bytes: seg, shape: size };
    return { ...stages, seg: decided, stage_labels: labels, labels: classes.map((/** @type {any} */ c) => c.label), resized: false };
  }

  /**
   * What the affinity is learned from under other settings: its labels, and the numbers of all pairs. Without a ground
   * truth these depend on the label, and only a server counts them.
   *
   * @param {any} answer as it was prepared
   * @param {any} made the stages under these settings
   * @param {string} key
   */
  async function affinity(answer, made, key) {
    const label = (await unpack(made[answer.cells_of])).bytes;
    const cells = explainers.get("page").made.pipeline.cellLabels(label, answer.at_centre);
    const table = (await find("affinity_numbers", { key }))?.[made.symmetric ? "symmetric" : "one_way"];
    const unknown = { ...answer.numbers, asymmetry_learned: null, order_raw: null, order_symmetric: null, order_learned: null };
    const known = table ? table[Math.min(made.radius, table.length) - 1] : unknown;
    const moved = made.head_weights || made.affinity_bias != null; // of other weights only a server counts all pairs
    return { ...answer, cells: { bytes: cells, shape: made.grid }, ...(answer.learned && { learned: made.affinity }),
      numbers: moved ? { ...known, asymmetry_learned: null, order_learned: null } : known };
  }

  return { explain, compare, affinity };
}
