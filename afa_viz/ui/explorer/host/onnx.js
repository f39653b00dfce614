// Photographs of a visitor's own that this browser explains: the network runs here, nothing is sent anywhere.

import { createNetwork } from "./onnx/network.js";
import { on } from "../core/events.js";
import { dropAddress } from "../core/permalink.js";
import { store } from "../core/store.js";
import { text } from "../core/words.js";

/** @typedef {import("./onnx/network.js").Addresses & {facts: import("./onnx/trace.js").Network}} Given */
/** @typedef {import("../components/photo_input.js").PhotoInput} PhotoInput */

const PHOTO = "photo-"; // how keys of visitors' images begin
const FAILED = "site.network_failed"; // no fault of a file's
const NAMES = { webgpu: "WebGPU", wasm: "WebAssembly" };
/** @type {{[question: string]: object}} no snapshot has explained a photograph */
const NOTHING = { training_run: { model: "", models: [], snapshots: [], phases: [], points: [] }, training_charts: {} };

/**
 * @param {Given} given what ui/site/network.py writes
 * @param {(key: string, settings?: object, facts?: object) => Promise<void>} show an explanation next
 */
export function visitorsPhotographs({ facts, ...addresses }, show) {
  const network = createNetwork(addresses, facts);
  /** @type {PhotoInput} */
  let input;
  let newest = 0; // number of the newest image that was chosen, here or elsewhere
  let mark = ""; // of the photograph that is shown
  /** @type {Blob | null} */
  let mask = null; // its ground truth
  /** @type {File | null} */
  let waitingMask = null; // came with the photograph that is on its way

  /** @param {any} failure a `Failure`, or an error of the page's own */
  function tellFailure(failure) {
    if (!failure.key || failure.key === FAILED) console.warn(failure);
    input.fail(failure.key ? text(failure.key, failure.places) : text(FAILED, { error: String(failure) }));
  }

  async function open(/** @type {File} */ file, /** @type {File | null} */ itsMask = null) {
    const mine = ++newest;
    const isNewest = () => mine === newest;
    dropAddress();
    waitingMask = itsMask;
    input.progress(text("site.own_begins"));
    try {
      const answer = await network.explain(file, ({ loads, progress, first }) => {
        if (!isNewest()) return;
        if (loads) input.progress(text("site.network_loads", { mb: loads }));
        if (first) show(first, {}, { partial: true });
        if (progress) input.progress(text("site.own_pass", progress), progress.pass / (progress.passes + 2));
        else if (progress === null) input.progress(text("site.own_refines"));
      });
      if (!answer || !isNewest()) return;
      [mark, mask] = [answer.key, null];
      await show(answer.key, {});
      if (!isNewest()) return;
      input.inform(text("site.own_done", { runtime: NAMES[/** @type {"wasm"} */ (network.provider())] }));
      if (waitingMask) addMask(waitingMask);
    } catch (failure) {
      if (isNewest()) tellFailure(failure);
    }
  }

  /** Open the editor of the ground truth for the photograph that is shown. */
  async function addMask(/** @type {File | null} */ file = null) {
    const mine = newest;
    const { openMask } = await import("../components/mask/editor.js");
    openMask(async (png) => {
      try {
        const answer = mine === newest ? await network.setMask(png) : null; // of another image now
        if (!answer || mine !== newest) return;
        [mark, mask] = [answer.key, png];
        show(mark);
      } catch (failure) {
        tellFailure(failure);
      }
    }, file ?? mask);
  }

  return {
    /** Whether a key is that of a visitor's image. */
    knows: (/** @type {string} */ key) => key.startsWith(PHOTO),
    find: async (/** @type {string} */ question, /** @type {any} */ asked) => (
      NOTHING[question] ?? network.ask(asked.key, question, asked)),
    open,
    addMask,
    /** Load the network, since a photograph is about to come. A failure is told with the photograph. */
    prepare: () => { network.open(true).catch(() => {}); },
    /** Other image labels for the photograph that is shown; none: predicted, or those of its mask. */
    chooseLabels(/** @type {string[]} */ names) {
      show(names.length ? `${mark}:${names.map((name) => facts.names.indexOf(name)).join(",")}` : mark);
    },
    /** Another image was chosen: what is on its way is no longer wanted. */
    dismiss() {
      newest++;
      input.clear();
      input.offerMask(false);
    },
    /** Where photographs are chosen: progress is told there. */
    listenTo(/** @type {PhotoInput} */ chosen) {
      input = chosen;
      on("trace", () => { if (store.trace.key.startsWith(PHOTO)) input.offerMask(!store.trace.partial); });
    },
  };
}

/** Call `prepare` once somebody is about to bring a photograph. */
export function onIntent(/** @type {Element} */ box, /** @type {() => void} */ prepare) {
  const once = () => {
    for (const kind of ["focusin", "pointerdown"]) box.removeEventListener(kind, once);
    document.removeEventListener("dragenter", dragged);
    prepare();
  };
  const dragged = (/** @type {DragEvent} */ event) => { if (event.dataTransfer?.types.includes("Files")) once(); };
  for (const kind of ["focusin", "pointerdown"]) box.addEventListener(kind, once);
  document.addEventListener("dragenter", dragged);
}
