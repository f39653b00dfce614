// Which part of the maps is in sight: the same part of all of them. `x` and `y` are where it begins, as shares of a
// map's width and height; each side of it is 1 / `zoom` of the map's.

export const MAX_ZOOM = 16;

/** @typedef {{zoom: number, x: number, y: number}} Part */

/** @type {Part} */
export const WHOLE = { zoom: 1, x: 0, y: 0 };

const within = (/** @type {number} */ value, /** @type {number} */ most) => Math.min(Math.max(value, 0), most);

/** The nearest part that lies inside the map. */
function inside(/** @type {Part} */ { zoom, x, y }) {
  const scale = Math.min(Math.max(zoom, 1), MAX_ZOOM);
  return { zoom: scale, x: within(x, 1 - 1 / scale), y: within(y, 1 - 1 / scale) };
}

/**
 * Zoom by a factor; the point (u, v) of the frame stays where it is.
 *
 * @param {Part} part
 * @param {number} factor
 * @param {number} u share of the frame's width
 * @param {number} v share of its height
 */
export function zoomed({ zoom, x, y }, factor, u, v) {
  const next = Math.min(Math.max(zoom * factor, 1), MAX_ZOOM);
  const shift = 1 / zoom - 1 / next;
  return inside({ zoom: next, x: x + u * shift, y: y + v * shift });
}

/** Moved by shares of the frame, as a hand moves a sheet of paper. */
export function moved(/** @type {Part} */ { zoom, x, y }, /** @type {number} */ u, /** @type {number} */ v) {
  return inside({ zoom, x: x - u / zoom, y: y - v / zoom });
}

/** Moved as little as brings a rectangle, in shares of the map, into sight. */
export function showing(/** @type {Part} */ { zoom, x, y }, /** @type {{[side: string]: number}} */ { x0, y0, x1, y1 }) {
  const side = 1 / zoom;
  const shift = (/** @type {number} */ from, /** @type {number} */ a, /** @type {number} */ b) => {
    if (a < from) return a;
    return b > from + side ? b - side : from;
  };
  return inside({ zoom, x: shift(x, x0, x1), y: shift(y, y0, y1) });
}

/** @typedef {{left: number, top: number, width: number, height: number}} Box */

/** The frame of a zoomed element, from the box that all of it takes. */
export function frameOf(/** @type {Part} */ { zoom, x, y }, /** @type {Box} */ box) {
  return { left: box.left + x * box.width, top: box.top + y * box.height, width: box.width / zoom, height: box.height / zoom };
}
