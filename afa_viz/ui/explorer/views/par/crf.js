// A dense CRF in PAR's place, made by the host on request: both labels after each iteration, both times, where they differ.
// Loaded when it is first asked for.

import { $, setText } from "../../core/dom.js";
import { formatSeconds, percent } from "../../core/format.js";
import { layer, unpack } from "../../core/packed.js";
import { classColour, className } from "../../core/selection.js";
import { accepted, errorText } from "../../core/status.js";
import { store, view } from "../../core/store.js";
import { text } from "../../core/words.js";
import { paintLabelFigure, setCaption } from "../../draw/figures.js";
import { host } from "../../host/host.js";

/** @type {HTMLElement} */
let section;
/** @type {any} */
let answered = null; // what the server made, with the key of the settings it belongs to

const find = (/** @type {string} */ selector) => $(selector, section);
const iteration = () => find('[data-do="crf_iteration"]'); // of both
const figure = (/** @type {string} */ name) => find(`[data-view="${name}"]`);
const title = (/** @type {string} */ name, /** @type {string} */ words) => setCaption(figure(name), words);

/** Ask for it, and show it in the tab. */
export async function ask(/** @type {HTMLElement} */ element) {
  if (!section) {
    section = element;
    iteration().addEventListener("input", draw);
  }
  const button = find('[data-do="crf"]');
  const key = store.trace.key;
  button.disabled = true;
  setText("crf", text("par.crf_waiting"), section);
  try {
    const answer = accepted(await host.crf({ key }));
    for (const name of answer ? ["labels", "par_labels"] : []) answer[name] = await unpack(answer[name]);
    answered = answer && { ...answer, key };
    if (key !== store.trace.key) draw(); // of another explanation than the one that is shown now
    else if (!answer) setText("crf", text("gone"), section);
    else {
      iteration().value = iteration().max = Math.max(answer.iterations, answer.par_iterations);
      draw();
    }
  } catch (error) {
    if (key === store.trace.key) setText("crf", errorText(error), section);
    console.warn(error);
  }
  button.disabled = false;
}

export function draw() {
  const fresh = answered?.key === store.trace.key;
  find('[data-list="crf"]').hidden = !fresh;
  if (!fresh) {
    setText("crf", "", section);
    return;
  }
  const [par, other] = [["par_", "PAR"], ["", text("par.dense_crf")]].map(([prefix, name]) => {
    const of = answered[`${prefix}iterations`];
    const number = Math.min(iteration().value, of);
    const { bytes } = layer(answered[`${prefix}labels`], number);
    const iou = answered[`${prefix}iou`]?.[number][view.label];
    paintLabelFigure(figure(`${prefix}label`), bytes, store.trace.size, classColour, className);
    title(`${prefix}label`, `${name}, ${number} / ${of}${iou == null ? "" : `, IoU ${percent(iou)}`}`);
    return bytes;
  });
  const differ = other.map((/** @type {number} */ label, /** @type {number} */ i) => (label === par[i] ? 0 : 1));
  const { seconds, par_seconds } = answered;
  setText("crf", text("par.crf_done", { ...answered, par: formatSeconds(par_seconds), crf: formatSeconds(seconds),
    times: (seconds / par_seconds).toFixed(1) }), section);
  paintLabelFigure(figure("disagree"), differ, store.trace.size, (l) => (l ? [230, 159, 0] : null), () => "");
  title("disagree", text("par.disagree", { share: percent(differ.reduce((a, b) => a + b) / differ.length) }));
}
