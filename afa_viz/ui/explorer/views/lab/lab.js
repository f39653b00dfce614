// The guided lab: one question per step, answered by the trace on the host. Until then the strip is covered from the
// stage on that would tell, so that a guess is a guess.

import { answerOf, chosenShare, drawAnswers, optionText } from "./answer_form.js";
import { address, drawFailures } from "./gallery.js";
import { isSolved, rememberSolved } from "./solved.js";
import { icon } from "../../components/icons.js";
import { $$, page, setText } from "../../core/dom.js";
import { layer, toFloats } from "../../core/packed.js";
import { lackWords } from "../../core/parts.js";
import { linkCell } from "../../core/pointer.js";
import { CELL, registerTab, scheduleDraw, setView } from "../../core/schedule.js";
import { classIndex, className, strongestCell, strongestCellSelection } from "../../core/selection.js";
import { translateServerText } from "../../core/server_words.js";
import { accepted, announce, errorText, reportError } from "../../core/status.js";
import { store, view } from "../../core/store.js";
import { text, translateClass } from "../../core/words.js";
import { paintLabelFigure, paintMapFigure } from "../../draw/figures.js";
import { createMarks, markCell } from "../../draw/marks.js";
import { paintImage } from "../../draw/repaint.js";
import { fitCanvas } from "../../draw/size.js";
import { thresholdCam } from "../../method/labels.js";
import { host } from "../../host/host.js";

/** @type {any} */
let section = null;
/** @type {LabContents | null} */
let contents = null; // steps and gallery for the explanation that is shown
let loaded = ""; // its key
/** @type {Float32Array} */
let cam; // its CAMs as numbers
let failed = false; // the server did not give them
/** @type {Map<string, LabVerdict>} */
const verdicts = new Map(); // explanation, class and step -> what the server said

const find = (/** @type {string} */ selector) => section.querySelector(selector);
const setLabText = (/** @type {string} */ name, /** @type {string} */ words) => setText(`lab-${name}`, words, section);
/** The questions; they are here. */
const steps = () => /** @type {LabContents} */ (contents).steps;
const step = () => steps().find((one) => one.name === view.step) ?? steps()[0];
const name = () => `${store.trace.key} ${view.label} ${step().name}`;
const verdict = () => verdicts.get(name());

// --- what is covered -----------------------------------------------------------------------------------------------

/** Cover the strip from the stage on that would tell the answer, while this tab is open and it is not given. */
function coverStages() {
  const stages = $$(".afa-stage");
  const { hides, ready } = contents && store.trace ? step() : { hides: failed ? "" : "cam", ready: true }; // until it is here
  const on = hides && !section.hidden && ready && !(contents && verdict());
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
  drawSteps(now);
  const cell_ = strongestCell();
  const words = { name: className(view.label), row: cell_[0] + 1, col: cell_[1] + 1, high: store.trace.high.toFixed(2) };
  setLabText("title", text("lab.step_of", { at: at + 1, of: contents.steps.length, title: text(`lab.${now.name}.title`) }));
  setLabText("story", text(`lab.${now.name}.story`, words));
  const teacher = now.teacher ? ` ${text(`lab.seg.teacher_${now.teacher}`)}` : "";
  setLabText("task", text(`lab.${now.name}.task`, words) + teacher);
  find('[data-fill="lab-missing"]').hidden = now.ready;
  setLabText("missing", now.lack ? lackWords(now.lack) : text("lab.missing"));
  find("form").hidden = !now.ready;
  find('[data-do="look"]').hidden = Boolean(now.hides) && !verdict(); // it would tell
  find('[data-do="look"]').textContent = text("lab.look", { tab: text(`tabs.${now.tab}`) });
  find('[data-do="next"]').hidden = at + 1 === contents.steps.length;
  const open = find('[data-do="open"]');
  open.hidden = Boolean(now.lack) || store.trace.link?.example === now.example;
  open.href = address(now.example, now.name);
  open.textContent = text("lab.open", { title: translateServerText(now.title ?? "") });
  drawAnswers(find('[data-list="answers"]'), now, name(), () => drawFigure(step()));
  drawFigure(now);
  drawVerdict(now);
  coverStages();
}

function drawSteps(/** @type {LabStep} */ now) {
  find('[data-list="steps"]').replaceChildren(...steps().map((s) => {
    const [item, button, mark] = ["li", "button", "span"].map((tag) => /** @type {any} */ (document.createElement(tag)));
    button.type = "button";
    button.setAttribute("aria-current", s === now ? "step" : "false");
    if (isSolved(s.name)) {
      mark.append(icon("check"));
      mark.setAttribute("role", "img");
      mark.setAttribute("aria-label", text("lab.solved"));
    }
    button.append(text(`lab.${s.name}.title`), mark);
    button.addEventListener("click", () => go(s.name));
    item.append(button);
    return item;
  }));
}

