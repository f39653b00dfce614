// The charts of the data set: each image before and after a stage, how much it changes, and the classes. A point opens
// its image, a box or a bar chooses the images that are listed, a class becomes the class of the tab.

import { createChart } from "../../charts/plotly.js";
import { reportError } from "../../core/status.js";
import { store } from "../../core/store.js";
import { tables } from "../../core/tables.js";
import { host } from "../../host/host.js";

const EVERY = 6000; // milliseconds between two drawings while images are being scored

/** One decimal, as the figures have them. */
const tenth = (/** @type {number} */ number) => Math.round(10 * number) / 10;

/** The images whose change lies in a bin of the histogram. */
function imagesInBin(/** @type {Figure} */ figure, /** @type {[number, number]} */ [low, high]) {
  return figure.data.flatMap(({ x, y, customdata }) => customdata.filter((_, i) => {
    const change = tenth(y[i] - x[i]);
    return low <= change && change < high;
  }));
}

/**
 * Build the charts of a section.
 *
 * @param {any} section
 * @param {{open: (id: string) => void, choose: (ids: string[] | null) => void, chooseClass: (name: string) => void}} does
 */
export function buildCharts(section, { open, choose, chooseClass }) {
  const box = section.querySelector('[data-for="charts"]');
  const place = (/** @type {string} */ name) => box.querySelector(`[data-chart="${name}"]`);
  /** @type {{[name: string]: Figure}} */
  let figures = {};
  const charts = {
    images: createChart(place("images"), { open, click: (point) => open(point.customdata),
      select: (points) => choose(points?.map((point) => point.customdata) ?? null) }),
    changes: createChart(place("changes"), { click: (point) => choose(imagesInBin(figures.images, point.customdata)) }),
    classes: createChart(place("classes"), { click: (point) => chooseClass(point.customdata) }),
  };
  let shown = ""; // what the charts show
  let time = 0;

  return {
    list: Object.values(charts),
    unselect: () => charts.images.unselect(),
    /**
     * Draw the charts of a question, if they are others.
     *
     * @param {DataQuestion} asked
     * @param {{scored: number, done: boolean}} progress scored: how many images have scores; done: no more will have
     */
    async draw(asked, { scored, done }) {
      const { stage, before, class_name } = asked;
      const question = { key: store.trace.key, stage, before, class_name };
      const base = JSON.stringify(question);
      const name = `${base} ${scored}`;
      if (name === shown || (shown.startsWith(`${base} `) && !done && Date.now() - time < EVERY)) return;
      [shown, time] = [name, Date.now()];
      try {
        const found = scored ? await host.charts.dataset({ ...question, order: "set", page: 0, language: tables.language }) : {};
        if (name !== shown) return; // something else is asked for by now
        figures = found ?? {};
        box.hidden = !figures.images;
        for (const [which, chart] of Object.entries(charts)) chart.draw(figures[which], { keep: `${stage} ${before} ${class_name}` });
      } catch (error) {
        shown = "";
        reportError(error);
      }
    },
  };
}
