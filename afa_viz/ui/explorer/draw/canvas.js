// Canvases, and the image in soft grey below the maps.

/** @param {number} width @param {number} height */
export function createCanvas(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

/** The drawing context of a canvas; every browser that the page runs in has one. */
export function context2d(/** @type {HTMLCanvasElement} */ canvas, /** @type {CanvasRenderingContext2DSettings} */ options = {}) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", options));
}

/**
 * The photograph in soft grey, so that colour on it stands out (as figures.colour.grey).
 *
 * @param {HTMLImageElement} image
 */
export function softGrey(image) {
  const canvas = createCanvas(image.width, image.height);
  const context = context2d(canvas, { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const d = pixels.data;
  for (let i = 0; i < d.length; i += 4) {
    const soft = 128 + (0.299 * d[i] + 0.587 * d[i + 1] + 0.114 * d[i + 2] - 128) * 0.8;
    d[i] = d[i + 1] = d[i + 2] = soft;
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}
