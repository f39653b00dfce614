// The open tab as one picture: title, figures with their captions, colour bars and legends.

import { context2d, createCanvas } from "./canvas.js";
import { page } from "../core/dom.js";

const SIZES = { margin: 24, gap: 20, width: 360, columns: 4, title: 24, text: 14, line: 19 };

/**
 * Words broken into lines that fit.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {string} words
 * @param {number} width
 */
function lines(context, words, width) {
  /** @type {any[]} */
  const found = [];
  let line = "";
  for (const word of words.split(/\s+/)) {
    const longer = line ? `${line} ${word}` : word;
    if (line && context.measureText(longer).width > width) {
      found.push(line);
      line = word;
    } else line = longer;
  }
  return line ? [...found, line] : found;
}

/**
 * What a figure shows: caption, picture, numbers at the ends of its colour bar, legend.
 *
 * @param {any} figure
 */
function read(figure) {
  const title = figure.querySelector("figcaption, h4, h5") ?? figure.parentElement.previousElementSibling;
  const caption = title?.matches("figcaption, h4, h5") ? title.innerText.trim() : "";
  const canvas = figure.querySelector("canvas[role=img], canvas");
  const scale = figure.querySelector(".afa-scale");
  const bar = scale && { low: scale.firstElementChild.textContent, ramp: scale.querySelector("canvas"),
    high: scale.lastElementChild.textContent };
  const legend = [...figure.querySelectorAll(".afa-legend > span")].map((item) => ({
    words: item.innerText.trim(), hatched: Boolean(item.querySelector(".afa-hatch")),
    colour: item.querySelector("i") && getComputedStyle(item.querySelector("i")).backgroundColor }));
  return { caption, canvas, bar, legend };
}

/**
 * Draw one figure (or only measure it) at a place; returns its height.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {any} options
 * @param {number} x
 * @param {number} y
 * @param {boolean} draws
 */
function drawFigure(context, { caption, canvas, bar, legend }, x, y, draws) {
  const { width, text: size, line } = SIZES;
  let top = y;
  const ink = context.fillStyle;
  const write = (/** @type {string} */ words, /** @type {any} */ left) => { if (draws) context.fillText(words, left, top + line / 2); };
  context.font = `700 ${size}px system-ui, sans-serif`;
  for (const words of lines(context, caption, width)) {
    write(words, x);
    top += line;
  }
  const height = (width * canvas.height) / canvas.width;
  if (draws) context.drawImage(canvas, x, top + 4, width, height);
  top += height + 10;
  context.font = `${size}px system-ui, sans-serif`;
  if (bar) {
    const [low, high] = [context.measureText(bar.low).width, context.measureText(bar.high).width];
    write(bar.low, x);
    write(bar.high, x + width - high);
    if (draws) context.drawImage(bar.ramp, x + low + 8, top + line / 2 - 5, width - low - high - 16, 10);
    top += line + 4;
  }
  let left = x;
  for (const { words, colour, hatched } of legend) {
    const inset = colour ? 18 : 0;
    const wide = inset + context.measureText(words).width + 14;
    if (left > x && left + wide > x + width) [left, top] = [x, top + line];
    if (draws && colour) {
      context.fillStyle = hatched ? "rgb(90, 90, 90)" : colour;
      context.fillRect(left, top + line / 2 - 6, 12, 12);
      if (hatched) {
        context.fillStyle = "rgb(200, 200, 200)";
        for (let k = 0; k < 12; k += 4) context.fillRect(left, top + line / 2 - 6 + k, 12, 2);
      }
      context.strokeStyle = "rgba(128, 128, 128, .8)";
      context.strokeRect(left + 0.5, top + line / 2 - 5.5, 11, 11);
      context.fillStyle = ink;
    }
    write(words, left + inset);
    left += wide;
  }
  return top + (legend.length ? line : 0) - y;
}

/**
 * A canvas with everything that a tab shows; null where it shows no picture.
 *
 * @param {any} section
 * @param {string} title
 * @param {string} facts
 */
export function paintTab(section, title, facts) {
  const figures = [...section.querySelectorAll("figure, .afa-leak > div")].map(read)
    .filter(({ canvas }) => canvas?.width && canvas.clientWidth);
  return figures.length ? paintFigures(figures, title, facts) : null;
}

/**
 * A canvas with figures, a title and a line of facts.
 *
 * @param {{caption: string, canvas: HTMLCanvasElement, bar: any, legend: {words: string, colour?: any, hatched?: boolean}[]}[]} figures
 * @param {string} title
 * @param {string} facts
 */
export function paintFigures(figures, title, facts) {
  const { margin, gap, width, columns, title: large, text: size, line } = SIZES;
  const style = getComputedStyle(page.root);
  const across = Math.min(columns, figures.length);
  const total = Math.max(2 * width + gap, across * (width + gap) - gap) + 2 * margin;
  const measuring = context2d(createCanvas(1, 1));
  measuring.font = `${size}px system-ui, sans-serif`;
  const words = lines(measuring, facts, total - 2 * margin);
  const head = margin + large + 14 + words.length * line + 12;
  /** @type {any[]} */
  const rows = [];
  for (let i = 0; i < figures.length; i += across) rows.push(figures.slice(i, i + across));
  const heights = rows.map((row) => Math.max(...row.map((/** @type {any} */ figure) => drawFigure(measuring, figure, 0, 0, false))));
  const canvas = createCanvas(total, head + heights.reduce((sum, height) => sum + height + gap, 0) + margin - gap);
  const context = context2d(canvas);
  context.fillStyle = style.getPropertyValue("--body-background-fill").trim() || "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = style.color;
  context.textBaseline = "middle";
  context.font = `700 ${large}px system-ui, sans-serif`;
  context.fillText(title, margin, margin + large / 2);
  context.font = `${size}px system-ui, sans-serif`;
  words.forEach((one, i) => context.fillText(one, margin, margin + large + 14 + i * line + line / 2));
  let top = head;
  rows.forEach((row, i) => {
    row.forEach((/** @type {any} */ figure, /** @type {any} */ k) => drawFigure(context, figure, margin + k * (width + gap), top, true));
    top += heights[i] + gap;
  });
  return canvas;
}
