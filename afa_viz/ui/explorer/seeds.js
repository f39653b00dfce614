// Seeds for the walk: cells that somebody drops or paints, each of a kind, and the hand that does it.

const seeds = (() => {
  const PLAIN = -1; // the kind without a class
  const cells = new Map(); // cell index -> kind
  let section = null;
  let changed = null; // called when a cell or the brush changed
  let brush = PLAIN;
  let erasing = false;
  let stroke = null; // the cell that the brush came from, while it is down
  let lieOn = null; // the picture

  const find = (selector) => section.querySelector(selector);
  const nameOf = (kind) => (kind === PLAIN ? text("walk.seed") : className(kind));
  const colourOf = (kind) => (kind === PLAIN ? [255, 255, 255] : data.palette[kind]);

  /** Where the walk starts: the kinds there are, and a map of each; one empty map where there is none. */
  function start() {
    const kinds = [...new Set(cells.values())].sort((a, b) => a - b);
    const size = data.grid[0] * data.grid[1];
    const maps = new Float32Array(Math.max(1, kinds.length) * size);
    for (const [index, kind] of cells) maps[kinds.indexOf(kind) * size + index] = 1;
    return { kinds, maps };
  }

  /** The label that a kind belongs to: its class, or the one under most of its cells; `labelAt` tells of a cell. */
  function regionOf(kind, labelAt) {
    if (kind !== PLAIN && kind != null) return kind;
    const counts = new Map();
    for (const [index, other] of cells) {
      if (other === kind) counts.set(labelAt(index), (counts.get(labelAt(index)) ?? 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? view.label;
  }

  /** Draw the photograph with its cells and the seeds in them. */
  function paint(canvas) {
    fitFigure(canvas);
    const context = canvas.getContext("2d");
    paintPicture(canvas, scene.image);
    const [rows, cols] = data.grid;
    const [w, h] = [canvas.width / cols, canvas.height / rows];
    context.strokeStyle = "rgba(255,255,255,.28)";
    context.lineWidth = 1;
    for (let i = 1; i < cols; i++) context.strokeRect(i * w, -1, 0, canvas.height + 2);
    for (let i = 1; i < rows; i++) context.strokeRect(-1, i * h, canvas.width + 2, 0);
    for (const [index, kind] of cells) {
      const [x, y] = [(index % cols) * w, Math.floor(index / cols) * h];
      context.fillStyle = `rgba(${colourOf(kind)},.75)`;
      context.fillRect(x, y, w, h);
      context.strokeStyle = "#000";
      context.strokeRect(x + 1, y + 1, w - 2, h - 2);
    }
  }

  // --- the hand ------------------------------------------------------------------------------------------------------

  function put(index, kind) {
    if (kind == null) cells.delete(index);
    else cells.set(index, kind);
  }

  /** Drop one on the query cell, or take it away. */
  function drop() {
    const index = cell()[0] * data.grid[1] + cell()[1];
    put(index, cells.get(index) === brush ? null : brush);
    say(text("walk.dropped", { count: cells.size, row: cell()[0] + 1, col: cell()[1] + 1 }));
  }

  /** Brush the cells on the way from the last one to this one: a quick hand leaves no gaps. */
  function brushTo([row, col]) {
    const [fromRow, fromCol] = stroke ?? [row, col];
    const count = Math.max(1, Math.abs(row - fromRow), Math.abs(col - fromCol));
    const at = (a, b, i) => Math.round(a + ((b - a) * i) / count);
    for (let i = 0; i <= count; i++) put(at(fromRow, row, i) * data.grid[1] + at(fromCol, col, i), erasing ? null : brush);
    stroke = [row, col];
    changed();
  }

  /** What to paint with, and whether the brush adds or erases. */
  function brushes() {
    const kinds = [PLAIN, 0, ...data.classes.map((c) => c.label)];
    if (!kinds.includes(brush)) brush = PLAIN;
    find('[data-list="brushes"]').replaceChildren(...kinds.map((kind) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = nameOf(kind);
      button.style.setProperty("--colour", `rgb(${colourOf(kind)})`);
      button.setAttribute("aria-pressed", kind === brush);
      button.addEventListener("click", () => choose(kind, false));
      return button;
    }));
    for (const button of section.querySelectorAll("[data-brush]")) {
      button.setAttribute("aria-pressed", (button.dataset.brush === "erase") === erasing);
    }
  }

  function choose(kind, erase) {
    [brush, erasing] = [kind, erase];
    brushes();
    changed();
  }

  /** Bind the controls and the canvas that is painted on; it paints only while `active()`. */
  function build(element, paper, active, listener) {
    [section, changed] = [element, listener];
    for (const button of section.querySelectorAll("[data-brush]")) {
      button.addEventListener("click", () => choose(brush, button.dataset.brush === "erase"));
    }
    find('[data-do="clear"]').addEventListener("click", () => {
      cells.clear();
      changed();
    });
    const under = (event) => {
      const box = paper.getBoundingClientRect();
      return onGrid((event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width);
    };
    paper.addEventListener("pointerdown", (event) => {
      if (!active() || event.button) return;
      stroke = null;
      paper.setPointerCapture(event.pointerId);
      brushTo(under(event));
    });
    paper.addEventListener("pointermove", (event) => { if (stroke) brushTo(under(event)); });
    for (const end of ["pointerup", "pointercancel"]) paper.addEventListener(end, () => { stroke = null; });
    paper.addEventListener("click", (event) => { if (active()) event.stopImmediatePropagation(); });
  }

  /** Another explanation: seeds of another picture are gone. */
  function renew() {
    if (lieOn !== scene) cells.clear();
    lieOn = scene;
    brushes();
  }

  return { build, renew, start, regionOf, paint, drop, nameOf, colourOf, get brush() { return brush; } };
})();
