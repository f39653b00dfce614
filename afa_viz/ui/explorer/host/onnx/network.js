// The page's side of the network: a worker that is started with the first image of a visitor's own, on the GPU where the
// browser offers one, else on the processor.

const [GPU, PROCESSOR] = ["webgpu", "wasm"]; // execution providers of onnxruntime-web
const FAILED = "site.network_failed"; // no fault of a file's

/**
 * Addresses, relative to the page: the worker, the two parts of the network, and a runtime for each provider.
 *
 * @typedef {{script: string, encoder: string, head: string, runtimes: {[provider: string]: Runtime}}} Addresses
 * @typedef {{script: string, wasm: string, megabytes: number}} Runtime megabytes: loaded once, with the network
 * @typedef {{key: string, places: {[name: string]: any}}} Failure key of a text
 * @typedef {{done: (answer: any) => void, failed: (failure: Failure) => void, tell: (sent: any) => void}} Waiting
 */

const absolute = (/** @type {string} */ address) => new URL(address, document.baseURI).href;

/** Whether the browser has a GPU for this page. */
async function hasGpu() {
  try {
    return Boolean(await /** @type {any} */ (navigator).gpu?.requestAdapter());
  } catch {
    return false;
  }
}

/**
 * @param {Addresses} addresses
 * @param {import("./trace.js").Network} facts
 */
export function createNetwork(addresses, facts) {
  /** @type {Worker | null} */
  let worker = null;
  /** @type {Promise<void> | null} */
  let opened = null;
  let provider = PROCESSOR;
  let [ready, gpuFailed] = [false, false];
  let asked = 0;
  /** @type {Map<number, Waiting>} */
  const waiting = new Map();

  /** Nothing comes from this worker any more: what waits for it fails. */
  function end(/** @type {string} */ error) {
    worker?.terminate();
    worker = null;
    const lost = [...waiting.values()];
    waiting.clear();
    for (const { failed } of lost) failed({ key: FAILED, places: { error } });
  }

  /** And the next image starts another one. */
  function stop(/** @type {string} */ error) {
    [opened, ready] = [null, false];
    end(error);
  }

  function send(/** @type {object} */ message, /** @type {(sent: any) => void} */ tell = () => {}) {
    return new Promise((done, failed) => {
      const id = ++asked;
      waiting.set(id, { done, failed, tell });
      worker?.postMessage({ id, ...message });
    });
  }

  /** Start a worker, and let it load a runtime and the network. */
  function begin(/** @type {boolean} */ warm) {
    const { script, wasm } = addresses.runtimes[provider];
    worker = new Worker(absolute(addresses.script), { type: "module" });
    worker.onmessage = ({ data }) => {
      const question = waiting.get(data.id);
      if (!question) return;
      if ("answer" in data || data.failed) waiting.delete(data.id);
      if (data.failed) question.failed(data.failed);
      else if ("answer" in data) question.done(data.answer);
      else question.tell(data);
    };
    worker.onerror = (event) => (ready ? stop : end)(event.message || "the worker ended");
    return send({ do: "open", network: facts, provider, warm, addresses: { runtime: absolute(script), wasm: absolute(wasm),
      encoder: absolute(addresses.encoder), head: absolute(addresses.head) } });
  }

  /** The GPU is not tried again on this page. */
  function leaveGpu(/** @type {any} */ failure) {
    console.warn(`WebGPU could not run the network (${failure.places?.error ?? failure}); WebAssembly runs it instead.`);
    gpuFailed = true;
  }

  async function start(/** @type {boolean} */ warm, /** @type {(sent: {loads: number}) => void} */ tell) {
    provider = addresses.runtimes[GPU] && !gpuFailed && await hasGpu() ? GPU : PROCESSOR;
    tell({ loads: addresses.runtimes[provider].megabytes });
    try {
      await begin(warm);
    } catch (failure) {
      if (provider === PROCESSOR) throw failure;
      leaveGpu(failure);
      end("WebGPU failed");
      provider = PROCESSOR;
      tell({ loads: addresses.runtimes[provider].megabytes });
      await begin(warm);
    }
    ready = true;
  }

  /**
   * Load runtime and network, once.
   *
   * @param {boolean} [warm] nothing waits for it yet: run it once, so that the browser compiles it
   * @param {(sent: {loads: number}) => void} [tell] called with the megabytes that are loaded
   */
  function open(warm = false, tell = () => {}) {
    if (opened) {
      if (!ready) tell({ loads: addresses.runtimes[provider].megabytes });
      return opened;
    }
    const mine = start(warm, tell);
    opened = mine;
    mine.catch((failure) => stop(failure.places?.error ?? String(failure)));
    return mine;
  }

  return {
    open,
    /** Where the network runs, or was to run last: "webgpu" or "wasm". */
    provider: () => provider,
    /**
     * Explain an image: {key, predicted: labels}, or null where another one took its place. Rejects with a `Failure`.
     *
     * @param {Blob} file
     * @param {(sent: {loads?: number, progress?: {pass: number, passes: number} | null, first?: string}) => void} tell called
     *   with the megabytes that are loaded first; after every pass, with null once the walk begins; with the key of a first look
     * @returns {Promise<any>}
     */
    async explain(file, tell) {
      await open(false, tell);
      try {
        return await send({ do: "explain", file }, tell);
      } catch (/** @type {any} */ failure) {
        if (provider !== GPU || failure.key !== FAILED) throw failure;
        leaveGpu(failure);
        stop("WebGPU failed");
        await open(false, tell);
        return send({ do: "explain", file }, tell);
      }
    },
    /** Give the image that is shown a ground truth, a grey PNG of labels: {key}; null where there is no image. */
    setMask: (/** @type {Blob} */ file) => (worker ? send({ do: "mask", file }) : Promise.resolve(null)),
    /** The answer to a question about the newest image; null where there is none. */
    ask: (/** @type {string} */ key, /** @type {string} */ question, /** @type {object} */ parameters) => (
      worker ? send({ do: "ask", key, question, asked: parameters }) : Promise.resolve(null)),
  };
}
