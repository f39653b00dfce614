// Signs that many fonts lack, as drawings: a font without the letter shows a box.

import { $$ } from "../core/dom.js";

/** @type {{[name: string]: string}} */
const ICONS = { // paths in a square of 16
  play: "M4 2v12l10-6z",
  pause: "M3 2h4v12H3zM9 2h4v12H9z",
  open: "M3 5.5h10L8 11.5z",
  check: "M6.2 13.2 1.5 8.5l2-2 2.7 2.7 6.3-6.4 2 2z",
};

/** A sign as an element; it says nothing to those who do not see it. */
export function icon(/** @type {string} */ name) {
  const [svg, path] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "afa-icon");
  svg.setAttribute("aria-hidden", "true");
  svg.dataset.icon = name;
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Put the signs where the markup asks for them. */
export function placeIcons() {
  for (const place of $$("[data-sign]")) place.append(icon(place.dataset.sign));
}
