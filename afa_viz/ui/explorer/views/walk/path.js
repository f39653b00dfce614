// One cell of the walk: which neighbours gave how much, and where each share comes from.

import { percent } from "../../core/format.js";
import { cellOfIndex, queryCell } from "../../core/selection.js";
import { store, view } from "../../core/store.js";
import { text } from "../../core/words.js";
import { paintMapFigure, setCaption } from "../../draw/figures.js";
import { markCell, markWindow } from "../../draw/marks.js";
import { walkParts } from "../../method/heads.js";

const LISTED = 8; // neighbours; the others are one line
const of = (/** @type {string} */ letter, /** @type {string} */ below, above = "") => (
  `<i>${letter}</i>${above && `<sup>${above}</sup>`}<sub><i>${below}</i></sub>`);
const FORMULAS = {
  sum: `${of("p", "j", "<i>t</i>")} = <mark>Σ<sub><i>i</i></sub> ${of("p", "i", "<i>t</i>−1")} ${of("T", "ij")}</mark>`,
  share: (/** @type {number} */ eps) => (
    `${of("T", "ij")} = <mark>${of("A", "ij", "α")} ∕ (Σ<sub><i>k</i></sub> ${of("A", "kj", "α")} + ${eps})</mark>`),
};
const SHELL = `<h4></h4><p class="afa-hint"></p><div class="afa-path-steps">
<section data-share="sum"><h5></h5><p class="afa-equation">${FORMULAS.sum}</p><p class="afa-words"></p>
<div class="afa-figs"><figure data-part="parts"><figcaption></figcaption><canvas role="img"></canvas></figure></div></section>
<section data-share="share"><h5></h5><p class="afa-equation"></p><p class="afa-words"></p>
<div class="afa-scroll"><table class="afa-numbers"><thead></thead><tbody></tbody></table></div></section></div>`;

const made = (/** @type {string} */ tag, /** @type {object} */ given = {}, /** @type {(Node | string)[]} */ ...children) => {
  const element = Object.assign(document.createElement(tag), given);
  element.append(...children);
  return element;
};

/** Build it in a place of the tab. */
export function createWalkPath(/** @type {HTMLElement} */ box) {
  box.innerHTML = SHELL;
  const find = (/** @type {string} */ selector) => /** @type {any} */ (box.querySelector(selector));

  /**
   * @param {Walk} walk
   * @param {number} step that is shown
   * @param {Float32Array} matrix (N, N) transitions
   * @param {Float32Array} affinity (N, N)
   * @param {Settings} s
   */
  function draw(walk, step, matrix, affinity, s) {
    const { grid } = store.trace;
    const cells = grid[0] * grid[1];
    const [row, col] = queryCell();
    const at = row * grid[1] + col;
    find("h4").textContent = text("walkpath.title", { row: row + 1, col: col + 1 });
    find(".afa-hint").textContent = text(step ? "walkpath.hint" : "walkpath.no_step");
    find(".afa-path-steps").hidden = !step;
    if (!step) return;
    const before = walk.maps[step - 1];
    const { transition, parts, value } = walkParts(before, matrix, at);
    const figure = find("figure");
    paintMapFigure(figure, parts, grid, [0, Math.max(1e-9, ...parts)]);
    setCaption(figure, text("walkpath.map", { name: walk.name }));
    markWindow(find("canvas"), grid, [row, col], s.radius);
    markCell(find("canvas"), grid, [row, col], Boolean(view.pin));
    const order = Array.from(parts.keys()).filter((i) => transition[i] > 0).sort((a, b) => parts[b] - parts[a]);
    const sharp = order.reduce((sum, i) => sum + affinity[i * cells + at] ** s.power, 0);
    const own = percent(parts[at] / (value || 1));
    const values = { name: walk.name, step, before: step - 1, value: value.toFixed(4), count: order.length, own,
      power: s.power, sum: sharp.toFixed(3), eps: s.eps, total: transition.reduce((sum, share) => sum + share, 0).toFixed(3) };
    find('[data-share="sum"] h5').textContent = `1. ${text("walkpath.step_sum")}`;
    find('[data-share="share"] h5').textContent = `2. ${text("walkpath.step_share")}`;
    find('[data-share="sum"] .afa-words').textContent = text("walkpath.sum", values);
    find('[data-share="share"] .afa-words').textContent = text("walkpath.share", values);
    find('[data-share="share"] .afa-equation').innerHTML = FORMULAS.share(s.eps);
    find("thead").replaceChildren(made("tr", {}, ...["cell", "affinity", "transition", "score", "part"].map((name) => (
      made("th", { textContent: text(`walkpath.column_${name}`) })))));
    const line = (/** @type {string} */ name, /** @type {string[]} */ numbers) => made("tr", {}, made("th", { textContent: name }),
      ...numbers.map((textContent) => made("td", { textContent })));
    const [listed, others] = [order.slice(0, LISTED), order.slice(LISTED)];
    const rows = listed.map((i) => {
      const [r, c] = cellOfIndex(i);
      return line(text(i === at ? "walkpath.itself" : "walkpath.cell", { row: r + 1, col: c + 1 }),
        [affinity[i * cells + at].toFixed(3), transition[i].toFixed(4), before[i].toFixed(4), parts[i].toFixed(4)]);
    });
    if (others.length) {
      const total = (/** @type {Float32Array} */ map) => others.reduce((sum, i) => sum + map[i], 0).toFixed(4);
      rows.push(line(text("walkpath.others", { count: others.length }), ["", total(transition), "", total(parts)]));
    }
    rows.push(line(text("walkpath.total"), ["", values.total, "", values.value]));
    find("tbody").replaceChildren(...rows);
    Object.assign(box.dataset, { value: value.toPrecision(8), cell: String(at) });
  }

  return { draw };
}
