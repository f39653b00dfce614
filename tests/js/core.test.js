// What all tabs share, without a browser: texts and particles, numbers, packed maps, events, the cache, the store.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";

import { cached } from "../../afa_viz/ui/explorer/core/cache.js";
import { emit, on } from "../../afa_viz/ui/explorer/core/events.js";
import { formatSeconds, groupDigits, percent, signed, significant } from "../../afa_viz/ui/explorer/core/format.js";
import { channelOf, decompress, expandBand, inflate, layer, toBytes, toFloats, unpack } from "../../afa_viz/ui/explorer/core/packed.js";
import { registerTab, setView, tabs } from "../../afa_viz/ui/explorer/core/schedule.js";
import {
  affinityOfCell, cellAtShares, cellOfIndex, classChannel, classColour, className, isCellHidden, queryCell, sameCell,
  startCell, strongestCell,
} from "../../afa_viz/ui/explorer/core/selection.js";
import { hasServerTexts, translateServerText, translateWithEnglishName } from "../../afa_viz/ui/explorer/core/server_words.js";
import { accepted } from "../../afa_viz/ui/explorer/core/status.js";
import { store, view } from "../../afa_viz/ui/explorer/core/store.js";
import { loadTables, tables } from "../../afa_viz/ui/explorer/core/tables.js";
import { text, translateClass, withParticles } from "../../afa_viz/ui/explorer/core/words.js";

const TEXTS = { "a.b": "{name} has {count} cells, {share} %", "class.cow": "cow", "refused.size": "The image has {n} pixels.",
  "refused.busy": "Too many others wait.", "example.one.title": "A cow" };
const KOREAN = { "a.b": "{name}은(는) {count}칸", "class.cow": "소", "refused.size": "그림이 {n}화소입니다.", "refused.busy": "많이 기다립니다.",
  "example.one.title": "소 한 마리" };
const given = () => ({ texts: { ...TEXTS }, languages: { ko: { ...KOREAN } }, sliders: {} });

beforeEach(() => loadTables(given(), ["en"]));

test("a text with its places filled in; whole numbers come grouped, a number and its sign stay together", () => {
  assert.equal(text("a.b", { name: "X", count: 4191, share: 0.5 }), "X has 4,191 cells, 0.5\u00a0%");
  assert.equal(text("no.such.key"), "no.such.key");
});

test("the first of the wanted languages that there is, else English", () => {
  for (const [wanted, language] of [[["ko-KR", "en"], "ko"], [["fr", "KO"], "ko"], [["fr"], "en"], [[null, "en"], "en"], [[], "en"]]) {
    loadTables(given(), /** @type {any} */ (wanted));
    assert.equal(tables.language, language, String(wanted));
  }
  loadTables(given(), ["ko"]);
  assert.equal(text("a.b", { name: "소", count: 3 }), "소는 3칸");
  assert.deepEqual([translateClass("cow"), translateClass("llama")], ["소", "llama"]);
});

test("Korean particles follow the sound before them", () => {
  for (const [written, spoken] of Object.entries({ "말이(가)": "말이", "소이(가)": "소가", "양은(는)": "양은", "새과(와)": "새와",
    "말(으)로": "말로", "양(으)로": "양으로", "0.60(으)로": "0.60으로", "0.71(으)로": "0.71로", "zebra이(가)": "zebra이(가)" })) {
    assert.equal(withParticles(written), spoken);
  }
});

test("sentences of the host in the page's language, whatever fills their places", () => {
  assert.deepEqual([hasServerTexts(), translateServerText("Too many others wait.")], [false, "Too many others wait."]);
  loadTables(given(), ["ko"]);
  assert.ok(hasServerTexts());
  assert.equal(translateServerText("The image has 12 pixels."), "그림이 12화소입니다.");
  assert.equal(translateServerText("cow, llama"), "소, llama");
  assert.equal(translateServerText("Something else."), "Something else.");
  assert.deepEqual([translateWithEnglishName("cow"), translateWithEnglishName("A cow")], ["소 (cow)", "소 한 마리"]);
});

test("numbers", () => {
  assert.deepEqual([percent(0.1234), percent(null), signed(-1.25, 2), signed(0.04), signed(3)], ["12.3\u00a0%", "–", "−1.25", "+0.0", "+3.0"]);
  assert.deepEqual([significant(0.012345), significant(-1234.5), significant(1e-9), groupDigits(4191)], ["0.0123", "−1,230", "0", "4,191"]);
  assert.deepEqual([formatSeconds(0.0123), formatSeconds(2.5)], ["12 ms", "2.50 s"]);
});

test("a packed map: inflated bytes, a layer of it, numbers and back", async () => {
  const bytes = Uint8Array.from({ length: 24 }, (_, i) => 10 * i);
  const data = deflateSync(bytes).toString("base64");
  assert.deepEqual(await inflate(data), bytes);
  const map = await unpack({ data, shape: [2, 3, 4], low: -1, high: 1 });
  const second = layer(map, 1);
  assert.deepEqual([second.rows, second.cols, [...second.bytes]], [3, 4, [...bytes.subarray(12)]]);
  const floats = toFloats(second);
  assert.ok(Math.abs(floats[0] - (-1 + (2 * 120) / 255)) < 1e-6);
  assert.deepEqual([...toBytes(floats, -1, 1)], [...second.bytes]);
  assert.deepEqual([...toBytes(Float32Array.from([-9, 0, 9]), -1, 1)], [0, 128, 255]);
  assert.deepEqual([...toBytes(Float32Array.from([1, 2]), 1, 1)], [0, 0]);
  assert.deepEqual([...channelOf(Float32Array.from([1, 2, 3, 4]), 1, 2)], [3, 4]);
  assert.equal(await unpack(null), null);
});

