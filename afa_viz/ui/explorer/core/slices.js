// Long work in short pieces, so that the page follows the hand meanwhile.

const SLICE = 8; // milliseconds of work before the page may do something else: a frame takes 16

/**
 * Do some work after a pause, a slice at a time. Returns what gives up the rest.
 *
 * @param {Iterator<unknown>} pieces it stops after each short piece
 * @param {number} pause milliseconds
 */
export function workInSlices(pieces, pause) {
  const { port1, port2 } = new MessageChannel(); // its messages come at once; a timer lets 4 ms pass between slices
  const timer = setTimeout(work, pause);
  port1.onmessage = work;
  function stop() {
    clearTimeout(timer);
    port1.close();
  }
  function work() {
    const until = performance.now() + SLICE;
    let done = false;
    while (!done && performance.now() < until) done = Boolean(pieces.next().done);
    if (done) stop();
    else port2.postMessage(null);
  }
  return stop;
}
