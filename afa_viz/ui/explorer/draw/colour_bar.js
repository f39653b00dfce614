// The colour bar below a map.

import { signed, significant } from "../core/format.js";
import { context2d, createCanvas } from "./canvas.js";
import { colours } from "./colours.js";

/**
 * The colour bar of a figure; the numbers at its ends say so where values `from` … `to` lie beyond them. A map of one
 * value has no use for one: its place stays empty.
 *
 * @param {any} figure
 * @param {number} low
 * @param {number} high
 * @param {Uint8ClampedArray} table
 * @param {any[]} [fifth]
 */
export function drawColourBar(figure, low, high, table, [from, to] = [low, high]) {
  let bar = figure.querySelector(".afa-scale");
  if (!bar) {
    bar = document.createElement("div");
    bar.className = "afa-scale";
    const ramp = createCanvas(256, 1);
    ramp.setAttribute("aria-hidden", "true");
    bar.append(document.createElement("span"), ramp, document.createElement("span"));
    figure.querySelector("canvas").after(bar);
  }
  const used = high > low && to > from;
  bar.classList.toggle("afa-unused", !used);
  if (!used) {
    bar.firstChild.textContent = bar.lastChild.textContent = "";
    return;
  }
  const context = context2d(bar.children[1]);
  const pixels = context.createImageData(256, 1);
  for (let i = 0; i < 256; i++) pixels.data.set([table[4 * i], table[4 * i + 1], table[4 * i + 2], 255], 4 * i);
  context.putImageData(pixels, 0, 0);
  const digits = Math.max(2, digitsFor(high));
  const words = (/** @type {number} */ value) => (table === colours.signed ? signed(value, digits) : significant(value));
  const rounding = 1e-4 * (high - low);
  bar.firstChild.textContent = `${from < low - rounding ? "≤ " : ""}${words(low)}`;
  bar.lastChild.textContent = `${to > high + rounding ? "≥ " : ""}${words(high)}`;
}

/** Decimals with which a number is not 0. */
const digitsFor = (/** @type {number} */ value) => Math.max(0, Math.ceil(-Math.log10(Math.abs(value))));