test("compressed bytes of either form come back, and broken ones are an error", async () => {
  const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => Math.imul(i, 2654435761) >>> 13); // more than a piece
  assert.deepEqual(await decompress(new Uint8Array(deflateSync(bytes)), "deflate"), bytes);
  assert.deepEqual(await decompress(new Uint8Array(gzipSync(bytes)), "gzip"), bytes);
  await assert.rejects(decompress(new Uint8Array(deflateSync(bytes)).fill(7, 5000), "deflate"));
  await assert.rejects(decompress(new Uint8Array(deflateSync(bytes)).slice(0, 5000), "deflate"));
  await assert.rejects(inflate("AAAA"));
});

test("a band of affinities is the whole matrix within its window", () => {
  const grid = [3, 4];
  const whole = Uint8Array.from({ length: 144 }, (_, i) => 1 + (i % 250));
  const band = new Uint8Array(12 * 9);
  const near = (/** @type {number} */ i, /** @type {number} */ j) =>
    Math.max(Math.abs(Math.floor(i / 4) - Math.floor(j / 4)), Math.abs((i % 4) - (j % 4))) <= 1;
  for (let i = 0; i < 12; i++) {
    for (let j = 0; j < 12; j++) {
      if (near(i, j)) band[i * 9 + (Math.floor(j / 4) - Math.floor(i / 4) + 1) * 3 + (j % 4) - (i % 4) + 1] = whole[i * 12 + j];
    }
  }
  const expanded = expandBand({ bytes: band, band: 1, shape: [12, 3, 3], low: 0, high: 1 }, grid);
  assert.deepEqual(expanded.shape, [12, 12]);
  expanded.bytes.forEach((/** @type {number} */ byte, /** @type {number} */ at) => {
    assert.equal(byte, near(Math.floor(at / 12), at % 12) ? whole[at] : 0);
  });
});

test("answers are kept, the oldest goes, and a failed one is asked for again", async () => {
  const answers = new Map();
  let asked = 0;
  const load = async () => ++asked;
  assert.deepEqual([await cached(answers, "a", load), await cached(answers, "a", load)], [1, 1]);
  for (let i = 0; i < 12; i++) cached(answers, `b${i}`, load);
  assert.equal(answers.has("a"), false);
  await assert.rejects(cached(answers, "c", async () => { throw new Error("lost"); }));
  assert.equal(await cached(answers, "c", async () => "here"), "here");
});

test("what the host refuses is thrown as its sentence", () => {
  assert.throws(() => accepted({ refused: "Too many others wait." }), (error) => /** @type {any} */ (error).refused === "Too many others wait.");
  assert.deepEqual([accepted({ a: 1 }), accepted(null)], [{ a: 1 }, null]);
});

test("events reach everybody who listens, in order", () => {
  /** @type {string[]} */
  const heard = [];
  on("test", () => heard.push("first"));
  on("test", () => heard.push("second"));
  emit("test");
  emit("nobody");
  assert.deepEqual(heard, ["first", "second"]);
});

test("the query cell: pinned, under the pointer, or where it rests; hidden while the lab asks for it", () => {
  store.trace = /** @type {any} */ ({ grid: [4, 5], names: ["background", "cow", "dog"], palette: [[0, 0, 0], [1, 2, 3], [4, 5, 6]],
    classes: [{ label: 1, cell: [1, 1] }, { label: 2, cell: [2, 3] }],
    affinity: { bytes: Uint8Array.from({ length: 400 }, (_, i) => i % 256) } });
  Object.assign(view, { label: 2, pin: null, hover: null, rest: [2, 3], home: true, guessing: false });
  assert.deepEqual([queryCell(), strongestCell(), startCell()], [[2, 3], [2, 3], [2, 3]]);
  view.guessing = true;
  assert.deepEqual([isCellHidden(), startCell()], [true, [2, 2]]);
  Object.assign(view, { hover: [0, 1], guessing: false });
  assert.deepEqual(queryCell(), [0, 1]);
  view.pin = [3, 4];
  assert.deepEqual([queryCell(), isCellHidden()], [[3, 4], false]);
  assert.deepEqual([sameCell([1, 2], [1, 2]), sameCell([1, 2], null)], [true, false]);
  assert.deepEqual([cellAtShares(0.99, 2), cellAtShares(-1, 0.5), cellOfIndex(7)], [[3, 4], [0, 2], [1, 2]]);
  assert.deepEqual([className(1), classColour(0), classColour(2), classChannel()], ["cow", null, [4, 5, 6], 2]);
  assert.deepEqual([...affinityOfCell().bytes.slice(0, 2)], [(19 * 20) % 256, (19 * 20 + 1) % 256]);
});

test("a choice is drawn once in the next frame, by the hook for the largest change", () => {
  /** @type {(() => void)[]} */
  const frames = [];
  Object.assign(globalThis, { requestAnimationFrame: (/** @type {() => void} */ call) => frames.push(call), cancelAnimationFrame() {} });
  /** @type {string[]} */
  const drawn = [];
  registerTab("test", { data: () => drawn.push("data"), selection: () => drawn.push("selection"), cell: () => drawn.push("cell") });
  const tab = tabs.get("test");
  Object.assign(tab, { stale: 0 });
  view.tab = "test";
  setView({ pin: [0, 0] });
  setView({ opacity: 0.5 });
  assert.equal(frames.length, 1);
  frames[0]();
  setView({ hover: [1, 1] });
  frames[1]();
  setView({ label: 1, hover: null });
  frames[2]();
  assert.deepEqual(drawn, ["selection", "cell", "selection"]); // no hook for opacity: what redraws more does it
});
