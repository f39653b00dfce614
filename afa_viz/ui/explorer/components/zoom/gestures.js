// Wheel, pinch and drag over maps.

const FACTOR = 1.0022; // of one unit of the wheel; a notch has about 100
const LINE = 30; // units of a line, where a wheel counts in lines
const PINCH = 4; // times as much does a unit count that comes from fingers on a touch pad
const CLICK = 4; // pixels that a hand moves while it clicks

/**
 * @typedef {object} Gestures
 * @property {(target: EventTarget | null) => HTMLElement | null} mapAt the map under an event
 * @property {() => boolean} isLarge whether one map is shown large: the wheel and one finger are for it alone
 * @property {(map: HTMLElement) => boolean} isPaintable whether a drag on it means something else
 * @property {(map: HTMLElement, factor: number, clientX: number, clientY: number) => void} zoom
 * @property {(map: HTMLElement, dx: number, dy: number) => boolean} move by pixels; whether there is anything to move
 */

/**
 * Listen on an element.
 *
 * @param {HTMLElement} element
 * @param {Gestures} gestures
 */
export function listenToGestures(element, { mapAt, isLarge, isPaintable, zoom, move }) {
  element.addEventListener("wheel", (event) => {
    const map = mapAt(event.target);
    if (!map || !(event.ctrlKey || event.metaKey || isLarge())) return;
    event.preventDefault();
    const pinch = event.ctrlKey && Math.abs(event.deltaY) < 20 ? PINCH : 1;
    const units = event.deltaY * (event.deltaMode ? LINE : 1) * pinch;
    zoom(map, FACTOR ** -units, event.clientX, event.clientY);
  }, { passive: false });

  /** @type {Map<number, {x: number, y: number}>} */
  const held = new Map(); // pointers that are down on a map
  /** @type {HTMLElement | null} */
  let map = null;
  let travelled = 0;
  const spread = () => {
    const [a, b] = [...held.values()];
    return { gap: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  };
  element.addEventListener("pointerdown", (event) => {
    const at = mapAt(event.target);
    if (!at || event.button) return;
    if (!held.size) [map, travelled] = [at, 0];
    held.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (held.size > 1) event.stopPropagation();
  }, true);
  element.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (!before || !map) return;
    const was = held.size > 1 ? spread() : null;
    held.set(event.pointerId, { x: event.clientX, y: event.clientY });
    const [dx, dy] = [event.clientX - before.x, event.clientY - before.y];
    travelled += Math.hypot(dx, dy);
    if (was) {
      const now = spread();
      zoom(map, now.gap / Math.max(was.gap, 1), now.x, now.y);
      move(map, now.x - was.x, now.y - was.y);
      event.stopPropagation();
    } else if (!isPaintable(map) && (event.pointerType === "mouse" || isLarge()) && travelled > CLICK && move(map, dx, dy)) {
      event.stopPropagation();
    }
  }, true);
  for (const end of ["pointerup", "pointercancel"]) {
    window.addEventListener(end, (event) => { held.delete(/** @type {PointerEvent} */ (event).pointerId); }, true);
  }
  element.addEventListener("click", (event) => { // the end of a drag is no click
    if (map && travelled > CLICK && mapAt(event.target)) event.stopPropagation();
    travelled = 0;
  }, true);
}
