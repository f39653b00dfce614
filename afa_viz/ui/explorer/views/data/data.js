// The set of images: thumbnails in the order of what a stage makes of them. The host sorts and scores; a click opens an
// image in the explorer.

import { createCards, made, thumbnails } from "./cards.js";
import { buildCharts } from "./charts.js";
import { asked, points, stageName } from "./question.js";
import { lacks, lackWords } from "../../core/parts.js";
import { showResult } from "../../components/fold.js";
import { registerTab } from "../../core/schedule.js";
import { translateServerText } from "../../core/server_words.js";
import { announce, reportError } from "../../core/status.js";
import { store, view } from "../../core/store.js";
import { text, translateClass } from "../../core/words.js";
import { host } from "../../host/host.js";

const SCORED = ["walk_start", "cam_rw", "cam_refined", "cam_par", "seg"]; // one rule, all pixels: any two compare
/** @type {{[stage: string]: string}} */
const COMES_FROM = { cam_rw: "affinity", seg: "decoder" }; // parts of a method
const ORDERS = ["set", "worst", "best", "lost", "gained"];
const POLL = 1500; // milliseconds between two looks at the worker
const BATCH = 6; // thumbnails a request
/** @type {any} */
let section = null;
/** @type {ReturnType<typeof buildCharts>} */
let charts;
/** @type {ReturnType<typeof createCards>} */
let cards;
/** @type {DataListing} */
let shown; // the listing that is drawn
/** @type {DataListing | null} */
let waiting = null; // a newer one in another order, drawn when asked for
let number = 0; // of the newest question: late answers are dropped
/** @type {ReturnType<typeof setTimeout>} */
let timer;
const find = (/** @type {string} */ selector) => section.querySelector(selector);
const list = (/** @type {string} */ name) => find(`[data-list="${name}"]`);
const put = (/** @type {string} */ name, /** @type {string} */ words) => { find(`[data-fill="${name}"]`).textContent = words; };
const visible = () => view.tab === "data" && !document.hidden;

// --- asking ---------------------------------------------------------------------------------------------------------

/** @returns {Promise<DataListing>} */
async function ask() {
  const answer = await host.dataset.page({ key: store.trace.key, ...asked });
  if (!answer) throw new Error("the data set gave no answer");
  return /** @type {DataListing} */ (answer);
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
    if (mine === number) cards.fill(shown.cards);
  }
}

async function work(/** @type {string} */ what) {
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
      const ids = (/** @type {DataListing} */ listing) => listing.cards.map((card) => card.id).join(" ");
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

/** Draw a listing; `anew` also makes the cards. */
function draw(/** @type {DataListing} */ listing, anew = true) {
  shown = listing;
  waiting = null;
  if (anew) {
    cards.make(listing.cards);
    loadThumbnails().catch(reportError);
  }
  cards.fill(listing.cards);
  fillClasses(listing.classes);
  const { first, matching, page, pages } = listing;
  find('[data-do="all"]').hidden = !asked.ids;
  const found = asked.ids ? "data.found_chosen" : asked.class_name ? "data.found_class" : "data.found";
  put("found", matching ? text(found, { title: translateServerText(listing.title),
    first: first + 1, last: first + listing.cards.length, matching, name: translateClass(asked.class_name) })
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

function drawOverview(/** @type {DataListing} */ { overview, progress }) {
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
  const lack = [asked.before, asked.stage].map((stage) => COMES_FROM[stage]).find((part) => part && lacks(part));
  put("changes", lack ? lackWords(lack) : text("data.changes", { ...step, better, worse, compared }));
}

function fillClasses(/** @type {string[]} */ names) {
  const select = find('[data-set="class_name"]');
  if (select.options.length === names.length + 1) return;
  select.replaceChildren(new Option(text("data.all_classes"), ""), ...names.map((name) => new Option(translateClass(name), name)));
  select.value = asked.class_name;
}

// --- hands ----------------------------------------------------------------------------------------------------------

function open(/** @type {string} */ id) {
  const card = cards.named(id);
  card?.setAttribute("aria-busy", "true");
  announce(text("data.opening", { title: card?.querySelector("small")?.textContent ?? id }), true);
  host.dataset.open(id);
  showResult();
}

/** List these images alone; null: all. */
function choose(/** @type {string[] | null} */ ids) {
  if (!ids && !asked.ids) return undefined;
  Object.assign(asked, { ids, page: 0 });
  return load();
}

function chooseClass(/** @type {string} */ name) {
  find('[data-set="class_name"]').value = name;
  setQuestion("class_name", name);
}

function setQuestion(/** @type {string} */ name, /** @type {string} */ value) {
  Object.assign(asked, { [name]: value, page: 0 }, name === "class_name" ? { ids: null } : {});
  return load();
}

function turnPage(/** @type {number} */ page) {
  asked.page = Math.max(0, Math.min(shown.pages - 1, page));
  list("cards").scrollIntoView({ block: "nearest" });
  return load();
}

registerTab("data", {
  build(element) {
    section = element;
    cards = createCards(list("cards"), { open, turnPage: (by) => turnPage(asked.page + by) });
    charts = buildCharts(section, { open, choose, chooseClass });
    /** @type {{[name: string]: string[][]}} */
    const options = { order: ORDERS.map((order) => [order, text(`data.order_${order}`)]),
      stage: SCORED.map((stage) => [stage, stageName(stage)]), before: SCORED.map((stage) => [stage, stageName(stage)]) };
    for (const select of section.querySelectorAll("[data-set]")) {
      const name = select.dataset.set;
      for (const [value, words] of options[name] ?? []) select.append(new Option(words, value));
      if (options[name]) select.value = asked[/** @type {"order" | "stage" | "before"} */ (name)];
      select.addEventListener("change", () => setQuestion(name, select.value));
    }
    for (const button of section.querySelectorAll("[data-turn]")) {
      button.addEventListener("click", () => turnPage(asked.page + Number(button.dataset.turn)));
    }
    find(".afa-pager input").addEventListener("change", (/** @type {ControlEvent} */ event) => (
      turnPage((Math.round(Number(event.target.value)) || 1) - 1)));
    find('[data-do="all"]').addEventListener("click", () => {
      charts.unselect();
      choose(null);
    });
    find('[data-do="again"]').addEventListener("click", () => { if (waiting) draw(waiting); });
    find('[data-do="score"]').addEventListener("click", async (/** @type {ControlEvent} */ event) => {
      event.target.disabled = true;
      await work(String(event.target.dataset.what));
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
