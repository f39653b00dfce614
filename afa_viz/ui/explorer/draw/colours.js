// Colour tables of the maps.

import { bytesFromBase64 } from "../core/packed.js";
import { context2d } from "./canvas.js";

export const LABEL_OPACITY = 0.6; // of labels while that of the largest value is MAP_OPACITY, as in figures/colour.py

export const colours = {
  magnitude: new Uint8Array(768), // RGB of the 256 values of a map
  heat: new Uint8ClampedArray(1024), // the same as RGBA over the image
  signed: new Uint8ClampedArray(1024), // RGBA of 256 signed values
};

/**
 * Take over the colours that the host gives: RGB of 256 values, in base64.
 *
 * @param {any} options
 */
export function loadColours({ lut, difference }) {
  colours.magnitude = bytesFromBase64(lut);
  colours.heat = heatColours(colours.magnitude);
  colours.signed = signedColours(bytesFromBase64(difference));
}

/**
 * RGBA colours of the 256 values of a map: weak values let the image through (as figures.colour.heat).
 *
 * @param {Uint8Array} lut
 */
export function heatColours(lut) {
  const table = new Uint8ClampedArray(1024);
  for (let i = 0; i < 256; i++) {
    table.set(lut.subarray(3 * i, 3 * i + 3), 4 * i);
    table[4 * i + 3] = 255 * Math.min(1, 0.12 + (1.5 * i) / 255);
  }
  return table;
}

/**
 * RGBA colours of 256 signed values: 0 and 255 are the extremes, the middle is 0 and lets the image through.
 *
 * @param {Uint8Array} difference
 */
export function signedColours(difference) {
  const table = new Uint8ClampedArray(1024);
  for (let i = 0; i < 256; i++) {
    table.set(difference.subarray(3 * i, 3 * i + 3), 4 * i);
    table[4 * i + 3] = 255 * (0.3 + 0.7 * Math.min(1, Math.abs(i - 127.5) / 64));
  }
  return table;
}

/**
 * The colours of a map from 0 to 255, on a canvas of 256 by 1.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Uint8Array} lut
 */
export function paintColourRamp(canvas, lut) {
  const context = context2d(canvas);
  const pixels = context.createImageData(256, 1);
  for (let i = 0; i < 256; i++) pixels.data.set([...lut.subarray(3 * i, 3 * i + 3), 255], 4 * i);
  context.putImageData(pixels, 0, 0);
}
