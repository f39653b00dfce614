// Photographs of a visitor's own in a page without a server: the network runs in this browser, nothing is sent anywhere.

import { createNetwork } from "./onnx/network.js";
import { buildOwnPhotograph } from "../components/own_photograph.js";
import { dropAddress } from "../core/permalink.js";
import { text } from "../core/words.js";

/** @typedef {import("./onnx/network.js").Addresses & {facts: import("./onnx/trace.js").Network, megabytes: number}} Given */

const PHOTO = "photo-"; // how keys of visitors' images begin
const FAILED = "site.network_failed"; // no fault of a file's
/** @type {{[question: string]: object}} no snapshot has explained a photograph */
const NOTHING = { training_run: { model: "", models: [], snapshots: [], phases: [], points: [] }, training_charts: {} };

/**
 * @param {Given} given what ui/site/network.py writes
 * @param {(key: string, settings?: object, facts?: object) => Promise<void>} show an explanation next
 */
export function visitorsPhotographs({ facts, megabytes, ...addresses }, show) {
  const network = createNetwork(addresses, facts);
  /** @type {ReturnType<typeof buildOwnPhotograph>} */
  let panel;
  let newest = 0; // number of the newest image that was chosen, here or elsewhere
  let ready = false;
  let mark = ""; // of the photograph that is shown

  /** @param {any} failure a `Failure`, or an error of the page's own */
  function tellFailure(failure) {
    if (!failure.key || failure.key === FAILED) console.warn(failure);
    panel.tell(failure.key ? text(failure.key, failure.places) : text(FAILED, { error: String(failure) }));
  }

  async function open(/** @type {File} */ file) {
    const mine = ++newest;
    const isNewest = () => mine === newest;
    dropAddress();
    panel.busy(0);
    panel.tell(text(ready ? "site.own_begins" : "site.network_loads", { mb: megabytes }));
    try {
      await network.open();
      ready = true;
      if (!isNewest()) return;
      const answer = await network.explain(file, ({ progress, first }) => {
        if (!isNewest()) return;
        if (first) show(first, {}, { partial: true });
        if (progress) {
          panel.busy(progress.pass / (progress.passes + 2));
          panel.tell(text("site.own_pass", progress));
        } else if (progress === null) panel.tell(text("site.own_refines"));
      });
      if (!answer || !isNewest()) return;
      mark = answer.key;
      await show(answer.key, {});
      if (isNewest()) panel.tell(text("site.own_done"));
    } catch (failure) {
      if (isNewest()) tellFailure(failure);
    }
    if (isNewest()) panel.busy(null);
  }

  /** Other image labels for the photograph; none: predicted. */
  const choose = (/** @type {number[]} */ labels) => show(labels.length ? `${mark}:${labels.join(",")}` : mark);

  return {
    /** Whether a key is that of a visitor's image. */
    knows: (/** @type {string} */ key) => key.startsWith(PHOTO),
    find: async (/** @type {string} */ question, /** @type {any} */ asked) => (
      NOTHING[question] ?? network.ask(asked.key, question, asked)),
    /** Another image was chosen: what is on its way is no longer wanted. */
    dismiss() {
      newest++;
      panel.busy(null);
      panel.tell("");
    },
    choose,
    build(/** @type {Element} */ box) {
      panel = buildOwnPhotograph(box, { names: facts.names, open, choose });
    },
  };
}
