// A button that plays a slider.

import { icon } from "./icons.js";
import { prefersReducedMotion } from "../core/dom.js";

/** A button that plays a slider from its first to its last place, `pace` milliseconds each; returns how to stop it. */
export function playSlider(/** @type {HTMLElement} */ button, /** @type {HTMLInputElement} */ slider, pace = 350) {
  /** @type {any} */
  let timer = 0;
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    button.replaceChildren(icon("play"));
  };
  const go = (/** @type {number | string} */ value) => {
    slider.value = String(value);
    slider.dispatchEvent(new Event("input"));
  };
  const play = () => {
    if (timer) return stop();
    if (slider.disabled) return undefined;
    if (Number(slider.value) >= Number(slider.max)) go(slider.min);
    button.replaceChildren(icon("pause"));
    timer = setInterval(() => {
      if (Number(slider.value) >= Number(slider.max)) stop();
      else go(Number(slider.value) + 1);
    }, prefersReducedMotion() ? Math.max(900, pace) : pace);
    return undefined;
  };
  button.addEventListener("click", play);
  slider.addEventListener("pointerdown", stop);
  return { play, stop };
}
