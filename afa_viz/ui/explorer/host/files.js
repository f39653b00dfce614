// Answers as files beside the page, as afa_viz/ui/site/packing.py writes them.

import { decompress, inflate } from "../core/packed.js";

const GZIP = [0x1f, 0x8b]; // how a gzip file begins

/**
 * The file of an answer, as packing.file_name: attention-3-false.dat.
 *
 * @param {string} question
 * @param {{[name: string]: any}} asked in the order of its name, as `canonical` makes it
 */
export function fileName(question, asked) {
  const values = Object.keys(asked).filter((name) => name !== "key").sort().map((name) => asked[name]);
  const texts = values.map((value) => (typeof value === "string" ? value : JSON.stringify(value)));
  return `${[question, ...texts.map((text) => text.replace(/[^A-Za-z0-9]+/g, "_"))].join("-")}.dat`;
}

/**
 * Bytes out of their differences to what is on the left and above, plane by plane: see packing.plane_differences.
 *
 * @param {Uint8Array} bytes changed in place
 * @param {number[]} shape (…, rows, columns)
 */
function undoDifferences(bytes, shape) {
  const [rows, cols] = shape.slice(-2);
  for (let start = 0; start < bytes.length; start += rows * cols) {
    for (let row = 0; row < rows; row++) {
      let left = 0; // the sum of the differences in this row
      for (let i = start + row * cols; i < start + (row + 1) * cols; i++) {
        left += bytes[i];
        bytes[i] = left + (row ? bytes[i - cols] : 0);
      }
    }
  }
}

/**
 * An answer with the bytes of its maps that come as differences; others are left to `unpack`.
 *
 * @type {(value: any) => Promise<any>}
 */
export async function undone(value) {
  if (Array.isArray(value)) return Promise.all(value.map(undone));
  if (value === null || typeof value !== "object") return value;
  if (value.filter === "plane") {
    const bytes = await inflate(value.data);
    undoDifferences(bytes, value.shape);
    return { ...value, data: undefined, filter: undefined, bytes };
  }
  const entries = await Promise.all(Object.entries(value).map(async ([name, item]) => [name, await undone(item)]));
  return Object.fromEntries(entries);
}

/**
 * The JSON of a file, unpacked where the server has not done so, with the bytes that it was `sent` as.
 *
 * @param {string} address
 */
export async function fetchAnswer(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const packed = GZIP.every((byte, i) => bytes[i] === byte);
  const text = new TextDecoder().decode(packed ? await decompress(bytes, "gzip") : bytes);
  return { ...await undone(JSON.parse(text)), sent: bytes.length };
}
