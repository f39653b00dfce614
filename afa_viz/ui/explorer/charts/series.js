// Curves of several numbers over the iterations of a training: axes, phases, one line per series, one iteration marked.

import { groupDigits } from "../core/format.js";
import { createPlot } from "./axes.js";
import { roundTicks, shadePhases } from "./phases.js";

/**
 * A round number of at least this size: 1, 2 or 5 times a power of ten.
 *
 * @param {any} size
 */
function roundStep(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= size * 0.999) ?? 10 * power;
}

/**
 * Draw series on a plot.
 *
 * series: [{ x, y (numbers, or null for none), colour, dash }]; end: the last iteration of the axis; top: of the y axis;
 * phases: [{ name, until }]; mark: an iteration, or null; label: of a number on the y axis.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {{series: any[], end: number, top: number, phases: Phase[], mark: number | null, label: (value: number) => string}} options
 */
export function paintSeries(canvas, { series, end, top, phases, mark, label }) {
  const plot = createPlot(canvas, { left: 48, right: 18, top: 20, bottom: 26 });
  if (!plot) return;
  const { context, x, y } = plot;
  const at = (/** @type {number} */ iteration) => x(iteration / Math.max(1, end));
  shadePhases(plot, phases, at);
  const step = roundStep(top / 4);
  context.textBaseline = "middle";
  context.textAlign = "right";
  context.lineWidth = 1;
  for (let value = 0; value <= top * 1.001; value += step) {
    context.globalAlpha = 0.22;
    context.strokeStyle = plot.ink;
    context.beginPath();
    context.moveTo(x(0), y(value / top));
    context.lineTo(x(1), y(value / top));
    context.stroke();
    context.globalAlpha = 1;
    context.fillStyle = plot.muted;
    context.fillText(label(value), x(0) - 6, y(value / top));
  }
  context.textBaseline = "top";
  context.textAlign = "center";
  for (const tick of roundTicks(end)) context.fillText(groupDigits(tick), at(tick), y(0) + 8);
  if (mark != null) {
    context.strokeStyle = plot.ink;
    context.setLineDash([2, 3]);
    context.beginPath();
    context.moveTo(at(mark), y(0));
    context.lineTo(at(mark), y(1));
    context.stroke();
  }
  for (const { x: places, y: values, colour, dash } of series) {
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = 2;
    context.setLineDash(dash);
    context.beginPath();
    let count = 0;
    values.forEach((/** @type {any} */ value, /** @type {any} */ i) => {
      if (value == null) return;
      context[count++ ? "lineTo" : "moveTo"](at(places[i]), y(Math.min(1, value / top)));
    });
    context.stroke();
    context.setLineDash([]);
    if (count > 24) continue;
    values.forEach((/** @type {any} */ value, /** @type {any} */ i) => {
      if (value == null) return;
      context.beginPath();
      context.arc(at(places[i]), y(Math.min(1, value / top)), 3, 0, 7);
      context.fill();
    });
  }
}
