// The gallery of failures below the questions: a card for each, which leads to its example.

import { translateServerText } from "../../core/server_words.js";
import { text } from "../../core/words.js";
import { host } from "../../host/host.js";

/** Where a step of an example is found. */
export const address = (/** @type {string} */ example, /** @type {string} */ to) =>
  `?${new URLSearchParams({ example, tab: "lab", step: to })}`;

/** Draw their cards; `follow` hears of a press on one. */
export function drawFailures(/** @type {HTMLElement} */ list, /** @type {LabFailure[]} */ failures,
  /** @type {(event: MouseEvent, place: number, example: string, step: string) => void} */ follow) {
  const thumbnails = host.examples.thumbnails();
  list.replaceChildren(...failures.map((failure) => {
    const card = document.createElement("a");
    const [title, words] = ["strong", "span"].map((tag) => document.createElement(tag));
    card.href = address(failure.example, "blame");
    title.textContent = text(`lab.failure.${failure.pathology}.title`);
    words.textContent = text(`lab.failure.${failure.pathology}.story`);
    if (thumbnails[failure.place]) {
      const alt = translateServerText(failure.title);
      card.append(Object.assign(document.createElement("img"), { src: thumbnails[failure.place].src, alt }));
    }
    card.append(title, words);
    card.addEventListener("click", (event) => follow(event, failure.place, failure.example, "blame"));
    return card;
  }));
}
