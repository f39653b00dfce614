// The protocol of host/onnx/worker.js, spoken by a benchmark or a test. Maps come back as base64.

window.driver = (() => {
  const waiting = new Map();
  let [worker, number] = [null, 0];
  const send = (message) => new Promise((done, failed) => {
    waiting.set(++number, {done, failed});
    worker.postMessage({id: number, ...message});
  });
  const letters = (bytes) => { let s = ""; for (const b of bytes) s += String.fromCharCode(b); return btoa(s); };
  const plain = (value) => {
    if (ArrayBuffer.isView(value)) {
      const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
      return {base64: letters(bytes), kind: value.constructor.name};
    }
    if (Array.isArray(value)) return value.map(plain);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
  };
  return {
    progress: [],
    async open(network) {
      const at = (path) => new URL(path, document.baseURI).href;
      worker = new Worker(at(network.script), {type: "module"});
      worker.onmessage = ({data}) => {
        if (data.progress !== undefined || data.first) {
          window.driver.progress.push({...data, at: performance.now()});
          return;
        }
        const {done, failed} = waiting.get(data.id);
        if (data.failed) failed(new Error(JSON.stringify(data.failed))); else done(data.answer);
      };
      const began = performance.now();
      const {script, wasm} = network.runtimes.wasm;
      await send({do: "open", network: network.facts, provider: "wasm", warm: false,
        addresses: {runtime: at(script), wasm: at(wasm), encoder: at(network.encoder), head: at(network.head)}});
      return performance.now() - began;
    },
    async explain(base64, type) {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const began = performance.now();
      window.driver.progress.length = 0;
      const answer = await send({do: "explain", file: new Blob([bytes], {type})});
      const first = window.driver.progress.find((one) => one.first)?.at;
      return {...plain(answer ?? {}), done: answer !== null, firstMs: first - began, wholeMs: performance.now() - began};
    },
    async mask(base64) {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      return send({do: "mask", file: new Blob([bytes], {type: "image/png"})});
    },
    async ask(key, question, asked = {}) { return plain(await send({do: "ask", key, question, asked})); },
  };
})();
