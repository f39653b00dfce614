// Prepared answers in the browser, without a browser: their names.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { answerName } from "../../afa_viz/ui/explorer/host/prepared.js";

const NAMES = JSON.parse(readFileSync(new URL("../support/answer_names.json", import.meta.url), "utf8"));

test("a question has one name, whatever the order of its parameters, the same as in Python", () => {
  for (const [question, asked, name] of NAMES) {
    assert.equal(answerName(question, asked), name);
    assert.equal(answerName(question, Object.fromEntries(Object.entries(asked).reverse())), name);
  }
});
