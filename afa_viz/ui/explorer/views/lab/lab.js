// The guided lab: one question per step with a reason to choose, answered by the trace on the host. Until then the strip
// is covered from the stage on that would tell, so that a guess is a guess.

import { answerOf, chosenShare, drawAnswers, reasonOf } from "./answer_form.js";
import { drawFigure, markFigure } from "./figure.js";
import { address, drawFailures } from "./gallery.js";
import { answeredRows, forgetAnswers, isAnswered, markOf, record, score } from "./record.js";
import { printSheet, saveSheet } from "./sheet.js";
import { factsOf, reasonText } from "./words.js";
import { icon } from "../../components/icons.js";
import { $$, page, setText } from "../../core/dom.js";
import { takeLaterTexts } from "../../core/later.js";
import { toFloats } from "../../core/packed.js";
import { lackWords } from "../../core/parts.js";
import { linkCell } from "../../core/pointer.js";
import { CELL, registerTab, scheduleDraw, setView } from "../../core/schedule.js";
import { classId, className, strongestCell, strongestCellSelection } from "../../core/selection.js";
import { translateServerText } from "../../core/server_words.js";
import { accepted, announce, errorText, reportError } from "../../core/status.js";
import { store, view } from "../../core/store.js";
import { tables } from "../../core/tables.js";
import { text } from "../../core/words.js";
import { host } from "../../host/host.js";

/** @type {any} */
let section = null;
/** @type {LabContents | null} */
let contents = null; // steps and gallery for the explanation that is shown
let loaded = ""; // its key
/** @type {Float32Array} */
let cam; // its CAMs as numbers
let failed = false; // the server did not give them
/** @type {Map<string, LabVerdict & {reason: string | null}>} */
const verdicts = new Map(); // explanation, class and step -> what the server said, and the reason that was given

const find = (/** @type {string} */ selector) => section.querySelector(selector);
const setLabText = (/** @type {string} */ name, /** @type {string} */ words) => setText(`lab-${name}`, words, section);
/** The questions; they are here. */
const steps = () => /** @type {LabContents} */ (contents).steps;
const step = () => steps().find((one) => one.name === view.step) ?? steps()[0];
const name = () => `${store.trace.key} ${view.label} ${step().name}`;
const verdict = () => verdicts.get(name());
const NOTHING = { options: [], cells: [] };
const ofClass = () => step().of?.[view.label] ?? NOTHING;

/** What the texts of a question are filled with. */
function wordsNow() {
  const [row, col] = strongestCell();
  const { radius, num_iters, low, high } = store.trace;
  const shown = { radius, iterations: num_iters, low: low.toFixed(2), high: high.toFixed(2) };
  return { name: className(view.label), row: row + 1, col: col + 1, ...shown };
}

// --- what is covered -----------------------------------------------------------------------------------------------

/** Cover the strip from the stage on that would tell the answer, while this tab is open and it is not given. */
function coverStages() {
  const stages = $$(".afa-stage");
  const { hides, missing } = contents && store.trace ? step() : { hides: failed ? "" : "cam", missing: "" }; // until it is here
  const on = hides && !section.hidden && !missing && !(contents && verdict());
  const from = stages.findIndex((item) => item.dataset.stage === hides);
  stages.forEach((item, i) => {
    item.inert = Boolean(on) && i >= from;
    item.classList.toggle("afa-veiled", item.inert);
  });
  page.root.classList.toggle("afa-guessing", Boolean(on));
  if (view.guessing === Boolean(on)) return;
  view.guessing = Boolean(on);
  if (on) announce("", true); // what was said of the query cell
  scheduleDraw(CELL);
}

// --- drawing -------------------------------------------------------------------------------------------------------

