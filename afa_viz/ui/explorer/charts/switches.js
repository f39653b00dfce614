// The legend of a chart as switches: buttons that the keyboard reaches, beside the drawing and not in it.

import { plainText } from "./themed.js";
import { text } from "../core/words.js";

const DASHES = /** @type {{[line: string]: string}} */ ({ dash: "7 3", dot: "2 3", dashdot: "7 3 2 3" });

const LINE = '<line x1="0" y1="4" x2="26" y2="4" stroke="currentColor" stroke-width="2.5"/>';
/** Marks by plotly's names of them. */
const MARKS = /** @type {{[symbol: string]: string}} */ ({
  circle: '<circle cx="13" cy="4" r="4" fill="currentColor"/>',
  "circle-open": '<circle cx="13" cy="4" r="3.25" fill="none" stroke="currentColor" stroke-width="1.5"/>',
  diamond: '<path d="M13 -0.5L17.5 4L13 8.5L8.5 4Z" fill="currentColor"/>',
  square: '<rect x="9.5" y="0.5" width="7" height="7" fill="currentColor"/>',
  "square-open": '<rect x="10" y="1" width="6" height="6" fill="none" stroke="currentColor" stroke-width="1.5"/>' });

/** How a trace is drawn, small: its line, else its mark. */
function swatch(/** @type {any} */ { line, marker, mode, type }) {
  const isMark = mode === "markers" || type === "bar";
  const own = isMark ? marker?.color : line?.color ?? marker?.color;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 26 8");
  svg.setAttribute("aria-hidden", "true");
  svg.style.color = Array.isArray(own) ? own[0] : own ?? "var(--accent)"; // colours of the page by their names
  svg.innerHTML = isMark ? MARKS[marker?.symbol] ?? MARKS[type === "bar" ? "square" : "circle"] : LINE;
  svg.firstElementChild?.setAttribute("stroke-dasharray", DASHES[line?.dash] ?? "");
  return svg;
}

/**
 * Make the switches of a figure: a press turns one series on or off, two in a row leave it alone or bring all back.
 *
 * @param {HTMLElement} box
 * @param {any[]} traces
 * @param {Map<string, boolean>} on by the names of traces; changed
 * @param {() => void} redraw
 */
export function fillSwitches(box, traces, on, redraw) {
  const named = traces.filter(({ name, showlegend }) => name && showlegend !== false);
  box.hidden = named.length < 2;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", text("charts.switches"));
  const pressed = () => {
    for (const [i, button] of [...box.children].entries()) button.setAttribute("aria-pressed", String(on.get(named[i].name)));
  };
  const names = JSON.stringify(named.map(({ name }) => name));
  if (box.dataset.names === names) return; // a button stays while it is pressed
  box.dataset.names = names;
  box.replaceChildren(...named.map((trace) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(swatch(trace), plainText(trace.name));
    button.addEventListener("click", () => {
      on.set(trace.name, !on.get(trace.name));
      pressed();
      redraw();
    });
    button.addEventListener("dblclick", () => {
      const alone = named.every(({ name }) => on.get(name) === (name === trace.name));
      for (const { name } of named) on.set(name, alone || name === trace.name);
      pressed();
      redraw();
    });
    return button;
  }));
  pressed();
}
