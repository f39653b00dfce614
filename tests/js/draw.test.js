// Drawing without a browser: colour tables, label maps, what is left out, and calls on a canvas.

import assert from "node:assert/strict";
import { test } from "node:test";

import { colours, heatColours, loadColours, signedColours } from "../../afa_viz/ui/explorer/draw/colours.js";
import { resizeLabels } from "../../afa_viz/ui/explorer/draw/labels.js";
import { markCell, markWindow, outlineRegion } from "../../afa_viz/ui/explorer/draw/marks.js";
import { paintWith, repaint } from "../../afa_viz/ui/explorer/draw/repaint.js";

const grey = Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3));

test("weak values let the image through, strong ones do not", () => {
  const table = heatColours(grey);
  assert.deepEqual([...table.subarray(0, 4)], [0, 0, 0, 31]);
  assert.deepEqual([...table.subarray(1020)], [255, 255, 255, 255]);
  const alphas = Array.from({ length: 256 }, (_, i) => table[4 * i + 3]);
  assert.ok(alphas.every((alpha, i) => !i || alpha >= alphas[i - 1]));
});

test("of signed values those near 0 let the image through, both ends alike", () => {
  const table = signedColours(grey);
  const alpha = (/** @type {number} */ i) => table[4 * i + 3];
  assert.ok(alpha(127) < alpha(150) && alpha(127) < alpha(100));
  for (let i = 0; i < 128; i++) assert.equal(alpha(i), alpha(255 - i));
});

test("the colours that the host gives", () => {
  const text = Buffer.from(grey).toString("base64");
  loadColours({ lut: text, difference: text });
  assert.deepEqual([colours.magnitude, colours.heat, colours.signed], [grey, heatColours(grey), signedColours(grey)]);
});

test("a label map at another size takes the nearest pixel", () => {
  const map = { rows: 2, cols: 3, bytes: Uint8Array.from([1, 2, 3, 4, 5, 6]) };
  assert.deepEqual([...resizeLabels(map, 6, 4)], [1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 4, 4, 5, 5, 6, 6]);
  assert.deepEqual([...resizeLabels(map, 3, 1)], [1, 2, 3]);
  assert.deepEqual([...resizeLabels(map, 3, 2)], [...map.bytes]);
});

/** A canvas that writes down what is drawn on it. @param {number} width @param {number} height */
function recorded(width, height) {
  /** @type {any[]} */
  const calls = [];
  const context = new Proxy({}, { get: (_, name) => (/** @type {any[]} */ ...args) => calls.push([name, ...args]), set: () => true });
  return { canvas: /** @type {any} */ ({ width, height, getContext: () => context }), calls };
}

test("the query cell is framed where it is; a dot says that it is pinned", () => {
  const { canvas, calls } = recorded(80, 40);
  markCell(canvas, [4, 8], [1, 2], false);
  assert.deepEqual(calls.filter(([name]) => name === "strokeRect"), [["strokeRect", 20, 10, 10, 10], ["strokeRect", 20, 10, 10, 10]]);
  assert.ok(!calls.some(([name]) => name === "arc"));
  markCell(canvas, [4, 8], [1, 2], true);
  assert.deepEqual(calls.find(([name]) => name === "arc")?.slice(1, 3), [25, 15]);
});

test("the window ends at the border of the grid", () => {
  const { canvas, calls } = recorded(800, 400);
  markWindow(canvas, [4, 8], [0, 7], 2);
  assert.deepEqual(calls.find(([name]) => name === "strokeRect"), ["strokeRect", 500 + 4, 4, 300 - 8, 300 - 8]);
});

test("a region is outlined between its cells and the others", () => {
  const { canvas, calls } = recorded(20, 20);
  outlineRegion(canvas, [2, 2], (i) => i === 0);
  assert.deepEqual(calls.filter(([name]) => name === "moveTo"), [["moveTo", 10, 0], ["moveTo", 0, 10]]);
});

test("a canvas is filled again as it was filled last", () => {
  const { canvas } = recorded(1, 1);
  /** @type {string[]} */
  const drawn = [];
  paintWith(canvas, () => drawn.push("first"));
  paintWith(canvas, () => drawn.push("second"));
  repaint(canvas);
  repaint(recorded(1, 1).canvas);
  assert.deepEqual(drawn, ["first", "second", "second"]);
});
