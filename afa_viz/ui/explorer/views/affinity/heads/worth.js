// What each head is worth in this image: the mIoU without it and with it alone, against all as learned. As
// evaluation/head_worth.py counts it over a split.

import { percent, signed } from "../../../core/format.js";
import * as recompute from "../../../core/recompute.js";
import { blockValues } from "../../../core/selection.js";
import { store } from "../../../core/store.js";
import { text } from "../../../core/words.js";
import { affinityOf } from "../../../method/heads.js";
import { argmaxLabels } from "../../../method/labels.js";
import { createPipeline } from "../../../method/pipeline.js";
import { resize } from "../../../method/resize.js";
import { iouScores } from "../../../method/scores.js";

/** @typedef {import("../../../core/heads.js").Heads} Heads */
/** @typedef {{walk: number, par: number}} Worth mIoU after the walk and after PAR */

/**
 * The mIoU under some weights of the heads.
 *
 * @param {ReturnType<typeof createPipeline>} pipeline
 * @param {any} settings
 * @param {Uint8Array} target
 * @param {string} name of the weights
 * @param {Float32Array} affinity
 * @returns {Worth}
 */
function worthOf(pipeline, settings, target, name, affinity) {
  const s = { ...settings, edited: { name, affinity } };
  const { size, grid, labels } = pipeline;
  const iterations = s.use_par ? s.num_iters : 0;
  const walked = pipeline.steps(s, s.low, s.num_steps, "low steps").slice(-1)[0];
  const refined = pipeline.parSteps(s, s.low, iterations, "low")[iterations];
  const score = (/** @type {Float32Array} */ maps, /** @type {Size} */ of) => (
    iouScores(argmaxLabels(resize(maps, of, size), labels), target).miou ?? NaN);
  return { walk: score(walked, grid), par: score(refined, pipeline.half(s)) };
}

/** A button, and the table that it fills. */
export function createWorth(/** @type {HTMLElement} */ box) {
  box.innerHTML = `<h5></h5><p class="afa-hint"></p><button type="button" data-do="worth"></button>
    <div class="afa-scroll"><table class="afa-numbers" hidden><thead></thead><tbody></tbody></table></div>`;
  const [title, hint, button, table] = ["h5", "p", "button", "table"].map((tag) => /** @type {any} */ (box.querySelector(tag)));
  let shown = ""; // for which explanation the table is
  /** @type {Heads | null} */
  let heads = null;

  function row(/** @type {string} */ name, /** @type {Worth[]} */ found, /** @type {Worth} */ base) {
    const line = document.createElement("tr");
    const change = (/** @type {number} */ now, /** @type {number} */ then) => signed(100 * (now - then));
    const words = found.flatMap(({ walk, par }) => [change(walk, base.walk), change(par, base.par)]);
    line.append(Object.assign(document.createElement("th"), { textContent: name }),
      ...words.map((textContent) => Object.assign(document.createElement("td"), { textContent })));
    table.tBodies[0].append(line);
  }

  async function fill() {
    const [s, target, given, key] = [recompute.settings(), store.scene.target?.bytes, heads, store.trace.key];
    if (!s || !target || !given) return;
    button.disabled = true;
    table.hidden = false;
    table.tHead.innerHTML = `<tr>${["head", "without_walk", "without_par", "only_walk", "only_par"].map((name) => (
      `<th>${text(`heads.worth_${name}`)}</th>`)).join("")}</tr>`;
    table.tBodies[0].replaceChildren();
    const { symmetric } = store.trace;
    const affinity = (/** @type {number[]} */ weights) => affinityOf(given.logits, weights, given.bias, symmetric);
    const pipeline = createPipeline({ .../** @type {any} */ (recompute.pipeline()), affinity: affinity(given.weights) });
    const worth = (/** @type {string} */ name, /** @type {number[]} */ weights) => worthOf(pipeline, s, target, name, affinity(weights));
    const base = worth("learned", given.weights);
    hint.textContent = text("heads.worth_base", { walk: percent(base.walk), par: percent(base.par) });
    const read = store.scene.blocks.filter((block) => block.weights);
    for (const [head, { block, place }] of given.places.entries()) {
      await new Promise((done) => { setTimeout(done); }); // the page goes on meanwhile
      if (store.trace.key !== key) return;
      const [without, only] = [worth(`without ${head}`, given.weights.map((w, i) => (i === head ? 0 : w))),
        worth(`only ${head}`, given.weights.map((w, i) => (i === head ? w : 0)))];
      const values = { ...blockValues(read[block]), head: place + 1, weight: signed(given.weights[head], 2) };
      row(text("heads.worth_row", values), [without, only], base);
    }
    box.dataset.state = "ready";
  }
  button.addEventListener("click", fill);

  return {
    draw(/** @type {Heads} */ given) {
      heads = given;
      title.textContent = text("heads.worth");
      button.textContent = text("heads.worth_count");
      const key = `${store.trace.key} ${recompute.settings()?.radius}`;
      if (shown === key) return;
      shown = key;
      const walked = store.scene.target && recompute.settings()?.use_walk;
      hint.textContent = text(!store.scene.target ? "heads.no_truth" : walked ? "heads.worth_hint" : "heads.no_walk");
      Object.assign(button, { hidden: !walked, disabled: false });
      table.hidden = true;
      box.dataset.state = "";
    },
  };
}
