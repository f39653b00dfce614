// Prepared answers in the browser, without a browser: their names and files, and the order of a data set.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { deflateSync } from "node:zlib";

import { unpack } from "../../afa_viz/ui/explorer/core/packed.js";
import { fileName, undone } from "../../afa_viz/ui/explorer/host/files.js";
import { answerName, canonical } from "../../afa_viz/ui/explorer/host/prepared.js";
import { listing } from "../../afa_viz/ui/explorer/host/prepared/dataset.js";

const NAMES = JSON.parse(readFileSync(new URL("../support/answer_names.json", import.meta.url), "utf8"));

test("a question has one name and one file, whatever the order of its parameters, the same as in Python", () => {
  for (const [question, asked, name, file] of NAMES) {
    const turned = Object.fromEntries(Object.entries(asked).reverse());
    for (const params of [asked, turned]) {
      assert.equal(answerName(question, params), name);
      assert.equal(fileName(question, canonical(params)), file);
    }
  }
});

test("maps come as differences where that is smaller; those that are made here are left as they are", async () => {
  const values = Uint8Array.from({ length: 24 }, (_, i) => (i * i * 7) % 256); // two planes of 3 x 4
  const at = (/** @type {number} */ plane, /** @type {number} */ row, /** @type {number} */ col) => (
    row < 0 || col < 0 ? 0 : values[12 * plane + 4 * row + col]);
  const filtered = values.map((value, i) => {
    const [plane, row, col] = [Math.floor(i / 12), Math.floor((i % 12) / 4), i % 4];
    return value - at(plane, row, col - 1) - at(plane, row - 1, col) + at(plane, row - 1, col - 1);
  });
  const packed = { data: deflateSync(filtered).toString("base64"), shape: [2, 3, 4], filter: "plane", low: 1, high: 2 };
  const plain = { data: deflateSync(values).toString("base64"), shape: [24], low: 0, high: 1 };
  const found = await undone({ maps: [packed, plain, null], words: "filter" });
  assert.deepEqual([found.maps[0].bytes, found.maps[0].low, found.words, found.maps[2]], [values, 1, "filter", null]);
  assert.equal(await unpack(found.maps[0]), found.maps[0]);
  assert.deepEqual((await unpack(found.maps[1])).bytes, values);
  assert.equal(await unpack(null), null);
});

const STAGES = ["walk_start", "cam_rw", "cam_refined", "cam_par", "seg"];
/** An image with the same score for every stage but two. */
const scored = (/** @type {string} */ id, /** @type {number | null} */ before, /** @type {number | null} */ after, labels = ["cow"]) => {
  const miou = before == null || after == null ? {} : { ...Object.fromEntries(STAGES.map((stage) => [stage, 0.5])), walk_start: before, cam_rw: after };
  const iou = Object.fromEntries(Object.entries(miou).map(([stage, value]) => [stage, Object.fromEntries(labels.map((name) => [name, value]))]));
  return { id, title: id, labels, miou, iou, broken: false, image: `${id}.jpg` };
};

test("images of a data set in every order, with the means and how many rose and fell", () => {
  const images = [scored("a", 0.5, 0.6), scored("b", 0.7, 0.4, ["cow", "dog"]), scored("none", null, null), scored("c", 0.5, 0.5)];
  const set = { title: "T", classes: ["cow", "dog"], images };
  const query = { order: "set", stage: "cam_rw", before: "walk_start", class_name: "", page: 0 };
  const order = (/** @type {object} */ changed) => listing(set, { ...query, ...changed }).cards.map(({ id }) => id).join(" ");
  assert.equal(order({}), "a b none c");
  assert.equal(order({ order: "worst" }), "b c a none");
  assert.equal(order({ order: "best" }), "a c b none");
  assert.equal(order({ order: "lost" }), "b c a none");
  assert.equal(order({ order: "gained" }), "a c b none");
  assert.equal(order({ class_name: "dog" }), "b");
  assert.equal(order({ ids: ["c", "a"] }), "a c");
  assert.equal(order({ ids: ["c", "a"], order: "gained", class_name: "cow" }), "a c");
  assert.equal(order({ ids: null }), "a b none c");
  const { overview, matching, pages, progress } = listing(set, query);
  assert.deepEqual([matching, pages, progress.state], [4, 1, "done"]);
  assert.deepEqual([overview.scored, overview.better, overview.worse, overview.compared], [3, 1, 1, 3]);
  assert.deepEqual([overview.means.cam_rw, overview.means.seg], [0.5, 0.5]);
  const many = { ...set, images: Array.from({ length: 50 }, (_, i) => scored(`i${i}`, 0.5, i / 50)) };
  const last = listing(many, { ...query, order: "best", page: 9 });
  assert.deepEqual([last.pages, last.page, last.first, last.cards.length, last.cards[0].id], [3, 2, 48, 2, "i1"]);
});
