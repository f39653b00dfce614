// What each canvas shows at a point, in words.

/** @type {WeakMap<HTMLCanvasElement, {grid: number[], wordsOf: (index: number) => string}>} */
export const readings = new WeakMap();

/**
 * Remember the map that a canvas shows.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number[]} grid
 * @param {(index: number) => string} wordsOf a place in the map
 */
export function rememberMap(canvas, grid, wordsOf) {
  readings.set(canvas, { grid, wordsOf });
}
