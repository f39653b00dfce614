// What the tab asks of the data set, and how its numbers are written.

import { text } from "../../core/words.js";

/** @type {DataQuestion} */
export const asked = { order: "set", stage: "cam_rw", before: "walk_start", class_name: "", page: 0, ids: null };

/** A score in points. */
export const points = (/** @type {number | null | undefined} */ score) => (score == null ? "–" : (100 * score).toFixed(1));
export const stageName = (/** @type {string} */ stage) => text(`data.stage_${stage}`);
