// The set of images: thumbnails in the order of what a stage makes of them. The host sorts and scores; a click opens an
// image in the explorer.

import { buildCharts } from "./charts.js";
import { registerTab } from "../../core/schedule.js";
import { translateServerText } from "../../core/server_words.js";
import { announce, reportError } from "../../core/status.js";
import { store, view } from "../../core/store.js";
import { text, translateClass } from "../../core/words.js";
import { iouChange } from "../../draw/difference.js";
import { host } from "../../host/host.js";

const SCORED = ["walk_start", "cam_rw", "cam_refined", "cam_par", "seg"]; // one rule, all pixels: any two compare
const ORDERS = ["set", "worst", "best", "lost", "gained"];
const POLL = 1500; // milliseconds between two looks at the worker
const BATCH = 6; // thumbnails a request
const asked = { order: "set", stage: "cam_rw", before: "walk_start", class_name: "", page: 0, ids: null };
/** @type {any} */
let section = null;
/** @type {any} */
let charts = null;
/** @type {any} */
let shown = null; // the listing that is drawn
/** @type {any} */
let waiting = null; // a newer one in another order, drawn when asked for
let number = 0; // of the newest question: late answers are dropped
/** @type {any} */
let timer = 0;
/** @type {Map<any, any>} */
const thumbnails = new Map(); // id -> {image, labels}

const find = (selector) => section.querySelector(selector);
const list = (name) => find(`[data-list="${name}"]`);
const put = (name, words) => { find(`[data-fill="${name}"]`).textContent = words; };
const points = (score) => (score == null ? "–" : (100 * score).toFixed(1));
const stageName = (stage) => text(`data.stage_${stage}`);
const scoreOf = (card, stage) => (asked.class_name ? card.iou?.[stage]?.[asked.class_name] : card.miou?.[stage]) ?? null;
const visible = () => view.tab === "data" && !document.hidden;

// --- asking ---------------------------------------------------------------------------------------------------------

async function ask() {
  const answer = await host.dataset.page({ key: store.trace.key, ...asked });
  if (!answer) throw new Error("the data set gave no answer");
  return answer;
}

/** Fetch what is asked for and draw it. */
async function load() {
  const mine = ++number;
  try {
    const answer = await ask();
    if (mine !== number) return;
    asked.page = answer.page;
    draw(answer);
    watchWorker();
  } catch (error) {
    if (mine === number) reportError(error);
  }
}

/** Pictures that are not here yet, a few at a time and those on top first. */
async function loadThumbnails() {
  const mine = number;
  const missing = shown.cards.map((card) => card.id).filter((id) => !thumbnails.has(id));
  for (let i = 0; i < missing.length && mine === number; i += BATCH) {
    const found = await host.dataset.thumbnails({ ids: missing.slice(i, i + BATCH) }) ?? {};
    for (const [id, thumbnail] of Object.entries(found)) thumbnails.set(id, thumbnail);
    if (mine === number) fillCards();
  }
}

async function work(what) {
  try {
    const answer = await host.dataset.scoring({ key: store.trace.key, do: what });
    if (!answer) throw new Error("the data set gave no answer");
    if (answer.complaint) announce(translateServerText(answer.complaint), true);
    return answer;
  } catch (error) {
    reportError(error);
    return null;
  }
}

/** While the worker is at work and the tab is in sight: how far it is, and the scores that are new. */
function watchWorker() {
  clearTimeout(timer);
  if (!shown || !["running", "paused", "other"].includes(shown.progress.state)) return;
  timer = setTimeout(async () => {
    if (!visible()) return;
    const mine = number;
    try {
      const answer = await ask();
      if (mine !== number) return;
      const ids = (listing) => listing.cards.map((card) => card.id).join(" ");
      if (ids(answer) === ids(shown)) {
        draw(answer, false);
      } else {
        [waiting, shown.progress] = [answer, answer.progress];
        drawWork();
        drawOverview(answer);
      }
      watchWorker();
    } catch (error) {
      if (mine === number) reportError(error);
    }
  }, POLL);
}

