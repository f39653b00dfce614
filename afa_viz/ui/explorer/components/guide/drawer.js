// The settings of a phone: what is a column on wide windows is drawn over the page from below.

const OPEN = "afa-drawer"; // class of the document; the place of the drawer is the style sheet's
const FOCUSABLE = "button, input, summary, select";

const drawer = () => /** @type {HTMLElement | null} */ (document.getElementById("afa-settings"));
const isOpen = () => document.documentElement.classList.contains(OPEN);
/** @type {HTMLElement} */
let opener;

function close() {
  if (!isOpen()) return;
  set(false);
  opener.focus({ preventScroll: true });
}

function set(/** @type {boolean} */ open) {
  document.documentElement.classList.toggle(OPEN, open);
  opener.setAttribute("aria-expanded", String(open));
}

/** Open it, or close it. */
export function toggleDrawer(/** @type {HTMLElement} */ from) {
  if (isOpen()) {
    close();
    return;
  }
  if (!opener) listen();
  opener = from;
  set(true);
  const first = [...drawer()?.querySelectorAll(FOCUSABLE) ?? []].find((element) => element.checkVisibility());
  if (first instanceof HTMLElement) first.focus({ preventScroll: true });
}

/** Esc and a press beside it close it. */
function listen() {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || !isOpen()) return;
    event.preventDefault();
    close();
  });
  document.addEventListener("pointerdown", ({ target }) => {
    if (isOpen() && target instanceof Element && !target.closest("#afa-settings, [data-guide=settings], .options")) close();
  });
}
