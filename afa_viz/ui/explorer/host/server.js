// The app: a gradio server answers. This file and server/ are the only ones that know gradio: what it hands to its
// scripts, the elements that it draws beside the explorer, and a function that its events call (`window.afaOpened`, see
// events.py).

import { use } from "./host.js";
import { translateGradio } from "./server/gradio_words.js";
import * as photograph from "./server/photograph.js";
import { listenToSidebar, setSlider } from "./server/sidebar.js";
import { listenToTypedFields } from "./server/typed_fields.js";
import { start as startPage } from "../main.js";

/**
 * Start the page in an element of gradio's.
 *
 * @param {{element: HTMLElement, props: {[name: string]: any}, trigger: (event: string, data?: object) => void,
 *   server: {[name: string]: (asked: object) => Promise<string>}, watch: (prop: string, listener: () => void) => void}} gradio
 *   what gradio gives a script (`js_on_load` of gr.HTML)
 */
export function start({ element, props, trigger, server, watch }) {
  const below = (/** @type {string} */ address) => `${window.gradio_config?.root ?? ""}/${address}`; // the root of the app
  /** @type {any} */ (window).afaLater = props.later.map(below); // where the bundle loads from
  /** @type {(name: string) => import("./host.js").Question} */
  const question = (name) => async (asked) => JSON.parse(await server[name](asked));
  /** @type {(name: string) => import("./host.js").Question} */
  const measured = (name) => async (asked) => { // with the size of the answer
    const json = await server[name](asked);
    const answer = JSON.parse(json);
    return answer && { ...answer, sent: json.length };
  };
  const thumbnails = () => /** @type {HTMLElement[]} */ ([...document.querySelectorAll("#afa-gallery .thumbnail-item")]);
  use({
    markup: props.markup,
    tables: JSON.parse(props.tables),
    connect() {
      translateGradio();
      photograph.listen((asked) => trigger("upload", asked), question("device_network"));
      listenToSidebar();
      listenToTypedFields(() => trigger("clear"));
    },
    translatable: () => [...document.querySelectorAll(":is(#afa-head, #afa-upload) [data-words]")],
    stages: () => (props.value ? JSON.parse(props.value) : null),
    onStages: (listener) => watch("value", listener),
    setSetting: setSlider,
    setHeads: (heads) => trigger("edit", heads),
    setEdits: (edits) => trigger("release", edits),
    reruns: () => true,
    unedited: question("unedited"),
    scene: question("scene"),
    attention: measured("attention"),
    overview: question("overview"),
    affinity: measured("affinity"),
    heads: question("heads"),
    example: question("example"),
    par: question("par"),
    crf: question("crf"),
    compare: question("compare"),
    charts: {
      address: () => below(props.plotly),
      snapshots: question("training_charts"),
      dataset: question("dataset_charts"),
    },
    snapshots: { run: question("training_run"), frame: question("snapshot") },
    dataset: {
      page: question("dataset_page"),
      thumbnails: question("dataset_thumbnails"),
      scoring: question("dataset_scoring"),
      open(id) {
        photograph.dismiss();
        trigger("select", { data: id });
      },
    },
    lab: { steps: question("lab"), check: question("lab_check") },
    training: {
      form: JSON.parse(props.offers),
      status: question("train_status"),
      start: question("train_start"),
      stop: question("train_stop"),
      resume: question("train_resume"),
      panel: question("train_panel"),
      apply: (run, iteration) => trigger("apply", { run, iteration }),
    },
    exports: {
      kinds: ["png", "npz", "html"],
      async file(asked) {
        const answer = await question("export_file")(asked);
        if (answer?.path) answer.address = below(`gradio_api/file=${answer.path}`);
        return answer;
      },
      python: question("python_code"),
    },
    chooseLabels: (labels) => trigger("submit", { labels }),
    examples: {
      names: props.examples,
      thumbnails: () => thumbnails().map((item) => /** @type {HTMLImageElement} */ (item.querySelector("img"))),
      open(place) {
        const thumbnail = thumbnails()[place];
        thumbnail?.click();
        return Boolean(thumbnail);
      },
    },
    photograph,
  });
  startPage(element);
}