// --- drawing --------------------------------------------------------------------------------------------------------

function made(tag, /** @type {string} */ name = "", /** @type {string} */ words = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.textContent = words;
  return element;
}

/** Draw a listing; `anew` also makes the cards. */
function draw(listing, anew = true) {
  shown = listing;
  waiting = null;
  if (anew) {
    const active = /** @type {HTMLElement} */ (document.activeElement);
    const focused = section.contains(active) ? active.dataset.id : null;
    list("cards").replaceChildren(...listing.cards.map(cardOf));
    if (focused) cardNamed(focused)?.focus();
    loadThumbnails().catch(reportError);
  }
  fillCards();
  fillClasses(listing.classes);
  const { first, matching, page, pages, cards } = listing;
  find('[data-do="all"]').hidden = !asked.ids;
  const found = asked.ids ? "data.found_chosen" : asked.class_name ? "data.found_class" : "data.found";
  put("found", matching ? text(found, { title: translateServerText(listing.title),
    first: first + 1, last: first + cards.length, matching, name: translateClass(asked.class_name) })
    : text("data.nothing", { name: translateClass(asked.class_name) }));
  find(".afa-pager").hidden = pages < 2;
  find(".afa-pager input").max = pages;
  find(".afa-pager input").value = page + 1;
  put("pages", text("data.of_pages", { pages }));
  find('[data-turn="-1"]').disabled = page === 0;
  find('[data-turn="1"]').disabled = page === pages - 1;
  drawWork();
  drawOverview(listing);
}

function cardOf(card) {
  const button = made("button");
  button.type = "button";
  button.dataset.id = card.id;
  button.append(made("span", "afa-thumb"), made("small", "", card.title), made("span", "afa-tags"), made("span", "afa-points"));
  button.addEventListener("click", () => open(card.id));
  return button;
}

const cards = () => [...list("cards").children];
const cardNamed = (id) => cards().find((card) => card.dataset.id === id);

/** Thumbnails, labels, scores and marks of the cards that are drawn. */
function fillCards() {
  const here = store.trace.link?.data;
  const current = shown.cards.some((card) => card.id === here) ? here : shown.cards[0]?.id;
  for (const card of shown.cards) {
    const button = cardNamed(card.id);
    if (!button) continue;
    const [picture, , tags, numbers] = button.children;
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
    button.setAttribute("aria-current", card.id === here);
    button.setAttribute("aria-label", text("data.open", { title: card.title, labels: named.join(", "), scores: words }));
    if (!cards().includes(document.activeElement)) button.tabIndex = card.id === current ? 0 : -1;
  }
}

