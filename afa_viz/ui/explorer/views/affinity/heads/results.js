// What follows from the weights under the hand beside what follows from the learned ones: affinity and walk in every frame,
// PAR, label and scores once the hand rests.

import * as recompute from "../../../core/recompute.js";
import { percent, signed } from "../../../core/format.js";
import { classColour, className, queryCell } from "../../../core/selection.js";
import { channelOf } from "../../../core/packed.js";
import { store, view } from "../../../core/store.js";
import { tables } from "../../../core/tables.js";
import { text } from "../../../core/words.js";
import { paintLabelFigure, paintMapFigure, setCaption } from "../../../draw/figures.js";
import { markCell } from "../../../draw/marks.js";
import { argmaxLabels } from "../../../method/labels.js";
import { createPipeline } from "../../../method/pipeline.js";
import { resize } from "../../../method/resize.js";
import { certainScores, iouScores, regionShares } from "../../../method/scores.js";
import { robustLimits } from "../../../method/statistics.js";
import { createQueue } from "./queue.js";

const PAUSE = 25; // milliseconds without a change before PAR follows
const SIDES = ["learned", "now"];
const VIEWS = ["affinity", "walk", "label", "regions"];
const ROWS = ["walk_class", "walk_mean", "par_class", "par_mean", "certain", "precision", "foreground"];
const inTurn = createQueue(); // weights and edits share a pipeline, which keeps the maps of one of them

/** @typedef {ReturnType<typeof createPipeline>} Pipeline */
/** @typedef {{[stage: string]: number | null}} Scores */
/** @typedef {{scores: Scores, label: Uint8Array, pseudo: Uint8Array}} Followed */

const HEADS = { learned: "heads.side_learned", now: "heads.side_now", change: "heads.side_change" };

/**
 * The figures and the table, to be filled.
 *
 * @param {HTMLElement} box
 * @param {{[side: string]: string}} names keys of what the two sides and the change between them are called
 */
