// What is changed by hand in the explanation that is shown, and the explanation without it.

import { cached } from "./cache.js";
import { FIELDS, parseEdits } from "./edit_settings.js";
import { on } from "./events.js";
import { expandBand, unpack } from "./packed.js";
import { countCells } from "./selection.js";
import { accepted } from "./status.js";
import { store } from "./store.js";
import { softGrey } from "../draw/canvas.js";
import { host } from "../host/host.js";

/** @typedef {{[field: string]: string}} EditTexts by FIELDS; "" for as computed */
/**
 * What the page draws of the explanation as computed; grey: its image, of which nothing is hidden.
 *
 * @typedef {{cam: Unpacked, affinity: Unpacked | null, classes: any[], grey: HTMLCanvasElement}} Unedited
 */

/** @type {Map<string, Promise<Unedited>>} */
const answers = new Map();
/** @type {EditTexts} */
let wanted = {}; // asked for, and not answered yet
on("trace", () => { if (!store.trace.partial) wanted = {}; });

/** The texts of what is changed; none of a file of an earlier version. */
export const editTexts = () => /** @type {EditTexts} */ (store.trace.edits ?? {});
/** Whether anything is changed. */
export const isEdited = () => Object.keys(editTexts()).length > 0;
/** The joined and separated regions. */
export const affinityEdits = () => parseEdits(editTexts().affinity_edits ?? "", countCells()) ?? [];

/** Have the host explain with something else changed; what is not named stays. */
export function sendEdits(/** @type {EditTexts} */ changed) {
  wanted = { ...wanted, ...changed };
  host.setEdits({ ...Object.fromEntries(FIELDS.map((name) => [name, editTexts()[name] ?? ""])), ...wanted });
}

/**
 * The explanation of the same image and settings as computed: what is shown, where nothing is changed.
 *
 * @returns {Promise<Unedited>}
 */
export function unedited() {
  const { key, grid } = store.trace;
  const { grey } = store.scene;
  if (!isEdited()) return Promise.resolve({ ...store.trace, grey });
  const isHidden = Boolean(editTexts().occlude);
  return cached(answers, key, async () => {
    const raw = accepted(await host.unedited({ key }));
    const [cam, affinity, whole] = await Promise.all([unpack(raw.cam), unpack(raw.affinity), isHidden ? wholeImage(raw.key) : grey]);
    return { classes: raw.classes, cam, affinity: expandBand(affinity, grid), grey: whole };
  });
}

/** The image of an explanation, grey. */
async function wholeImage(/** @type {string} */ key) {
  const image = new Image();
  image.src = accepted(await host.scene({ key })).image;
  await image.decode();
  return softGrey(image);
}
