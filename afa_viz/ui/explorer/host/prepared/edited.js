// What is changed by hand in an explanation that the browser makes: weights of heads, regions of the affinity, thresholds of
// classes.

import { cached } from "../../core/cache.js";
import { parseEdits, parseThresholds } from "../../core/edit_settings.js";
import { parseWeights } from "../../core/head_settings.js";
import { openHeads } from "../../core/heads.js";
import { toBytes, toFloats } from "../../core/packed.js";
import { tables } from "../../core/tables.js";
import { editAffinity } from "../../method/edits.js";
import { affinityOf } from "../../method/heads.js";

/** @typedef {import("./explain.js").Start} Start */

const SYMMETRY = "symmetry of the affinity"; // as studio.js
/** @type {Map<string, Promise<import("../../core/heads.js").Heads>>} */
const opened = new Map(); // key of an image -> its heads

/**
 * What changes name: the texts of all edits, and the thresholds as a setting; null where they do not fit the image.
 *
 * @param {{names: string[], grid: Size, edits?: {[field: string]: string}}} base
 * @param {{[field: string]: any}} changes
 */
export function readEdits({ names, grid, edits = {} }, { affinity_edits: regions = edits.affinity_edits ?? "", class_thresholds: named }) {
  const thresholds = named == null ? undefined : parseThresholds(named, names);
  if (!parseEdits(regions, grid[0] * grid[1]) || thresholds === null) return null;
  const texts = { ...edits, affinity_edits: regions, ...(named != null && { class_thresholds: named }) };
  return { edits: Object.fromEntries(Object.entries(texts).filter(([, value]) => value)),
    fields: thresholds ? { thresholds: Object.keys(thresholds).length ? thresholds : null } : {} };
}

/** A start with another affinity. */
function withAffinity(/** @type {Start} */ start, /** @type {Float32Array} */ affinity) {
  const cells = Math.sqrt(affinity.length);
  const bytes = new Uint8Array(toBytes(affinity, 0, 1).buffer);
  return { ...start, affinity: { bytes, shape: [cells, cells], low: 0, high: 1 },
    floats: { cam: start.floats?.cam ?? toFloats(start.cam), affinity } };
}

/** A start with regions of its affinity joined and separated. */
export function editedStart(/** @type {Start} */ start, /** @type {string} */ edits) {
  const given = start.floats?.affinity ?? toFloats(/** @type {Unpacked} */ (start.affinity));
  return withAffinity(start, editAffinity(given, parseEdits(edits, Math.sqrt(given.length)) ?? []));
}

/**
 * A start whose affinity is made of the heads anew, with other weights or another bias; null where these do not fit.
 *
 * @param {Start} start
 * @param {any} raw the answer to the question `heads`
 * @param {{key: string, base: any, changes: {[field: string]: any}}} of which image, and what is changed
 */
export async function startOfHeads(start, raw, { key, base, changes }) {
  const { head_weights: named, affinity_bias: bias = base.affinity_bias } = changes;
  const given = named == null ? base.head_weights : parseWeights(named, raw.weights.length);
  if (named && !given) return null;
  const heads = await cached(opened, key, () => openHeads(raw, base.grid[0] * base.grid[1]));
  const symmetric = base.symmetric && !changes.left_out?.includes(SYMMETRY);
  const weights = raw.weights.map((/** @type {number} */ weight, /** @type {number} */ i) => given?.[i] ?? weight);
  return { ...withAffinity(start, affinityOf(heads.logits, weights, bias ?? raw.bias, symmetric)), symmetric, head_weights: given,
    affinity_bias: bias ?? null };
}

/**
 * The stages of a prepared image under the settings that are changed, with nothing changed by hand.
 *
 * @param {string} key of the image
 * @param {{[field: string]: any}} own what is changed
 * @param {{find: (question: string, asked: object) => Promise<any>, differing: (prepared: any, changes: object) => Promise<object>,
 *   explain: (key: string, changes: object, as: object) => Promise<any>}} host
 */
export async function unedited(key, own, { find, differing, explain }) {
  const prepared = await find("stages", { key });
  if (!prepared) return { refused: tables.english["site.not_prepared"] };
  if (["occlude", "scales", "flip"].some((name) => prepared.edits?.[name])) return { refused: tables.english["refused.needs_network"] };
  const next = await differing(prepared, { ...own, affinity_edits: "", class_thresholds: "" });
  return Object.keys(next).length ? explain(key, next, { role: "unedited" }) : prepared;
}
