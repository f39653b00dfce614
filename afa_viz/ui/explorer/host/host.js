// Who answers the page. Views ask `host` and know nothing of what is behind it: a gradio server (server.js), files of a
// static site, the one file that a report is, a network in the browser. `use` puts one of them in place before the page
// is built (main.js).
//
// Every question takes one plain object and gives a promise of one plain object, an `Answer`. A host that cannot or
// will not answer gives `{refused: one English sentence}` (`busy: true` where another try may succeed), null where the
// question fits nothing, or rejects where it cannot be reached. `key` in a question is that of the stages that are shown.
// Maps come packed (core/packed.js). Shapes of the answers: docstrings of payload.py, payload_attention.py, answers.py.

/** @typedef {{[field: string]: any}} Answer */
/** @typedef {(asked: {[field: string]: any}) => Promise<Answer>} Question */

// A chart is {data, layout} of plotly, as figures/interactive makes it; `layout.meta`: {table: {columns, rows},
// description}, and `ids` of rows that can be opened.

/**
 * @typedef {object} Host
 *
 * @property {string} markup the page, as `page.explorer_html` makes it
 * @property {{[field: string]: any}} tables texts, colours and limits, as `page.tables` makes them
 * @property {string} [language] that the page begins with, whatever the browser's is
 * @property {() => void} connect called once when the page is built: take care of what lies beside the explorer
 * @property {() => Element[]} translatable elements beside the explorer whose words carry their keys (`data-words`)
 *
 * @property {() => Answer | null} stages the explanation to show now: `payload.stages` with the words of `Answers`;
 *   `partial`: a first look, the rest follows; `linked`: it is what the address asks for, but for its parts `unfit`;
 *   `complaint`: why it is not what was asked for, in the page's language; `photo`: an image that somebody brought. null
 *   before there is one
 * @property {(listener: () => void) => void} onStages call a listener whenever there is another one
 * @property {(field: string, value: number | string) => void} setSetting explain with another setting (a field of ExplainConfig),
 *   or without other parts: "left_out", their names with commas between
 * @property {(names: string[]) => void} chooseLabels explain with other image labels
 *
 * @property {(heads: {head_weights: string, affinity_bias: number | null, symmetric: boolean}) => void} setHeads explain with
 *   other weights of heads, as core/head_settings.js writes them, another bias (null: as learned), or without symmetry
 *
 * @property {(edits: {[field: string]: string}) => void} setEdits explain with something changed by hand, as core/edit_settings.js
 *   writes it ("": as computed); what is not named stays
 * @property {() => boolean} reruns whether the network can run again: without it no part is hidden, and no scale left out
 * @property {Question} unedited {key} -> stages as `stages` gives them, of the same image and settings as computed
 *
 * @property {Question} scene {key} -> what settings do not change: image, seg, target, blocks
 * @property {Question} attention {key, block, logits, head?, cell?} -> maps of a block, `sent` (characters)
 * @property {Question} overview {key} -> what every head of every block does, as numbers
 * @property {Question} affinity {key, cell?} -> what the affinity is learned from, its labels, `sent` (characters)
 * @property {Question} heads {key} -> queries and keys, or logits, of the heads of the affinity: payload_heads.heads
 * @property {Question} example {key, name} -> `stages` of the example of that name, by the model of `key`, as it opens
 * @property {Question} par {key} -> every iteration of PAR; asked only for grids that the browser does not refine
 * @property {Question} crf {key} -> the labels of a dense CRF and of PAR, with their times
 * @property {Question} compare {key, b: {model, switched, crf, setting, value}} -> every stage of the other side
 *
 * @property {{run: Question, frame: Question}} snapshots run {key} -> the training run of the model: models, snapshots,
 *   points (scores by iteration), phases; frame {key, model} -> the image explained with one snapshot, or {waiting: true}
 * @property {{address: () => string | null, snapshots: Question, dataset: Question}} charts address: of plotly.js, null where
 *   there is none: the tables of the charts are shown then; snapshots {key, language} -> {scores}; dataset {key, stage,
 *   before, class_name, order, page, language} -> {images, changes, classes}; {} where nothing is scored
 * @property {{page: Question, thumbnails: Question, scoring: Question, open: (id: string) => void}} dataset
 *   page {key, order, stage, before, class_name, page, ids?} -> images in an order, `ids`: these alone; thumbnails {ids};
 *   scoring {key, do: "start" | "stop" | "look"}; open: explain this image next
 * @property {{steps: Question, check: Question}} lab steps {key} -> questions and failures; check {key, step, answer,
 *   label, reason, first: whether it is the first answer} -> the verdict
 * @property {{form: Answer, status: Question, start: Question, stop: Question, resume: Question, panel: Question,
 *   apply: (run: string, iteration: number) => void}} training form: what may be chosen, {off: a sentence} where nothing
 *   can be trained; status {run, known, language} -> charts {losses, rates, scores} where they are new; start {request};
 *   stop {run}; resume {run}; panel {run, iteration}; apply: explain with the model of this iteration next
 * @property {{kinds: string[], file: Question, python: Question | null}} exports file {key, kind: one of `kinds` of "png",
 *   "npz" and "html", label, cell, language} -> {address, name} to download; python {key, tab, label, cell, block, head, b}
 *   -> {code}, null where there is none
 *
 * @property {{names: string[], thumbnails: () => HTMLImageElement[], open: (place: number) => boolean}} examples pictures of the bundled
 *   examples; open: explain this one next, false where the host cannot; names: in addresses
 * @property {Photograph} photograph
 */

/**
 * The photograph that somebody brought, which no address can hold.
 *
 * @typedef {object} Photograph
 * @property {(raw: Answer) => boolean} mustWait whether an explanation must wait for the photograph of the address
 * @property {(raw: Answer) => void} noteTrace an explanation is drawn
 * @property {() => void} dismiss another image was chosen
 * @property {() => boolean} isAwaited whether it is still to be brought again
 * @property {() => boolean} isMissing whether the address names one that is not kept here
 */

/** @type {Host} */
export const host = /** @type {any} */ ({});

/** Let a host answer the page. */
export function use(/** @type {Host} */ implementation) {
  Object.assign(host, implementation);
}
