// Affinity in numbers: of all pairs together.

import * as matrix from "../../components/matrix.js";
import { $, setText } from "../../core/dom.js";
import { percent } from "../../core/format.js";
import { lacks } from "../../core/parts.js";
import { text } from "../../core/words.js";

/** Unevenness and AUC before and after each step. */
export function drawNumbers(/** @type {HTMLElement} */ section) {
  const { numbers } = matrix.numbers();
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
  const { sent } = matrix.numbers(); // none where the page has no server
  setText("bytes", sent ? text(matrix.isWhole() ? "affinity.bytes" : "affinity.bytes_line", { kb: Math.round(sent / 1000) }) : "", section);
}
