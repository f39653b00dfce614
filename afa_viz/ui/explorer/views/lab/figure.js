// The image of a question: to press a cell in, to put a threshold on, or with the cells that it is about.

import { layer, toFloats } from "../../core/packed.js";
import { classColour, classIndex, className } from "../../core/selection.js";
import { store, view } from "../../core/store.js";
import { text } from "../../core/words.js";
import { context2d } from "../../draw/canvas.js";
import { paintLabelFigure, paintMapFigure, setCaption } from "../../draw/figures.js";
import { createMarks, markCell, markWindow } from "../../draw/marks.js";
import { paintImage } from "../../draw/repaint.js";
import { fitCanvas } from "../../draw/size.js";
import { thresholdCam } from "../../method/labels.js";

/** @type {{step: LabStep, cells: Cell[], best: Cell | null}} */
let shown;

/** Letters in a cell, white in black. */
function letterCell(/** @type {HTMLCanvasElement} */ canvas, /** @type {Cell} */ [row, col], /** @type {string} */ letters) {
  const [rows, cols] = store.trace.grid;
  const context = context2d(canvas);
  const size = Math.max(canvas.width / 22, canvas.height / rows);
  const [x, y] = [((col + 0.5) * canvas.width) / cols, ((row + 0.5) * canvas.height) / rows];
  context.save();
  context.font = `700 ${size}px sans-serif`;
  Object.assign(context, { textAlign: "center", textBaseline: "middle", lineJoin: "round", lineWidth: size / 3 });
  [context.strokeStyle, context.fillStyle] = ["#000", "#fff"];
  context.strokeText(letters, x, y);
  context.fillText(letters, x, y);
  context.restore();
}

const marks = createMarks((canvas) => {
  const { step, cells, best } = shown;
  if (step.kind === "cell") {
    if (best) markCell(canvas, store.trace.grid, best, false);
    if (view.pin) markCell(canvas, store.trace.grid, view.pin, true);
    return;
  }
  if (step.kind === "pairs") markWindow(canvas, store.trace.grid, cells[0], store.trace.radius);
  for (const [i, cell] of cells.entries()) {
    markCell(canvas, store.trace.grid, cell, false);
    letterCell(canvas, cell, step.kind === "pairs" ? "A123"[i] : "AB"[i]);
  }
});

/** The marks follow the query cell. */
export const markFigure = () => marks.each();

/** The label map that the affinity is trained on. */
const supervision = () => (store.trace.trained_on.affinity === "pseudo_label" ? store.trace.pseudo_label : store.trace.affinity_label);

/**
 * Draw the image of a question; it is hidden where there is none.
 *
 * @param {HTMLElement} box
 * @param {LabStep} step
 * @param {Cell[]} cells that it is about
 * @param {{cam: Float32Array, share: number, best: Cell | null}} now best: the right cell, once it was answered
 */
export function drawFigure(box, step, cells, { cam, share, best }) {
  shown = { step, cells, best };
  box.hidden = Boolean(step.missing) || !(["cell", "share"].includes(step.kind) || cells.length);
  if (box.hidden) return;
  const canvas = /** @type {HTMLCanvasElement} */ (box.querySelector("canvas"));
  box.querySelector(".afa-scale")?.remove(); // only a map has one
  marks.forget();
  const name = className(view.label);
  if (step.kind === "share") {
    const labels = thresholdCam(cam, store.trace.classes.map((c) => c.label), share);
    const here = labels.map((l) => (l === view.label ? l : 0));
    paintLabelFigure(box, here, store.trace.size, (l) => (l ? store.trace.palette[l] : null), () => "");
    setCaption(box, text("lab.cut.figure", { name, value: share.toFixed(2) }));
  } else if (step.kind === "pairs") {
    paintLabelFigure(box, supervision().bytes, store.trace.size, (l) => (l === 255 ? null : classColour(l)), () => "");
    setCaption(box, text("lab.pairs.figure", { radius: store.trace.radius }));
  } else if (step.kind === "cell" && best) {
    paintMapFigure(box, toFloats(layer(store.trace.cam, classIndex())), store.trace.size, [0, 1], { smooth: true });
    setCaption(box, text("lab.cam.figure_after", { name }));
  } else {
    fitCanvas(canvas);
    paintImage(canvas, store.scene.image);
    setCaption(box, text(step.kind === "cell" ? "lab.cam.figure" : "lab.affinity.figure"));
  }
  canvas.classList.toggle("afa-lab-press", step.kind === "cell");
  if (step.kind !== "share") marks.keep([canvas]);
}
