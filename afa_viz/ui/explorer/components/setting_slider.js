// A slider of one setting inside a tab.

import { $ } from "../core/dom.js";
import * as recompute from "../core/recompute.js";
import { store } from "../core/store.js";

/** Buttons, sliders and numbers of one setting inside a tab, linked with the sidebar. */
export function linkSetting(/** @type {HTMLElement} */ box, /** @type {string} */ name, /** @type {number} */ digits) {
  const slider = $("input", box);
  const output = $("output", box);
  const show = () => {
    const { trace } = store;
    const value = name === "bkg_score" ? recompute.threshold()
      : recompute.settings()?.[name] ?? trace?.[name] ?? /** @type {any} */ (trace?.chain)?.[name] ?? 0;
    slider.value = value;
    output.textContent = Number(value).toFixed(digits);
  };
  slider.addEventListener("input", () => recompute.setSetting(name, Number(slider.value)));
  slider.addEventListener("change", () => recompute.setSetting(name, Number(slider.value), true)); // let go, or a key
  recompute.onSetting(show);
  return show;
}
