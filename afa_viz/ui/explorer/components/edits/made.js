// Elements of the parts of the page in which something is changed.

/**
 * An element with properties and children.
 *
 * @param {string} tag
 * @param {{[name: string]: any}} [given] `data`: of its dataset
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function made(tag, { data = {}, ...given } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), given);
  Object.assign(element.dataset, data);
  element.append(...children);
  return element;
}

/** A table of numbers before and after: `columns`, then a row for each score, [its key, its name, …cells]. */
export function fillTable(/** @type {HTMLElement} */ table, /** @type {string[]} */ columns, /** @type {string[][]} */ rows) {
  table.replaceChildren(
    made("thead", {}, made("tr", {}, ...columns.map((textContent) => made("th", { textContent })))),
    made("tbody", {}, ...rows.map(([score, name, ...cells]) => made("tr", { data: { score } }, made("th", { textContent: name }),
      ...cells.map((textContent) => made("td", { textContent }))))),
  );
}
