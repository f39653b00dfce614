// The cards of a listing: a thumbnail, its labels, and what the stages in question make of it.

import { asked, points, stageName } from "./question.js";
import { store } from "../../core/store.js";
import { text, translateClass } from "../../core/words.js";
import { iouChange } from "../../draw/difference.js";

/** @type {Map<string, DataThumbnail>} */
export const thumbnails = new Map();

/** An element with a class and words. */
export function made(/** @type {string} */ tag, /** @type {string} */ name = "", /** @type {string} */ words = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.textContent = words;
  return element;
}

const scoreOf = (/** @type {DataCard} */ card, /** @type {string} */ stage) => (
  asked.class_name ? card.iou?.[stage]?.[asked.class_name] : card.miou?.[stage]) ?? null;

/**
 * The cards in a list of the page.
 *
 * @param {HTMLElement} list
 * @param {{open: (id: string) => void, turnPage: (by: number) => Promise<void>}} does
 */
export function createCards(list, { open, turnPage }) {
  const buttons = () => /** @type {HTMLButtonElement[]} */ ([...list.children]);
  const named = (/** @type {string} */ id) => buttons().find((button) => button.dataset.id === id);
  list.addEventListener("keydown", moveFocus);

  function make(/** @type {DataCard} */ card) {
    const button = /** @type {HTMLButtonElement} */ (made("button"));
    button.type = "button";
    button.dataset.id = card.id;
    button.append(made("span", "afa-thumb"), made("small", "", card.title), made("span", "afa-tags"), made("span", "afa-points"));
    button.addEventListener("click", () => open(card.id));
    return button;
  }

  /** Arrows, Home and End from card to card; page keys turn the page. */
  function moveFocus(/** @type {KeyboardEvent} */ event) {
    const all = buttons();
    const at = all.indexOf(/** @type {HTMLButtonElement} */ (event.target));
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "PageUp" || event.key === "PageDown") {
      event.preventDefault();
      turnPage(event.key === "PageUp" ? -1 : 1).then(() => buttons()[0]?.focus());
      return;
    }
    const across = all.filter((card) => card.offsetTop === all[0].offsetTop).length;
    /** @type {{[key: string]: number}} */
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across, Home: -at, End: all.length - 1 - at };
    const next = all[at + steps[event.key]];
    if (!next) return;
    event.preventDefault();
    for (const card of all) card.tabIndex = card === next ? 0 : -1;
    next.focus();
  }

  return {
    named,
    /** Make the cards anew; the one that had the focus has it again. */
    make(/** @type {DataCard[]} */ cards) {
      const active = document.activeElement;
      const focused = active instanceof HTMLElement && list.contains(active) ? active.dataset.id : undefined;
      list.replaceChildren(...cards.map(make));
      if (focused) named(focused)?.focus({ preventScroll: true }); // the result may be in sight
    },
    /** Thumbnails, labels, scores and marks of the cards that are there. */
    fill(/** @type {DataCard[]} */ cards) {
      const here = store.trace.link?.data;
      const current = cards.some((card) => card.id === here) ? here : cards[0]?.id;
      const focused = buttons().some((button) => button === document.activeElement);
      for (const card of cards) {
        const button = named(card.id);
        if (!button) continue;
        fillCard(button, card);
        button.setAttribute("aria-current", String(card.id === here));
        if (!focused) button.tabIndex = card.id === current ? 0 : -1;
      }
    },
  };
}

function fillCard(/** @type {HTMLButtonElement} */ button, /** @type {DataCard} */ card) {
  const [picture, , tags, numbers] = /** @type {HTMLElement[]} */ ([...button.children]);
  const thumbnail = thumbnails.get(card.id);
  const labels = card.labels ?? thumbnail?.labels ?? [];
  const named = labels.map(translateClass);
  if (thumbnail?.image) picture.style.backgroundImage = `url(${thumbnail.image})`;
  tags.replaceChildren(...labels.map((name, i) => {
    const [tag, swatch] = [made("span"), made("i")];
    swatch.style.setProperty("--colour", `rgb(${store.trace.palette[store.trace.names.indexOf(name)] ?? [128, 128, 128]})`);
    tag.append(swatch, named[i]);
    return tag;
  }));
  const words = drawPoints(numbers, card);
  button.setAttribute("aria-label", text("data.open", { title: card.title, labels: named.join(", "), scores: words }));
}

/** "41.2 → 33.0 ▼ 8.2"; returns it as words. */
function drawPoints(/** @type {HTMLElement} */ box, /** @type {DataCard} */ card) {
  if (card.broken) {
    box.textContent = text("data.broken");
    return box.textContent;
  }
  const [before, now] = [scoreOf(card, asked.before), scoreOf(card, asked.stage)];
  box.replaceChildren();
  if (card.miou && !Object.keys(card.miou).length) box.textContent = text("data.no_truth");
  if (before == null && now == null) return box.textContent;
  box.append(`${points(before)} → ${points(now)} `);
  if (before != null && now != null) box.append(iouChange(now - before));
  return text("data.points", { before: stageName(asked.before), a: points(before), stage: stageName(asked.stage), b: points(now) });
}