function draw() {
  if (!contents || loaded !== store.trace.key) return;
  const now = step();
  const at = contents.steps.indexOf(now);
  const words = wordsNow();
  drawSteps(now);
  drawScore();
  setLabText("title", text("lab.step_of", { at: at + 1, of: contents.steps.length, title: text(`lab.${now.name}.title`) }));
  setLabText("story", text(`lab.${now.name}.story`, words));
  const teacher = now.teacher ? ` ${text(`lab.seg.teacher_${now.teacher}`)}` : "";
  setLabText("task", text(`lab.${now.name}.task`, words) + teacher);
  find('[data-fill="lab-missing"]').hidden = !now.missing;
  setLabText("missing", now.missing ? missingText(now.missing) : "");
  const form = find("form");
  form.hidden = Boolean(now.missing);
  form.querySelector("fieldset[data-list]").hidden = !now.reasons.length;
  find('[data-do="look"]').hidden = Boolean(now.hides) && !verdict(); // it would tell
  find('[data-do="look"]').textContent = text("lab.look", { tab: text(`tabs.${now.tab}`) });
  find('[data-do="next"]').hidden = at + 1 === contents.steps.length;
  const open = find('[data-do="open"]');
  open.hidden = !now.example || store.trace.link?.example === now.example;
  open.href = address(now.example ?? "", now.name);
  open.textContent = text("lab.open", { title: translateServerText(now.title ?? "") });
  drawAnswers(form, now, ofClass(), name(), words, redrawFigure);
  redrawFigure();
  drawVerdict(now, words);
  coverStages();
}

/** Why a question cannot be asked here. */
const missingText = (/** @type {string} */ code) => (
  tables.texts[`lab.missing.${code}`] ? text(`lab.missing.${code}`) : text("lab.missing.method", { why: lackWords(code) }));

/** How a question was answered, as a sign. */
function sign(/** @type {string} */ mark) {
  const made = document.createElement("span");
  if (!mark) return made;
  made.append(mark === "right" ? icon("check") : { half: "½", wrong: "×" }[mark] ?? "");
  made.dataset.mark = mark;
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", text(`lab.mark.${mark}`));
  return made;
}

function drawSteps(/** @type {LabStep} */ now) {
  find('[data-list="steps"]').replaceChildren(...steps().map((s) => {
    const [item, button] = [document.createElement("li"), document.createElement("button")];
    button.type = "button";
    button.setAttribute("aria-current", s === now ? "step" : "false");
    button.append(text(`lab.${s.name}.title`), sign(markOf(s.name)));
    button.addEventListener("click", () => go(s.name));
    item.append(button);
    return item;
  }));
}

function drawScore() {
  const found = score();
  setLabText("score", found.answered ? text("lab.score", found) : "");
  find(".afa-lab-sheet-form").hidden = !found.answered;
}

function redrawFigure() {
  const facts = verdict()?.facts;
  const best = facts && step().kind === "cell" ? [Number(facts.row) - 1, Number(facts.col) - 1] : null;
  drawFigure(find('[data-view="lab"]'), step(), ofClass().cells, { cam, share: chosenShare(), best });
}

function drawVerdict(/** @type {LabStep} */ now, /** @type {{[name: string]: any}} */ words) {
  const found = verdict();
  const reasonRight = found?.reason ? found.reasons.includes(found.reason) : null;
  find(".afa-lab-verdict").dataset.right = found ? found.right : "";
  find('[data-fill="lab-reason"]').dataset.right = found ? reasonRight ?? "" : "";
  for (const part of ["verdict", "reason", "why", "failure"]) setLabText(part, "");
  if (!found) return;
  const facts = factsOf(found, now.name, now.kind, words);
  setLabText("verdict", `${text(found.right ? "lab.right" : "lab.wrong")} ${text(`lab.${now.name}.verdict`, facts)}`);
  if (reasonRight !== null) {
    const reason = reasonText(now.name, reasonRight && found.reason ? found.reason : found.reasons[0], words);
    setLabText("reason", text(reasonRight ? "lab.reason_right" : "lab.reason_wrong", { words: reason }));
  }
  setLabText("why", text(`lab.${now.name}.why`, facts));
  if (!found.failure) return;
  const numbers = Object.entries(found.failure.facts).map(([key, value]) => [key, /^\d+$/.test(value) ? Number(value) : value]);
  setLabText("failure", text(`lab.failure.${found.failure.pathology}.fact`, Object.fromEntries(numbers)));
}

// --- going somewhere -----------------------------------------------------------------------------------------------

function go(/** @type {string} */ to) {
  setView({ step: to, ...strongestCellSelection() });
  find(".afa-lab-step").scrollIntoView({ block: "nearest" });
}

/**
 * Open an example on this page; the link itself is for other hands, and where the gallery is not to be found.
 *
 * @param {MouseEvent} event
 * @param {number} at
 * @param {string} example
 * @param {string} to
 */
