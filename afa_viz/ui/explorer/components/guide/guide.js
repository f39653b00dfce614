// What accompanies a visitor: the guided tour, the presentation, the glossary, the settings of a phone. Loaded when one is
// first asked for, see `listenToGuide` in main.js.

import { takeLaterTexts } from "../../core/later.js";
import { toggleDrawer } from "./drawer.js";
import { openGlossary } from "./glossary.js";
import { togglePresentation } from "./present.js";
import { startTour } from "./tour.js";

/** @type {{[name: string]: (from: HTMLElement) => void}} */
const ACTS = { tour: startTour, present: togglePresentation, settings: toggleDrawer, glossary: openGlossary };

/** Do what a button asks for; it has the focus again afterwards. */
export function run(/** @type {string} */ name, /** @type {HTMLElement} */ from) {
  takeLaterTexts();
  ACTS[name]?.(from);
}
