// The phases of a training behind a plot over its iterations, and round numbers for its axis.

import { text } from "../core/words.js";

/** A phase of the training with its number. */
export function phaseName(/** @type {Phase} */ { name }, /** @type {number} */ i) {
  return text("training.phase", { number: i + 1, name: text(`training.short_${name}`) });
}

/** @param {Plot} options @param {Phase[]} phases @param {(iteration: number) => number} across */
export function shadePhases({ context, ink, muted, x, y }, phases, across) {
  let from = 0;
  context.textAlign = "center";
  context.textBaseline = "bottom";
  phases.forEach((phase, i) => {
    const [left, right] = [across(from), across(phase.until)];
    context.fillStyle = ink;
    context.globalAlpha = i % 2 ? 0.09 : 0.03;
    context.fillRect(left, y(1), right - left, y(0) - y(1));
    context.globalAlpha = 1;
    context.fillStyle = muted;
    const fitting = [phaseName(phase, i), String(i + 1)].find((words) => context.measureText(words).width < right - left - 4);
    if (fitting) context.fillText(fitting, (left + right) / 2, y(1) - 6);
    from = phase.until;
  });
  context.fillStyle = ink;
  context.fillRect(x(0), y(0), x(1) - x(0), 1);
}

/**
 * A few round numbers from 0 to the last iteration.
 *
 * @param {number} last
 */
export function roundTicks(last) {
  const rough = last / 4;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, ([1, 2, 5, 10].find((k) => k * unit >= rough) ?? 10) * unit);
  return Array.from({ length: Math.floor(last / step) + 1 }, (_, i) => i * step);
}
