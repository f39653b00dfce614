// Which questions were answered rightly, kept in this browser tab.

const STORE = "afa-lab";

/** @type {{[step: string]: boolean}} */
const solved = recall();

function recall() {
  try {
    return JSON.parse(window.sessionStorage.getItem(STORE) ?? "null") ?? {};
  } catch {
    return {}; // no storage, or not ours
  }
}

export const isSolved = (/** @type {string} */ step) => Boolean(solved[step]);

/** Keep an answer; one that was right once stays so. */
export function rememberSolved(/** @type {string} */ step, /** @type {boolean} */ right) {
  solved[step] ||= right;
  try {
    window.sessionStorage.setItem(STORE, JSON.stringify(solved));
  } catch {
    // ticks then last as long as the page
  }
}
