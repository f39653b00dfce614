// The golden vectors of tests/golden, as golden_vectors.py reads them: made by the authors' published code.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const ROOT = new URL("../golden/", import.meta.url);
/** @type {{files: {[file: string]: {cases: {[name: string]: any}}}}} */
const manifest = JSON.parse(readFileSync(new URL("manifest.json", ROOT), "utf8"));

/** @type {{[dtype: string]: (buffer: ArrayBuffer) => number[] | Float32Array | Float64Array | Uint8Array | Int16Array}} */
const READERS = {
  F32: (buffer) => new Float32Array(buffer),
  F64: (buffer) => new Float64Array(buffer),
  U8: (buffer) => new Uint8Array(buffer),
  I16: (buffer) => new Int16Array(buffer),
  I64: (buffer) => Array.from(new BigInt64Array(buffer), Number),
};

/** A tensor of a safetensors file: an 8-byte length, a JSON header, the bytes. */
function readTensor(/** @type {string} */ file, /** @type {string} */ name) {
  const bytes = readFileSync(new URL(file, ROOT));
  const length = Number(bytes.readBigUInt64LE(0));
  const { dtype, data_offsets: [from, to] } = JSON.parse(bytes.toString("utf8", 8, 8 + length))[name];
  return READERS[dtype](new Uint8Array(bytes.subarray(8 + length + from, 8 + length + to)).buffer);
}

/**
 * Every case of an op: {name, params, inputs, outputs}. A tensor is {values, shape}; that of an output has its tolerance.
 *
 * @param {string} op
 */
export function cases(op) {
  const found = Object.entries(manifest.files).flatMap(([file, content]) => Object.entries(content.cases)
    .filter(([, one]) => one.op === op).map(([name, one]) => {
      const read = (/** @type {{[name: string]: any}} */ entries) => Object.fromEntries(Object.entries(entries)
        .map(([key, entry]) => [key, { ...entry, values: readTensor(file, entry.tensor) }]));
      return { name, params: one.params, inputs: read(one.inputs), outputs: read(one.outputs) };
    }));
  assert.ok(found.length, `no golden case for ${op}`);
  return found;
}

/**
 * Assert that numbers equal those of an output within its tolerance.
 *
 * @param {ArrayLike<number>} got
 * @param {{values: ArrayLike<number>, compare: string, rtol: number, atol: number}} expected
 */
export function check(got, expected) {
  assert.equal(got.length, expected.values.length);
  for (let i = 0; i < got.length; i++) {
    const want = expected.values[i];
    const allowed = expected.compare === "close" ? expected.atol + expected.rtol * Math.abs(want) : 0;
    assert.ok(Math.abs(got[i] - want) <= allowed || (Number.isNaN(got[i]) && Number.isNaN(want)),
      `number ${i} is ${got[i]}; expected ${want} within ${allowed}`);
  }
}
