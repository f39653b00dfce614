// The query of the address: what is shown. A frame that has no address of its own (`srcdoc`, as in a notebook's cell) keeps
// it in its name, which outlives a reload.

const isFrame = globalThis.location?.protocol === "about:";

/** The query as it is now. */
export const query = () => new URLSearchParams(isFrame ? window.name : globalThis.location?.search ?? "");

/** Write another query; the page stays. `push`: the one before is a step back. */
export function writeQuery(/** @type {string} */ next, push = false) {
  if (isFrame) window.name = next;
  else window.history[push ? "pushState" : "replaceState"](window.history.state, "", `?${next}${window.location.hash}`);
}

/** Open the page again at another query. */
export function reopen(/** @type {string} */ next) {
  if (!isFrame) {
    window.location.search = next;
    return;
  }
  window.name = next;
  window.location.reload();
}
