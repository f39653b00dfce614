// What lies above the page, whatever the elements around it clip or contain.

import { page } from "../../core/dom.js";

/** Show an element above all. */
export function showAbove(/** @type {HTMLElement} */ element) {
  page.root.append(element);
  if (!("popover" in element)) return;
  element.popover = "manual";
  element.showPopover();
}
