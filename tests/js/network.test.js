// Where the network runs: on a GPU where the browser has one, else, and where that fails, on the processor.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { createNetwork } from "../../afa_viz/ui/explorer/host/onnx/network.js";

/** @type {any} */
const scope = globalThis;
const runtime = (/** @type {string} */ name, /** @type {number} */ megabytes) => ({ script: `${name}.js`, wasm: `${name}.wasm`, megabytes });
const ADDRESSES = { script: "worker.js", encoder: "a.onnx", head: "b.onnx",
  runtimes: { wasm: runtime("cpu", 22), webgpu: runtime("gpu", 35) } };
/** @type {string[]} what workers were asked, and by whom they were warned of */
let log = [];
/** @type {string[]} what fails: "open webgpu", "explain webgpu" and so on */
let failing = [];
let started = 0;

class FakeWorker {
  constructor() {
    this.provider = "";
    this.ended = false;
    started++;
  }

  postMessage(/** @type {any} */ asked) {
    this.provider = asked.provider ?? this.provider;
    const what = `${asked.do} ${this.provider}`;
    log.push(asked.do === "open" ? `${what} ${asked.addresses.runtime}` : what);
    setTimeout(() => {
      if (this.ended) return;
      const failed = failing.includes(what) ? { key: asked.file === "bad" ? "site.no_image_file" : "site.network_failed", places: { error: "lost" } } : null;
      /** @type {any} */ (this).onmessage({ data: failed ? { id: asked.id, failed } : { id: asked.id, answer: { key: "photo-1" } } });
    });
  }

  terminate() { this.ended = true; }
}

/** @param {(() => any) | null} requestAdapter */
function offer(requestAdapter) {
  Object.defineProperty(scope, "navigator", { value: requestAdapter ? { gpu: { requestAdapter } } : {}, configurable: true });
}

const { warn } = console;
beforeEach(() => {
  [log, failing, started] = [[], [], 0];
  Object.assign(scope, { Worker: FakeWorker, document: { baseURI: "http://x.y/site/" } });
  console.warn = (words) => { log.push(String(words)); };
});
afterEach(() => { console.warn = warn; });

const network = (addresses = ADDRESSES) => createNetwork(addresses, /** @type {any} */ ({}));
const CPU = "open wasm http://x.y/site/cpu.js";
const GPU = "open webgpu http://x.y/site/gpu.js";

for (const [name, adapter] of /** @type {[string, (() => any) | null][]} */ ([["no GPU", null], ["no adapter", async () => null],
  ["an adapter that throws", async () => { throw new Error("no"); }]])) {
  test(`with ${name} WebAssembly runs it`, async () => {
    offer(adapter);
    const made = network();
    /** @type {any[]} */
    const said = [];
    await made.explain(/** @type {any} */ ("file"), (sent) => said.push(sent));
    assert.deepEqual(log, [CPU, "explain wasm"]);
    assert.deepEqual([made.provider(), said], ["wasm", [{ loads: 22 }]]);
  });
}

test("a GPU is taken where there is one, once for all photographs", async () => {
  offer(async () => ({}));
  const made = network();
  made.open(true);
  await Promise.all([made.explain(/** @type {any} */ ("one"), () => {}), made.open()]);
  await made.explain(/** @type {any} */ ("two"), () => assert.fail("nothing is loaded again"));
  assert.deepEqual(log, [GPU, "explain webgpu", "explain webgpu"]);
  assert.deepEqual([made.provider(), started], ["webgpu", 1]);
});

test("a site without the runtime for it does not look for a GPU", async () => {
  offer(() => assert.fail("asked"));
  await network({ ...ADDRESSES, runtimes: /** @type {any} */ ({ wasm: ADDRESSES.runtimes.wasm }) }).open();
  assert.deepEqual(log, [CPU]);
});

test("a GPU that cannot be opened is left once, with a sentence", async () => {
  offer(async () => ({}));
  failing = ["open webgpu"];
  const made = network();
  /** @type {any[]} */
  const said = [];
  const first = made.open(true);
  const explained = made.explain(/** @type {any} */ ("one"), (sent) => said.push(sent));
  await Promise.all([first, explained]);
  await made.explain(/** @type {any} */ ("two"), () => {});
  assert.deepEqual(log, [GPU, "WebGPU could not run the network (lost); WebAssembly runs it instead.", CPU, "explain wasm", "explain wasm"]);
  assert.deepEqual([made.provider(), started], ["wasm", 2]);
});

test("a GPU that is lost in the work is left, and the photograph explained all the same", async () => {
  offer(async () => ({}));
  failing = ["explain webgpu"];
  const made = network();
  assert.equal((await made.explain(/** @type {any} */ ("one"), () => {})).key, "photo-1");
  assert.deepEqual(log, [GPU, "explain webgpu", "WebGPU could not run the network (lost); WebAssembly runs it instead.", CPU, "explain wasm"]);
});

test("a bad file is no fault of the GPU's", async () => {
  offer(async () => ({}));
  failing = ["explain webgpu"];
  await assert.rejects(network().explain(/** @type {any} */ ("bad"), () => {}), { key: "site.no_image_file" });
  assert.deepEqual(log, [GPU, "explain webgpu"]);
});

test("where neither can be opened the failure is told, and the next photograph tries again", async () => {
  offer(null);
  failing = ["open wasm"];
  const made = network();
  const failure = { key: "site.network_failed", places: { error: "lost" } };
  await assert.rejects(made.explain(/** @type {any} */ ("one"), () => {}), failure);
  failing = [];
  await made.explain(/** @type {any} */ ("two"), () => {});
  assert.deepEqual(log, [CPU, CPU, "explain wasm"]);
});
