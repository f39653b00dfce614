// Scores by stage over the iterations of a training run: a line per stage, phases as shades, the shown snapshot marked.

import { groupDigits } from "../core/format.js";
import { createPlot } from "./axes.js";
import { roundTicks, shadePhases } from "./phases.js";
import { STAGE_LINES } from "./stage_lines.js";
import { text } from "../core/words.js";

const LINES = ["miou_seg", "miou_cam_par", "miou_cam_rw", "miou_walk_start", "miou_cam", "map"]
  .map((key) => ({ key, ...STAGE_LINES[key] }));

/**
 * The scores of every moment that one is known of: history and snapshots together, by iteration.
 *
 * @param {{history: any[], snapshots: any[]}} options
 */
export function stageScorePoints({ history, snapshots }) {
  /** @type {Map<any, any>} */
  const points = new Map();
  const known = (/** @type {any} */ scores) => LINES.some(({ key }) => scores[key] != null);
  for (const row of history) if (known(row)) points.set(row.iteration, row);
  for (const { iteration, scores } of snapshots) {
    if (known(scores)) points.set(iteration, { ...points.get(iteration), ...scores, iteration });
  }
  return [...points.values()].sort((a, b) => a.iteration - b.iteration);
}

/**
 * Draw it; returns the iteration under a place, or null where nothing was drawn.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {any} run
 * @param {any[]} points
 * @param {number} at
 */
export function paintStageScores(canvas, run, points, at) {
  const plot = createPlot(canvas, { left: 50, right: 14, top: 26, bottom: 30 });
  if (!plot) return null;
  const { context, x, y } = plot;
  const moments = run.snapshots.map((/** @type {any} */ s) => s.iteration);
  const last = Math.max(1, ...moments, ...points.map((p) => p.iteration), ...run.phases.map((/** @type {any} */ p) => p.until));
  const across = (/** @type {number} */ iteration) => x(iteration / last);
  const style = getComputedStyle(canvas);
  shadePhases(plot, run.phases, across);
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    context.globalAlpha = 0.22;
    context.fillStyle = plot.ink;
    context.fillRect(x(0), y(share), x(1) - x(0), 1);
    context.globalAlpha = 1;
    context.fillStyle = plot.muted;
    context.fillText(`${100 * share} %`, x(0) - 6, y(share));
  }
  context.textBaseline = "top";
  context.textAlign = "center";
  for (const tick of roundTicks(last)) context.fillText(groupDigits(tick), across(tick), y(0) + 12);
  const [left, right] = [across(moments[at] ?? 0), y(0)];
  context.fillStyle = plot.ink;
  context.fillRect(left - 1, y(1) - 4, 2, right - y(1) + 4);
  for (const { key, colour, dash } of LINES) {
    const known = points.filter((p) => p[key] != null);
    context.strokeStyle = context.fillStyle = style.getPropertyValue(`--${colour}`).trim();
    context.lineWidth = 2;
    context.setLineDash(dash);
    context.beginPath();
    known.forEach((p, i) => context[i ? "lineTo" : "moveTo"](across(p.iteration), y(p[key] / 100)));
    context.stroke();
    context.setLineDash([]);
    for (const p of known) {
      const here = p.iteration === moments[at];
      context.beginPath();
      context.arc(across(p.iteration), y(p[key] / 100), here ? 5 : 2, 0, 7);
      context.fill();
    }
  }
  for (const [i, moment] of moments.entries()) { // the snapshots, below the axis
    context.fillStyle = i === at ? plot.ink : plot.muted;
    context.beginPath();
    context.moveTo(across(moment), y(0) + 1);
    context.lineTo(across(moment) - (i === at ? 6 : 4), y(0) + (i === at ? 11 : 8));
    context.lineTo(across(moment) + (i === at ? 6 : 4), y(0) + (i === at ? 11 : 8));
    context.fill();
  }
  return (/** @type {any} */ place) => plot.share(place) * last;
}

/**
 * What the lines mean, as elements of a legend.
 *
 * @param {any[]} points
 */
export function stageScoreLegend(points) {
  return LINES.filter(({ key }) => points.some((p) => p[key] != null)).map(({ key, colour, dash }) => {
    const item = document.createElement("span");
    item.innerHTML = `<svg aria-hidden="true" viewBox="0 0 26 8"><line x1="0" y1="4" x2="26" y2="4" stroke="var(--${colour})" `
      + `stroke-width="2.5" stroke-dasharray="${dash.join(" ")}"/></svg>`;
    item.append(text(`training.line_${key}`));
    return item;
  });
}
