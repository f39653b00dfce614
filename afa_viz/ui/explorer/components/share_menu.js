// Save and share: the link, files from the host, the open tab as one picture, and the program that makes it again. Loaded
// when the menu first opens, see `listenToMenu` in main.js.

import { stageFigures } from "./strip.js";
import { $ } from "../core/dom.js";
import { permalinkQuery } from "../core/permalink.js";
import { tabs } from "../core/schedule.js";
import { className, queryCell } from "../core/selection.js";
import { translateServerText } from "../core/server_words.js";
import { accepted, announce, reportError } from "../core/status.js";
import { store, view } from "../core/store.js";
import { tables } from "../core/tables.js";
import { text } from "../core/words.js";
import { paintFigures, paintTab } from "../draw/tab_picture.js";
import { host } from "../host/host.js";

const STAGE_WIDTH = 360; // pixels of a stage in a picture of the pipeline that is drawn here

function download(/** @type {string} */ address, /** @type {string} */ name) {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
}

/** One line: picture, class, cell, model, and settings that are not the published ones. */
function factsLine() {
  const [row, col] = queryCell();
  const nameOf = (/** @type {string} */ name) => text(name === "left_out" ? "side.group_left_out" : `side.${name}`);
  const settings = Object.entries(store.trace.link ?? {}).filter(([name]) => !["example", "data", "model"].includes(name))
    .map(([name, value]) => `${nameOf(name)}: ${translateServerText(value)}`).join(", ");
  return text("share.facts", { name: className(view.label), row: row + 1, col: col + 1, model: store.trace.model,
    labels: store.trace.classes.map((c) => className(c.label)).join(", "), settings: settings || text("share.published") });
}

async function saveTab() {
  const name = $(`[role=tab][data-tab="${view.tab}"]`).textContent;
  const { section, hooks } = tabs.get(view.tab);
  const pictureOf = /** @type {(chart: any) => Promise<[HTMLElement, any]>} */ (async (chart) => [chart.place, await chart.picture()]);
  const charts = await Promise.all((hooks.charts?.() ?? []).map(pictureOf));
  const [title, facts] = [`${translateServerText(store.trace.title)}: ${name}`, [factsLine(), hooks.facts?.() ?? ""].join(" ")];
  const canvas = hooks.figures ? paintFigures(hooks.figures(STAGE_WIDTH), title, facts) : paintTab(section, title, facts, new Map(charts));
  if (!canvas) {
    announce(text("share.no_picture", { name }), true);
    return;
  }
  await saveCanvas(canvas, view.tab);
}

async function saveCanvas(/** @type {HTMLCanvasElement} */ canvas, /** @type {string} */ name) {
  /** @type {any} */
  const blob = await new Promise((done) => { canvas.toBlob(done); });
  const address = URL.createObjectURL(blob);
  download(address, `afa-viz-${name}.png`);
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

async function saveFile(/** @type {string} */ kind) {
  if (kind === "png" && !host.exports.kinds.includes(kind)) {
    const canvas = paintFigures(stageFigures(STAGE_WIDTH), translateServerText(store.trace.title), factsLine());
    await saveCanvas(canvas, "pipeline");
    return;
  }
  const asked = { key: store.trace.key, kind, label: view.label, cell: queryCell(), language: tables.language };
  const { address, name } = accepted(await host.exports.file(asked));
  download(address, name);
}

async function copyLink() {
  if (!store.trace.link?.example && !store.trace.link?.data) {
    announce(text("link.upload"), true);
    return;
  }
  const address = `${window.location.origin}${window.location.pathname}?${permalinkQuery()}`;
  try {
    await navigator.clipboard.writeText(address);
    announce(text("link.copied"), true);
  } catch {
    window.prompt(text("link.copy_by_hand"), address); // no clipboard without https
  }
}

async function copyPython() {
  const asked = { key: store.trace.key, tab: view.tab, label: view.label, cell: queryCell(), block: view.block, head: view.head,
    b: tabs.get(view.tab).hooks.other?.() };
  const { code } = accepted(await host.exports.python?.(asked));
  try {
    await navigator.clipboard.writeText(code);
    announce(text("share.python_copied"), true);
  } catch {
    showCode(code); // no clipboard without https
  }
}

/** The program to copy by hand. */
function showCode(/** @type {string} */ code) {
  const box = $(".afa-code");
  box.hidden = false;
  const area = $("textarea", box);
  area.value = code;
  area.focus();
  area.select();
  $("button", box).onclick = () => { box.hidden = true; };
}

async function act(/** @type {HTMLButtonElement} */ button, /** @type {() => Promise<void>} */ what) {
  if (!store.trace || button.disabled) return;
  button.disabled = true;
  try {
    await what();
    $(".afa-share").open = false;
    if ($(".afa-code").hidden) $(".afa-share summary").focus();
  } catch (error) {
    reportError(error);
  }
  button.disabled = false;
}

/** Do what a button of the menu says. */
export function run(/** @type {HTMLButtonElement} */ button) {
  const kind = button.dataset.export;
  act(button, kind ? () => saveFile(kind) : button.dataset.do === "link" ? copyLink
    : button.dataset.do === "python" ? copyPython : saveTab);
}
