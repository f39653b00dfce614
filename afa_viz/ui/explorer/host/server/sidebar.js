// The sliders of gradio's sidebar: the page sets them, and follows them while they are dragged.

import * as recompute from "../../core/recompute.js";

const OPENING_PAUSE = 5000; // milliseconds, when another image is asked for: the processor is the server's
/** @type {any} */
let dragged = null; // the slider under the pointer
let setting = false; // while one is set from here

/**
 * Set a slider, or the parts that are left out, as a visitor would; closed groups are opened first, since gradio builds them then.
 *
 * @param {any} field
 * @param {any} value
 */
export async function setSlider(field, value) {
  if (field === "left_out") {
    for (const box of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("#afa-left-out input"))) {
      if (box.checked !== value.split(",").includes(box.name)) box.click();
    }
    return;
  }
  const find = () => /** @type {HTMLInputElement | null} */ (document.querySelector(`#afa-${field} input[type=range]`));
  const closed = find() ? [] : document.querySelectorAll("#afa-settings button.label-wrap:not(.open)");
  for (const button of closed) /** @type {HTMLElement} */ (button).click();
  for (let i = 0; i < 100 && !find(); i++) await new Promise((done) => { setTimeout(done, 30); });
  const slider = find();
  if (!slider) return;
  slider.value = String(value);
  setting = true;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  setting = false;
}

/** The setting that a slider sets, as `recompute` calls it. */
function settingOf(/** @type {Element} */ slider) {
  return Object.keys(recompute.FIELDS).find((name) => slider.closest(`#afa-${recompute.FIELDS[name]}`));
}

/** A slider under the pointer: its own number follows, the page draws from here, and gradio hears of it when it is let
 * go. */
export function listenToSidebar() {
  for (const kind of ["click", "change", "drop"]) {
    document.querySelector("#afa-pick")?.addEventListener(kind, () => recompute.prepare(OPENING_PAUSE), true);
  }
  const sidebar = document.querySelector("#afa-settings");
  sidebar?.addEventListener("pointerdown", (/** @type {any} */ event) => {
    dragged = event.target.matches("input[type=range]") && recompute.pipeline() ? event.target : null;
  });
  sidebar?.addEventListener("input", (/** @type {any} */ event) => {
    if (setting || event.target !== dragged || !settingOf(dragged)) return;
    event.stopPropagation();
    recompute.setSetting(String(settingOf(dragged)), Number(dragged.value));
  });
  window.addEventListener("pointerup", () => {
    const [slider, name] = [dragged, dragged && settingOf(dragged)];
    dragged = null;
    if (!slider || !name || !recompute.takeUnanswered(name)) return;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    recompute.prepare();
  });
}
