// The numbers of a chart as a table, below it and closed at first.

import { text } from "../core/words.js";

/**
 * A table in a figure, made when it is opened.
 *
 * @param {HTMLElement} place
 * @param {(id: string) => void} [open] called with the id of a row, where rows have one
 */
export function addTable(place, open) {
  const [details, summary, box] = ["details", "summary", "div"].map((tag) => document.createElement(tag));
  details.className = "afa-why afa-chart-table";
  box.className = "afa-scroll";
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  summary.textContent = text("charts.table");
  details.append(summary, box);
  place.append(details);
  /** @type {any} */
  let meta = null;
  let made = true;

  function make() {
    if (made || !(/** @type {HTMLDetailsElement} */ (details)).open) return;
    made = true;
    const { columns, rows } = meta.table;
    const table = document.createElement("table");
    table.className = "afa-numbers";
    const head = table.createTHead().insertRow();
    for (const words of columns) head.append(Object.assign(document.createElement("th"), { scope: "col", textContent: words }));
    const body = table.createTBody();
    for (const [i, [first, ...cells]] of rows.entries()) {
      const row = body.insertRow();
      const name = Object.assign(document.createElement("th"), { scope: "row", textContent: first });
      if (open && meta.ids) {
        const button = Object.assign(document.createElement("button"), { type: "button", textContent: first });
        button.addEventListener("click", () => open(meta.ids[i]));
        name.replaceChildren(button);
      }
      row.append(name);
      for (const cell of cells) row.insertCell().textContent = cell;
    }
    const [top, left] = [box.scrollTop, box.scrollLeft];
    box.replaceChildren(table);
    [box.scrollTop, box.scrollLeft] = [top, left];
  }

  details.addEventListener("toggle", make);
  return {
    /** The table and what goes with it: `layout.meta` of a figure. */
    fill(/** @type {any} */ next) {
      [meta, made] = [next, false];
      box.setAttribute("aria-label", next.description);
      make();
    },
    /** Open it. */
    show() {
      details.setAttribute("open", "");
      make();
    },
  };
}
