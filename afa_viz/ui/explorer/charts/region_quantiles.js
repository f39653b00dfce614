// How high the cells inside a region score and how high those outside, over the steps of the walk.

import { createPlot, drawAxisTitle, drawCurveNames, drawGrid, textWidth } from "./axes.js";
import { significant } from "../core/format.js";
import { text } from "../core/words.js";

/**
 * Draw both bands over the steps, with the names at their ends, the present step marked.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {any[]} steps
 * @param {number} at
 * @param {string[]} names
 */
export function paintRegionQuantiles(canvas, steps, at, names) {
  const right = 18 + Math.max(...names.map((name) => textWidth(name)));
  const plot = createPlot(canvas, { left: 50, right, bottom: 38 });
  if (!plot) return;
  const { context, x } = plot;
  const last = steps.length - 1;
  const low = Math.min(...steps.flatMap((s) => [s.inside[0], s.outside[0]]));
  const high = Math.max(...steps.flatMap((s) => [s.inside[2], s.outside[2]]));
  const y = (/** @type {number} */ value) => plot.y(high > low ? (value - low) / (high - low) : 0.5);
  drawGrid(plot, [low, (low + high) / 2, high].map((value) => [y(value), significant(value)]),
    steps.map((_, i) => [i / last, String(i)]).filter((_, i) => i % 2 === 0));
  drawAxisTitle(plot, text("walk.step_axis"));
  [context.strokeStyle, context.globalAlpha, context.lineWidth] = [plot.ink, 0.6, 1];
  context.strokeRect(x(at / last), plot.y(1), 0, plot.y(0) - plot.y(1));
  context.globalAlpha = 1;
  const ends = [["outside", plot.accent, names[1]], ["inside", plot.warm, names[0]]];
  for (const [which, colour] of ends) {
    const line = (/** @type {number} */ quantile, /** @type {boolean} */ reverse) => {
      const places = reverse ? steps.map((_, i) => last - i) : steps.map((_, i) => i);
      for (const i of places) context.lineTo(x(i / last), y(steps[i][which][quantile]));
    };
    [context.fillStyle, context.globalAlpha] = [colour, 0.22];
    context.beginPath();
    line(0, false);
    line(2, true);
    context.fill();
    [context.strokeStyle, context.globalAlpha, context.lineWidth] = [colour, 1, 2.5];
    context.beginPath();
    line(1, false);
    context.stroke();
    context.beginPath();
    context.arc(x(at / last), y(steps[at][which][1]), 6, 0, 7);
    context.fill();
  }
  drawCurveNames(plot, ends.map(([which, colour, name]) => ({ colour, name, at: y(steps[last][which][1]) })));
}
