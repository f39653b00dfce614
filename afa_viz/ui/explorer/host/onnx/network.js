// The page's side of the network: a worker that is started with the first image of a visitor's own.

/** @typedef {{script: string, runtime: string, wasm: string, model: string}} Addresses relative to the page */
/** @typedef {{key: string, places: {[name: string]: any}}} Failure key of a text */

/**
 * @param {Addresses} addresses
 * @param {import("./trace.js").Network} facts
 */
export function createNetwork(addresses, facts) {
  /** @type {Worker | null} */
  let worker = null;
  /** @type {Promise<any> | null} */
  let opened = null;
  let asked = 0;
  /** @type {Map<number, {done: (answer: any) => void, failed: (failure: Failure) => void, tell: (sent: any) => void}>} */
  const waiting = new Map();

  /** Nothing comes from this worker any more: what waits for it fails, and the next image starts another one. */
  function giveUp(/** @type {string} */ error) {
    worker?.terminate();
    [worker, opened] = [null, null];
    for (const { failed } of waiting.values()) failed({ key: "site.network_failed", places: { error } });
    waiting.clear();
  }

  function send(/** @type {object} */ message, /** @type {(sent: any) => void} */ tell = () => {}) {
    return new Promise((done, failed) => {
      const id = ++asked;
      waiting.set(id, { done, failed, tell });
      worker?.postMessage({ id, ...message });
    });
  }

  /** Load runtime and network, once. */
  function open() {
    if (opened) return opened;
    const absolute = (/** @type {string} */ address) => new URL(address, document.baseURI).href;
    worker = new Worker(absolute(addresses.script), { type: "module" });
    worker.onmessage = ({ data }) => {
      const question = waiting.get(data.id);
      if (!question) return;
      if ("answer" in data || data.failed) waiting.delete(data.id);
      if (data.failed) question.failed(data.failed);
      else if ("answer" in data) question.done(data.answer);
      else question.tell(data);
    };
    worker.onerror = (event) => giveUp(event.message || "the worker ended");
    opened = send({ do: "open", network: facts, addresses: { runtime: absolute(addresses.runtime), wasm: absolute(addresses.wasm),
      model: absolute(addresses.model) } });
    opened.catch(({ places }) => giveUp(places.error));
    return opened;
  }

  return {
    open,
    /**
     * Explain an image: {key, predicted: labels}, or null where another one took its place. Rejects with a `Failure`.
     *
     * @param {Blob} file
     * @param {(sent: {progress?: {pass: number, passes: number} | null, first?: string}) => void} tell called after every
     *   pass, with null once the walk begins, and with the key of a first look
     */
    async explain(file, tell) {
      await open();
      return send({ do: "explain", file }, tell);
    },
    /** The answer to a question about the newest image; null where there is none. */
    ask: (/** @type {string} */ key, /** @type {string} */ question, /** @type {object} */ parameters) => (
      worker ? send({ do: "ask", key, question, asked: parameters }) : Promise.resolve(null)),
  };
}
