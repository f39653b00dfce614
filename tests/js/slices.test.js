// Long work in short pieces.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createQueue } from "../../afa_viz/ui/explorer/views/affinity/heads/queue.js";
import { workInSlices } from "../../afa_viz/ui/explorer/core/slices.js";

const wait = (/** @type {number} */ time) => new Promise((done) => { setTimeout(done, time); });

function* pieces(/** @type {number[]} */ done, /** @type {number} */ count) {
  for (let i = 0; i < count; i++) {
    const until = performance.now() + 3;
    while (performance.now() < until);
    done.push(i);
    yield;
  }
}

test("the page goes on between slices, and all pieces are done in order", async () => {
  let slices = 1;
  const Real = globalThis.MessageChannel;
  globalThis.MessageChannel = /** @type {any} */ (class { // whose messages come between others, as in a browser
    port1 = { onmessage: () => {}, close() {} };
    port2 = { postMessage: () => { slices += 1; setTimeout(() => this.port1.onmessage()); } };
  });
  const done = /** @type {number[]} */ ([]);
  workInSlices(pieces(done, 12), 5);
  globalThis.MessageChannel = Real;
  assert.deepEqual(done, []);
  while (done.length < 12) await wait(5);
  assert.deepEqual(done, [...Array(12).keys()]);
  assert.ok(slices >= 3, `${slices} slices of 36 ms`);
});

test("given up before it began or in the middle, the rest is never done", async () => {
  const [never, half] = [[], []].map((list) => /** @type {number[]} */ (list));
  workInSlices(pieces(never, 5), 5)();
  const stop = workInSlices(pieces(half, 100), 0);
  while (!half.length) await wait(1);
  stop();
  const count = half.length;
  await wait(30);
  assert.deepEqual([never.length, half.length], [0, count]);
  assert.ok(count < 100);
});

test("works of a queue go one after another, and one that is given up lets the next one begin", async () => {
  const [first, second, third, fourth] = [[], [], [], []].map((list) => /** @type {number[]} */ (list));
  const inTurn = createQueue();
  const order = /** @type {string[]} */ ([]);
  function* named(/** @type {string} */ name, /** @type {number[]} */ done, /** @type {number} */ count) {
    for (const piece of pieces(done, count)) { order.push(name); yield piece; }
  }
  const stopFirst = inTurn(named("first", first, 100), 0);
  inTurn(named("second", second, 8), 0);
  inTurn(named("third", third, 4), 0)(); // given up before its turn
  inTurn(named("fourth", fourth, 4), 0);
  while (!first.length) await wait(1);
  assert.deepEqual([second.length, fourth.length], [0, 0]);
  stopFirst();
  while (fourth.length < 4) await wait(2);
  assert.deepEqual([second.length, third.length], [8, 0]);
  assert.ok(first.length < 100);
  assert.deepEqual([...new Set(order)], ["first", "second", "fourth"]);
  assert.ok(order.lastIndexOf("second") < order.indexOf("fourth"));
  stopFirst(); // once more changes nothing
  const last = /** @type {number[]} */ ([]);
  inTurn(named("last", last, 2), 0);
  while (last.length < 2) await wait(1);
});
