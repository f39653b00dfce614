// A dense CRF in PAR's place, made by the host when somebody asks for it: both labels, both times, where they differ.

import { $, setText } from "../../core/dom.js";
import { formatSeconds, percent } from "../../core/format.js";
import { unpack } from "../../core/packed.js";
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

const find = (/** @type {string} */ selector) => $(selector, section);
const figure = (/** @type {string} */ name) => find(`[data-view="${name}"]`);
const title = (/** @type {string} */ name, /** @type {string} */ words) => setCaption(figure(name), words);

async function ask() {
  const button = find('[data-do="crf"]');
  const key = store.trace.key;
  button.disabled = true;
  setText("crf", text("par.crf_waiting"), section);
  try {
    const answer = accepted(await host.crf({ key }));
    if (answer?.label) answer.label = await unpack(answer.label);
    if (answer?.par_label) answer.par_label = await unpack(answer.par_label);
    answered = answer && { ...answer, key };
    if (!answer) setText("crf", text("gone"), section);
    else draw();
  } catch (error) {
    setText("crf", errorText(error), section);
    console.warn(error);
  }
  button.disabled = false;
}

const score = (/** @type {{[label: number]: number} | null} */ iou) => (iou?.[view.label] == null ? "" : `, IoU ${percent(iou[view.label])}`);

export function draw() {
  const list = find('[data-list="crf"]');
  const fresh = answered && answered.key === store.trace.key;
  list.hidden = !fresh || !answered.label;
  if (!fresh) {
    setText("crf", "", section);
    return;
  }
  if (!answered.label) {
    setText("crf", translateServerText(answered.missing), section);
    return;
  }
  const [par, other] = [answered.par_label.bytes, answered.label.bytes];
  const differ = other.map((/** @type {number} */ label, /** @type {number} */ i) => (label === par[i] ? 0 : 1));
  const share = differ.reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, 0) / differ.length;
  setText("crf", text("par.crf_done", { par: formatSeconds(answered.par_seconds), crf: formatSeconds(answered.seconds),
    times: (answered.seconds / answered.par_seconds).toFixed(1), share: percent(share), iterations: answered.iterations }), section);
  paintLabelFigure(figure("par_label"), par, store.trace.size, classColour, className);
  paintLabelFigure(figure("crf_label"), other, store.trace.size, classColour, className);
  paintLabelFigure(figure("disagree"), differ, store.trace.size, (l) => (l ? [230, 159, 0] : null), () => "");
  title("par_label", `PAR, ${formatSeconds(answered.par_seconds)}${score(answered.par_iou)}`);
  title("crf_label", `${text("par.dense_crf")}, ${formatSeconds(answered.seconds)}${score(answered.iou)}`);
  title("disagree", text("par.disagree", { share: percent(share) }));
}

export function build(/** @type {HTMLElement} */ element) {
  section = element;
  find('[data-do="crf"]').addEventListener("click", ask);
}
