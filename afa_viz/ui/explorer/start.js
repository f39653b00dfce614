// The end of all scripts: draw whenever something to draw arrives, or the page changes its size.

let widths = "";
new ResizeObserver(() => {
  const now = `${views.clientWidth} ${window.devicePixelRatio}`;
  if (now === widths) return;
  widths = now;
  scheduleDraw(SELECTION);
}).observe(views);
watch("value", receive);
receive();
