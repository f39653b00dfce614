// Where the classifier recognises none of its classes: what they are, and the offer to choose one as the image label.

import { $ } from "../../core/dom.js";
import { on } from "../../core/events.js";
import { takeLaterTexts } from "../../core/later.js";
import { className, isNothingRecognised } from "../../core/selection.js";
import { store } from "../../core/store.js";
import { text, translateClass } from "../../core/words.js";
import { host } from "../../host/host.js";

/** @type {HTMLElement | null} */
let box = null;

/** Say so below the story of the image, as long as it is so. */
export function offerClasses() {
  takeLaterTexts();
  if (!box) on("trace", () => { if (box) box.hidden = !isNothingRecognised(); });
  box ??= document.createElement("div");
  box.className = "afa-none";
  box.setAttribute("role", "status");
  const names = store.trace.names.slice(1);
  const words = Object.assign(document.createElement("p"), {
    textContent: text("none.words", { count: names.length, name: className(store.trace.main) }) });
  const chips = Object.assign(document.createElement("div"), { className: "afa-chips" });
  chips.setAttribute("role", "group");
  chips.setAttribute("aria-label", text("none.choose"));
  chips.append(...names.map((name, i) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: translateClass(name) });
    button.style.setProperty("--colour", `rgb(${store.trace.palette[i + 1]})`);
    button.addEventListener("click", () => host.chooseLabels([name]));
    return button;
  }));
  box.replaceChildren(words, chips);
  box.hidden = false;
  $(".afa-story").after(box);
}
