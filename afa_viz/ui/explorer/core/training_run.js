// The training run of a model: its snapshots, scores and phases.

import { cached } from "./cache.js";
import { host } from "../host/host.js";

/** @type {Map<string, Promise<TrainingRun>>} */
const runs = new Map();

/**
 * The training run of the model that an explanation was made with: snapshots, scores, phases; and all models.
 *
 * @param {string} key
 * @returns {Promise<TrainingRun>}
 */
export function trainingRun(key) {
  return cached(runs, key, async () => {
    const raw = await host.snapshots.run({ key });
    if (!raw) throw new Error("no such explanation");
    return /** @type {TrainingRun} */ (raw);
  });
}
