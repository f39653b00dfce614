// The pictures of the strip: what each stage looks like in small.

import { layer, toBytes, toFloats } from "../core/packed.js";
import { affinityOfCell, classChannel, classColour, classIndex } from "../core/selection.js";
import { store, view } from "../core/store.js";
import { tables } from "../core/tables.js";
import { context2d } from "../draw/canvas.js";
import { colours } from "../draw/colours.js";
import { paintLabelMap, paintMap } from "../draw/figures.js";
import { paintImage } from "../draw/repaint.js";
import { limitsOf, robustByteLimits } from "../method/statistics.js";

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, i) => i);

/**
 * A map between the numbers of its colours: its own, or 0 to 1 for all.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Layer} map
 * @param {boolean} smooth
 * @param {(bytes: Uint8Array) => number[]} [spread]
 */
function paintStageMap(canvas, map, smooth, spread = limitsOf) {
  const number = toFloats({ ...map, bytes: ALL_BYTES }); // of each of the 256 bytes
  const [low, high] = view.shared ? [0, 1] : spread(map.bytes).map((/** @type {number} */ byte) => number[byte]);
  const pixels = new Uint32Array(colours.heat.buffer);
  const table = Uint32Array.from(toBytes(number, low, high), (byte) => pixels[byte]);
  paintMap(canvas, map, /** @type {any} */ (table), smooth); // as pixels, four bytes each
}

/** Even grey, where the method has no such stage. */
function paintLack(/** @type {HTMLCanvasElement} */ canvas) {
  const context = context2d(canvas);
  context.fillStyle = "#8888";
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.fillRect(0, 0, canvas.width, canvas.height);
}

/**
 * What fills the picture of each stage; the large strip adds its own.
 *
 * @type {{[stage: string]: (canvas: HTMLCanvasElement) => void}}
 */
export const PAINT = {
  image: (canvas) => paintImage(canvas, store.scene.image),
  cam: (canvas) => paintStageMap(canvas, layer(store.trace.cam, classIndex()), true),
  affinity: (canvas) => (store.trace.affinity ? paintStageMap(canvas, affinityOfCell(), false) : paintLack(canvas)),
  cam_rw: (canvas) => paintStageMap(canvas, layer(store.trace.cam_rw, classChannel()), false, robustByteLimits),
  cam_par: (canvas) => paintStageMap(canvas, layer(store.trace.cam_par, classChannel()), true, robustByteLimits),
  affinity_label: (canvas) => paintLabelMap(canvas, layer(store.trace.affinity_label), classColour),
  regions: (canvas) => paintLabelMap(canvas, layer(store.trace.pseudo_label),
    (label) => (label ? tables.foreground : tables.background)),
  pseudo_label: (canvas) => paintLabelMap(canvas, layer(store.trace.pseudo_label), classColour),
  seg: (canvas) => (store.scene.seg ? paintLabelMap(canvas, layer(store.scene.seg), classColour) : paintLack(canvas)),
  target: (canvas) => paintLabelMap(canvas, layer(store.scene.target), classColour),
};
