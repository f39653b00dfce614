// The controls that an answer is given with, and the answer that they hold.

import { view } from "../../core/store.js";
import { tables } from "../../core/tables.js";
import { text } from "../../core/words.js";

const SHARE = 0.45; // where the threshold of "cut" begins: the published one
let share = SHARE;

/** The threshold that the slider is at. */
export const chosenShare = () => share;

/** An option of a question in words. */
export const optionText = (/** @type {string} */ of, /** @type {string} */ code) =>
  (tables.texts[`lab.${of}.option_${code}`] ? text(`lab.${of}.option_${code}`) : text(`lab.${of}.option`, { code }));

const input = (/** @type {string} */ type, /** @type {{[name: string]: unknown}} */ extra) =>
  Object.assign(document.createElement("input"), { type, name: "answer", ...extra });

function label(/** @type {(Node | string)[]} */ ...parts) {
  const made = document.createElement("label");
  made.append(...parts);
  return made;
}

/**
 * Put the controls of a question into a box; what is being typed stays.
 *
 * @param {HTMLElement} box
 * @param {LabStep} step
 * @param {string} name of the question about this explanation and class
 * @param {() => void} onShare the threshold has moved
 */
export function drawAnswers(box, step, name, onShare) {
  const wanted = `${name} ${step.options}`;
  if (box.dataset.of === wanted) return;
  box.dataset.of = wanted;
  if (step.kind === "choice") {
    box.replaceChildren(...step.options.map((code) => label(input("radio", { value: code, required: true }),
      optionText(step.name, code))));
  } else if (step.kind === "number") {
    box.replaceChildren(label(text("lab.number"), input("number", { min: 0, step: 1, required: true })));
  } else if (step.kind === "share") {
    const output = document.createElement("output");
    const slider = input("range", { min: 0.01, max: 0.99, step: 0.01, value: share });
    const show = () => { output.textContent = share.toFixed(2); };
    slider.addEventListener("input", () => {
      share = Number(slider.value);
      show();
      onShare();
    });
    show();
    box.replaceChildren(label(text("lab.threshold"), slider, output));
  } else {
    box.replaceChildren(); // the cell is pressed in the picture
  }
}

/** The answer in a form; null while no cell is pressed. */
export function answerOf(/** @type {HTMLFormElement} */ form, /** @type {LabStep} */ step) {
  if (step.kind === "cell") return view.pin;
  if (step.kind === "share") return share;
  const given = new FormData(form).get("answer");
  return step.kind === "number" ? Number(given) : given;
}
