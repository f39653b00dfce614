// Charts that plotly draws: figures that Python has made (figures/interactive), in the colours of the page. plotly.js
// itself is loaded when the first of them is drawn, from where the host has it; without it the table of a chart stays.

import { fillSwitches } from "./switches.js";
import { addTable } from "./table.js";
import { coloured, fitted, plainText } from "./themed.js";
import { setText } from "../core/dom.js";
import { tables } from "../core/tables.js";
import { text } from "../core/words.js";
import { host } from "../host/host.js";

/** Words of plotly's buttons, by its own English, with the keys of ours. */
const BUTTONS = { "Download plot as a PNG": "png", Zoom: "zoom", Pan: "pan", "Box Select": "select", "Zoom in": "in",
  "Zoom out": "out", "Reset axes": "reset", "Double-click to zoom back out": "back" };
const PICTURE = { width: 500, height: 380, scale: 2 }; // of a chart in the picture of its tab
const LEFT_OUT = ["lasso2d", "autoScale2d", "hoverClosestCartesian", "hoverCompareCartesian", "toggleSpikelines"];

/** @type {Promise<any> | null} */
let loading = null;
/** @type {Set<() => void>} */
const redraws = new Set(); // of all charts that are drawn

/** plotly.js, loaded once; a failed load is tried again by the next chart. */
function loadPlotly(/** @type {string} */ address) {
  loading ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.addEventListener("load", () => done(/** @type {any} */ (window).Plotly));
    script.addEventListener("error", () => {
      loading = null;
      script.remove();
      failed(new Error("plotly.js did not load"));
    });
    script.src = address;
    document.head.append(script);
  });
  return loading;
}

/** Draw all charts again when the page changes between light and dark. */
function followTheme() {
  if (redraws.size) return;
  const all = () => { for (const redraw of redraws) redraw(); };
  const seen = new MutationObserver(all);
  for (const element of [document.documentElement, document.body]) seen.observe(element, { attributeFilter: ["class"] });
}

/**
 * Where a page has a <base>, plotly names clip paths by the page's whole address, when it first draws in a place. This
 * page's address changes with what is chosen, and the browser would fetch the old one: without <base> names stay local.
 *
 * @param {() => void} draws
 */
function withoutBase(draws) {
  const base = document.querySelector("base");
  const href = base?.getAttribute("href");
  base?.removeAttribute("href");
  draws();
  if (base && href != null) base.setAttribute("href", href);
}

function config(/** @type {boolean} */ selects) {
  const dictionary = Object.fromEntries(Object.entries(BUTTONS).map(([words, key]) => [words, text(`charts.button_${key}`)]));
  return { displaylogo: false, showSendToCloud: false, plotlyServerURL: "", responsive: false, doubleClick: "reset",
    modeBarButtonsToRemove: selects ? LEFT_OUT : [...LEFT_OUT, "select2d"],
    locale: tables.language, locales: { [tables.language]: { dictionary, format: {} } } };
}

/**
 * A chart in a figure with a caption. `click` is called with the point that is pressed, `select` with the points in a
 * box, or null where none is chosen any more; `open` with the id of a row of the table.
 *
 * @param {HTMLElement} place
 * @param {{click?: (point: any) => void, select?: (points: any[] | null) => void, open?: (id: string) => void}} [does]
 */
