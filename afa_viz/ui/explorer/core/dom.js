// The elements of the page.

/** @type {{root: HTMLElement, views: HTMLElement}} */
export const page = /** @type {any} */ ({ root: null, views: null }); // all of the explorer; what is below its bar

/**
 * Put the page into an element of the host.
 *
 * @param {any} element
 * @param {string} markup
 */
export function mount(element, markup) {
  element.innerHTML = markup;
  page.root = element.querySelector(".afa");
  page.views = $(".afa-views");
}

/** The first element that a selector finds. */
export const $ = (/** @type {string} */ selector, /** @type {any} */ from = page.root) => from.querySelector(selector);

/** All elements that a selector finds. */
export const $$ = (/** @type {string} */ selector, /** @type {any} */ from = page.root) => [...from.querySelectorAll(selector)];

/**
 * Put words where the page has a place for them.
 *
 * @param {string} name
 * @param {string} words
 * @param {any} [from]
 */
export function setText(name, words, from = page.root) {
  for (const place of $$(`[data-fill="${name}"]`, from)) place.textContent = words;
}

/** A control of the bar above the tabs. */
export const barControl = (/** @type {string} */ name) => $(`.afa-bar [data-do="${name}"]`);

/** Whether the visitor asked for less movement. */
export const prefersReducedMotion = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * Bring an element into sight in its row, and leave the page where it is.
 *
 * @param {any} element
 */
export function scrollIntoRow(element) {
  const [row, box] = [element.parentElement, element.getBoundingClientRect()];
  const { left, right } = row.getBoundingClientRect();
  row.scrollLeft += Math.min(0, box.left - left) + Math.max(0, box.right - right);
}
