// One line that says what is changed by hand in the explanation that is shown, with a button that takes it back.

import { made } from "./made.js";
import { affinityEdits, editTexts, isEdited, sendEdits } from "../../core/edits.js";
import { FIELDS } from "../../core/edit_settings.js";
import { $ } from "../../core/dom.js";
import { takeLaterTexts } from "../../core/later.js";
import { store } from "../../core/store.js";
import { text, translateClass } from "../../core/words.js";

/** @type {any} */
let line = null;

/** What is changed, in words. */
function changes() {
  const texts = editTexts();
  const edits = affinityEdits();
  const count = (/** @type {string} */ what) => edits.filter((edit) => edit.what === what).length;
  const thresholds = (texts.class_thresholds ?? "").split("~").filter(Boolean).map((entry) => {
    const at = entry.lastIndexOf(":");
    return text("edits.line_threshold", { name: translateClass(entry.slice(0, at)), value: entry.slice(at + 1) });
  });
  return [
    ...["join", "separate"].filter(count).map((what) => text(`edits.line_${what}`, { count: count(what) })),
    ...thresholds,
    ...(texts.occlude ? [text("edits.line_occlude")] : []),
    ...(texts.scales ? [text("edits.line_scales", { names: texts.scales.split(",").map((scale) => `×${scale}`).join(", ") })] : []),
    ...(texts.flip ? [text(store.trace.flip ? "edits.line_flip" : "edits.line_no_flip")] : []),
  ];
}

/** Another explanation is here. */
export function tellEdits() {
  takeLaterTexts();
  if (!line) {
    const button = made("button", { type: "button", data: { do: "as-computed" } });
    button.addEventListener("click", () => sendEdits(Object.fromEntries(FIELDS.map((name) => [name, ""]))));
    line = made("p", { className: "afa-edited" }, made("span"), " ", button);
    line.setAttribute("role", "status");
    $(".afa-story").append(line);
  }
  line.hidden = !isEdited();
  if (line.hidden) return;
  line.firstChild.textContent = text("edits.line", { changes: changes().join(", ") });
  line.lastChild.textContent = text("edits.as_computed");
}
