// One share from 0 to 1 over the steps of the walk.

import { createPlot, drawAxisTitle, drawGrid, QUARTERS } from "./axes.js";
import { text } from "../core/words.js";

/**
 * A curve of shares from 0 to 1 by step, the present step marked, and a dashed line at `even` with a word.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number[]} shares
 * @param {any} even
 * @param {number} at
 * @param {string} word
 */
export function paintShareCurve(canvas, shares, even, at, word) {
  const plot = createPlot(canvas, { bottom: 38 });
  if (!plot) return;
  const { context, x, y } = plot;
  const last = shares.length - 1;
  drawGrid(plot, QUARTERS.map((share) => [y(share), `${100 * share} %`]),
    shares.map((_, i) => [i / last, String(i)]).filter((_, i) => i % 2 === 0));
  drawAxisTitle(plot, text("walk.step_axis"));
  context.setLineDash([5, 4]);
  context.strokeStyle = plot.muted;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x(0), y(even));
  context.lineTo(x(1), y(even));
  context.stroke();
  context.setLineDash([]);
  context.textAlign = "right";
  context.textBaseline = even > 0.9 ? "top" : "bottom";
  context.fillText(word, x(1), y(even) + (even > 0.9 ? 3 : -3));
  if (shares[0] == null) return;
  context.strokeStyle = context.fillStyle = plot.warm;
  context.lineWidth = 2.5;
  context.beginPath();
  shares.forEach((share, i) => context[i ? "lineTo" : "moveTo"](x(i / last), y(share)));
  context.stroke();
  shares.forEach((share, i) => {
    context.beginPath();
    context.arc(x(i / last), y(share), i === at ? 6 : 3, 0, 7);
    context.fill();
  });
}
