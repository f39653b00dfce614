// Pixels of a class gained and lost between two label maps, drawn over the grey image.

import { MAP_OPACITY, store, view } from "../core/store.js";
import { tables } from "../core/tables.js";
import { text } from "../core/words.js";
import { copyImagePixels } from "./background.js";
import { resizeLabels } from "./labels.js";
import { paintWith } from "./repaint.js";
import { CHANGE } from "../method/changes.js";
import { context2d } from "./canvas.js";

/**
 * Draw them over the grey photograph; wrong ones are striped.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Uint8Array} kinds
 */
export function paintChanges(canvas, kinds) {
  const [rows, cols] = store.trace.size;
  const { grey } = store.scene;
  const large = resizeLabels({ rows, cols, bytes: kinds }, canvas.width, canvas.height);
  paintWith(canvas, () => paintChangePixels(canvas, grey, large));
}

/** @param {HTMLCanvasElement} canvas @param {HTMLCanvasElement} ground @param {Uint8Array} large */
function paintChangePixels(canvas, ground, large) {
  const pixels = copyImagePixels(ground, canvas.width, canvas.height);
  const alpha = Math.min(1, view.opacity / MAP_OPACITY);
  const period = Math.max(4, Math.round(canvas.width / 40));
  for (let i = 0; i < large.length; i++) {
    if (!large[i]) continue;
    const wrong = large[i] > CHANGE.lost;
    const dark = wrong && ((i % canvas.width) + Math.floor(i / canvas.width)) % period < period / 2;
    const colour = dark ? [25, 25, 25] : tables[large[i] % 2 ? "gained" : "lost"];
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] += (colour[c] - pixels.data[4 * i + c]) * alpha;
  }
  context2d(canvas).putImageData(pixels, 0, 0);
}

/**
 * What the colours that are there mean, as elements of a legend.
 *
 * @param {Changes} options
 */
export function changeLegend({ gained, lost, gainedWrong, lostWrong }) {
  /** @type {{[kind: string]: number}} */
  const counts = { gained: gained - gainedWrong, gained_wrong: gainedWrong, lost: lost - lostWrong, lost_wrong: lostWrong };
  return Object.keys(counts).filter((kind) => counts[kind]).map((kind) => {
    const [item, swatch] = [document.createElement("span"), document.createElement("i")];
    if (kind.endsWith("wrong")) swatch.className = "afa-wrong";
    swatch.style.setProperty("--colour", `rgb(${tables[kind.split("_")[0]]})`);
    item.append(swatch, text(`strip.${kind}`));
    return item;
  });
}

/**
 * A change of IoU in points with its arrow, coloured; what rounds to none is neither good nor bad.
 *
 * @param {any} change
 */
export function iouChange(change) {
  const box = document.createElement("b");
  const words = Math.abs(100 * change).toFixed(1);
  const sign = Number(words) === 0 ? "=" : change > 0 ? "▲" : "▼";
  box.className = /** @type {{[sign: string]: string}} */ ({ "▲": "afa-more", "▼": "afa-less" })[sign] ?? "";
  box.textContent = `${sign} ${words}`;
  return box;
}
