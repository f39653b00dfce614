// Masks: values, classes, paint.

import assert from "node:assert/strict";
import test from "node:test";

import { guessClasses, IGNORE, labelsOf, maskOf, paintDisc, UNPAINTED } from "../../afa_viz/ui/explorer/components/mask/mask.js";

const PALETTE = [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]];
const image = (/** @type {number[][]} */ rgb, width = rgb.length) => ({ width, height: rgb.length / width,
  data: new Uint8ClampedArray(rgb.flatMap((colour) => [...colour, 255])) });

test("the colours of a mask are its values, the most frequent first", () => {
  const mask = maskOf(image([[0, 0, 0], [128, 0, 0], [0, 0, 0], [0, 0, 0]], 2));
  assert.deepEqual([mask?.colours, [...(mask?.places ?? [])], mask?.shares], [[0, 0x800000], [0, 1, 0, 0], [0.75, 0.25]]);
});

test("smoothed edges count to the nearest colour, and a photograph is no mask", () => {
  const edge = Array.from({ length: 100 }, (_, i) => [150 + i, 0, 0]);
  const mask = maskOf(image([...Array(2000).fill([0, 0, 0]), ...Array(2000).fill([255, 0, 0]), ...edge]));
  assert.deepEqual(mask?.colours, [0, 0xff0000]);
  assert.equal(mask?.places.at(-1), 1);
  assert.equal(maskOf(image(Array.from({ length: 4096 }, (_, i) => [i % 256, i >> 4, (7 * i) % 256]))), null);
});

test("classes are guessed from indices, black and white, a palette, or the classes of the image", () => {
  assert.deepEqual(guessClasses([0, 0x020202, 0xffffff, 0x030303], PALETTE, [1]), [0, 2, IGNORE, 3]);
  assert.deepEqual(guessClasses([0xffffff, 0], PALETTE, [3, 2]), [3, 0]);
  assert.deepEqual(guessClasses([0, 0x008000, 0xe0e0c0], PALETTE, [3]), [0, 2, IGNORE]);
  assert.deepEqual(guessClasses([0x123456, 0, 0xabcdef], PALETTE, [3, 2]), [3, 0, 2]);
});

test("paint lies over the values", () => {
  const mask = maskOf(image([[0, 0, 0], [255, 255, 255], [0, 0, 0], [0, 0, 0]]));
  const painted = new Uint8Array(4).fill(UNPAINTED);
  painted[3] = 2;
  assert.deepEqual(mask && [...labelsOf(mask, [0, 1], painted)], [0, 1, 0, 2]);
});

test("a brush paints a disc inside the image", () => {
  const painted = new Uint8Array(25).fill(UNPAINTED);
  paintDisc(painted, 5, { x: 2, y: 2, radius: 1, label: 7 });
  assert.deepEqual([...painted].flatMap((label, i) => (label === 7 ? [i] : [])), [7, 11, 12, 13, 17]);
  paintDisc(painted, 5, { x: 0, y: 0, radius: 1, label: 3 });
  assert.deepEqual([painted[0], painted[1], painted[5], painted[4]], [3, 3, 3, UNPAINTED]);
});
