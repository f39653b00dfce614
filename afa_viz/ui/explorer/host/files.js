// Answers as files beside the page, as afa_viz/ui/site/packing.py writes them.

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
 * The JSON of a file, unpacked where the server has not done so, with the bytes that it was `sent` as.
 *
 * @param {string} address
 */
export async function fetchAnswer(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const packed = GZIP.every((byte, i) => bytes[i] === byte);
  const stream = new Blob([bytes]).stream();
  const text = await new Response(packed ? stream.pipeThrough(new DecompressionStream("gzip")) : stream).text();
  return { ...JSON.parse(text), sent: bytes.length };
}
