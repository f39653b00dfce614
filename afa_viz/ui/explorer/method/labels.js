// Label maps from scores, as ops/pseudo_label.py.

/**
 * Label of the strongest channel, the first of equals: (P, places) -> (places,); `labels` are the channels'.
 *
 * @param {Float32Array} scores
 * @param {number[]} labels
 */
export function argmaxLabels(scores, labels) {
  const places = scores.length / labels.length;
  const out = new Uint8Array(places);
  for (let i = 0; i < places; i++) {
    let best = 0;
    for (let c = 1; c < labels.length; c++) if (scores[c * places + i] > scores[best * places + i]) best = c;
    out[i] = labels[best];
  }
  return out;
}

/**
 * Label of the strongest class, background where its score does not exceed `cut`: (P - 1, places) -> (places,).
 *
 * @param {Float32Array} cam
 * @param {number[]} labels
 * @param {number} cut
 */
export function thresholdCam(cam, labels, cut) {
  const places = cam.length / labels.length;
  const out = new Uint8Array(places);
  for (let i = 0; i < places; i++) {
    let best = 0;
    for (let c = 1; c < labels.length; c++) if (cam[c * places + i] > cam[best * places + i]) best = c;
    out[i] = cam[best * places + i] > cut ? labels[best] : 0;
  }
  return out;
}

/**
 * Sure foreground from the high background score, sure background where both agree, the rest uncertain.
 *
 * @param {Uint8Array} low
 * @param {Uint8Array} high
 */
export function mergeLowHigh(low, high) {
  return high.map((label, i) => label || (low[i] ? 255 : 0));
}
