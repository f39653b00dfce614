// The part of the maps that is in sight.

import assert from "node:assert/strict";
import test from "node:test";

import { frameOf, MAX_ZOOM, moved, showing, WHOLE, zoomed } from "../../afa_viz/ui/explorer/components/zoom/part.js";

test("the point under the pointer stays where it is", () => {
  for (const [u, v] of [[0, 0], [0.25, 0.8], [1, 1]]) {
    const once = zoomed({ zoom: 2, x: 0.2, y: 0.3 }, 1.7, u, v);
    assert.ok(Math.abs(once.x + u / once.zoom - (0.2 + u / 2)) < 1e-12);
    assert.ok(Math.abs(once.y + v / once.zoom - (0.3 + v / 2)) < 1e-12);
  }
});

test("no part lies beyond the map, nor is it less than one or more than the most", () => {
  assert.deepEqual(zoomed({ zoom: 4, x: 0.5, y: 0.5 }, 0.01, 0.5, 0.5), WHOLE);
  assert.equal(zoomed(WHOLE, 1000, 0.5, 0.5).zoom, MAX_ZOOM);
  assert.deepEqual(moved({ zoom: 2, x: 0.1, y: 0.1 }, 5, -5), { zoom: 2, x: 0, y: 0.5 });
  assert.deepEqual(moved(WHOLE, 0.5, 0.5), WHOLE);
});

test("a rectangle is brought into sight, and one that is there moves nothing", () => {
  assert.deepEqual(showing({ zoom: 4, x: 0, y: 0 }, { x0: 0.5, y0: 0.1, x1: 0.6, y1: 0.2 }), { zoom: 4, x: 0.35, y: 0 });
  assert.deepEqual(showing({ zoom: 4, x: 0.5, y: 0.5 }, { x0: 0.55, y0: 0.1, x1: 0.6, y1: 0.2 }), { zoom: 4, x: 0.5, y: 0.1 });
});

test("the frame of a zoomed box is the box before", () => {
  const box = { left: 10 - 0.2 * 400, top: 20 - 0.5 * 200, width: 400, height: 200 };
  assert.deepEqual(frameOf({ zoom: 2, x: 0.2, y: 0.5 }, box), { left: 10, top: 20, width: 200, height: 100 });
});
