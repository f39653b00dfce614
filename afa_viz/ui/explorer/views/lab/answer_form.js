// The controls that an answer and its reason are given with, and what they hold.

import { view } from "../../core/store.js";
import { text } from "../../core/words.js";
import { becauseText, optionText, reasonText } from "./words.js";

const SHARE = 0.45; // where the threshold of "cut" begins: the published one
let share = SHARE;

/** The threshold that the slider is at. */
export const chosenShare = () => share;

const input = (/** @type {string} */ type, /** @type {{[name: string]: unknown}} */ extra) =>
  Object.assign(document.createElement("input"), { type, ...extra });

/** An element with what is in it. */
function element(/** @type {string} */ tag, /** @type {(Node | string)[]} */ ...parts) {
  const made = document.createElement(tag);
  made.append(...parts);
  return made;
}

/** Choices of which one is taken. */
const radios = (/** @type {string} */ name, /** @type {string[]} */ codes, /** @type {(code: string) => string} */ words) => (
  codes.map((code) => element("label", input("radio", { name, value: code, required: true }), words(code))));

/** One of three labels for each pair. */
function pairRows(/** @type {LabStep} */ step, /** @type {{options: string[], cells: Cell[]}} */ { options, cells }) {
  return cells.slice(1).map((_, i) => {
    const row = element("fieldset", element("legend", text("lab.pairs.pair", { at: i + 1 })),
      ...radios(`pair${i}`, options, (code) => optionText(step.name, code)));
    row.className = "afa-lab-pair";
    return row;
  });
}

/** Lines that can be moved up and down. */
function orderedLines(/** @type {LabStep} */ step, /** @type {string[]} */ codes) {
  const list = element("ol");
  list.className = "afa-lab-order";
  const move = (/** @type {HTMLElement} */ line, /** @type {number} */ by) => {
    const other = by < 0 ? line.previousElementSibling : line.nextElementSibling;
    if (!other) return;
    other[by < 0 ? "before" : "after"](line);
    /** @type {HTMLElement} */ (line.querySelector(`[data-by="${by}"]`)).focus();
  };
  list.append(...codes.map((code) => {
    const words = optionText(step.name, code);
    const line = element("li", element("span", words));
    line.dataset.code = code;
    for (const [by, sign, name] of /** @type {[number, string, string][]} */ ([[-1, "↑", "lab.up"], [1, "↓", "lab.down"]])) {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: sign });
      button.setAttribute("aria-label", text(name, { words }));
      button.dataset.by = String(by);
      button.addEventListener("click", () => move(line, by));
      line.append(button);
    }
    return line;
  }));
  return list;
}

/** A slider for a threshold. */
function thresholdSlider(/** @type {() => void} */ onShare) {
  const output = document.createElement("output");
  const slider = input("range", { min: 0.01, max: 0.99, step: 0.01, value: share });
  const show = () => { output.textContent = share.toFixed(2); };
  slider.addEventListener("input", () => {
    share = Number(slider.value);
    show();
    onShare();
  });
  show();
  return element("label", text("lab.threshold"), slider, output);
}

/**
 * Put the controls of a question into a form; what is being chosen stays.
 *
 * @param {HTMLElement} form
 * @param {LabStep} step
 * @param {{options: string[], cells: Cell[]}} of options and cells for the class
 * @param {string} name of the question about this explanation and class
 * @param {{[name: string]: any}} words that its texts are filled with
 * @param {() => void} onShare the threshold has moved
 */
export function drawAnswers(form, step, of, name, words, onShare) {
  if (form.dataset.of === name) return;
  form.dataset.of = name;
  const [answers, reasons] = [...form.querySelectorAll("[data-list]")];
  if (step.kind === "choice") answers.replaceChildren(...radios("answer", of.options, (code) => optionText(step.name, code, words)));
  else if (step.kind === "pairs") answers.replaceChildren(...pairRows(step, of));
  else if (step.kind === "order") answers.replaceChildren(orderedLines(step, of.options));
  else if (step.kind === "share") answers.replaceChildren(thresholdSlider(onShare));
  else answers.replaceChildren(); // the cell is pressed in the image
  reasons.replaceChildren();
  if (!step.reasons.length) return;
  reasons.append(element("legend", becauseText(step.name, words)),
    ...radios("reason", step.reasons, (code) => reasonText(step.name, code, words)));
}

/** The answer in a form; null while no cell is pressed. */
export function answerOf(/** @type {HTMLFormElement} */ form, /** @type {LabStep} */ step) {
  if (step.kind === "cell") return view.pin;
  if (step.kind === "share") return share;
  if (step.kind === "order") return [...form.querySelectorAll("[data-code]")].map((line) => /** @type {HTMLElement} */ (line).dataset.code);
  const given = new FormData(form);
  if (step.kind === "choice") return given.get("answer");
  return [...form.querySelectorAll(".afa-lab-pair")].map((_, i) => given.get(`pair${i}`));
}

/** The reason in a form; null where none is asked for. */
export const reasonOf = (/** @type {HTMLFormElement} */ form) => /** @type {string | null} */ (new FormData(form).get("reason"));
