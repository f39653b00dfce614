// Two thresholds, live: what is certain in either of the two labels, what is not, and where the thresholds lie among the
// scores.

import { linkEditFold } from "../../components/edit_fold.js";
import { linkSetting } from "../../components/setting_slider.js";
import { setText } from "../../core/dom.js";
import { percent } from "../../core/format.js";
import { registerPermalink } from "../../core/permalink.js";
import { linkCell } from "../../core/pointer.js";
import * as recompute from "../../core/recompute.js";
import { registerTab, setView } from "../../core/schedule.js";
import { classColour, className, queryCell } from "../../core/selection.js";
import { announce } from "../../core/status.js";
import { store, view } from "../../core/store.js";
import { tables } from "../../core/tables.js";
import { text } from "../../core/words.js";
import { paintLabelFigure } from "../../draw/figures.js";
import { areaRows, fillLegend } from "../../draw/legend.js";
import { createMarks, markCell, repaintMarked } from "../../draw/marks.js";
import { certainScores, iouScores, regionShares } from "../../method/scores.js";
import { drawHistogram, LEFT, LINES, RIGHT } from "./histogram.js";

/** @type {any} */
let section = null;
/** @type {any[]} */
let shows = [];
/** @type {ReturnType<typeof linkEditFold>} */
let edit;
let dragged = ""; // the line of the histogram under the hand
/** @type {any} */
let cutIou = null; // of the single cut, as the page says it

const find = (/** @type {string} */ selector) => section.querySelector(selector);
const figure = (/** @type {string} */ name) => find(`[data-view="${name}"]`);

/** Draw everything; while another threshold moves, all but the single cut. */
function draw(withCut = true) {
  if (!store.trace) return;
  const began = performance.now();
  const label = recompute.labelMap(view.shownLabel);
  drawHistogram(section, label, dragged); // first: it measures, and words that change would have the page laid out for that
  const kind = (/** @type {number} */ l) => (l ? tables.foreground : tables.background);
  const painted = [paintLabelFigure(figure("regions"), label, store.trace.size, kind, () => ""),
    paintLabelFigure(figure("label"), label, store.trace.size, classColour, className)];
  if (withCut) painted.push(paintLabelFigure(figure("cut"), recompute.thresholdLabel(), store.trace.size, classColour, className));
  marks.keep(painted);
  figure("label").querySelector("figcaption").textContent = text(`regions.${view.shownLabel}`);
  const shares = regionShares(label);
  legend("shares", [[`rgb(${tables.foreground})`, text("regions.foreground"), shares.foreground],
    [`rgb(${tables.background})`, text("regions.background"), shares.background],
    ["hatch", text("regions.uncertain"), shares.uncertain]]);
  legend("label", areas(label));
  if (withCut) {
    legend("cut", areas(recompute.thresholdLabel()));
    figure("cut").querySelector("figcaption").textContent = text("regions.cut", { value: recompute.threshold().toFixed(2) });
    cutIou = null;
  }
  for (const name of ["regions", "label", "cut"]) {
    const box = figure(name);
    box.querySelector("canvas").setAttribute("aria-label",
      `${box.querySelector("figcaption").textContent}: ${box.querySelector(".afa-legend").textContent}`);
  }
  numbers(label, shares);
  section.dataset.drawn = (performance.now() - began).toFixed(1);
}

/** Which label is shown, what it is for, and whether this model has learned from it. */
function words() {
  for (const button of section.querySelectorAll("[data-label]")) {
    button.setAttribute("aria-pressed", button.dataset.label === view.shownLabel);
  }
  setText("purpose", text(`regions.purpose_${view.shownLabel}`), section);
  const { affinity, decoder } = store.trace.trained_on;
  const taught = (/** @type {string | null} */ part) => text(`regions.taught_${part ?? "unknown"}`);
  setText("taught", affinity || decoder ? text("regions.taught", { affinity: taught(affinity), decoder: taught(decoder) })
    : text("regions.taught_nobody_knows"), section);
}

const legend = (/** @type {string} */ name, /** @type {LegendRow[]} */ rows) => fillLegend(find(`[data-list="${name}"]`), rows);
const areas = (/** @type {Uint8Array} */ label) => areaRows(label, text("regions.uncertain"));
const marks = createMarks((canvas) => markCell(canvas, store.trace.grid, queryCell(), Boolean(view.pin)));

