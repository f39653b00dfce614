// The way through the pipeline: at the foot of a tab the next one, and beside the story of the image where to begin.

import { $, $$ } from "../core/dom.js";
import { on } from "../core/events.js";
import { registerAlways, setView } from "../core/schedule.js";
import { view } from "../core/store.js";
import { text } from "../core/words.js";

const FIRST = "lab"; // it leads through all others
export const TOURED = "afa-tour"; // kept in the browser once the guided tour was opened

function button(/** @type {string} */ words) {
  return Object.assign(document.createElement("button"), { type: "button", className: "afa-next", textContent: words });
}

/** A button that opens a tab and brings its beginning into sight. */
function opener(/** @type {string} */ tab, /** @type {string} */ words) {
  const made = button(words);
  made.addEventListener("click", () => {
    setView({ tab });
    $(`[role=tab][data-tab="${tab}"]`).focus({ preventScroll: true });
    $(`[role=tabpanel][data-tab="${tab}"]`).scrollIntoView();
  });
  return made;
}

/** Whether the tour was never opened in this browser, as far as can be known. */
function isFirstVisit() {
  try {
    return !window.localStorage.getItem(TOURED);
  } catch {
    return false; // no storage: it would be offered for ever
  }
}

registerAlways({
  build() {
    const panels = $$("[role=tabpanel]");
    for (const [i, panel] of panels.entries()) {
      const next = panels[i + 1]?.dataset.tab;
      if (next) panel.append(opener(next, text("next.tab", { name: text(`tabs.${next}`) })));
    }
    const tour = button(text("next.tour"));
    tour.dataset.guide = "tour";
    tour.hidden = !isFirstVisit();
    $(".afa-story p").append(tour);
    if (!panels.some(({ dataset }) => dataset.tab === FIRST)) return; // a report may lack the lab
    const begin = opener(FIRST, text("next.begin"));
    tour.before(begin);
    on("view", () => { begin.hidden ||= view.tab === FIRST; });
  },
});
