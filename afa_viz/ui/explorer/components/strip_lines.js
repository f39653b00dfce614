// The lines of the strip: how the stages hang together. The network gives CAM, affinity and prediction; CAM and affinity
// meet at the walk, and the affinity label leaves the CAM without it. Where the pictures stand is the style sheet's.

import { $ } from "../core/dom.js";
import { store } from "../core/store.js";
import { text } from "../core/words.js";

const OVER = 9; // pixels from the top: the line of the decoder runs above the pictures
/** @type {any} */
let list = null; // the strip
/** @type {any} */
let svg = null; // the lines

/** Put the drawing behind the strip. */
export function buildStripLines() {
  list = $(".afa-strip");
  svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "afa-fork");
  svg.setAttribute("aria-hidden", "true");
  $(".afa-strip-frame").prepend(svg);
}

const shape = (/** @type {string} */ tag, /** @type {{[name: string]: any}} */ attributes, /** @type {string} */ words = "") => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = words;
  return made;
};

/** Where a picture stands in the strip. */
function boxOf(/** @type {string} */ key, /** @type {DOMRect} */ origin) {
  const canvas = $(`[data-stage="${key}"] [data-open] canvas`, list);
  const { left, right, top, bottom, width } = canvas.getBoundingClientRect();
  if (!width) return null;
  const cover = canvas.closest("[data-open]").getBoundingClientRect();
  return { left: left - origin.left, right: right - origin.left, top: top - origin.top, above: cover.top - origin.top,
    x: (left + right) / 2 - origin.left, y: (top + bottom) / 2 - origin.top };
}

/** Draw the lines between the pictures of the stages as they stand now. */
export function drawStripLines(/** @type {string[]} */ stages) {
  const cam = boxOf("cam", list.getBoundingClientRect());
  if (!cam) return;
  list.style.setProperty("--middle", `${cam.y - cam.above}px`); // of a picture, below the top of its stage
  const origin = list.getBoundingClientRect();
  const at = /** @type {{[stage: string]: any}} */ (Object.fromEntries(stages.map((key) => [key, boxOf(key, origin)])));
  const out = store.trace.left_out;
  const trunk = (at.image.right + at.cam.left) / 2; // where the network's outputs part
  const start = `M${at.image.right + 2} ${at.image.y}H${trunk}`;
  const straight = (/** @type {string} */ from, /** @type {string} */ to) => `M${at[from].right + 2} ${at[from].y}H${at[to].left - 3}`;
  const lines = [
    [`${start}V${at.cam.y}H${at.cam.left - 3}`], [`${start}V${at.affinity.y}H${at.affinity.left - 3}`],
    [`${start}V${OVER}H${at.seg.x}V${at.seg.above - 3}`, "seg"],
    [straight("cam", "affinity_label")], [`M${at.cam_rw.x} ${at.cam.y}V${at.cam_rw.above - 3}`],
    [straight("affinity", "cam_rw"), "cam_rw"], [straight("cam_rw", "cam_par"), "cam_par"],
    [straight("cam_par", "regions")], [straight("regions", "pseudo_label")],
  ];
  const words = /** @type {[number, number, string, string][]} */ ([[trunk + 6, OVER + 4, text("strip.decoder"), "start"],
    [at.cam_rw.x, at.cam.y - 6, text(out.includes("cam_par") ? "strip.no_par" : "strip.by_par"), "middle"]]);
  fillLines(lines.map(([d, stage]) => ({ d, class: out.includes(stage) ? "afa-dashed" : "", "marker-end": "url(#afa-tip)" })),
    words.map(([x, y, said, anchor]) => shape("text", { x, y, "text-anchor": anchor }, said)));
}

/** Fill the drawing: attributes of its paths, and what else stands in it. */
export function fillLines(/** @type {{[name: string]: any}[]} */ paths, /** @type {SVGElement[]} */ others = []) {
  const [width, height] = [list.offsetWidth, list.offsetHeight];
  for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` })) svg.setAttribute(name, value);
  svg.replaceChildren(...paths.map((path) => shape("path", path)), ...others, arrowTip());
}

function arrowTip() {
  const marker = shape("marker", { id: "afa-tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7,
    orient: "auto", markerUnits: "userSpaceOnUse" });
  marker.append(shape("path", { d: "M0 0L8 4L0 8z" }));
  return marker;
}
