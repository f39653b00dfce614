// How much of the image the colours of the maps cover: one opacity for the whole page.

import { barControl, setText } from "../core/dom.js";
import { keys } from "../core/keyboard.js";
import { registerPermalink } from "../core/permalink.js";
import { registerAlways, setView } from "../core/schedule.js";
import { MAP_OPACITY, view } from "../core/store.js";

const STEP = 0.05; // of the keys − and +
/** @type {any} */
let slider = null;

/** Let every map be drawn with it. */
function setOpacity(/** @type {number} */ opacity) {
  const rounded = Math.round(100 * Math.min(1, Math.max(0, opacity))) / 100;
  setView({ opacity: rounded });
}

Object.assign(keys, { "-": () => setOpacity(view.opacity - STEP), "+": () => setOpacity(view.opacity + STEP) });
keys["="] = keys["+"]; // the same key without shift

registerAlways({
  build() {
    slider = barControl("opacity");
    slider.addEventListener("input", () => setOpacity(Number(slider.value) / 100));
  },
  opacity() {
    slider.value = Math.round(100 * view.opacity);
    setText("opacity", `${slider.value}\u00a0%`);
  },
  cell() {},
});

registerPermalink({
  names: ["opacity"],
  read(asked) {
    const value = asked.get("opacity");
    if (value == null) return [];
    if (!/^(0|1|0\.\d{1,2})$/.test(value)) return ["opacity"];
    setOpacity(Number(value));
    return [];
  },
  write(query) {
    if (view.opacity !== MAP_OPACITY) query.set("opacity", String(view.opacity));
  },
});
