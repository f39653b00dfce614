// Plots with axes, drawn on canvases in the colours of the page.

import { context2d, createCanvas } from "../draw/canvas.js";

export const PLOT_FONT = "12px system-ui, sans-serif";
export const QUARTERS = [0, 0.25, 0.5, 0.75, 1];

/**
 * Prepare a plot's canvas: pixels, colours of the page, and where its axes lie.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {{left?: number, right?: number, top?: number, bottom?: number}} [options]
 */
export function createPlot(canvas, { left = 44, right = 12, top = 12, bottom = 30 } = {}) {
  const dense = Math.min(2, window.devicePixelRatio || 1);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width) return null;
  [canvas.width, canvas.height] = [Math.round(width * dense), Math.round(height * dense)];
  const context = context2d(canvas);
  context.scale(dense, dense);
  context.font = PLOT_FONT;
  const style = getComputedStyle(canvas);
  const ink = style.color;
  return { context, width, height, ink, muted: style.getPropertyValue("--muted").trim() || ink,
    accent: style.getPropertyValue("--accent").trim(), warm: style.getPropertyValue("--warm").trim(),
    x: (/** @type {number} */ share) => left + share * (width - left - right),
    y: (/** @type {number} */ share) => height - bottom - share * (height - top - bottom),
    share: (/** @type {number} */ at) => (at - left) / (width - left - right) };
}

/**
 * How wide words are in a plot.
 *
 * @param {string} words
 */
export function textWidth(words) {
  const context = context2d(createCanvas(1, 1));
  context.font = PLOT_FONT;
  return context.measureText(words).width;
}

/**
 * Horizontal lines at heights with their words to the left, and words at shares along the bottom.
 *
 * @param {Plot} options
 * @param {any[][]} heights
 * @param {any[][]} places
 */
export function drawGrid({ context, x, y, ink, muted }, heights, places) {
  context.lineWidth = 1;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const [height, words] of heights) {
    [context.globalAlpha, context.strokeStyle, context.fillStyle] = [0.25, ink, muted];
    context.beginPath();
    context.moveTo(x(0), height);
    context.lineTo(x(1), height);
    context.stroke();
    context.globalAlpha = 1;
    context.fillText(words, x(0) - 6, height);
  }
  context.textBaseline = "top";
  context.textAlign = "center";
  for (const [share, words] of places) context.fillText(words, x(share), y(0) + 8);
}

/**
 * What the bottom axis counts, below its right end.
 *
 * @param {Plot} options
 * @param {string} words
 */
export function drawAxisTitle({ context, x, y, muted }, words) {
  [context.fillStyle, context.textAlign, context.textBaseline] = [muted, "right", "top"];
  context.fillText(words, x(1), y(0) + 23);
}

/**
 * Names of curves at their right ends, [{name, colour, at}], a line's height apart.
 *
 * @param {Plot} options
 * @param {{name: string, colour: string, at: number}[]} ends
 */
export function drawCurveNames({ context, x, y }, ends) {
  const LINE = 15; // pixels
  ends.sort((a, b) => b.at - a.at).forEach((end, i) => { // from below
    end.at = Math.min(end.at, i ? ends[i - 1].at - LINE : y(0) - 6);
  });
  context.textAlign = "left";
  context.textBaseline = "middle";
  for (const { name, colour, at } of ends) {
    context.fillStyle = colour;
    context.fillText(name, x(1) + 8, at);
  }
}
