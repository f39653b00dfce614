// Affinity in numbers: of all pairs together, and the learned weight of every head.

import * as matrix from "../../components/matrix.js";
import { $, setText } from "../../core/dom.js";
import { percent, signed } from "../../core/format.js";
import { lacks } from "../../core/parts.js";
import { setView } from "../../core/schedule.js";
import { blockValues } from "../../core/selection.js";
import { store } from "../../core/store.js";
import { text } from "../../core/words.js";

/** Unevenness and AUC before and after each step. */
export function drawNumbers(/** @type {HTMLElement} */ section) {
  const { numbers, bias } = matrix.numbers();
  const rows = [["raw", numbers.asymmetry_raw, numbers.order_raw], ["symmetric", 0, numbers.order_symmetric],
    ["learned", numbers.asymmetry_learned, numbers.order_learned]];
  $('[data-list="numbers"]', section).replaceChildren(...rows.map(([name, uneven, order]) => {
    const row = document.createElement("tr");
    const numbers = [uneven?.toFixed(2), order == null ? null : percent(order)].map((words) => words ?? "–");
    const titled = name === "learned" && lacks("learned_affinity") ? "averaged" : name;
    const cells = [text(`affinity.${titled}`), ...numbers].map((words, i) => {
      const box = document.createElement(i ? "td" : "th");
      box.textContent = words;
      return box;
    });
    row.append(...cells);
    return row;
  }));
  const teacher = matrix.numbers().cells_of === "pseudo_label" ? "attention.by_label" : "attention.by_affinity_label";
  setText("order", text("affinity.order_hint", { by: text(numbers.by_truth ? "attention.by_truth" : teacher) }), section);
  setText("bias", bias == null ? "" : text("affinity.bias", { bias: signed(bias, 2) }), section);
  const { sent } = matrix.numbers(); // none where the page has no server
  setText("bytes", sent ? text(matrix.isWhole() ? "affinity.bytes" : "affinity.bytes_line", { kb: Math.round(sent / 1000) }) : "", section);
}

/** The learned weight of every head that the affinity reads, as bars from 0. */
export function drawWeights(/** @type {HTMLElement} */ section) {
  const read = store.scene.blocks.map((block, at) => ({ ...block, at })).filter((block) => block.weights);
  const most = Math.max(1e-6, ...read.flatMap((block) => block.weights.map(Math.abs)));
  $('[data-list="weights"]', section).replaceChildren(...read.map((block) => {
    const group = document.createElement("div");
    const head = document.createElement("h5");
    head.textContent = text("bar.block_name", blockValues(block));
    group.append(head, ...block.weights.map((/** @type {number} */ weight, /** @type {number} */ i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-label", text("affinity.weight_of", { head: i + 1, weight: signed(weight, 2) }));
      const [name, track, number] = ["span", "span", "span"].map((tag) => document.createElement(tag));
      const bar = document.createElement("i");
      const share = (50 * Math.abs(weight)) / most;
      Object.assign(bar.style, { width: `${share}%`, left: weight < 0 ? `${50 - share}%` : "50%" });
      bar.className = weight < 0 ? "afa-negative" : "";
      [name.textContent, number.textContent] = [text("attention.head", { head: i + 1 }), signed(weight, 2)];
      track.append(bar);
      button.append(name, track, number);
      button.addEventListener("click", () => setView({ block: block.at, head: i, tab: "attention" }));
      return button;
    }));
    return group;
  }));
}
