// The weights that PAR gives the neighbours of one pixel: at their places, and by distance and direction.

import { $, setText } from "../../core/dom.js";
import { percent } from "../../core/format.js";
import { store } from "../../core/store.js";
import { text } from "../../core/words.js";
import { context2d } from "../../draw/canvas.js";
import { drawColourBar } from "../../draw/colour_bar.js";
import { colours } from "../../draw/colours.js";
import { fitCanvas } from "../../draw/size.js";
import { neighbourOffsets } from "../../method/par.js";

/**
 * A cross hair on a pixel of a map.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Size} size
 * @param {Cell} cell
 */
export function markPixel(canvas, [height, width], [row, col]) {
  const context = context2d(canvas);
  const [x, y] = [((col + 0.5) * canvas.width) / width, ((row + 0.5) * canvas.height) / height];
  const arm = Math.max(5, canvas.width / 45);
  for (const [line, colour] of /** @type {[number, string][]} */ ([[canvas.width / 90, "#000"], [canvas.width / 200, "#fff"]])) {
    [context.lineWidth, context.strokeStyle] = [Math.max(1, line), colour];
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + dx * arm * 0.45, y + dy * arm * 0.45);
      context.lineTo(x + dx * arm, y + dy * arm);
    }
    context.stroke();
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 * @param {number} share
 */
function dot(context, x, y, radius, share) {
  const i = Math.round(255 * share);
  context.fillStyle = `rgb(${colours.magnitude.slice(3 * i, 3 * i + 3)})`;
  [context.lineWidth, context.strokeStyle] = [1.5, "#000"];
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.fill();
  context.stroke();
  [context.lineWidth, context.strokeStyle] = [0.8, "#fff"];
  context.stroke();
}

/**
 * @param {HTMLElement} figure
 * @param {Size} size
 * @param {Cell} cell
 * @param {number[][]} places
 * @param {number[]} own
 * @param {number} top
 */
function paintWhole(figure, [height, width], [row, col], places, own, top) {
  const canvas = $("canvas", figure);
  fitCanvas(canvas);
  if (!canvas.width) return;
  const context = context2d(canvas);
  context.drawImage(store.scene.image, 0, 0, canvas.width, canvas.height);
  places.forEach(([y, x], k) => dot(context, ((x + 0.5) * canvas.width) / width, ((y + 0.5) * canvas.height) / height,
    canvas.width / 110 + (canvas.width / 55) * Math.sqrt(own[k] / top), own[k] / top));
  markPixel(canvas, [height, width], [row, col]);
  drawColourBar(figure, 0, top, colours.heat);
}

/**
 * The photograph around the pixel, its own pixels visible; the nearest two rings at their places.
 *
 * @param {HTMLElement} figure
 * @param {Size} size
 * @param {Cell} cell
 * @param {number[][]} places
 * @param {number[]} own
 * @param {number} top
 */
function paintAround(figure, [height, width], [row, col], places, own, top) {
  const canvas = $("canvas", figure);
  fitCanvas(canvas);
  if (!canvas.width) return;
  const context = context2d(canvas);
  const reach = 9.5; // PAR's pixels on each side
  const [fx, fy] = [store.scene.image.width / width, store.scene.image.height / height];
  const tall = (reach * canvas.height) / canvas.width;
  context.imageSmoothingEnabled = false;
  context.fillStyle = "#777";
  context.fillRect(0, 0, canvas.width, canvas.height);
  const [left, top0] = [(col + 0.5 - reach) * fx, (row + 0.5 - tall) * fy];
  context.drawImage(store.scene.image, left, top0, 2 * reach * fx, 2 * tall * fy, 0, 0, canvas.width, canvas.height);
  const unit = canvas.width / (2 * reach);
  places.forEach(([y, x], k) => {
    if (Math.abs(y - row) > tall || Math.abs(x - col) > reach) return;
    dot(context, canvas.width / 2 + (x - col) * unit, canvas.height / 2 + (y - row) * unit,
      unit * (0.18 + 0.3 * Math.sqrt(own[k] / top)), own[k] / top);
  });
  context.strokeStyle = "#fff";
  context.lineWidth = 2;
  context.strokeRect(canvas.width / 2 - unit / 2, canvas.height / 2 - unit / 2, unit, unit);
  drawColourBar(figure, 0, top, colours.heat);
}

/**
 * A compass for each dilation: the eight directions coloured by their weight.
 *
 * @param {HTMLElement} list
 * @param {number[]} own
 * @param {number} top
 * @param {number[]} dilations
 */
function rings(list, own, top, dilations) {
  if (list.children.length !== dilations.length) {
    list.replaceChildren(...dilations.map(() => {
      const ring = document.createElement("div");
      ring.className = "afa-ring";
      ring.innerHTML = `<div>${"<i></i>".repeat(9)}</div><span></span>`;
      return ring;
    }));
  }
  dilations.forEach((d, r) => {
    const ring = list.children[r];
    const part = own.slice(8 * r, 8 * r + 8);
    [...ring.querySelectorAll("i")].forEach((square, i) => {
      if (i === 4) {
        square.className = "afa-centre";
        return;
      }
      const weight = part[i < 4 ? i : i - 1];
      const c = Math.round((255 * weight) / top);
      square.style.background = `rgb(${colours.magnitude.slice(3 * c, 3 * c + 3)})`;
      square.title = percent(weight);
    });
    $("span", ring).textContent = text("par.ring", { distance: d, share: percent(part.reduce((a, b) => a + b, 0)) });
  });
}

const DIRECTIONS = [[-1, -1], [-1, 0], [-1, 1], [0, -1], [0, 1], [1, -1], [1, 0], [1, 1]];

/**
 * @param {number[]} own
 * @param {number} row
 * @param {number} col
 * @param {number[]} dilations
 */
function words(own, row, col, dilations) {
  const best = own.indexOf(Math.max(...own));
  const [dy, dx] = DIRECTIONS[best % 8];
  const side = text(`par.wind_${dy + 1}${dx + 1}`);
  const sorted = [...own].sort((a, b) => b - a);
  let [sum, needed] = [0, 0];
  while (sum < 0.505 && needed < sorted.length) sum += sorted[needed++];
  const distance = dilations[Math.floor(best / 8)];
  return text(distance === 1 ? "par.weights_next" : "par.weights", {
    row: row + 1, col: col + 1, best: percent(own[best]), distance, side, needed, total: own.length });
}

/**
 * Draw everything about the weights of a pixel of a kernel of `kernelByRows` (method/par.js).
 *
 * @param {HTMLElement} section
 * @param {Kernel} kernel
 * @param {Cell} cell
 */
export function drawPixelWeights(section, kernel, [row, col]) {
  const { size: [height, width], dilations } = kernel;
  const size = height * width;
  const own = Array.from({ length: 8 * dilations.length }, (_, k) => kernel.weights[k * size + row * width + col]);
  const top = Math.max(...own);
  const places = neighbourOffsets(dilations).map(([y, x]) => [Math.min(height - 1, Math.max(0, row + y)),
    Math.min(width - 1, Math.max(0, col + x))]);
  const figure = (/** @type {string} */ name) => $(`[data-view="${name}"]`, section);
  paintWhole(figure("pixel"), [height, width], [row, col], places, own, top);
  paintAround(figure("around"), [height, width], [row, col], places, own, top);
  rings($('[data-list="rings"]', section), own, top, dilations);
  setText("weights", words(own, row, col, dilations), section);
}