function follow(event, at, example, to) {
  if (!host.examples.thumbnails()[at] || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(to);
  if (store.trace.link?.example !== example) host.examples.open(at);
}

async function submit(/** @type {SubmitEvent} */ event) {
  event.preventDefault();
  const [now, asked] = [step(), name()];
  const [answer, reason] = [answerOf(find("form"), now), reasonOf(find("form"))];
  if (answer == null) {
    announce(text("lab.press"), true);
    return;
  }
  const row = { name: asked, question: now.name, kind: now.kind, image: store.trace.title, asksReason: now.reasons.length > 0,
    words: { ...wordsNow(), name: classId(view.label) } };
  try {
    const question = { key: store.trace.key, step: now.name, answer, label: view.label, reason, first: !isAnswered(asked) };
    const found = accepted(await host.lab.check(question));
    if (!found) throw new Error("the server gave no verdict");
    const checked = /** @type {LabVerdict} */ (found);
    verdicts.set(asked, { ...checked, reason });
    const given = { answer, reason, right: checked.right, reasonRight: reason && checked.reasons.includes(reason) };
    record({ ...row, verdict: checked }, /** @type {any} */ (given));
    draw();
  } catch (error) {
    const { refused } = /** @type {any} */ (error);
    if (refused && asked === name()) setLabText("verdict", errorText(error)); // the image does not decide it
    else if (!refused) reportError(error);
  }
}

async function load() {
  const { key } = store.trace;
  if (loaded === key) {
    draw();
    return;
  }
  try {
    const next = accepted(await host.lab.steps({ key }));
    if (key !== store.trace.key) return;
    const { failures } = /** @type {LabContents} */ (next);
    [contents, loaded, cam, failed] = [/** @type {LabContents} */ (next), key, toFloats(store.trace.cam), false];
    find('[data-for="failures"]').hidden = !failures.length;
    drawFailures(find('[data-list="failures"]'), failures, follow);
    draw();
  } catch (error) {
    if (key !== store.trace.key) return;
    [failed, contents, loaded] = [true, null, ""];
    coverStages();
    if (/** @type {any} */ (error).refused) drawRefusal(errorText(error));
    else reportError(error);
  }
}

/** Why there are no questions about this explanation, in their place. */
function drawRefusal(/** @type {string} */ words) {
  for (const part of ["title", "story", "task", "verdict", "reason", "why", "failure"]) setLabText(part, "");
  for (const part of ["form", '[data-do="next"]', '[data-do="open"]', '[data-view="lab"]']) find(part).hidden = true;
  for (const part of ["steps", "failures"]) find(`[data-list="${part}"]`).replaceChildren();
  find('[data-fill="lab-missing"]').hidden = false;
  setLabText("missing", words);
}

function buildSheetForm() {
  setLabText("name", text("lab.sheet.your_name"));
  const typed = () => find('[data-do="name"]').value.trim();
  /** @type {{[action: string]: () => void}} */
  const actions = {
    print: () => printSheet(typed()),
    save: () => saveSheet(typed()),
    forget() {
      if (!window.confirm(text("lab.sheet.forget_all", { count: answeredRows().length }))) return;
      forgetAnswers();
      verdicts.clear();
      delete find("form").dataset.of;
      draw();
    },
  };
  for (const [action, run] of Object.entries(actions)) {
    const button = find(`[data-do="${action}"]`);
    button.textContent = text(`lab.sheet.${action}`);
    button.addEventListener("click", run);
  }
}

registerTab("lab", {
  build(element) {
    takeLaterTexts();
    section = element;
    find("form").addEventListener("submit", submit);
    find('[data-do="look"]').addEventListener("click", () => {
      setView({ tab: step().tab, ...strongestCellSelection(), block: store.scene.blocks.length - 1 });
    });
    find('[data-do="next"]').addEventListener("click", () => {
      go(steps()[steps().indexOf(step()) + 1].name);
    });
    find('[data-do="open"]').addEventListener("click", (/** @type {MouseEvent} */ event) => (
      follow(event, step().place ?? -1, step().example ?? "", step().name)));
    buildSheetForm();
    linkCell(find("canvas"));
    new MutationObserver(coverStages).observe(section, { attributes: true, attributeFilter: ["hidden"] });
  },
  show: coverStages,
  data: load,
  selection: draw,
  cell() { if (contents && !find('[data-view="lab"]').hidden) markFigure(); },
});