const figure = () => find('[data-view="lab"]');

/** The picture to press a cell in, or to cut the CAM over. */
function drawFigure(/** @type {LabStep} */ now) {
  const box = figure();
  box.hidden = !now.ready || !["cell", "share"].includes(now.kind);
  if (box.hidden) return;
  const canvas = box.querySelector("canvas");
  box.querySelector(".afa-scale")?.remove(); // only a map has one
  marks.forget();
  if (now.kind === "share") {
    const labels = thresholdCam(cam, store.trace.classes.map((c) => c.label), chosenShare());
    const here = labels.map((l) => (l === view.label ? l : 0));
    paintLabelFigure(box, here, store.trace.size, (l) => (l ? store.trace.palette[l] : null), () => "");
    setLabText("figure", text("lab.cut.figure", { name: className(view.label), value: chosenShare().toFixed(2) }));
  } else if (verdict()) {
    paintMapFigure(box, toFloats(layer(store.trace.cam, classIndex())), store.trace.size, [0, 1], { smooth: true });
    setLabText("figure", text("lab.cam.figure_after", { name: className(view.label) }));
  } else {
    fitCanvas(canvas);
    paintImage(canvas, store.scene.image);
    setLabText("figure", text("lab.cam.figure"));
  }
  canvas.setAttribute("aria-label", find('[data-fill="lab-figure"]').textContent);
  if (now.kind === "cell") marks.keep([canvas]);
}

const marks = createMarks((canvas) => {
  if (view.pin || verdict()) markCell(canvas, store.trace.grid, view.pin ?? strongestCell(), Boolean(view.pin));
});

function drawVerdict(/** @type {LabStep} */ now) {
  const found = verdict();
  find(".afa-lab-verdict").dataset.right = found ? found.right : "";
  for (const part of ["verdict", "why", "failure"]) setLabText(part, "");
  if (!found) return;
  const number = (/** @type {[string, string]} */ [key, value]) => [key, /^\d+$/.test(value) ? Number(value) : value];
  const numbers = (/** @type {{[name: string]: string}} */ of) => Object.fromEntries(Object.entries(of).map(number));
  const facts = { ...numbers(found.facts), name: className(view.label),
    truth: found.truth ? optionText(now.name, found.truth) : "",
    names: (found.facts.names ?? "").split(", ").map(translateClass).join(", ") };
  setLabText("verdict", `${text(found.right ? "lab.right" : "lab.wrong")} ${text(`lab.${now.name}.verdict`, facts)}`);
  setLabText("why", text(`lab.${now.name}.why`, facts));
  if (found.failure) setLabText("failure", text(`lab.failure.${found.failure.pathology}.fact`, numbers(found.failure.facts)));
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
  const answer = answerOf(find("form"), now);
  if (answer == null) {
    announce(text("lab.press"), true);
    return;
  }
  try {
    const found = accepted(await host.lab.check({ key: store.trace.key, step: now.name, answer, label: view.label }));
    if (!found) throw new Error("the server gave no verdict");
    verdicts.set(asked, found);
    if (asked === name()) rememberSolved(step().name, found.right);
    draw();
  } catch (error) {
    reportError(error);
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
  for (const part of ["title", "story", "task", "verdict", "why", "failure"]) setLabText(part, "");
  for (const part of ["form", '[data-do="next"]', '[data-do="open"]']) find(part).hidden = true;
  for (const part of ["steps", "failures"]) find(`[data-list="${part}"]`).replaceChildren();
  figure().hidden = true;
  find('[data-fill="lab-missing"]').hidden = false;
  setLabText("missing", words);
}

registerTab("lab", {
  build(element) {
    section = element;
    find("form").addEventListener("submit", submit);
    find('[data-do="look"]').addEventListener("click", () => {
      setView({ tab: step().tab, ...strongestCellSelection(), block: store.scene.blocks.length - 1 });
    });
    find('[data-do="next"]').addEventListener("click", () => {
      go(steps()[steps().indexOf(step()) + 1].name);
    });
    find('[data-do="open"]').addEventListener("click", (/** @type {MouseEvent} */ event) => (
      follow(event, step().place, step().example, step().name)));
    linkCell(figure().querySelector("canvas"));
    new MutationObserver(coverStages).observe(section, { attributes: true, attributeFilter: ["hidden"] });
  },
  show: coverStages,
  data: load,
  selection: draw,
  cell() { if (contents) marks.each(); },
});
