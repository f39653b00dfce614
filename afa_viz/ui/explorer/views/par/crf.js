// A dense CRF in PAR's place, made by the host on request: both labels after each iteration, both times, where they differ.

import { playSlider } from "../../components/play_slider.js";
import { $, setText } from "../../core/dom.js";
import { formatSeconds, percent } from "../../core/format.js";
import { layer, unpack } from "../../core/packed.js";
import { classColour, className } from "../../core/selection.js";
import { translateServerText } from "../../core/server_words.js";
import { accepted, errorText } from "../../core/status.js";
import { store, view } from "../../core/store.js";
import { text } from "../../core/words.js";
import { paintLabelFigure, setCaption } from "../../draw/figures.js";
import { host } from "../../host/host.js";

/** @type {any} */
let section = null;
/** @type {any} */
let answered = null; // what the server made, with the key of the settings it belongs to
/** @type {number | null} */
let at = null; // iteration of both; null: the last one

const find = (selector) => $(selector, section);
const figure = (name) => find(`[data-view="${name}"]`);
const title = (name, words) => setCaption(figure(name), words);

async function ask() {
  const button = find('[data-do="crf"]');
  const key = store.trace.key;
  button.disabled = true;
  setText("crf", text("par.crf_waiting"), section);
  try {
    const answer = accepted(await host.crf({ key }));
    if (answer?.labels) answer.labels = await unpack(answer.labels);
    if (answer?.par_labels) answer.par_labels = await unpack(answer.par_labels);
    answered = answer && { ...answer, key };
    at = null;
    if (!answer) setText("crf", text("gone"), section);
    else draw();
  } catch (error) {
    setText("crf", errorText(error), section);
    console.warn(error);
  }
  button.disabled = false;
}

const score = (iou) => (iou?.[view.label] == null ? "" : `, IoU ${percent(iou[view.label])}`);

/** Label, iteration and IoU of PAR ("par_") or the CRF ("") at the chosen iteration, or at its last one. */
function shown(/** @type {string} */ prefix) {
  const number = Math.min(at ?? Infinity, answered[`${prefix}iterations`]);
  return { bytes: layer(answered[`${prefix}labels`], number).bytes, number, iou: answered[`${prefix}iou`]?.[number] };
}

export function draw() {
  const list = find('[data-list="crf"]');
  const fresh = answered && answered.key === store.trace.key;
  list.hidden = !fresh || !answered.labels;
  if (!fresh) {
    setText("crf", "", section);
    return;
  }
  if (!answered.labels) {
    setText("crf", translateServerText(answered.missing), section);
    return;
  }
  const [par, other] = [shown("par_"), shown("")];
  const slider = find('[data-do="crf_iteration"]');
  slider.max = Math.max(answered.iterations, answered.par_iterations);
  slider.value = at ?? slider.max;
  setText("crf_iteration", text("par.of", { at: slider.value, of: slider.max }), section);
  const differ = other.bytes.map((label, i) => (label === par.bytes[i] ? 0 : 1));
  const share = differ.reduce((a, b) => a + b, 0) / differ.length;
  setText("crf", text("par.crf_done", { par: formatSeconds(answered.par_seconds), crf: formatSeconds(answered.seconds),
    times: (answered.seconds / answered.par_seconds).toFixed(1), par_iterations: answered.par_iterations,
    iterations: answered.iterations }), section);
  paintLabelFigure(figure("par_label"), par.bytes, store.trace.size, classColour, className);
  paintLabelFigure(figure("crf_label"), other.bytes, store.trace.size, classColour, className);
  paintLabelFigure(figure("disagree"), differ, store.trace.size, (l) => (l ? [230, 159, 0] : null), () => "");
  title("par_label", text("par.crf_title", { name: "PAR", at: par.number }) + score(par.iou));
  title("crf_label", text("par.crf_title", { name: text("par.dense_crf"), at: other.number }) + score(other.iou));
  title("disagree", text("par.disagree", { share: percent(share) }));
}

export function build(element) {
  section = element;
  find('[data-do="crf"]').addEventListener("click", ask);
  const slider = find('[data-do="crf_iteration"]');
  slider.addEventListener("input", () => {
    at = Number(slider.value);
    draw();
  });
  playSlider(find("[data-play-crf]"), slider);
}