/** "41.2 → 33.0 ▼ 8.2"; returns it as words. */
function drawPoints(box, card) {
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

function drawWork() {
  const { state, known, total, seconds, broken, failure } = shown.progress;
  const left = seconds == null ? "" : text("data.left", { time: seconds < 90 ? text("data.seconds", { n: seconds })
    : text("data.minutes", { n: Math.round(seconds / 60) }) });
  const words = text(`data.state_${state}${state === "idle" && !known ? "_new" : ""}`, { known, total, left });
  put("work", [words, broken && text("data.unreadable", { broken }), failure && translateServerText(failure)].filter(Boolean).join(" "));
  const [button, bar] = [find('[data-do="score"]'), find("progress")];
  const busy = ["running", "paused", "other"].includes(state);
  button.hidden = state === "done";
  button.textContent = busy ? text("data.stop") : text(known ? "data.score_rest" : "data.score", { total });
  button.dataset.what = busy ? "stop" : "start";
  bar.hidden = state !== "running" && state !== "paused";
  bar.value = total ? known / total : 0;
  find('[data-do="again"]').hidden = !waiting;
}

function drawOverview(/** @type {any} */ { overview, progress }) {
  charts.draw(asked, { scored: progress.known, done: progress.state === "done" || progress.state === "idle" });
  const { means, scored, better, worse, compared } = overview;
  find('[data-for="overview"]').hidden = !scored;
  const name = translateClass(asked.class_name);
  put("means", text(name ? "data.means_class" : "data.means", { scored, name }));
  list("means").replaceChildren(...SCORED.map((stage) => {
    const [row, track, bar] = [made("div"), made("div", "afa-bar-track"), made("div")];
    bar.style.width = `${100 * (means[stage] ?? 0)}%`;
    track.append(bar);
    row.append(made("span", "", stageName(stage)), track, made("span", "", points(means[stage])));
    return row;
  }));
  const step = { before: stageName(asked.before), stage: stageName(asked.stage) };
  put("step", text("data.step", step));
  put("changes", text("data.changes", { ...step, better, worse, compared }));
}

function fillClasses(names) {
  const select = find('[data-set="class_name"]');
  if (select.options.length === names.length + 1) return;
  select.replaceChildren(new Option(text("data.all_classes"), ""), ...names.map((name) => new Option(translateClass(name), name)));
  select.value = asked.class_name;
}

// --- hands ----------------------------------------------------------------------------------------------------------

function open(id) {
  const card = cardNamed(id);
  card?.setAttribute("aria-busy", "true");
  announce(text("data.opening", { title: card?.querySelector("small").textContent ?? id }), true);
  host.dataset.open(id);
}

/** List these images alone; null: all. */
function choose(ids) {
  if (!ids && !asked.ids) return undefined;
  Object.assign(asked, { ids, page: 0 });
  return load();
}

function chooseClass(name) {
  find('[data-set="class_name"]').value = name;
  setQuestion("class_name", name);
}

function setQuestion(name, value) {
  Object.assign(asked, { [name]: value, page: 0 }, name === "class_name" ? { ids: null } : {});
  return load();
}

function turnPage(page) {
  asked.page = Math.max(0, Math.min(shown.pages - 1, page));
  list("cards").scrollIntoView({ block: "nearest" });
  return load();
}

function moveFocus(event) {
  const all = cards();
  const at = all.indexOf(event.target);
  if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "PageUp" || event.key === "PageDown") {
    event.preventDefault();
    turnPage(asked.page + (event.key === "PageUp" ? -1 : 1)).then(() => cards()[0]?.focus());
    return;
  }
  const across = all.filter((card) => card.offsetTop === all[0].offsetTop).length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across, Home: -at, End: all.length - 1 - at }[event.key];
  const next = all[at + step];
  if (!next) return;
  event.preventDefault();
  for (const card of all) card.tabIndex = card === next ? 0 : -1;
  next.focus();
}

registerTab("data", {
  build(element) {
    section = element;
    charts = buildCharts(section, { open, choose, chooseClass });
    const options = { order: ORDERS.map((order) => [order, text(`data.order_${order}`)]),
      stage: SCORED.map((stage) => [stage, stageName(stage)]), before: SCORED.map((stage) => [stage, stageName(stage)]) };
    for (const select of section.querySelectorAll("[data-set]")) {
      const name = select.dataset.set;
      for (const [value, words] of options[name] ?? []) select.append(new Option(words, value));
      if (options[name]) select.value = asked[name];
      select.addEventListener("change", () => setQuestion(name, select.value));
    }
    list("cards").addEventListener("keydown", moveFocus);
    for (const button of section.querySelectorAll("[data-turn]")) {
      button.addEventListener("click", () => turnPage(asked.page + Number(button.dataset.turn)));
    }
    find(".afa-pager input").addEventListener("change", (event) => turnPage((Math.round(Number(event.target.value)) || 1) - 1));
    find('[data-do="all"]').addEventListener("click", () => {
      charts.unselect();
      choose(null);
    });
    find('[data-do="again"]').addEventListener("click", () => draw(waiting));
    find('[data-do="score"]').addEventListener("click", async (event) => {
      event.target.disabled = true;
      await work(event.target.dataset.what);
      event.target.disabled = false;
      load();
    });
    document.addEventListener("visibilitychange", () => { if (visible()) watchWorker(); });
  },
  data: load,
  selection() {}, // class, block and head of the explorer change nothing here
  show() { if (shown) watchWorker(); },
  charts: () => charts.list,
});
