// What opens over the page: Esc and a press beside it close it, wherever the focus is.

import { $, $$ } from "../core/dom.js";

const POPUPS = ".afa-keys, .afa-share";

/** Close what is open; whether there was something. */
function closePopups(but = null) {
  const open = $$(POPUPS).filter((box) => box.open && box !== but);
  for (const box of open) {
    const inside = box.contains(document.activeElement);
    box.open = false;
    if (inside) $("summary", box).focus(); // what had it is out of sight
  }
  return open.length > 0;
}

/** Let them be closed. */
export function listenToPopups() {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !closePopups()) return;
    event.preventDefault();
    event.stopPropagation(); // it closes one thing at a time
  }, true);
  document.addEventListener("pointerdown", (event) => closePopups(/** @type {any} */ (event.target).closest?.(POPUPS)));
}
