// Toolbar and strip fold away where they would push the open tab out of sight: on low windows and on phones.

import { $, page } from "../core/dom.js";
import { registerAlways, scheduleDraw } from "../core/schedule.js";

const small = window.matchMedia("(max-height: 800px), (max-width: 560px)");

/** Fold both, or show them. */
function fold(/** @type {boolean} */ on) {
  page.root.classList.toggle("afa-folded", on);
  $('[data-do="fold"]').setAttribute("aria-expanded", String(!on));
  scheduleDraw(); // what had no size
}

/** Bring what is explained now into sight: the strip, below the story of the image where there is room. */
export function showResult() {
  fold(false);
  $(window.innerHeight < 500 ? ".afa-strip-frame" : ".afa-story").scrollIntoView();
}

registerAlways({
  build() {
    $('[data-do="fold"]').addEventListener("click", () => fold(!page.root.classList.contains("afa-folded")));
    small.addEventListener("change", () => fold(small.matches));
    fold(small.matches);
  },
});
