// Keys, only while the tabs' area has the focus.

import { $, $$, page } from "./dom.js";
import { lackOfTab } from "./parts.js";
import { setView, tabs } from "./schedule.js";
import { startCell, steppedQuery, strongestCellSelection } from "./selection.js";
import { MEAN_HEAD, store, view } from "./store.js";

/**
 * Move the query cell by rows and columns.
 *
 * @param {number} rows
 * @param {number} cols
 */
export function moveCell(rows, cols) {
  const next = steppedQuery(startCell(), [rows, cols]);
  setView({ ...(view.pin ? { pin: next } : {}), rest: next, hover: null, home: false });
}

/** @param {any} by */
function stepHead(by) {
  const heads = store.scene.blocks[view.block]?.heads ?? 0;
  setView({ head: ((view.head - MEAN_HEAD + by + heads + 1) % (heads + 1)) + MEAN_HEAD });
}

/** @type {{[key: string]: (event: KeyboardEvent) => void}} */
export const keys = { // key -> what it does in every tab
  ArrowUp: () => moveCell(-1, 0),
  ArrowDown: () => moveCell(1, 0),
  ArrowLeft: () => moveCell(0, -1),
  ArrowRight: () => moveCell(0, 1),
  Enter: () => setView({ pin: view.pin ? null : startCell(), rest: startCell(), home: false }),
  Escape: () => setView(strongestCellSelection()),
  "[": () => stepHead(-1),
  "]": () => stepHead(1),
  "?": () => { $(".afa-keys").open = !$(".afa-keys").open; },
};

/** Listen to the keys of the page, and to those of the row of tabs. */
export function listenToKeys() {
  page.views.addEventListener("keydown", (/** @type {any} */ event) => {
    const here = event.target === page.views || event.target.matches("canvas, .afa-heads button, .afa-overview button");
    const act = (lackOfTab(view.tab) ? null : tabs.get(view.tab)?.hooks.keys?.[event.key]) ?? keys[event.key];
    if (!here || !store.trace || !act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act(event);
  });
  for (const button of $$("[role=tab]")) {
    button.addEventListener("click", () => {
      setView({ tab: button.dataset.tab });
      const panel = $(`[role=tabpanel][data-tab="${button.dataset.tab}"]`);
      if (panel.getBoundingClientRect().top < 0) panel.scrollIntoView(); // its beginning, not where the last one was
    });
  }
  $("[role=tablist]").addEventListener("keydown", (/** @type {any} */ event) => {
    const buttons = $$("[role=tab]");
    const at = buttons.indexOf(event.target);
    const last = buttons.length - 1;
    /** @type {{[key: string]: number}} */
    const targets = { ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at ? at - 1 : last, Home: 0, End: last };
    const next = targets[event.key];
    if (next == null || at < 0) return;
    event.preventDefault();
    setView({ tab: buttons[next].dataset.tab });
    buttons[next].focus();
  });
}
