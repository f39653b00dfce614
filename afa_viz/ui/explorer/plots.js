// Plots with axes, drawn on canvases in the colours of the page.

/** Prepare a plot's canvas: pixels, colours of the page, and where its axes lie. */
function plotOf(canvas, { left = 44, right = 12, top = 12, bottom = 30 } = {}) {
  const dense = Math.min(2, window.devicePixelRatio || 1);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width) return null;
  [canvas.width, canvas.height] = [Math.round(width * dense), Math.round(height * dense)];
  const context = canvas.getContext("2d");
  context.scale(dense, dense);
  context.font = "12px system-ui, sans-serif";
  const style = getComputedStyle(canvas);
  const ink = style.color;
  return { context, width, height, ink, muted: style.getPropertyValue("--muted").trim() || ink,
    accent: style.getPropertyValue("--accent").trim(), warm: style.getPropertyValue("--warm").trim(),
    x: (share) => left + share * (width - left - right),
    y: (share) => height - bottom - share * (height - top - bottom),
    share: (at) => (at - left) / (width - left - right) };
}

/** A curve of shares from 0 to 1 by step, the present step marked, and a dashed line at `even` with a word. */
function paintShares(canvas, shares, even, at, word) {
  const plot = plotOf(canvas);
  if (!plot) return;
  const { context, x, y } = plot;
  const last = shares.length - 1;
  context.lineWidth = 1;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    context.globalAlpha = 0.25;
    context.strokeStyle = plot.ink;
    context.beginPath();
    context.moveTo(x(0), y(share));
    context.lineTo(x(1), y(share));
    context.stroke();
    context.globalAlpha = 1;
    context.fillStyle = plot.muted;
    context.fillText(`${100 * share} %`, x(0) - 6, y(share));
  }
  context.textBaseline = "top";
  context.textAlign = "center";
  for (let i = 0; i <= last; i += 2) context.fillText(String(i), x(i / last), y(0) + 8);
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
