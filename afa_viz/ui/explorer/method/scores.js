// Label maps against the ground truth, as stage_scores.py: shares, precision, recall, IoU.

const UNCERTAIN = 255;

/** Labels that leave pixels out: their IoUs are of different pixels. */
export const PARTIAL_LABELS = ["affinity_label", "pseudo_label"];

/**
 * Shares of a label map that are foreground, background and uncertain.
 *
 * @param {Uint8Array} label
 */
export function regionShares(label) {
  let [foreground, background] = [0, 0];
  for (const l of label) {
    if (l === 0) background++;
    else if (l !== UNCERTAIN) foreground++;
  }
  const total = label.length || 1;
  return { foreground: foreground / total, background: background / total,
    uncertain: (total - foreground - background) / total };
}

/**
 * Of what is called certain: how much is right (precision) and how much of the true pixels it holds (recall).
 *
 * @param {Uint8Array} label
 * @param {Uint8Array} target
 */
export function certainScores(label, target) {
  const [right, called, real] = [[0, 0], [0, 0], [0, 0]]; // pixels of the background and of the foreground
  for (let i = 0; i < label.length; i++) {
    const [is, truth] = [label[i], target[i]];
    if (truth === UNCERTAIN) continue;
    real[truth ? 1 : 0]++;
    if (is === UNCERTAIN) continue;
    called[is ? 1 : 0]++;
    if (is === truth) right[is ? 1 : 0]++;
  }
  const share = (/** @type {any} */ a, /** @type {any} */ b) => (b ? a / b : null);
  const numbers = (/** @type {(counts: number[]) => number} */ of) => (
    { precision: share(of(right), of(called)), recall: share(of(right), of(real)) });
  return { background: numbers((counts) => counts[0]), foreground: numbers((counts) => counts[1]),
    all: numbers((counts) => counts[0] + counts[1]) };
}

/**
 * Counts of (true label, label): Map keyed 256 * true + label; 255 on either side is left out.
 *
 * @param {Uint8Array} label
 * @param {Uint8Array} target
 */
export function confusion(label, target) {
  const flat = new Uint32Array(65536);
  for (let i = 0; i < label.length; i++) flat[256 * target[i] + label[i]]++;
  /** @type {Map<any, any>} */
  const counts = new Map();
  flat.forEach((count, pair) => {
    if (count && pair >> 8 !== UNCERTAIN && (pair & 255) !== UNCERTAIN) counts.set(pair, count);
  });
  return counts;
}

/**
 * Intersection over union of every label in truth or prediction, and their mean over those in the truth.
 *
 * @param {Uint8Array} label
 * @param {Uint8Array} target
 */
export function iouScores(label, target) {
  const [hits, real, called] = [new Map(), new Map(), new Map()];
  /** @type {(map: Map<number, number>, label: number, count: number) => unknown} */
  const add = (map, label, count) => map.set(label, (map.get(label) ?? 0) + count);
  for (const [pair, count] of confusion(label, target)) {
    add(real, pair >> 8, count);
    add(called, pair & 255, count);
    if (pair >> 8 === (pair & 255)) add(hits, pair & 255, count);
  }
  /** @type {{[label: number]: number}} */
  const iou = {};
  for (const name of new Set([...real.keys(), ...called.keys()])) {
    const hit = hits.get(name) ?? 0;
    iou[name] = hit / ((real.get(name) ?? 0) + (called.get(name) ?? 0) - hit);
  }
  const present = [...real.keys()].map((name) => iou[name]);
  return { iou, miou: present.length ? present.reduce((a, b) => a + b) / present.length : null };
}
