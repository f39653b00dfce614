// What is drawn on top of finished pictures: the query cell, its window, the border of a region.

import { className } from "../core/selection.js";
import { store, view } from "../core/store.js";
import { text } from "../core/words.js";
import { context2d, createCanvas } from "./canvas.js";
import { labelNames, repaint } from "./repaint.js";
import { displayWidth } from "./size.js";

/**
 * Canvases that show the same at another opacity, with their mark.
 *
 * @param {any} canvases
 * @param {any} marks
 */
export function repaintMarked(canvases, marks) {
  canvases.forEach(repaint);
  marks.keep(canvases);
}
// What is drawn on top of finished pictures: the query cell, its window, the border of a region.

/**
 * White-in-black frame around a cell, below the names of labels; with a dot while it is pinned.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number[]} grid
 * @param {number[]} cell
 * @param {boolean} pinned
 */
export function markCell(canvas, [rows, cols], [row, col], pinned) {
  const context = context2d(canvas);
  const w = canvas.width / cols;
  const h = canvas.height / rows;
  const line = Math.max(1, canvas.width / 190);
  context.save();
  for (const [width, colour] of /** @type {[number, string][]} */ ([[3 * line, "#000"], [1.4 * line, "#fff"]])) {
    context.lineWidth = width;
    context.strokeStyle = context.fillStyle = colour;
    context.strokeRect(col * w, row * h, w, h);
    if (!pinned) continue;
    context.beginPath();
    context.arc((col + 0.5) * w, (row + 0.5) * h, 1.1 * width, 0, 7);
    context.fill();
  }
  context.restore();
  if (labelNames.has(canvas)) context.drawImage(labelNames.get(canvas), 0, 0);
}

/**
 * Dashed frame of the cells within a radius of a cell.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number[]} grid
 * @param {number[]} cell
 * @param {number} radius
 */
export function markWindow(canvas, [rows, cols], [row, col], radius) {
  const context = context2d(canvas);
  const w = canvas.width / cols;
  const h = canvas.height / rows;
  const top = Math.max(0, row - radius);
  const left = Math.max(0, col - radius);
  const bottom = Math.min(rows, row + radius + 1);
  const right = Math.min(cols, col + radius + 1);
  const inset = Math.max(1, canvas.width / 200);
  context.save();
  context.setLineDash([4 * inset, 3 * inset]);
  for (const [width, colour] of /** @type {[number, string][]} */ ([[2.2 * inset, "rgba(0,0,0,.8)"], [inset, "#fff"]])) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.strokeRect(left * w + inset, top * h + inset, (right - left) * w - 2 * inset, (bottom - top) * h - 2 * inset);
  }
  context.restore();
}

/**
 * What `markRegion` finds to draw of a class on a label map, in words; the map is the truth or else `by` a label.
 *
 * @param {Uint8Array} map
 * @param {string} [by]
 * @param {number} [label]
 */
export function outlineText(map, by = "by_label", label = view.label) {
  const count = map.reduce((sum, l) => sum + Number(l === label), 0);
  const found = !count ? "none" : count === map.length ? "all" : "some";
  return text(`outline.${found}`, { name: className(label), by: text(`attention.${store.scene.target ? "by_truth" : by}`) });
}

/**
 * Outline, white in black, of where `inside(index)` holds on a grid.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number[]} grid
 * @param {(index: number) => boolean} inside
 */
export function outlineRegion(canvas, [rows, cols], inside) {
  const context = context2d(canvas);
  const [w, h] = [canvas.width / cols, canvas.height / rows];
  context.beginPath();
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < cols; x++) {
      const here = inside(y * cols + x);
      if (x + 1 < cols && here !== inside(y * cols + x + 1)) {
        context.moveTo((x + 1) * w, y * h);
        context.lineTo((x + 1) * w, (y + 1) * h);
      }
      if (y + 1 < rows && here !== inside((y + 1) * cols + x)) {
        context.moveTo(x * w, (y + 1) * h);
        context.lineTo((x + 1) * w, (y + 1) * h);
      }
    }
  }
  const line = Math.max(1, canvas.width / 230);
  for (const [width, colour] of /** @type {[number, string][]} */ ([[2.6 * line, "rgba(0,0,0,.75)"], [line, "#fff"]])) {
    [context.lineWidth, context.strokeStyle] = [width, colour];
    context.stroke();
  }
}

/**
 * Canvases with a mark that moves: `keep` them, and mark them, once they are drawn; `each` puts the pictures of all back
 * and marks them anew; `forget` them when they come to show something else.
 *
 * @param {(canvas: HTMLCanvasElement) => void} mark
 */
export function createMarks(mark) {
  /** @type {Map<any, any>} */
  const kept = new Map(); // canvas -> its picture without the mark
  return {
    keep(/** @type {any} */ canvases) {
      for (const canvas of canvases) {
        if (!canvas.width || !displayWidth(canvas)) {
          kept.delete(canvas);
          continue;
        }
        const old = kept.get(canvas);
        const fits = old?.width === canvas.width && old.height === canvas.height;
        const copy = fits ? old : createCanvas(canvas.width, canvas.height);
        context2d(copy).drawImage(canvas, 0, 0);
        kept.set(canvas, copy);
        mark(canvas);
      }
    },
    each() {
      for (const [canvas, copy] of kept) {
        context2d(canvas).drawImage(copy, 0, 0);
        mark(canvas);
      }
    },
    forget() { kept.clear(); },
  };
}
