// Another explanation arrives: its maps are unpacked, what was chosen is kept where it fits, everything is drawn.

import { cached } from "./cache.js";
import { page } from "./dom.js";
import { emit } from "./events.js";
import { expandBand, unpack } from "./packed.js";
import { mustWait, restorePermalink, updatePermalink } from "./permalink.js";
import { DATA, drawTrace, scheduleDraw } from "./schedule.js";
import { strongestCell, strongestCellSelection } from "./selection.js";
import { accepted, announce, endNotice, reportError } from "./status.js";
import { store, view } from "./store.js";
import { text } from "./words.js";
import { softGrey } from "../draw/canvas.js";
import { host } from "../host/host.js";

const PACKED_MAPS = ["cam", "affinity", "cam_rw", "cam_par", "affinity_label", "pseudo_label"];
/** @type {Map<any, any>} */
const scenes = new Map();
let complaint = ""; // of the explanation that is shown, a first look included
let newest = 0; // number of the newest explanation: what arrives late is dropped

/**
 * What settings do not change of an explanation with a key.
 *
 * @param {string} name of the scene
 * @param {string} key
 */
export function loadScene(name, key) {
  return cached(scenes, name, async () => {
    const raw = accepted(await host.scene({ key }));
    const image = new Image();
    image.src = raw.image;
    await image.decode();
    const [seg, target] = await Promise.all([raw.seg, raw.target].map(unpack));
    return { ...raw, image, grey: softGrey(image), seg, target };
  });
}

/** The name of a scene without the part of the image that is hidden. */
export const imageOfScene = (/** @type {string | undefined} */ name) => name?.split("#")[0];

/** Show what the host explains now. */
export async function receive() {
  const raw = host.stages();
  if (!raw) return;
  const mine = ++newest;
  try {
    if (mustWait(raw, receive)) return;
    const labels = Object.entries(raw.labels);
    const [nextScene, ...maps] = await Promise.all([loadScene(raw.scene, raw.key),
      ...PACKED_MAPS.map((name) => unpack(raw[name])), ...labels.map(([, packed]) => unpack(packed))]);
    if (mine !== newest) return;
    const next = /** @type {Trace} */ ({ ...raw, labels: {} });
    PACKED_MAPS.forEach((name, i) => { next[name] = maps[i]; });
    labels.forEach(([name], i) => { next.labels[name] = maps[PACKED_MAPS.length + i]; });
    next.affinity = expandBand(next.affinity, next.grid);
    const [otherImage, complete] = [imageOfScene(store.trace?.scene) !== imageOfScene(raw.scene), Boolean(store.trace?.partial)];
    if (otherImage && store.scene) store.before = { trace: store.trace, scene: store.scene };
    [store.trace, store.scene, store.parIterations] = [next, nextScene, null];
    host.photograph.noteTrace(raw);
    view.iteration = null;
    view.block = view.block >= raw.first_block && view.block < raw.num_blocks ? view.block : raw.num_blocks - 1;
    keepClass(otherImage || complete);
    if (otherImage) Object.assign(view, strongestCellSelection());
    else if (view.home) view.rest = strongestCell();
    const found = [raw.complaint, restorePermalink()].filter(Boolean).join(" ");
    complaint = found || (complete && !otherImage ? complaint : "");
    endNotice();
    emit("trace");
    drawTrace();
    updatePermalink();
    page.root.dataset.state = "ready";
    if (store.trace.partial) { // a first look: the rest is on its way
      page.root.dataset.first = store.trace.key;
      announce(text("first_look"), true);
    } else {
      page.root.dataset.key = page.root.dataset.settled = store.trace.key;
    }
    if (complaint) announce(complaint, true); // after all that says something else
  } catch (error) {
    if (mine === newest) reportError(error);
  }
}

/**
 * Keep the class if it is still there; one that nobody picked is the main one of a `fresh` explanation.
 *
 * @param {any} fresh
 */
function keepClass(fresh) {
  const there = store.trace.classes.some((c) => c.label === view.label);
  if (there && (view.picked || !fresh)) return;
  Object.assign(view, { label: store.trace.main, picked: false });
}

/** All PAR iterations of the host, for grids that the browser does not refine itself. */
export async function requestParIterations() {
  const mine = newest;
  try {
    const steps = await unpack(accepted(await host.par({ key: store.trace.key })));
    if (mine !== newest) return;
    store.parIterations = steps;
    scheduleDraw(DATA);
  } catch (error) {
    reportError(error);
  }
}
