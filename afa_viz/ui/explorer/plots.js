// Plots with axes, drawn on canvases in the colours of the page.

const PLOT_FONT = "12px system-ui, sans-serif";
/** How each stage is drawn in every chart over something, as in figures/charts.py: colour of the page, dashes. */
const STAGE_LINES = {
  miou_cam: { colour: "accent", dash: [] },
  miou_walk_start: { colour: "start", dash: [2, 4] },
  miou_cam_rw: { colour: "muted", dash: [7, 3] },
  miou_cam_par: { colour: "good", dash: [7, 3, 2, 3] },
  miou_pseudo_label: { colour: "pseudo", dash: [2, 3] },
  miou_seg: { colour: "warm", dash: [] },
  map: { colour: "ink", dash: [1, 5] },
};
const QUARTERS = [0, 0.25, 0.5, 0.75, 1];

/** Prepare a plot's canvas: pixels, colours of the page, and where its axes lie. */
function plotOf(canvas, { left = 44, right = 12, top = 12, bottom = 30 } = {}) {
  const dense = Math.min(2, window.devicePixelRatio || 1);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width) return null;
  [canvas.width, canvas.height] = [Math.round(width * dense), Math.round(height * dense)];
  const context = canvas.getContext("2d");
  context.scale(dense, dense);
  context.font = PLOT_FONT;
  const style = getComputedStyle(canvas);
  const ink = style.color;
  return { context, width, height, ink, muted: style.getPropertyValue("--muted").trim() || ink,
    accent: style.getPropertyValue("--accent").trim(), warm: style.getPropertyValue("--warm").trim(),
    x: (share) => left + share * (width - left - right),
    y: (share) => height - bottom - share * (height - top - bottom),
    share: (at) => (at - left) / (width - left - right) };
}

/** How wide words are in a plot. */
function plotWidth(words) {
  const context = sheet(1, 1).getContext("2d");
  context.font = PLOT_FONT;
  return context.measureText(words).width;
}

/** Horizontal lines at heights with their words to the left, and words at shares along the bottom. */
function plotGrid({ context, x, y, ink, muted }, heights, places) {
  context.lineWidth = 1;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const [height, words] of heights) {
    [context.globalAlpha, context.strokeStyle, context.fillStyle] = [0.25, ink, muted];
    context.beginPath();
    context.moveTo(x(0), height);
    context.lineTo(x(1), height);
    context.stroke();
    context.globalAlpha = 1;
    context.fillText(words, x(0) - 6, height);
  }
  context.textBaseline = "top";
  context.textAlign = "center";
  for (const [share, words] of places) context.fillText(words, x(share), y(0) + 8);
}

/** What the bottom axis counts, below its right end. */
function plotAxis({ context, x, y, muted }, words) {
  [context.fillStyle, context.textAlign, context.textBaseline] = [muted, "right", "top"];
  context.fillText(words, x(1), y(0) + 23);
}

/** Names of curves at their right ends, [{name, colour, at}], a line's height apart. */
function plotEnds({ context, x, y }, ends) {
  const LINE = 15; // pixels
  ends.sort((a, b) => b.at - a.at).forEach((end, i) => { // from below
    end.at = Math.min(end.at, i ? ends[i - 1].at - LINE : y(0) - 6);
  });
  context.textAlign = "left";
  context.textBaseline = "middle";
  for (const { name, colour, at } of ends) {
    context.fillStyle = colour;
    context.fillText(name, x(1) + 8, at);
  }
}

/** A curve of shares from 0 to 1 by step, the present step marked, and a dashed line at `even` with a word. */
function paintShares(canvas, shares, even, at, word) {
  const plot = plotOf(canvas, { bottom: 38 });
  if (!plot) return;
  const { context, x, y } = plot;
  const last = shares.length - 1;
  plotGrid(plot, QUARTERS.map((share) => [y(share), `${100 * share} %`]),
    shares.map((_, i) => [i / last, String(i)]).filter((_, i) => i % 2 === 0));
  plotAxis(plot, text("walk.step_axis"));
  context.setLineDash([5, 4]);
  context.strokeStyle = plot.muted;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x(0), y(even));
  context.lineTo(x(1), y(even));
  context.stroke();
  context.setLineDash([]);
  context.textAlign = "right";
  context.textBaseline = even > 0.9 ? "top" : "bottom";
  context.fillText(word, x(1), y(even) + (even > 0.9 ? 3 : -3));
  if (shares[0] == null) return;
  context.strokeStyle = context.fillStyle = plot.warm;
  context.lineWidth = 2.5;
  context.beginPath();
  shares.forEach((share, i) => context[i ? "lineTo" : "moveTo"](x(i / last), y(share)));
  context.stroke();
  shares.forEach((share, i) => {
    context.beginPath();
    context.arc(x(i / last), y(share), i === at ? 6 : 3, 0, 7);
    context.fill();
  });
}