export function createChart(place, does = {}) {
  place.classList.add("afa-chart");
  const [plot, hint, switches] = ["div", "p", "div"].map((tag) => document.createElement(tag));
  plot.className = "afa-plotly";
  plot.setAttribute("role", "group");
  hint.className = "afa-hint";
  hint.dataset.fill = "chart";
  switches.className = "afa-legend afa-switches";
  place.append(plot, switches, hint);
  const table = addTable(place, does.open);
  /** @type {any} */
  let chart = null; // as it came
  /** @type {any} */
  let plotly = null;
  /** @type {any} */
  let options = {};
  /** @type {Map<string, boolean>} */
  const on = new Map(); // name -> whether its switch is on
  let frame = 0;
  /** @type {number | null} */
  let pressed = null; // where a press moves the mark
  let marked = NaN; // where the mark is drawn
  let width = 0;
  new ResizeObserver(() => { if (place.clientWidth && place.clientWidth !== width) render(); }).observe(place);

  function state(/** @type {string} */ name) {
    place.dataset.chartState = name;
    setText("chart", name === "drawn" ? "" : text(`charts.${name}`), place);
    plot.hidden = name !== "drawn";
  }

  function render() {
    if (!plotly || !chart || !place.clientWidth) return;
    width = place.clientWidth;
    state("drawn");
    marked = options.mark;
    const first = !plot.classList.contains("js-plotly-plot");
    const { data, layout } = fitted(coloured(chart, getComputedStyle(place)), width, options);
    for (const trace of data) if (on.get(trace.name) === false) trace.visible = false;
    const draws = () => plotly.react(plot, data, layout, config(Boolean(does.select)));
    if (!first) draws();
    else {
      withoutBase(draws);
      listen();
    }
  }

  function listen() {
    const events = /** @type {any} */ (plot);
    // A swipe would be a press for plotly, and a tap two: its touch, then the browser's mouse. A mouse comes of taps alone.
    plot.addEventListener("touchstart", (event) => {
      if (events.layout.dragmode === false) event.stopPropagation();
    }, { capture: true, passive: true });
    events.on("plotly_click", (/** @type {any} */ event) => {
      pressed = event.points[0].x;
      does.click?.(event.points[0]);
    });
    events.on("plotly_selected", (/** @type {any} */ event) => does.select?.(event?.points?.length ? event.points : null));
    events.on("plotly_deselect", () => does.select?.(null));
    followTheme();
    redraws.add(render);
  }

  return {
    place,
    /**
     * Draw a figure of Python; null hides the place.
     *
     * @param {any} next
     * @param {{keep?: string, mark?: number | null}} [more] keep: zoom and selection stay while this is the same;
     *   mark: a place on the x axis
     */
    async draw(next, more = {}) {
      chart = next ?? null;
      options = more;
      place.hidden = !chart;
      if (!chart) return;
      for (const { name, visible } of chart.data) if (name && !on.has(name)) on.set(name, visible !== "legendonly");
      const caption = place.querySelector("figcaption");
      if (caption) caption.textContent = plainText(chart.layout.title.text);
      plot.setAttribute("aria-label", chart.layout.meta.description);
      fillSwitches(switches, chart.data, on, render);
      table.fill(chart.layout.meta);
      const address = host.charts.address();
      if (!address) {
        switches.hidden = true;
        state("none");
        table.show();
        return;
      }
      if (!plotly) {
        state("loading");
        try {
          plotly = await loadPlotly(address);
        } catch (error) {
          console.info(error);
          state("lost");
          table.show();
          return;
        }
      }
      render();
    },

    /** Move the mark on the x axis. */
    mark(/** @type {number | null} */ x) {
      options = { ...options, mark: x };
      if (!plotly || !chart || frame) return;
      frame = requestAnimationFrame(async () => {
        frame = 0;
        const last = (chart.layout.shapes ?? []).length;
        const x = pressed;
        pressed = null;
        if (!place.clientWidth || marked === options.mark) return; // drawing it again under a finger would lose its press
        marked = options.mark;
        await plotly.relayout(plot, { [`shapes[${last}].x0`]: options.mark, [`shapes[${last}].x1`]: options.mark });
        if (x != null) plotly.Fx.hover(plot, { xval: x }); // the values there went with the old mark
      });
    },

    /** No point is chosen any more. */
    unselect() {
      if (plotly && chart) plotly.update(plot, { selectedpoints: [null] }, { selections: [] });
    },

    /** A picture of the chart as it is; null where there is none. */
    async picture() {
      if (!plotly || !place.clientWidth) return null;
      const image = new Image();
      image.src = await plotly.toImage(plot, { format: "png", ...PICTURE });
      await image.decode();
      return image;
    },
  };
}
