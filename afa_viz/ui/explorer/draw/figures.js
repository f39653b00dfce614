// Maps and labels in a figure: canvas, caption, colour bar.

import { toBytes } from "../core/packed.js";
import { MAP_OPACITY, store, view } from "../core/store.js";
import { drawColourBar } from "./colour_bar.js";
import { colours, LABEL_OPACITY } from "./colours.js";
import { paintLabels } from "./labels.js";
import { paintHeatmap } from "./maps.js";
import { rememberMap } from "./readings.js";
import { fitCanvas } from "./size.js";
import { limitsOf } from "../method/statistics.js";

/**
 * The caption of a figure; its picture is called the same.
 *
 * @param {any} figure
 * @param {string} words
 */
export function setCaption(figure, words) {
  figure.querySelector("figcaption").textContent = words;
  figure.querySelector("canvas[role=img]").setAttribute("aria-label", words);
}

/**
 * Draw a float map over the grey photograph, and its colour bar with numbers below it.
 *
 * @param {any} figure
 * @param {ArrayLike<number> & Iterable<number>} values
 * @param {number[]} grid
 * @param {number[]} limits
 * @param {{table?: Uint8ClampedArray, smooth?: boolean}} [options]
 */
export function paintMapFigure(figure, values, [rows, cols], [low, high], { table = colours.heat, smooth = false } = {}) {
  const canvas = figure.querySelector("canvas[role=img]");
  fitCanvas(canvas);
  paintMap(canvas, { rows, cols, bytes: toBytes(values, low, high) }, table, smooth);
  rememberMap(canvas, [rows, cols], (index) => values[index].toFixed(3));
  drawColourBar(figure, low, high, table, limitsOf(values));
  return canvas;
}

/**
 * Fill a canvas with a map over the grey photograph.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {ByteMap} map
 * @param {Uint8ClampedArray} table
 * @param {boolean} smooth
 */
export function paintMap(canvas, map, table, smooth) {
  paintHeatmap(canvas, store.scene.grey, map, table, smooth, () => view.opacity);
}

/**
 * Draw labels over the grey photograph.
 *
 * @param {any} figure
 * @param {Uint8Array} bytes
 * @param {number[]} grid
 * @param {ColourOf} colourOf
 * @param {NameOf} nameOf
 */
export function paintLabelFigure(figure, bytes, [rows, cols], colourOf, nameOf) {
  const canvas = figure.querySelector("canvas[role=img]");
  fitCanvas(canvas);
  paintLabelMap(canvas, { rows, cols, bytes }, colourOf, nameOf);
  rememberMap(canvas, [rows, cols], (index) => nameOf(bytes[index]));
  return canvas;
}

/**
 * Fill a canvas with labels over the grey photograph, as opaque as the page's other maps are.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {ByteMap} map
 * @param {ColourOf} colourOf
 * @param {NameOf} [nameOf]
 */
export function paintLabelMap(canvas, map, colourOf, nameOf = () => "") {
  paintLabels(canvas, store.scene.grey, map, colourOf, nameOf, () => (LABEL_OPACITY * view.opacity) / MAP_OPACITY);
}
