// Counting labels: shares of a label map, and how good it is where the truth is known. Pure functions, as in chain.js.

const tally = (() => {
  const UNCERTAIN = 255;

  /** Shares of a label map that are foreground, background and uncertain. */
  function shares(label) {
    let [foreground, background] = [0, 0];
    for (const l of label) {
      if (l === 0) background++;
      else if (l !== UNCERTAIN) foreground++;
    }
    const total = label.length || 1;
    return { foreground: foreground / total, background: background / total,
      uncertain: (total - foreground - background) / total };
  }

  /** Of what is called certain: how much is right (precision) and how much of the true pixels it holds (recall). */
  function certain(label, target) {
    const [right, called, real] = [[0, 0], [0, 0], [0, 0]]; // pixels of the background and of the foreground
    for (let i = 0; i < label.length; i++) {
      const [is, truth] = [label[i], target[i]];
      if (truth === UNCERTAIN) continue;
      real[truth ? 1 : 0]++;
      if (is === UNCERTAIN) continue;
      called[is ? 1 : 0]++;
      if (is === truth) right[is ? 1 : 0]++;
    }
    const share = (a, b) => (b ? a / b : null);
    const numbers = (of) => ({ precision: share(of(right), of(called)), recall: share(of(right), of(real)) });
    return { background: numbers((counts) => counts[0]), foreground: numbers((counts) => counts[1]),
      all: numbers((counts) => counts[0] + counts[1]) };
  }

  /** Counts of (true label, label): Map keyed 256 * true + label; 255 on either side is left out. */
  function confusion(label, target) {
    const flat = new Uint32Array(65536);
    for (let i = 0; i < label.length; i++) flat[256 * target[i] + label[i]]++;
    const counts = new Map();
    flat.forEach((count, pair) => {
      if (count && pair >> 8 !== UNCERTAIN && (pair & 255) !== UNCERTAIN) counts.set(pair, count);
    });
    return counts;
  }

  /** Intersection over union of every label in truth or prediction, and their mean over those in the truth. */
  function scores(label, target) {
    const [hits, real, called] = [new Map(), new Map(), new Map()];
    const add = (map, name, count) => map.set(name, (map.get(name) ?? 0) + count);
    for (const [pair, count] of confusion(label, target)) {
      add(real, pair >> 8, count);
      add(called, pair & 255, count);
      if (pair >> 8 === (pair & 255)) add(hits, pair & 255, count);
    }
    const iou = {};
    for (const name of new Set([...real.keys(), ...called.keys()])) {
      const hit = hits.get(name) ?? 0;
      iou[name] = hit / ((real.get(name) ?? 0) + (called.get(name) ?? 0) - hit);
    }
    const present = [...real.keys()].map((name) => iou[name]);
    return { iou, miou: present.length ? present.reduce((a, b) => a + b) / present.length : null };
  }

  return { shares, certain, confusion, scores };
})();
