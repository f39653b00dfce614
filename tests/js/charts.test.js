// Figures of plotly on their way to the page: colours by their names, text, and what fits a narrow place.

import assert from "node:assert/strict";
import { test } from "node:test";

import { coloured, fitted, plainText } from "../../afa_viz/ui/explorer/charts/themed.js";

const style = { getPropertyValue: (/** @type {string} */ name) => ({ "--ink": " #111", "--accent": "blue" })[name] ?? "" };
const figure = () => ({
  data: [{ name: "var(--ink)", x: [1, 2], line: { color: "var(--accent)" }, marker: { color: ["var(--ink)", "var(--none)", "red"] } }],
  layout: { title: { text: "T" }, meta: { table: {} }, height: 460, template: { layout: { font: { color: "var(--ink)" }, margin: { l: 52, t: 48 } } },
    shapes: [{ x0: 0, x1: 20 }], xaxis: { range: [0, 100] }, annotations: [{ text: "2 + affinity", hovertext: "2 + affinity" }, { text: "plain words" }] },
});

test("colours are those of the page, and nothing else is changed", () => {
  const made = coloured(figure(), style);
  assert.deepEqual(made.data[0], { name: "var(--ink)", x: [1, 2], line: { color: "blue" }, marker: { color: ["#111", "var(--none)", "red"] } });
  assert.equal(made.layout.template.layout.font.color, "#111");
  assert.deepEqual(figure().data[0].line, { color: "var(--accent)" });
});

test("a caption and a name show their text: markup is gone, entities are letters, once", () => {
  assert.equal(plainText("&lt;b&gt; &amp;lt; β<sub>l</sub>"), "<b> &lt; βl");
});

test("a place on the page: caption and legend stand outside, the mark is one more line", () => {
  const wide = fitted(figure(), 900, { keep: "run", mark: 7 }).layout;
  assert.deepEqual([wide.width, wide.title, wide.meta, wide.showlegend, wide.uirevision], [900, undefined, undefined, false, "run"]);
  assert.deepEqual(wide.shapes.map((/** @type {any} */ shape) => shape.x0), [0, 7]);
  assert.equal(wide.annotations[0].text, "2 + affinity");
  const narrow = fitted(figure(), 360, {}).layout;
  assert.equal(narrow.shapes.length, 1);
  assert.deepEqual(narrow.annotations.map((/** @type {any} */ one) => one.text), ["2", "plain words"]);
  assert.ok(narrow.margin.l < wide.margin.l);
});

test("a square stays one where the place is narrow", () => {
  const square = { ...figure(), layout: { ...figure().layout, yaxis: { scaleanchor: "x" } } };
  assert.equal(fitted(square, 360, {}).layout.height, 410);
  assert.equal(fitted(square, 900, {}).layout.height, 460);
});
