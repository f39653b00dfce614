// The way through the pipeline: at the foot of a tab the next one, and beside the story of the image where to begin.

import { $, $$ } from "../core/dom.js";
import { on } from "../core/events.js";
import { registerAlways, setView } from "../core/schedule.js";
import { view } from "../core/store.js";
import { text } from "../core/words.js";

const FIRST = "lab"; // it leads through all others

/** A button that opens a tab and brings its beginning into sight. */
function opener(/** @type {string} */ tab, /** @type {string} */ words) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "afa-next";
  button.textContent = words;
  button.addEventListener("click", () => {
    setView({ tab });
    $(`[role=tab][data-tab="${tab}"]`).focus({ preventScroll: true });
    $("[role=tablist]").scrollIntoView({ block: "start" });
  });
  return button;
}

registerAlways({
  build() {
    const panels = $$("[role=tabpanel]");
    for (const [i, panel] of panels.entries()) {
      const next = panels[i + 1]?.dataset.tab;
      if (next) panel.append(opener(next, text("next.tab", { name: text(`tabs.${next}`) })));
    }
    if (!panels.some(({ dataset }) => dataset.tab === FIRST)) return; // a report has no lab
    const begin = opener(FIRST, text("next.begin"));
    $(".afa-story p").append(begin);
    on("view", () => { begin.hidden ||= view.tab === FIRST; });
  },
  selection() {},
});
