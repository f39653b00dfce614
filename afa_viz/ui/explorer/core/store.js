// The one store: the explanation that is shown, and what is chosen in it. Everything that follows the pointer is drawn
// from what is already here.

export const MEAN_HEAD = -1; // the head that stands for the mean of all
export const MAP_OPACITY = 0.85; // of the largest value on the image, as in figures/colour.py

export const store = {
  /** stages of the present settings, their maps unpacked; null until the first one is here */
  trace: /** @type {Trace} */ (/** @type {unknown} */ (null)),
  /** image, prediction, ground truth, blocks */
  scene: /** @type {Scene} */ (/** @type {unknown} */ (null)),
  /** the image that was open before with its explanation; null: none was */
  before: /** @type {{trace: Trace, scene: Scene} | null} */ (null),
  /** all iterations of PAR where the browser does not make them itself; null until asked for */
  parIterations: /** @type {Unpacked | null} */ (null),
  view: { // what is chosen; changed through `setView` (schedule.js), so that everything follows
    label: 0, block: -1, head: MEAN_HEAD, rest: [0, 0], pin: null, hover: null, iteration: null, shared: false,
    opacity: MAP_OPACITY, logits: false, tab: "", step: "",
    within: "", // the tab inside which the open one is shown; "": none
    shownLabel: "pseudo_label", // of the two labels the one that the tab Regions shows
    picked: false, // the class was chosen by hand or by the address
    home: true, // the query cell rests on the strongest one of the class
    guessing: false, // a question of the lab is open, and what would tell its answer is covered
  },
};

export const view = /** @type {View} */ (store.view);
