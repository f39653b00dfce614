// A static site: prepared answers come as files beside the page. Every address is relative to it, and nothing is asked of
// another host.

import { fetchAnswer, fileName } from "./files.js";
import { use } from "./host.js";
import { onIntent, visitorsPhotographs } from "./onnx.js";
import { answerName, canonical, preparedHost } from "./prepared.js";
import { listing, thumbnailsOf } from "./prepared/dataset.js";
import { logitsFromHeads } from "./prepared/logits.js";
import { followTheme } from "./standalone.js";
import { buildOwnLabels } from "../components/own_labels.js";
import { buildPhotoInput } from "../components/photo_input.js";
import { buildGallery, buildSettings, markPicture } from "../components/sidebar.js";
import { query } from "../core/address.js";
import { cached } from "../core/cache.js";
import { FIELDS as EDITS, parseEdits, parseThresholds } from "../core/edit_settings.js";
import { parseBias, parseWeights } from "../core/head_settings.js";
import { addressed, dropAddress } from "../core/permalink.js";
import { MAX_CELLS } from "../core/recompute.js";
import { loadTables, tables as pageTables } from "../core/tables.js";
import { text } from "../core/words.js";
import { start as startPage } from "../main.js";

const PARTS = ["random walk", "PAR", "symmetry of the affinity", "other scales of the CAM"]; // that can be left out

const MOST_HEADS = 1024; // of two blocks: more than any network has

const element = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @typedef {{key: string, folder: string, name: string, title: string, photograph: boolean, gallery: boolean, thumbnail: string,
 *   files: string[]}} SiteImage */
/** @typedef {{images: SiteImage[], model: {name: string, line: string}, dataset: string, plotly: string,
 *   charts: {[language: string]: {[className: string]: string}}, network: import("./onnx.js").Given | null}} SiteContents */

/**
 * Start the page: its frame is there already.
 *
 * @param {{tables: {[name: string]: any}, site: string}} given site: the address of the list of what there is
 */
export async function start({ tables, site }) {
  followTheme();
  const contents = /** @type {SiteContents} */ (await contentsOf(site, tables));
  if (!contents) return;
  const images = new Map(contents.images.map((image) => [image.key, image]));
  const gallery = contents.images.filter((image) => image.gallery);
  /** @type {Map<string, any>} */
  const answers = new Map();
  /** @type {{key?: string, ask?: any}} attention of single heads and cells of the image that is shown */
  let slicer = {};
  /** @type {ReturnType<typeof visitorsPhotographs> | null} */
  const own = contents.network && visitorsPhotographs(contents.network, (...next) => show(...next));
  /** @type {import("./prepared.js").Find} */
  const find = async (name, question, asked) => {
    if (own?.knows(asked.key)) return own.find(question, asked);
    const image = images.get(asked.key);
    if (!image) return null;
    const held = (/** @type {string} */ question, /** @type {any} */ asked) => {
      const file = fileName(question, asked);
      return image.files.includes(file)
        ? cached(answers, answerName(question, asked), () => fetchAnswer(`images/${image.folder}/${file}`)) : null;
    };
    if (question !== "attention") return held(question, asked);
    const { key } = asked;
    const { grid, num_blocks } = await held("stages", { key });
    const exact = async (/** @type {any} */ part) => await held(question, part)
      ?? (part.logits && logitsFromHeads(await held("heads", { key }), grid, num_blocks, part));
    if (!asked.cell && asked.head == null) return exact(asked);
    if (slicer.key !== key) {
      slicer = { key, ask: import("./prepared/slices.js").then(({ createSlicer }) => (
        createSlicer((part) => exact(canonical({ ...part, key })), grid[1]))) };
    }
    return (await slicer.ask)(asked);
  };
  const set = () => cached(answers, "data set", () => fetchAnswer(contents.dataset));
  const charts = (/** @type {string} */ language, /** @type {string} */ className) => {
    const file = contents.charts[language][className]; // none of a class without images
    return file && cached(answers, file, () => fetchAnswer(file));
  };
  /** @type {HTMLImageElement[]} */
  let pictures = [];
  const open = (/** @type {SiteImage | undefined} */ image) => {
    if (!image) return false;
    dropAddress();
    own?.dismiss();
    show(image.key);
    return true;
  };
  const { host, show, change, changes, base, onChange } = preparedHost({ find, tables, parts: {
    markup: /** @type {HTMLTemplateElement} */ (document.querySelector("template")).innerHTML,
    translatable: () => [...document.querySelectorAll("#afa-head [data-words]")],
    connect,
    dataset: {
      page: async ({ key, ...query }) => {
        const found = listing(await set(), /** @type {any} */ (query));
        if (key !== base().key) found.progress.failure = pageTables.english["site.scores_published"];
        return found;
      },
      thumbnails: async ({ ids }) => thumbnailsOf(await set(), ids),
      scoring: async () => listing(await set(), { order: "set", stage: "seg", before: "cam_rw", class_name: "", page: 0 }).progress,
      open: (id) => { open(contents.images.find((image) => image.name === id)); },
    },
    chooseLabels: (labels) => own?.chooseLabels(labels),
    example: async ({ name }) => {
      const asked = { key: gallery.find((image) => image.name === name)?.key };
      return find(answerName("stages", asked), "stages", asked);
    },
    examples: { names: gallery.map(({ name }) => name), thumbnails: () => pictures, open: (place) => open(gallery[place]) },
  } });

  /** Beside the explorer, once the texts are here. */
  function connect() {
    document.documentElement.lang = pageTables.language;
    pictures = buildGallery(element("afa-pick"), gallery, (place) => open(gallery[place]));
    if (own && contents.network) {
      const box = Object.assign(document.createElement("div"), { className: "afa-upload" });
      element("afa-pick").append(box);
      own.listenTo(buildPhotoInput(box, own.open, () => own.addMask(), text("site.own_info")));
      onIntent(box, own.prepare);
      buildOwnLabels(element("afa-pick"), contents.network.facts.names, own.chooseLabels);
    }
    buildSettings(element("afa-settings"), {
      model: contents.model.line,
      note: text(own ? "site.note_network" : "site.note"),
      leftOut: () => changes().left_out ?? [],
      leaveOut: (names) => change({ left_out: names }),
      reset: () => show(base().key, {}),
      onChange,
    });
    onChange(() => markPicture(pictures, gallery.findIndex(({ key }) => key === base()?.key)));
  }

  host.charts.address = () => contents.plotly;
  host.charts.dataset = async ({ key, before, stage, class_name: className, language }) => (
    key === base().key && (await charts(language, className))?.[`${before} ${stage}`]) || {};
  use(host);
  startPage(element("afa-explorer"));
  const asked = readAddress(contents, gallery[0]);
  await show(asked.image.key, asked.settings, { linked: true, unfit: asked.wrong });
}

