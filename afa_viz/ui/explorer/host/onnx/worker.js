// The network in a worker: it decodes an image, runs every pass, and answers what the page asks of it.
//
// Messages: {id, do: "open", addresses, network, provider, warm}; {id, do: "explain", file}; {id, do: "mask", file}; {id, do:
// "ask", key, question, asked}. Answers: {id, answer} or {id, failed: {key, places}}; before the answer to "explain" {id,
// progress: {pass, passes}} and {id, first: key}, once the image as it is has been through the network. A newer image ends
// the work on an older one.

import { decode, decodeMask, ImageError, markOf, toAddress } from "./decode.js";
import { multiScaleCam, normalised } from "./passes.js";
import { createTrace } from "./trace.js";

/** @typedef {import("./trace.js").Network} Network */

const FIRST = "-first"; // end of a key: the CAM at one scale, no PAR
const SOON = 0; // milliseconds: other messages are read between two passes
const WARM_SIDE = 192; // pixels of an image of zeros that goes through the network while nobody waits for it

/** An older image, whose place another one took. */
class Cancelled extends Error {}

/**
 * Answer messages.
 *
 * @param {(address: string) => Promise<any>} load a module by its address: `import`, which a bundle cannot write
 */
export function start(load) {
  const scope = /** @type {any} */ (self);
  /** @type {Network} */
  let network;
  /** @type {any} */
  let runtime;
  /** @type {any} */
  let encoder; // every pass
  /** @type {any} */
  let head; // the rest of the first pass
  let newest = 0; // number of the newest image
  /** @type {{image: Parameters<typeof createTrace>[1] & {kept: Size}, outputs: import("./passes.js").Outputs,
   *   trace: ReturnType<typeof createTrace>, cam: Float32Array | null} | null} */
  let shown = null;
  /** @type {Map<string, any>} */
  const made = new Map(); // key -> stages of the image

  async function download(/** @type {string} */ address) {
    const response = await fetch(address);
    if (!response.ok) throw new Error(`${address}: ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  }

  /**
   * Load the runtime and both parts of the network. Where a GPU runs it, one pass shows that it can.
   *
   * @param {{addresses: {runtime: string, wasm: string, encoder: string, head: string}, network: Network, provider: string,
   *   warm: boolean}} given
   */
  async function open({ addresses, network: facts, provider, warm }) {
    network = facts;
    const parts = Promise.all([addresses.encoder, addresses.head].map(download));
    parts.catch(() => {}); // heard of below
    runtime = await load(addresses.runtime);
    Object.assign(runtime.env.wasm, { numThreads: 1, wasmPaths: { wasm: addresses.wasm } });
    runtime.env.logLevel = "error";
    const options = { executionProviders: [provider], graphOptimizationLevel: "basic" };
    const sessions = [];
    for (const bytes of await parts) sessions.push(await runtime.InferenceSession.create(bytes, options));
    [encoder, head] = sessions;
    if (!warm && provider === "wasm") return {};
    const { cam } = await run(new Float32Array(3 * WARM_SIDE ** 2), [WARM_SIDE, WARM_SIDE], true);
    if (!cam.data.every(Number.isFinite)) throw new Error(`${provider}: not finite`);
    return {};
  }

  /** @type {import("./passes.js").RunNetwork} */
  async function run(image, [height, width], whole) {
    const feed = { image: new runtime.Tensor("float32", image, [1, 3, height, width]) };
    const found = await encoder.run(feed, whole ? encoder.outputNames : ["cam"]);
    if (!whole) return found;
    const taken = Object.fromEntries(head.inputNames.map((/** @type {string} */ name) => [name, found[name]]));
    return { ...found, ...await head.run(taken) };
  }

  async function explain(/** @type {{file: Blob}} */ { file }, /** @type {(sent: object) => void} */ tell) {
    const mine = ++newest;
    const goOn = async () => {
      await new Promise((done) => { setTimeout(done, SOON); });
      if (mine !== newest) throw new Cancelled();
    };
    const { rgb, size, kept } = await decode(file, network.long_side);
    const image = { rgb, size, kept, mark: markOf(rgb), address: "" };
    const address = toAddress(rgb, size); // made beside the first pass
    await goOn();
    const settings = { scales: network.scales, flip: network.flip, relu: network.cam_relu };
    const { cam } = await multiScaleCam(run, normalised(rgb, network.mean, network.std), size, settings,
      async (pass, passes, outputs) => {
        tell({ progress: { pass, passes } });
        if (pass === 1) {
          image.address = await address;
          shown = { image, outputs, trace: createTrace(network, image, outputs), cam: null };
          made.clear();
          if (passes > 1) {
            stagesOf(`photo-${image.mark}${FIRST}`);
            tell({ first: `photo-${image.mark}${FIRST}` });
          }
        }
        await goOn();
      });
    Object.assign(/** @type {any} */ (shown), { cam });
    tell({ progress: null });
    await goOn();
    const key = `photo-${image.mark}`;
    const stages = stagesOf(key);
    await goOn();
    return { key, predicted: stages.classes.map((/** @type {any} */ c) => c.label) };
  }

  /** The image that is shown, with a ground truth. */
  async function setMask(/** @type {{file: Blob}} */ { file }) {
    if (!shown?.cam) return null;
    const of = shown;
    const target = await decodeMask(file, of.image);
    if (shown !== of) return null; // another image
    const [mark] = of.image.mark.split("-");
    const image = { ...of.image, mark: `${mark}-${markOf(target)}` };
    shown = { ...of, image, trace: createTrace(network, image, of.outputs, target) };
    made.clear();
    return { key: `photo-${image.mark}` };
  }

  /** Labels that a key names, photo-MARK:1,3; null where they are predicted. */
  const chosenIn = (/** @type {string} */ key) => (key.includes(":") ? key.split(":")[1].split(",").map(Number) : null);

  function stagesOf(/** @type {string} */ key) {
    if (!shown || key.split(":")[0].replace(FIRST, "") !== `photo-${shown.trace.mark}`) return null; // another image
    if (made.has(key)) return made.get(key);
    const { trace, cam } = shown;
    const [first, chosen] = [key.endsWith(FIRST), chosenIn(key)];
    if (!first && !cam) return null;
    const used = first ? trace.singleScale() : /** @type {Float32Array} */ (cam);
    const { labels, given } = trace.labels(chosen);
    const stages = trace.stages(key, used, labels, given, first ? { use_par: false } : {});
    made.set(key, stages);
    return stages;
  }

  function ask(/** @type {{key: string, question: string, asked: any}} */ { key, question, asked }) {
    const stages = stagesOf(key);
    if (!stages || !shown) return null;
    const { trace } = shown;
    if (question === "stages") return stages;
    if (question === "scene") return trace.scene();
    if (question === "attention") return trace.attention(asked);
    if (question === "overview") return trace.overview(stages);
    if (question === "heads") return trace.heads();
    if (question === "affinity") return trace.affinity(stages);
    if (question === "start") return trace.start(asked.left_out, stages.classes.map((/** @type {any} */ c) => c.label));
    return null;
  }

  scope.onmessage = async (/** @type {{data: any}} */ { data }) => {
    const { id } = data;
    const tell = (/** @type {object} */ sent) => scope.postMessage({ id, ...sent });
    try {
      /** @type {{[name: string]: (asked: any, tell: (sent: object) => void) => any}} */
      const tasks = { open, explain, mask: setMask, ask };
      const answer = await tasks[data.do](data, tell);
      tell({ answer });
    } catch (error) {
      if (error instanceof Cancelled) tell({ answer: null });
      else if (error instanceof ImageError) tell({ failed: { key: error.message, places: /** @type {any} */ (error).places } });
      else tell({ failed: { key: "site.network_failed", places: { error: String(/** @type {any} */ (error)?.message ?? error) } } });
    }
  };
}
