// A figure as Python has made it, in the colours and the width of the page.

const NARROW = 560; // pixels
const LETTER = 7; // pixels of a letter, at most
const COLOUR = /color/; // in the names of what holds colours
const VARIABLE = /^var\((--[\w-]+)\)$/;
const ENTITIES = /** @type {{[entity: string]: string}} */ ({ "&lt;": "<", "&gt;": ">", "&amp;": "&" });

/** What a text of plotly shows, without its markup. */
export const plainText = (/** @type {string} */ words) => words.replace(/<[^>]*>/g, "")
  .replace(/&(lt|gt|amp);/g, (entity) => ENTITIES[entity]);

/**
 * A copy of a figure, with the page's colours in the place of their names (`var(--ink)`); other text stays.
 *
 * @param {any} part
 * @param {{getPropertyValue: (name: string) => string}} style
 * @param {string} [key]
 * @returns {any}
 */
export function coloured(part, style, key = "") {
  if (Array.isArray(part)) return part.map((one) => coloured(one, style, key));
  if (part && typeof part === "object") {
    return Object.fromEntries(Object.entries(part).map(([name, value]) => [name, coloured(value, style, name)]));
  }
  const variable = typeof part === "string" && COLOUR.test(key) && VARIABLE.exec(part);
  return variable ? style.getPropertyValue(variable[1]).trim() || part : part;
}

/**
 * A figure for a place on the page: its caption and its switches stand outside of it, fingers scroll the page.
 *
 * @param {{data: any[], layout: any}} figure
 * @param {number} width
 * @param {{keep?: string, mark?: number | null}} options
 */
export function fitted({ data, layout }, width, { keep = "", mark = null }) {
  const narrow = width < NARROW;
  const kept = { ...layout, title: undefined, meta: undefined };
  const ink = layout.template.layout.font.color;
  const shapes = [...(layout.shapes ?? [])];
  if (mark !== null) {
    shapes.push({ type: "line", yref: "paper", x0: mark, x1: mark, y0: 0, y1: 1, line: { color: ink, width: 2, dash: "dot" } });
  }
  const annotations = (layout.annotations ?? []).map((/** @type {any} */ one, /** @type {number} */ i) => {
    if (!one.hovertext) return one; // a phase: its name where it fits, else its number
    const share = (shapes[i].x1 - shapes[i].x0) / layout.xaxis.range[1];
    const fits = one.hovertext.length * LETTER < share * (width - 60);
    return { ...one, text: fits ? one.hovertext : one.hovertext.split(" ")[0] };
  });
  const touch = globalThis.matchMedia?.("(pointer: coarse)").matches ? { dragmode: false } : {};
  const square = layout.yaxis?.scaleanchor ? { height: Math.min(layout.height, width + 50) } : {};
  const margin = { ...layout.template.layout.margin, t: 34, ...(narrow ? { l: 40, r: 8 } : {}) };
  return { data, layout: { ...kept, ...touch, ...square, shapes, annotations, margin, width, showlegend: false, uirevision: keep,
    paper_bgcolor: "rgba(0,0,0,0)" } };
}
