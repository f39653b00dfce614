// Legends of label maps.

import { percent } from "../core/format.js";
import { store } from "../core/store.js";
import { text, translateClass } from "../core/words.js";
import { byteHistogram } from "../method/statistics.js";

/**
 * Labels of a map with their colour, name and share, largest first, without the background; `of` has the classes.
 *
 * @param {Uint8Array} label
 * @param {any} nameOfUnknown
 * @param {any} [of]
 */
export function areaRows(label, nameOfUnknown, of = store.trace) {
  const here = [...byteHistogram(label).entries()].filter(([l, count]) => l && count).sort((a, b) => b[1] - a[1]);
  return here.map(([l, count]) => /** @type {LegendRow} */ ([l === 255 ? "hatch" : `rgb(${of.palette[l]})`,
    l === 255 ? nameOfUnknown : translateClass(of.names[l]), count / label.length]));
}

/**
 * The largest areas by name, the others together.
 *
 * @param {any[]} areas
 * @param {number} count
 */
export function largestAreas(areas, count) {
  const others = areas.slice(count).reduce((sum, [, , share]) => sum + share, 0);
  return [...areas.slice(0, count), ...(others ? [["transparent", text("training.other_classes"), others]] : [])];
}

/**
 * Fill a legend with [colour or "hatch", words, share or null].
 *
 * @param {any} list
 * @param {any[]} rows
 */
export function fillLegend(list, rows) {
  list.replaceChildren(...rows.map(([colour, words, share]) => {
    const item = document.createElement("span");
    const swatch = document.createElement("i");
    if (colour === "hatch") swatch.className = "afa-hatch";
    else swatch.style.background = colour;
    item.append(swatch, share == null ? words : `${words} ${percent(share)}`);
    return item;
  }));
  if (!rows.length) list.textContent = text("regions.nothing");
}
