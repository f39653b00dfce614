// Back and forward of the browser: between the images that were opened, each with the tab, class and cell that it had.

import { query } from "../../core/address.js";
import { HOST_KEYS, imageOf, isReturning, returnTo, shownImage } from "../../core/permalink.js";
import { store } from "../../core/store.js";
import { host } from "../../host/host.js";
import { openCard } from "./photo_card.js";

const AGAIN = 700; // milliseconds

/**
 * Open an example, once more as long as it does not come: gradio takes no second click on a thumbnail until it has heard
 * that another image was opened meanwhile.
 *
 * @param {number} place in the gallery
 * @param {string} image as the address names it
 */
function openExample(place, image) {
  if (!host.examples.open(place)) return false;
  setTimeout(() => { if (isReturning() && shownImage() !== image) openExample(place, image); }, AGAIN);
  return true;
}

/** Show what the address names now. Under the present settings the image is opened in place, else the page anew. */
export function follow() {
  const asked = query();
  const image = imageOf(asked);
  if (!store.trace || (image === shownImage() && !isReturning())) return; // another part of the address
  const link = store.trace.link ?? {};
  const isSame = HOST_KEYS.slice(3).every((name) => (asked.get(name) ?? "") === (link[name] ?? ""));
  const place = host.examples.names.indexOf(asked.get("example") ?? "");
  returnTo(asked);
  if (isSame && (openCard(asked.get("photo")) || (place >= 0 && openExample(place, image)))) return;
  if (isSame && asked.get("data")) host.dataset.open(String(asked.get("data")));
  else window.location.reload();
}
