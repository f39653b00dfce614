// The network in a worker: it decodes an image, runs every pass, and answers what the page asks of it.
//
// Messages: {id, do: "open", addresses, network}; {id, do: "explain", file}; {id, do: "ask", key, question, asked}.
// Answers: {id, answer} or {id, failed: {key, places}}; before the answer to "explain" {id, progress: {pass, passes}} and
// {id, first: key}, once the image as it is has been through the network. A newer image ends the work on an older one.

import { decode, ImageError, markOf, toAddress } from "./decode.js";
import { multiScaleCam, normalised } from "./passes.js";
import { createTrace } from "./trace.js";

/** @typedef {import("./trace.js").Network} Network */

const FIRST = "-first"; // end of a key: the CAM at one scale, no PAR
const SOON = 0; // milliseconds: other messages are read between two passes

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
  let session;
  /** @type {any} */
  let runtime;
  let newest = 0; // number of the newest image
  /** @type {{trace: ReturnType<typeof createTrace>, cam: Float32Array | null} | null} */
  let shown = null;
  /** @type {Map<string, any>} */
  const made = new Map(); // key -> stages of the image

  async function open(/** @type {{addresses: {runtime: string, wasm: string, model: string}, network: Network}} */ given) {
    network = given.network;
    const { addresses } = given;
    const model = fetch(addresses.model).then(async (response) => {
      if (!response.ok) throw new Error(`${addresses.model}: ${response.status}`);
      return new Uint8Array(await response.arrayBuffer());
    });
    model.catch(() => {}); // heard of below
    runtime = await load(addresses.runtime);
    Object.assign(runtime.env.wasm, { numThreads: 1, wasmPaths: { wasm: addresses.wasm } });
    runtime.env.logLevel = "error";
    session = await runtime.InferenceSession.create(await model, { executionProviders: ["wasm"] });
    return {};
  }

  /** @type {import("./passes.js").RunNetwork} */
  async function run(image, [height, width], names) {
    const found = await session.run({ image: new runtime.Tensor("float32", image, [1, 3, height, width]) }, names);
    return found;
  }

  async function explain(/** @type {{file: Blob}} */ { file }, /** @type {(sent: object) => void} */ tell) {
    const mine = ++newest;
    const goOn = async () => {
      await new Promise((done) => { setTimeout(done, SOON); });
      if (mine !== newest) throw new Cancelled();
    };
    const { rgb, size } = await decode(file, network.long_side);
    const image = { rgb, size, mark: markOf(rgb), address: await toAddress(rgb, size) };
    await goOn();
    const names = ["class_logits", "cam", "seg_logits", "affinity_logits", "affinity",
      ...network.blocks.map((_, i) => `attn_logits_${i}`)];
    const settings = { scales: network.scales, flip: network.flip, relu: network.cam_relu };
    /** @type {ReturnType<typeof createTrace> | null} */
    let trace = null;
    const { cam } = await multiScaleCam(run, normalised(rgb, network.mean, network.std), size, settings, names,
      async (pass, passes, first) => {
        tell({ progress: { pass, passes } });
        if (!trace) {
          trace = createTrace(network, image, first);
          shown = { trace, cam: null };
          made.clear();
          if (passes > 1) {
            stagesOf(`photo-${image.mark}${FIRST}`);
            tell({ first: `photo-${image.mark}${FIRST}` });
          }
        }
        await goOn();
      });
    shown = { trace: /** @type {any} */ (trace), cam };
    tell({ progress: null });
    await goOn();
    const key = `photo-${image.mark}`;
    const stages = stagesOf(key);
    await goOn();
    return { key, predicted: stages.classes.map((/** @type {any} */ c) => c.label) };
  }

  /** Labels that a key names, photo-MARK:1,3; null where they are predicted. */
  const chosenIn = (/** @type {string} */ key) => (key.includes(":") ? key.split(":")[1].split(",").map(Number) : null);

  function stagesOf(/** @type {string} */ key) {
    if (!shown || !key.startsWith(`photo-${shown.trace.mark}`)) return null; // another image
    if (made.has(key)) return made.get(key);
    const { trace, cam } = shown;
    const [first, chosen] = [key.endsWith(FIRST), chosenIn(key)];
    if (!first && !cam) return null;
    const used = first ? trace.singleScale() : /** @type {Float32Array} */ (cam);
    const stages = trace.stages(key, used, trace.labels(chosen), chosen !== null, first ? { use_par: false } : {});
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
      const answer = data.do === "open" ? await open(data) : data.do === "explain" ? await explain(data, tell) : ask(data);
      tell({ answer });
    } catch (error) {
      if (error instanceof Cancelled) tell({ answer: null });
      else if (error instanceof ImageError) tell({ failed: { key: error.message, places: /** @type {any} */ (error).places } });
      else tell({ failed: { key: "site.network_failed", places: { error: String(/** @type {any} */ (error)?.message ?? error) } } });
    }
  };
}
