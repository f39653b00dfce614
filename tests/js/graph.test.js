// The graph of the pipeline: its lines lead from box to box on wide and narrow pages, and the keys follow them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { cornersOf, EDGES, isNarrow, neighbourOf, placesOf, spotOf } from "../../afa_viz/ui/explorer/views/pipeline/graph.js";

// column and row of the wide diagram; the narrow one is transposed
const CELLS = { image: [0, 1], cam: [1, 0], attention: [1, 2], affinity_label: [2, 1], affinity: [2, 2], cam_rw: [3, 1], cam_par: [4, 1],
  regions: [5, 1], pseudo_label: [5, 0], seg: [4, 0], target: [5, 2] };

/** Boxes of 100 x 140 pixels with gaps of 60. @param {boolean} narrow @returns {any} */
function boxesOf(narrow) {
  return Object.fromEntries(Object.entries(CELLS).map(([stage, cell]) => {
    const [column, row] = narrow ? [cell[1], cell[0]] : cell;
    const [left, top] = [30 + column * 160, 60 + row * 200];
    return [stage, { left, top, right: left + 100, bottom: top + 140, x: left + 50, y: top + 70 }];
  }));
}

const inside = (/** @type {any} */ box, /** @type {number[]} */ [x, y]) => x > box.left && x < box.right && y > box.top && y < box.bottom;
const onEdge = (/** @type {any} */ { left, right, top, bottom }, /** @type {number[]} */ [x, y]) => (
  ((x === left || x === right) && y >= top && y <= bottom) || ((y === top || y === bottom) && x >= left && x <= right));

for (const narrow of [false, true]) {
  const boxes = boxesOf(narrow);
  const at = placesOf(boxes);

  test(`every line runs straight between boxes and through none, narrow: ${narrow}`, () => {
    assert.equal(isNarrow(boxes), narrow);
    for (const edge of EDGES) {
      const corners = cornersOf(edge, at, narrow);
      if (edge.to) assert.ok(onEdge(boxes[edge.to], corners[corners.length - 1]), `${edge.name} ends at ${edge.to}`);
      corners.slice(1).forEach(([x, y], i) => {
        const [x0, y0] = corners[i];
        assert.ok(x === x0 || y === y0, `${edge.name} has no slanted piece`);
        for (let k = 0; k <= 20; k++) {
          const point = [x0 + ((x - x0) * k) / 20, y0 + ((y - y0) * k) / 20];
          for (const [stage, box] of Object.entries(boxes)) assert.ok(!inside(box, point), `${edge.name} runs through ${stage}`);
        }
      });
      const { x, y, lies } = spotOf(edge, corners, narrow);
      assert.ok(Number.isFinite(x + y) && typeof lies === "boolean");
    }
  });

  test(`lines that are followed at once do not cross, narrow: ${narrow}`, () => {
    const pieces = EDGES.flatMap((edge) => cornersOf(edge, at, narrow).slice(1).map((end, i) => ({ edge, a: cornersOf(edge, at, narrow)[i], b: end })));
    for (const one of pieces) {
      for (const other of pieces) {
        const [upright, flat] = [one, other];
        if (one.edge === other.edge || upright.a[0] !== upright.b[0] || flat.a[1] !== flat.b[1]) continue;
        const [top, bottom] = [upright.a[1], upright.b[1]].sort((a, b) => a - b);
        const [left, right] = [flat.a[0], flat.b[0]].sort((a, b) => a - b);
        const cross = upright.a[0] > left && upright.a[0] < right && flat.a[1] > top && flat.a[1] < bottom;
        assert.ok(!cross, `${one.edge.name} and ${other.edge.name}`);
      }
    }
  });

  test(`the keys reach every box along the lines and go back, narrow: ${narrow}`, () => {
    const directions = [[1, 0], [-1, 0], [0, 1], [0, -1]];
    const reached = new Set(["image"]);
    for (const stage of reached) {
      for (const direction of directions) {
        const next = neighbourOf(stage, direction, boxes);
        if (!next) continue;
        reached.add(next);
        const joined = EDGES.some(({ from, to }) => [from, to].includes(stage) && [from, to].includes(next)) || [stage, next].includes("target");
        assert.ok(joined, `${stage} leads to ${next}`);
      }
    }
    assert.deepEqual([...reached].sort(), Object.keys(CELLS).sort());
  });
}

test("on a wide page right follows the flow, and a stage that the method lacks is passed over", () => {
  const boxes = boxesOf(false);
  const along = (/** @type {string} */ from, /** @type {number[]} */ ...way) => neighbourOf(from, way, boxes);
  assert.equal(along("image", 1, 0), "cam");
  assert.equal(along("image", 0, 1), "attention");
  assert.equal(along("cam", 1, 0), "cam_rw");
  assert.equal(along("cam", 0, 1), "affinity_label");
  assert.equal(along("attention", 1, 0), "affinity");
  assert.equal(along("affinity", 1, 0), "cam_rw");
  assert.equal(along("cam_rw", 1, 0), "cam_par");
  assert.equal(along("cam_par", 1, 0), "regions");
  assert.equal(along("regions", 0, -1), "pseudo_label");
  assert.equal(along("regions", 0, 1), "target");
  assert.equal(along("pseudo_label", -1, 0), "seg");
  assert.equal(along("image", -1, 0), null);
  const rest = Object.fromEntries(Object.entries(boxes).filter(([stage]) => stage !== "attention"));
  assert.equal(neighbourOf("image", [0, 1], rest), null);
});
