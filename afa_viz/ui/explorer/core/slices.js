// Long work in short pieces, so that the page follows the hand meanwhile.

const SLICE = 8; // milliseconds of work before the page may do something else: a frame takes 16

/**
 * Do some work after a pause, a slice at a time. Returns what gives up the rest.
 *
 * @param {Iterator<unknown>} pieces it stops after each short piece
 * @param {number} pause milliseconds
 */
export function workInSlices(pieces, pause) {
  let timer = setTimeout(work, pause);
  function work() {
    const until = performance.now() + SLICE;
    let done = false;
    while (!done && performance.now() < until) done = Boolean(pieces.next().done);
    if (!done) timer = setTimeout(work);
  }
  return () => clearTimeout(timer);
}
