// Long works that go one after another.

import { workInSlices } from "../../../core/slices.js";

/**
 * Begins works as `workInSlices`, but only one runs: those that replace each other's maps would never end side by side.
 *
 * @returns {(pieces: Iterator<unknown>, pause: number) => () => void}
 */
export function createQueue() {
  /** @type {(() => () => void)[]} */
  let waiting = []; // what begins each of them; the first one runs
  let stopRunning = () => {};
  function leave(/** @type {() => () => void} */ begin) {
    const runs = waiting[0] === begin;
    waiting = waiting.filter((one) => one !== begin);
    if (runs) stopRunning();
    if (runs && waiting.length) stopRunning = waiting[0]();
  }
  return (pieces, pause) => {
    function* whole() {
      try {
        while (!pieces.next().done) yield;
      } finally { // also of one that failed
        leave(begin);
      }
    }
    const begin = () => workInSlices(whole(), pause);
    waiting.push(begin);
    if (waiting.length === 1) stopRunning = begin();
    return () => leave(begin);
  };
}