// --- numbers -------------------------------------------------------------------------------------------------------

function numbers(/** @type {Uint8Array} */ label, /** @type {RegionShares} */ shares) {
  find(".afa-truth").hidden = !store.scene.target;
  if (!store.scene.target) return;
  const shown = find('[data-do="truth"]').checked;
  find('[data-for="truth"]').hidden = !shown;
  if (!shown) return;
  /** @type {{[region: string]: any}} */
  const found = certainScores(label, store.scene.target.bytes);
  const rows = [["foreground", shares.foreground], ["background", shares.background], ["all", 1 - shares.uncertain]];
  find('[data-list="numbers"]').replaceChildren(...rows.map(([name, area]) => {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.textContent = text(`regions.certain_${name}`);
    row.append(head, ...[area, found[name].precision, found[name].recall].map((share) => {
      const box = document.createElement("td");
      box.textContent = percent(share);
      return box;
    }));
    return row;
  }));
  cutIou ??= percent(iouScores(recompute.thresholdLabel(), store.scene.target.bytes).iou[view.label]);
  find('[data-fill="iou"]').textContent = text("regions.iou", { name: className(view.label), cut: cutIou });
}

// --- hands ---------------------------------------------------------------------------------------------------------

/** @type {any} */
let waiting = 0;
let cutMoved = false;
const redraw = (/** @type {string} */ name) => {
  cutMoved ||= name === "bkg_score";
  if (waiting) return;
  waiting = requestAnimationFrame(() => {
    waiting = 0;
    draw(cutMoved);
    cutMoved = false;
    edit.draw();
  });
};

function build(/** @type {HTMLElement} */ element) {
  section = element;
  shows = LINES.map((name) => linkSetting(find(`[data-setting="${name}"]`), name, 2));
  const canvas = find(".afa-histogram");
  const scoreAt = (/** @type {PointerEvent} */ event) => {
    const box = canvas.getBoundingClientRect();
    const share = (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT);
    return Math.min(1, Math.max(0, Math.round(share * 100) / 100));
  };
  canvas.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    if (!recompute.settings() || event.button) return;
    const at = scoreAt(event);
    dragged = LINES.reduce((a, b) => (Math.abs(recompute.settings()[b] - at) < Math.abs(recompute.settings()[a] - at) ? b : a));
    canvas.setPointerCapture(event.pointerId);
    recompute.setSetting(dragged, at);
  });
  canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    if (dragged) recompute.setSetting(dragged, scoreAt(event));
  });
  const end = () => {
    if (!dragged) return;
    const name = dragged;
    dragged = "";
    recompute.setSetting(name, recompute.settings()[name], true);
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  find('[data-do="truth"]').addEventListener("change", () => draw());
  for (const button of section.querySelectorAll("[data-label]")) {
    button.addEventListener("click", () => setView({ shownLabel: button.dataset.label }));
  }
  for (const view of section.querySelectorAll(".afa-figs canvas")) linkCell(view);
  edit = linkEditFold(element, ["class_thresholds"], () => import("./edit/panel.js"));
  recompute.onSetting((name) => { if (view.tab === "regions") redraw(name); });
}

registerPermalink({
  names: ["label"],
  read(asked) {
    const value = asked.get("label");
    if (value == null) return [];
    if (!["affinity_label", "pseudo_label"].includes(value)) return ["label"];
    view.shownLabel = value;
    return [];
  },
  write(query) {
    if (view.tab === "regions" && view.shownLabel !== "pseudo_label") query.set("label", view.shownLabel);
  },
});

registerTab("regions", {
  build,
  data() {
    const known = recompute.openTrace();
    section.classList.toggle("afa-served", !known);
    if (!known) announce(text("live.too_large"));
    shows.forEach((show) => show());
    words();
    draw();
    edit.data();
  },
  selection() {
    words();
    draw();
    edit.draw();
  },
  opacity() {
    repaintMarked(section.querySelectorAll(".afa-figs canvas"), marks);
    edit.draw();
  },
  cell() { if (store.trace) marks.each(); },
});
