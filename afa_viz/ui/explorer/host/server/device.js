// Photographs on the visitor's own device, in the app: the network of the static site answers in the place of the server
// while such a photograph is shown, and the site's settings stand in the place of gradio's. Loaded with the first one.

import { use, host } from "../host.js";
import { onIntent, visitorsPhotographs } from "../onnx.js";
import { preparedHost } from "../prepared.js";
import { buildOwnLabels } from "../../components/own_labels.js";
import { buildSettings } from "../../components/sidebar.js";
import { takeLaterTexts } from "../../core/later.js";
import { receive } from "../../core/receive.js";
import { tables } from "../../core/tables.js";
import { text } from "../../core/words.js";

/** @typedef {import("../host.js").Host} Host */
/** @typedef {import("../host.js").Question} Question */
/** @typedef {import("../../components/photo_input.js").PhotoInput} PhotoInput */

/**
 * What one model explains here.
 *
 * @typedef {{own: ReturnType<typeof visitorsPhotographs>, host: Host, settings: HTMLElement}} Device
 */

const server = { ...host };
/** @type {Map<string, Promise<Device>>} */
const devices = new Map(); // by model
/** @type {Device[]} */
const opened = [];
/** @type {Device | null} */
let device = null; // that answers now; null: the server does

/** The one whose photograph a question is about; null: the server's. */
const answering = (/** @type {any} */ asked) => (device?.own.knows(String(asked.key)) ? device.host : null);

/** @type {(name: "scene" | "attention" | "overview" | "affinity" | "heads" | "par" | "crf" | "compare" | "unedited") => Question} */
const either = (name) => async (asked) => (answering(asked) ?? server)[name](asked);

/** A question that only the server answers: about the image that it explained last. */
const atServer = (/** @type {Question} */ question) => async (/** @type {any} */ asked) => (
  question(answering(asked) ? { ...asked, key: server.stages()?.key } : asked));

/** Ask the device of a photograph first; everything else goes to the server. */
function delegate() {
  use(/** @type {Host} */ ({
    ...server,
    stages: () => (device?.host.stages() ?? server.stages()),
    setSetting: (field, value) => (device?.host ?? server).setSetting(field, value),
    setHeads: (heads) => (device?.host ?? server).setHeads(heads),
    setEdits: (edits) => (device?.host ?? server).setEdits(edits),
    reruns: () => !device,
    chooseLabels: (names) => (device?.own ?? server).chooseLabels(names),
    ...Object.fromEntries(/** @type {any[]} */ (
      ["scene", "attention", "overview", "affinity", "heads", "par", "crf", "compare", "unedited"])
      .map((name) => [name, either(name)])),
    example: atServer(server.example),
    charts: { ...server.charts, snapshots: async (asked) => (answering(asked) ?? server).charts.snapshots(asked),
      dataset: atServer(server.charts.dataset) },
    snapshots: { run: async (asked) => (answering(asked) ?? server).snapshots.run(asked),
      frame: async (asked) => (answering(asked) ?? server).snapshots.frame(asked) },
    dataset: { ...server.dataset, page: atServer(server.dataset.page) },
    lab: { steps: async (asked) => (answering(asked) ?? server).lab.steps(asked),
      check: async (asked) => (answering(asked) ?? server).lab.check(asked) },
    exports: { ...server.exports, file: async (asked) => (answering(asked) ?? server).exports.file(asked),
      python: async (asked) => (answering(asked) ? null : server.exports.python?.(asked)) },
  }));
}

const gradioSettings = () => /** @type {HTMLElement} */ (document.querySelector("#afa-settings"));

/** Let this device answer, or the server again. */
function change(/** @type {Device | null} */ next) {
  if (device) device.settings.hidden = true;
  device = next;
  gradioSettings().classList.toggle("afa-off", Boolean(next));
  if (next) next.settings.hidden = false;
}

/**
 * Open the network of a model.
 *
 * @param {string} model
 * @param {Question} ask what the server says of it
 * @param {PhotoInput} input
 * @returns {Promise<Device>}
 */
async function openDevice(model, ask, input) {
  const given = /** @type {any} */ (await ask({ model }));
  if (!given || given.refused) throw Object.assign(new Error("refused"), { refused: given?.refused ?? tables.english.gone });
  const settings = Object.assign(document.createElement("div"), { className: "afa-device-settings", hidden: true });
  gradioSettings().after(settings);
  const { host: own, show, change: alter, changes, base, onChange } = preparedHost({ tables, parts: {},
    find: async (_, question, asked) => made.own.find(question, asked) });
  /** @type {Device} */
  const made = { own: visitorsPhotographs(given, (...next) => {
    if (device !== made) change(made);
    return show(...next);
  }), host: own, settings };
  own.onStages(receive);
  buildOwnLabels(settings, given.facts.names, made.own.chooseLabels);
  buildSettings(settings, { model: "", note: text("site.note_network"), prefix: "afa-device-", onChange,
    leftOut: () => changes().left_out ?? [], leaveOut: (names) => alter({ left_out: names }), reset: () => show(base().key, {}) });
  made.own.listenTo(input);
  opened.push(made);
  return made;
}

/** The device for a model, opened once; one that fails is tried again. */
function deviceOf(/** @type {string} */ model, /** @type {Question} */ ask, /** @type {PhotoInput} */ input) {
  const found = devices.get(model) ?? openDevice(model, ask, input);
  devices.set(model, found);
  found.catch(() => devices.delete(model));
  return found;
}

const shownModel = () => server.stages()?.model ?? "";

/**
 * Explain a photograph here. Throws an error, with a sentence in `refused` where the server refuses the network.
 *
 * @param {File} file
 * @param {File | null} mask
 * @param {{ask: Question, input: PhotoInput, isLate: () => boolean}} given
 */
export async function open(file, mask, { ask, input, isLate }) {
  input.progress(text("site.own_asks"));
  const next = await deviceOf(shownModel(), ask, input);
  if (isLate()) return;
  for (const { own } of opened) if (own !== next.own) own.dismiss();
  await next.own.open(file, mask);
}

/** The ground truth of the photograph that is shown here; false where it is the server's. */
export function addMask() {
  device?.own.addMask();
  return Boolean(device);
}

/** Another image was chosen, which the server explains: what it explained last is shown until then. */
export function leave() {
  for (const { own } of opened) own.dismiss();
  if (!device) return;
  change(null);
  receive();
}

/** Get ready: a photograph is about to be chosen. */
export function prepare(/** @type {Element} */ box, /** @type {Question} */ ask, /** @type {PhotoInput} */ input) {
  onIntent(box, () => { deviceOf(shownModel(), ask, input).then(({ own }) => own.prepare(), () => {}); });
}

takeLaterTexts();
delegate();
