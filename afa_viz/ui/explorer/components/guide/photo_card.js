// The photographs that were brought, beside the gallery: each can be opened again.

import { on } from "../../core/events.js";
import { store } from "../../core/store.js";
import { text } from "../../core/words.js";

const MOST = 4; // photographs that stay
/** @type {Map<string, HTMLButtonElement>} */
const cards = new Map(); // mark of a photograph -> its card

function mark() {
  for (const [photo, card] of cards) card.setAttribute("aria-pressed", String(photo === store.trace.photo));
}

/** Open a photograph that has a card; whether it has one. */
export function openCard(/** @type {string | null} */ photo) {
  const card = cards.get(photo ?? "");
  card?.click();
  return Boolean(card);
}

/** Keep a card for a photograph. */
export function keepCard(/** @type {string} */ photo, /** @type {File} */ file, /** @type {() => void} */ open) {
  const place = document.querySelector(".afa-upload");
  if (!place) return;
  let list = place.querySelector(".afa-photo-cards");
  if (!list) {
    list = Object.assign(document.createElement("div"), { className: "afa-photo-cards" });
    place.prepend(list);
    on("trace", mark);
  }
  let card = cards.get(photo);
  if (!card) {
    card = Object.assign(document.createElement("button"), { type: "button", title: file.name });
    card.append(Object.assign(new Image(), { src: URL.createObjectURL(file), alt: `${text("side.own_title")}: ${file.name}` }));
    cards.set(photo, card);
    list.append(card);
  }
  card.onclick = open;
  for (const [old, oldCard] of [...cards].slice(0, -MOST)) {
    cards.delete(old);
    URL.revokeObjectURL(/** @type {HTMLImageElement} */ (oldCard.firstElementChild).src);
    oldCard.remove();
  }
  mark();
}