export function createResults(box, names = HEADS) {
  const figures = VIEWS.map((name) => (
    `<figure data-part="${name}"><figcaption></figcaption><canvas role="img"></canvas></figure>`)).join("");
  box.innerHTML = `<div class="afa-hand-sides">${SIDES.map((side) => `<section data-side="${side}"><h5></h5>
    <div class="afa-figs">${figures}</div>
    </section>`).join("")}</div><table class="afa-numbers"><thead></thead><tbody></tbody></table><p class="afa-hint"></p>`;
  const figure = (/** @type {string} */ side, /** @type {string} */ name) => (
    /** @type {HTMLElement} */ (box.querySelector(`[data-side="${side}"] [data-part="${name}"]`)));
  let reference = /** @type {{key: string, pipeline: Pipeline, affinity: Float32Array} | null} */ (null);
  /** @type {{name: string, pipeline: Pipeline, found: Followed} | null} */
  let before = null; // what follows from the learned weights
  let stopFollowing = () => {};

  /** The pipeline with the learned affinity: of this explanation's CAM and labels. */
  function referenceOf(/** @type {Float32Array} */ affinity) {
    const { key } = store.trace;
    if (reference?.key !== key || reference.affinity !== affinity) {
      reference = { key, affinity, pipeline: createPipeline({ .../** @type {Pipeline} */ (recompute.pipeline()), affinity }) };
    }
    return reference.pipeline;
  }

  /** Affinity and walk of both sides. */
  function quick(/** @type {{[side: string]: Float32Array}} */ affinities, /** @type {any} */ s) {
    const { grid } = store.trace;
    const cells = grid[0] * grid[1];
    const at = queryCell()[0] * grid[1] + queryCell()[1];
    /** @type {{[side: string]: Pipeline}} */
    const pipelines = { learned: referenceOf(affinities.learned), now: recompute.pipeline() };
    const plain = { ...s, edited: null };
    const maps = SIDES.map((side) => {
      const steps = pipelines[side].steps(side === "now" ? s : plain, s.low, s.use_walk ? s.num_steps : 0, "hand");
      return channelOf(steps[steps.length - 1], pipelines[side].labels.indexOf(view.label), cells);
    });
    const limits = robustLimits(...maps); // one scale for both
    SIDES.forEach((side, i) => {
      paintMapFigure(figure(side, "affinity"), affinities[side].subarray(at * cells, (at + 1) * cells), grid, [0, 1]);
      paintMapFigure(figure(side, "walk"), maps[i], grid, limits);
      for (const name of ["affinity", "walk"]) {
        markCell(/** @type {any} */ (figure(side, name).querySelector("canvas")), grid, queryCell(), Boolean(view.pin));
      }
    });
    return pipelines;
  }

  /**
   * The scores of one side, and its label, in short pieces.
   *
   * @param {Pipeline} pipeline
   * @param {any} s
   */
  function* slow(pipeline, s) {
    const { size, grid } = store.trace;
    while (pipeline.prepareRun(s)) yield;
    const made = pipeline.run(s);
    yield;
    const walked = argmaxLabels(resize(made.cam_rw, grid, size), pipeline.labels);
    yield;
    const target = store.scene.target?.bytes;
    const shares = regionShares(made.pseudo_label);
    /** @type {Scores} */
    const scores = { certain: 1 - shares.uncertain, foreground: shares.foreground };
    if (target) {
      for (const [stage, label] of /** @type {[string, Uint8Array][]} */ ([["walk", walked], ["par", made.low]])) {
        const found = iouScores(label, target);
        scores[`${stage}_class`] = found.iou[view.label] ?? 0;
        scores[`${stage}_mean`] = found.miou;
        yield;
      }
      scores.precision = certainScores(made.pseudo_label, target).all.precision;
    }
    return { scores, label: made.low, pseudo: made.pseudo_label };
  }

  function paintLabels(/** @type {string} */ side, /** @type {Followed} */ { label, pseudo }) {
    paintLabelFigure(figure(side, "label"), label, store.trace.size, classColour, className);
    paintLabelFigure(figure(side, "regions"), pseudo, store.trace.size, (l) => (l ? tables.foreground : tables.background), () => "");
  }

  function table(/** @type {Scores} */ before, /** @type {Scores} */ after) {
    const rows = ROWS.filter((name) => name in before);
    const cell = (/** @type {string} */ tag, /** @type {string} */ words) => `<${tag}>${words}</${tag}>`;
    /** @type {any} */ (box.querySelector("thead")).innerHTML = `<tr>${["", "learned", "now", "change"].map((name) => (
      cell("th", name && text(names[name])))).join("")}</tr>`;
    /** @type {any} */ (box.querySelector("tbody")).replaceChildren(...rows.map((name) => {
      const row = document.createElement("tr");
      row.dataset.score = name;
      const [a, b] = [before[name], after[name]];
      const change = a == null || b == null ? "–" : `${signed(100 * (b - a))}`;
      for (const [i, words] of [text(`heads.score_${name}`, { name: className(view.label) }), percent(a), percent(b), change].entries()) {
        row.append(Object.assign(document.createElement(i ? "td" : "th"), { textContent: words }));
      }
      return row;
    }));
  }

  /**
   * PAR, labels and scores of both sides.
   *
   * @param {{[side: string]: Pipeline}} pipelines
   * @param {{name: string, affinity: Float32Array}} now
   * @param {(words: string) => void} tell
   */
  function* follow(pipelines, now, tell) {
    if (!recompute.pipeline()) return;
    const began = performance.now();
    const plain = { ...recompute.settings(), edited: null };
    const name = JSON.stringify([store.trace.key, plain, view.label, view.opacity, box.clientWidth]);
    if (before?.name !== name || before.pipeline !== pipelines.learned) {
      before = { name, pipeline: pipelines.learned, found: yield* slow(pipelines.learned, plain) };
      yield;
      paintLabels("learned", before.found);
    }
    const found = [before.found, yield* slow(pipelines.now, { ...plain, edited: now })];
    paintLabels("now", found[1]);
    table(found[0].scores, found[1].scores);
    const [from, to] = found.map(({ scores }) => scores.par_class);
    tell(from == null || to == null ? "" : text("heads.brief", { name: className(view.label), from: percent(from), to: percent(to),
      change: signed(100 * (to - from)) }));
    /** @type {any} */ (box.querySelector("p")).textContent = text(store.scene.target ? "heads.scored" : "heads.no_truth");
    Object.assign(box.dataset, { state: "ready", slow: (performance.now() - began).toFixed(1) });
  }

  return {
    /**
     * Draw both sides; PAR and the scores follow once nothing has changed for a moment.
     *
     * @param {Float32Array} learned the affinity
     * @param {{name: string, affinity: Float32Array}} now
     * @param {(words: string) => void} tell called with the change of the IoU in words
     */
    draw(learned, now, tell) {
      for (const side of SIDES) /** @type {any} */ (box.querySelector(`[data-side="${side}"] h5`)).textContent = text(names[side]);
      const pipelines = quick({ learned, now: now.affinity }, { ...recompute.settings(), edited: now });
      for (const name of VIEWS) {
        const words = text(`heads.view_${name}`, { name: className(view.label) });
        for (const side of SIDES) setCaption(figure(side, name), words);
      }
      stopFollowing();
      box.dataset.state = "waiting";
      stopFollowing = inTurn(follow(pipelines, now, tell), PAUSE);
    },
  };
}