/**
 * What there is; null where that does not come, which the page then says. From the disk a browser reads no file beside the
 * page.
 *
 * @param {string} site
 * @param {{[name: string]: any}} tables
 * @returns {Promise<SiteContents | null>}
 */
async function contentsOf(site, tables) {
  try {
    return await fetchAnswer(site);
  } catch (error) {
    console.info(error);
    loadTables(tables, [query().get("lang"), ...navigator.languages]);
    const words = Object.assign(document.createElement("p"), { className: "afa-note",
      textContent: text(window.location.protocol === "file:" ? "site.from_disk" : "site.not_loaded") });
    words.setAttribute("role", "alert");
    element("afa-explorer").replaceChildren(words);
    document.documentElement.lang = pageTables.language;
    return null;
  }
}

/**
 * What the address asks for: an image and settings; `wrong`: names of parts that do not fit.
 *
 * @param {SiteContents} contents
 * @param {SiteImage} first the image where it names none
 */
function readAddress({ images, model }, first) {
  /** @type {string[]} */
  const wrong = [];
  const name = addressed.get("example") ?? addressed.get("data");
  const image = images.find((one) => one.name === name) ?? first;
  if (name && image.name !== name) wrong.push(addressed.has("example") ? "example" : "data");
  for (const part of ["labels", "photo"]) if (addressed.has(part)) wrong.push(part);
  if (addressed.has("model") && addressed.get("model") !== model.name) wrong.push("model");
  /** @type {{[field: string]: any}} */
  const settings = {};
  for (const [field, [low, high, step]] of Object.entries(pageTables.sliders)) {
    const value = addressed.get(field);
    if (value == null) continue;
    const number = value.trim() === "" ? NaN : Number(value);
    if (number >= low && number <= high && (step !== 1 || Number.isInteger(number))) settings[field] = number;
    else wrong.push(field);
  }
  if (settings.bkg_score_low > settings.bkg_score_high) {
    wrong.push("settings");
    [settings.bkg_score_low, settings.bkg_score_high] = [undefined, undefined];
  }
  const [weights, bias] = ["head_weights", "affinity_bias"].map((name) => addressed.get(name));
  if (weights != null && !parseWeights(weights, MOST_HEADS)) wrong.push("head_weights");
  else if (weights) settings.head_weights = weights;
  if (bias != null && parseBias(bias) == null) wrong.push("affinity_bias");
  else if (bias != null) settings.affinity_bias = parseBias(bias);
  const namesIn = (/** @type {string} */ value) => ["", ...value.split("~").map((entry) => entry.slice(0, entry.lastIndexOf(":")))];
  /** @type {{[name: string]: (value: string) => any}} */
  const read = { affinity_edits: (value) => parseEdits(value, MAX_CELLS),
    class_thresholds: (value) => parseThresholds(value, namesIn(value)) };
  for (const name of EDITS) {
    const value = addressed.get(name);
    if (!value) continue;
    if (read[name]?.(value)) settings[name] = value; // for the others the network would have to run again
    else wrong.push(name);
  }
  const leftOut = addressed.get("left_out")?.split(",").filter(Boolean) ?? [];
  if (leftOut.every((part) => PARTS.includes(part))) settings.left_out = leftOut;
  else wrong.push("left_out");
  return { image, settings: Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)), wrong };
}
