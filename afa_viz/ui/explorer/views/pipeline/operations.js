// The lines of the diagram, with the name of the operation beside each; its formula and a sentence open over it.

import { cornersOf, EDGES, isNarrow, placesOf, spotOf } from "./graph.js";
import { fillLines } from "../../components/strip_lines.js";
import { $, $$, page } from "../../core/dom.js";
import { lackOfStage, lacks } from "../../core/parts.js";
import { store } from "../../core/store.js";
import { text } from "../../core/words.js";

const [LEAST, MOST] = [2.1, 6]; // rem of words above and beside a line: they grow with the letters

/** @typedef {import("./graph.js").Box} Box */
/** @typedef {import("./graph.js").Edge} Edge */

/** The boxes of the diagram as they stand now, by their stages; {} out of sight. */
export function boxesNow() {
  const origin = $(".afa-strip").getBoundingClientRect();
  /** @type {{[stage: string]: Box}} */
  const boxes = {};
  for (const item of $$(".afa-stage")) {
    const [card, picture] = [item, $("[data-open] canvas", item)].map((element) => element.getBoundingClientRect());
    if (!picture.width) continue;
    boxes[item.dataset.stage] = { left: card.left - origin.left, right: card.right - origin.left, top: card.top - origin.top,
      bottom: card.bottom - origin.top, x: (picture.left + picture.right) / 2 - origin.left,
      y: (picture.top + picture.bottom) / 2 - origin.top };
  }
  return boxes;
}

/** Whether the method lacks what a line leads from or to, or what it trains. */
const isLacking = (/** @type {Edge} */ { from, to, name }) => [from, to].some((stage) => stage && lackOfStage(stage))
  || (name === "trains_affinity" && lacks("learned_affinity"));

/** An operation under the present settings and method. */
function nameOf(/** @type {Edge} */ { name }) {
  if (name === "heads" && lacks("learned_affinity")) return "averaged";
  return name === "label" && store.trace.left_out.includes("cam_par") ? "thresholds" : name;
}

/** What says the operation of a line, to be put into the diagram: `draw` once its boxes stand. */
export function createOperations(/** @type {HTMLElement} */ formula) {
  const list = document.createElement("div");
  list.className = "afa-operations";
  formula.id = "afa-formula";
  /** @type {Map<Edge, HTMLButtonElement>} */
  const buttons = new Map();

  function open(/** @type {Edge} */ edge, /** @type {HTMLElement} */ from) {
    const [{ tab }, name] = [edge, nameOf(edge)];
    const title = Object.assign(document.createElement("strong"), { textContent: text(`pipeline.op_${name}`) });
    const equation = tab && $(`#afa-panel-${tab} > .afa-equation`)?.cloneNode(true);
    const words = Object.assign(document.createElement("span"), { textContent: text(`pipeline.op_${name}_info`) });
    formula.replaceChildren(title, ...(equation ? [equation] : []), words);
    formula.hidden = false;
    const [over, at] = [page.views.getBoundingClientRect(), from.getBoundingClientRect()];
    const left = (at.left + at.right) / 2 - over.left - formula.offsetWidth / 2;
    formula.style.left = `${Math.max(0, Math.min(over.width - formula.offsetWidth, left))}px`;
    const below = at.bottom + 4 + formula.offsetHeight < window.innerHeight || at.top < formula.offsetHeight + 4;
    formula.style.top = `${(below ? at.bottom + 4 : at.top - 4 - formula.offsetHeight) - over.top}px`;
  }
  const close = () => { formula.hidden = true; };

  for (const edge of EDGES) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "afa-operation" });
    button.dataset.operation = edge.name;
    button.setAttribute("aria-describedby", formula.id);
    for (const event of ["pointerenter", "focus", "click"]) button.addEventListener(event, () => open(edge, button));
    for (const event of ["pointerleave", "blur"]) button.addEventListener(event, close);
    button.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
    buttons.set(edge, button);
    list.append(button);
  }

  /** Draw the lines between the boxes, and put the words beside them. */
  function draw() {
    const boxes = boxesNow();
    if (!boxes.image || !boxes.cam) return;
    const [at, narrow] = [placesOf(boxes), isNarrow(boxes)];
    const out = store.trace.left_out;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const width = $(".afa-strip").offsetWidth;
    const paths = [];
    for (const [edge, button] of buttons) {
      button.hidden = isLacking(edge);
      if (button.hidden) continue;
      const corners = cornersOf(edge, at, narrow);
      const kind = edge.trains ? "afa-trains" : edge.to && out.includes(edge.to) ? "afa-dashed" : "";
      paths.push({ d: `M${corners.map((corner) => corner.join(" ")).join("L")}`, class: kind, "data-operation": edge.name,
        ...(edge.to && { "marker-end": "url(#afa-tip)" }) });
      const { x, y, lies, length } = spotOf(edge, corners, narrow);
      button.textContent = text(`pipeline.op_${nameOf(edge)}`);
      button.classList.toggle("afa-beside", !lies);
      button.classList.toggle("afa-trains", Boolean(edge.trains));
      const room = lies ? Math.max(LEAST * rem, length - 4) : MOST * rem;
      Object.assign(button.style, { left: `${x}px`, top: `${y}px`, maxWidth: `${room}px` });
      button.classList.toggle("afa-left", !lies && x + button.offsetWidth + 6 > width);
      const [from, to] = [edge.from, edge.to].map((stage) => (stage ? text(`strip.${stage}`) : ""));
      button.setAttribute("aria-label", [`${button.textContent}:`, from, ...(to ? ["→", to] : [])].join(" "));
    }
    fillLines(paths);
  }

  return { list, draw, close };
}
