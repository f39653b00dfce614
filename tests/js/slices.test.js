// Attention of one cell or head, cut out of the maps of a whole block.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cellOf, headOf, meanOf } from "../../afa_viz/ui/explorer/host/inline/slices.js";

const [HEADS, CELLS, KEYS] = [2, 3, 4];
const maps = {
  shape: [HEADS, CELLS, KEYS],
  bytes: Uint8Array.from({ length: HEADS * CELLS * KEYS }, (_, i) => (i * 37) % 256),
  lows: Float32Array.from({ length: HEADS * CELLS }, (_, i) => -i / 10),
  peaks: Float32Array.from({ length: HEADS * CELLS }, (_, i) => 1 + i),
};

/** The value of a head, cell and key. */
function valueAt(/** @type {import("../../afa_viz/ui/explorer/host/inline/slices.js").HeadMaps} */ { bytes, shape: [, cells, keys], lows, peaks }, /** @type {number} */ head, /** @type {number} */ cell, /** @type {number} */ key) {
  const row = head * cells + cell;
  return lows[row] + ((peaks[row] - lows[row]) * bytes[row * keys + key]) / 255;
}

const each = (/** @type {(cell: number, key: number) => void} */ check) => {
  for (let cell = 0; cell < CELLS; cell++) for (let key = 0; key < KEYS; key++) check(cell, key);
};

test("one cell has all heads", () => {
  each((cell, key) => {
    const cut = cellOf(maps, cell);
    assert.deepEqual(cut.shape, [HEADS, 1, KEYS]);
    for (let head = 0; head < HEADS; head++) assert.equal(valueAt(cut, head, 0, key), valueAt(maps, head, cell, key));
  });
});

test("one head has all cells", () => {
  for (let head = 0; head < HEADS; head++) each((cell, key) => assert.equal(valueAt(headOf(maps, head), 0, cell, key), valueAt(maps, head, cell, key)));
});

test("the mean is that of the heads, within its rounding", () => {
  const mean = meanOf(maps);
  each((cell, key) => {
    const real = (valueAt(maps, 0, cell, key) + valueAt(maps, 1, cell, key)) / 2;
    assert.ok(Math.abs(valueAt(mean, 0, cell, key) - real) <= (mean.peaks[cell] - mean.lows[cell]) / 255);
  });
});

test("the mean of attention begins at 0, as each head does", () => {
  assert.ok(meanOf({ ...maps, lows: new Float32Array(HEADS * CELLS) }).lows.every((low) => low === 0));
});
