// Explanations that are made in the browser: each begins with a prepared one and with what was prepared to begin from.

import { createExplainer, settingsOf } from "./explain.js";
import { expandBand, unpack } from "../../core/packed.js";
import { MAX_CELLS, pixelsOf } from "../../core/recompute.js";
import { tables } from "../../core/tables.js";

export const SYMMETRY = "symmetry of the affinity"; // parts of the method that can be left out, as config_fields.ABLATIONS
const SCALES = "other scales of the CAM";
/** @type {{[part: string]: string}} */
const SWITCHES = { "random walk": "use_walk", PAR: "use_par" };
const HEADS = ["head_weights", "affinity_bias"]; // changes of the affinity's heads
export const EDITS = ["affinity_edits", "class_thresholds"]; // changes by hand that the browser computes
export const RERUNS = ["occlude", "scales", "flip"]; // and those for which the network runs again
const loadEdited = () => import("./edited.js");
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
    const before = base.edits.affinity_edits; // the affinity without them is not known any more
    const { affinity_edits: edits = before } = changes;
    if (HEADS.some((name) => name in changes) || (before && "affinity_edits" in changes)) {
      const raw = await find("heads", { key });
      const made = raw && await (await loadEdited()).startOfHeads(start, raw, { key, base, changes });
      if (!made) return null;
      Object.assign(start, made);
    } else if (leftOut.includes(SYMMETRY) && base.symmetric) {
      const found = await find("start", { key, left_out: SYMMETRY });
      if (!found) return null;
      Object.assign(start, { affinity: await unpack(found.affinity), symmetric: false });
    } else if (base.affinity.band && radius > base.affinity.band) { // the stages bring a window of the affinity only
      const found = await find("affinity", { key });
      if (!found?.learned) return null;
      start.affinity = await unpack(found.learned);
    }
    const isPlain = start.affinity !== base.affinity || !before;
    return edits && isPlain ? (await loadEdited()).editedStart(start, edits) : start;
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
    if (RERUNS.some((name) => name in changes)) return refusal("refused.needs_network");
    const fields = fieldsOf(changes);
    let { edits } = base;
    if (EDITS.some((name) => name in changes)) {
      const own = (await loadEdited()).readEdits(base, changes);
      if (!own) return refusal("refused.edits_do_not_fit");
      ({ edits } = own);
      Object.assign(fields, own.fields);
    }
    const { left_out: leftOut = [] } = changes;
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
    const parts = [key, model, leftOut.includes(SCALES), leftOut.includes(SYMMETRY), /** @type {any} */ (start.affinity)?.band,
      ...[...HEADS, EDITS[0]].map((name) => changes[name])];
    const explainer = explainerOf(role, JSON.stringify(parts), () => createExplainer(of, start, { pixels, seg, target }));
    return { ...explainer.explain(name, fields), seg: start.seg ?? seg, edits };
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
    const moved = made.head_weights || made.affinity_bias != null || made.edits.affinity_edits; // only a server counts all pairs
    return { ...answer, cells: { bytes: cells, shape: made.grid }, ...(answer.learned && { learned: made.affinity }),
      numbers: moved ? { ...known, asymmetry_learned: null, order_learned: null } : known };
  }

  return { explain, compare, affinity };
}
