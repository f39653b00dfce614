// Numbers and labels of the sidebar as they are typed: what no slider can have never leaves the field, and labels that
// are taken away in other ways than one by one count as well. Gradio hears of both too early or not at all.

import { announce } from "../../core/status.js";
import { text } from "../../core/words.js";

const PAUSE = 700; // milliseconds after which what was typed counts as finished

const isNumber = (/** @type {any} */ field) => field.matches?.("input[type=number]");

/**
 * The number that a field may have and that is nearest to what stands in it; `old` where that is no number.
 *
 * @param {any} options
 * @param {any} old
 */
function nearest({ value, min, max, step }, old) {
  if (value === "" || !Number.isFinite(Number(value))) return old;
  const [low, high, unit] = [Number(min), Number(max), Number(step)];
  const within = Math.min(high, Math.max(low, Number(value)));
  const whole = low + Math.round((within - low) / unit) * unit;
  return String(Number(Math.min(high, whole).toFixed(6)));
}

/**
 * Watch the fields; `onCleared` is called when the last label was taken away.
 *
 * @param {any} onCleared
 */
export function listenToTypedFields(onCleared) {
  const sidebar = document.querySelector("#afa-settings");
  /** @type {any} */
  let held = null; // the field whose number Gradio has not had yet
  /** @type {any} */
  let timer = 0;
  sidebar?.addEventListener("input", (/** @type {any} */ event) => {
    const field = event.target;
    if (!isNumber(field)) return;
    // What is being typed waits until it is finished: 1 is not 16 yet, and an answer to it would overwrite the rest.
    if (!event.isTrusted && nearest(field, "") === String(Number(field.value))) return;
    held = field;
    event.stopPropagation();
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (held !== field || nearest(field, "") !== String(Number(field.value))) return; // no number of the slider: not finished
      held = null;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }, PAUSE);
  }, true);
  sidebar?.addEventListener("change", (/** @type {any} */ event) => { // left, or Enter
    const field = event.target;
    if (!isNumber(field)) return;
    const slider = field.closest('[id^="afa-"]').querySelector("input[type=range]");
    const number = nearest(field, slider?.value ?? field.min);
    const asked = field.value;
    if (number === asked && held !== field) return;
    held = null;
    field.value = number;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    if (number !== asked && (asked === "" || Number(number) !== Number(asked))) {
      announce(text("typed.nearest", { asked: asked || "–", low: field.min, high: field.max, number }), true);
    }
  }, true);

  // Gradio tells nobody when the last label goes by Backspace, or all go by the cross.
  const inLabels = (/** @type {any} */ event) => event.target.closest?.("#afa-labels")?.querySelector(".token");
  const tell = () => setTimeout(onCleared);
  const isCross = (/** @type {any} */ event) => Boolean(event.target.closest(".remove-all"));
  sidebar?.addEventListener("click", (/** @type {any} */ event) => { if (inLabels(event) && isCross(event)) tell(); }, true);
  sidebar?.addEventListener("keydown", (/** @type {any} */ event) => {
    if (!inLabels(event)) return;
    if (event.key === "Enter" ? isCross(event) : event.key === "Backspace" && event.target.value === "") tell();
  }, true);
}
