// The random walk, step by step: from the CAM, or from cells that somebody paints.

{
  const STEPS = 10;
  const SEED = -1; // a kind of seed without a class
  let section = null;
  let mode = "cam";
  let step = null; // null: the method's own number
  let brush = SEED;
  let erasing = false;
  let painting = null; // the cell that the brush came from, while it is down
  let painted = null; // the picture that the seeds lie on
  const seeds = new Map(); // cell index -> kind
  let shows = [];
  let plays = null;
  let refineLater = 0;

  const find = (selector) => section.querySelector(selector);
  const figure = (name) => find(`[data-view="${name}"]`);
  const cells = () => data.grid[0] * data.grid[1];
  const kindName = (kind) => (kind === SEED ? text("walk.seed") : className(kind));
  const kindColour = (kind) => (kind === SEED ? [255, 255, 255] : data.palette[kind]);
  const kinds = () => [...new Set(seeds.values())].sort((a, b) => a - b);
  const shownStep = () => step ?? Math.min(STEPS, data.num_steps);

  /** What is walked: the maps after every step, the channel that is shown, and what its region is. */
  function walked() {
    const s = live.settings;
    if (mode === "cam") {
      const channel = live.maker.labels.indexOf(view.label);
      const steps = live.maker.steps(s, s.low, STEPS, "look");
      return { steps, labels: live.maker.labels, channel, label: view.label };
    }
    const labels = kinds();
    const start = new Float32Array(Math.max(1, labels.length) * cells());
    for (const [index, kind] of seeds) start[labels.indexOf(kind) * cells() + index] = 1;
    const channel = Math.max(0, labels.indexOf(brush));
    const steps = chain.walkSteps(start, live.maker.matrix(s), STEPS);
    return { steps, labels, channel, label: regionOf(labels[channel]) };
  }

  /** The region that a kind of seed belongs to: its class, or the label under most of its cells. */
  function regionOf(kind) {
    if (kind !== SEED && kind != null) return kind;
    const counts = new Map();
    for (const [index, k] of seeds) {
      if (k !== kind) continue;
      const at = labelAt(index);
      counts.set(at, (counts.get(at) ?? 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? view.label;
  }

  const borders = () => scene.target?.bytes ?? live.label();
  function labelAt(index) {
    const [rows, cols] = data.grid;
    const y = Math.floor(((Math.floor(index / cols) + 0.5) * data.size[0]) / rows);
    return borders()[y * data.size[1] + Math.floor(((index % cols) + 0.5) * data.size[1] / cols)];
  }

  /** Share of every cell that lies in the region of a label. */
  function inside(label) {
    const [[height, width], [rows, cols]] = [data.size, data.grid];
    const [hits, all] = [new Float32Array(cells()), new Float32Array(cells())];
    const map = borders();
    for (let y = 0; y < height; y++) {
      const row = Math.floor((y * rows) / height) * cols;
      for (let x = 0; x < width; x++) {
        const at = row + Math.floor((x * cols) / width);
        all[at]++;
        if (map[y * width + x] === label) hits[at]++;
      }
    }
    return hits.map((hit, i) => hit / (all[i] || 1));
  }

  /** Share of a map's sum that lies outside a region. */
  function outside(map, region) {
    let [out, total] = [0, 0];
    map.forEach((score, i) => {
      total += score;
      out += score * (1 - region[i]);
    });
    return total ? out / total : null;
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  function title(name, words) {
    figure(name).querySelector("figcaption").textContent = words;
    figure(name).querySelector("canvas").setAttribute("aria-label", words);
  }

  /** What the server made, where the grid is too large for the browser. */
  function drawServed() {
    const map = layer(data.cam_rw, 1 + data.classes.findIndex((c) => c.label === view.label));
    paintField(figure("after"), fieldOf(map), [map.rows, map.cols], [map.low, map.high]);
    title("after", text("walk.after", { name: className(view.label), at: data.num_steps }));
    marks.keep([figure("after").querySelector("canvas")]);
  }

  function draw() {
    if (!data) return;
    if (!live.maker) {
      drawServed();
      return;
    }
    const look = walked();
    const at = shownStep();
    const maps = look.steps.map((scores) => plane(scores, look.channel, cells()));
    const name = mode === "cam" ? className(view.label) : kindName(look.labels[look.channel] ?? brush);
    section.querySelectorAll("[data-mode]").forEach((b) => b.setAttribute("aria-pressed", b.dataset.mode === mode));
    find('[data-for="seeds"]').hidden = mode !== "seeds";
    find('[data-setting="low"]').hidden = mode === "seeds";
    find("[data-step]").value = at;
    const used = at === data.num_steps ? "walk.step_used" : "walk.step_of";
    find('[data-fill="step"]').textContent = text(used, { at, of: STEPS });
    const smooth = false;
    if (mode === "cam") {
      const limits = limitsOf(...maps);
      paintField(figure("before"), maps[0], data.grid, limits, { smooth });
      paintField(figure("after"), maps[at], data.grid, limits, { smooth });
      const change = maps[at].map((v, i) => v - maps[0][i]);
      const most = Math.max(1e-6, ...limitsOf(change).map(Math.abs));
      paintField(figure("change"), change, data.grid, [-most, most], { table: SIGNED, smooth });
      title("before", text("walk.before_cam", { name }));
      title("after", text("walk.after", { name, at }));
      title("change", text("walk.change", { at }));
    } else {
      paintSeeds();
      const top = limitsOf(maps[at])[1] || 1;
      paintField(figure("after"), maps[at], data.grid, [0, top], { smooth });
      const region = inside(look.label);
      const leak = maps[at].map((v, i) => v * (1 - region[i]));
      paintField(figure("change"), leak, data.grid, [0, top], { smooth });
      title("before", text("walk.before_seeds"));
      title("after", text("walk.after", { name, at }));
      title("change", text("walk.outside", { name: className(look.label) }));
    }
    markBorders(look.label);
    drawRefined(look, at);
    drawLeak(look, maps, at);
    marks.keep(section.querySelectorAll('.afa-figs figure:not([data-view="refined"]) canvas[role=img]'));
  }

  function markBorders(label) {
    const map = borders();
    for (const name of ["after", "change"]) {
      markRegion(figure(name).querySelector("canvas"), data.size, (i) => map[i] === label);
    }
  }

  const marks = marked((canvas) => {
    const radius = live.settings?.radius ?? data.radius;
    if (canvas.closest("figure").dataset.view === "after") markWindow(canvas, data.grid, cell(), radius);
    markCell(canvas, data.grid, cell(), Boolean(view.pin));
  });

  function paintSeeds() {
    const canvas = figure("before").querySelector("canvas");
    figure("before").querySelector(".afa-scale")?.remove();
    fitFigure(canvas);
    const context = canvas.getContext("2d");
    context.drawImage(scene.image, 0, 0, canvas.width, canvas.height);
    const [rows, cols] = data.grid;
    const [w, h] = [canvas.width / cols, canvas.height / rows];
    context.strokeStyle = "rgba(255,255,255,.28)";
    context.lineWidth = 1;
    for (let i = 1; i < cols; i++) context.strokeRect(i * w, -1, 0, canvas.height + 2);
    for (let i = 1; i < rows; i++) context.strokeRect(-1, i * h, canvas.width + 2, 0);
    for (const [index, kind] of seeds) {
      const [x, y] = [(index % cols) * w, Math.floor(index / cols) * h];
      context.fillStyle = `rgba(${kindColour(kind)},.75)`;
      context.fillRect(x, y, w, h);
      context.strokeStyle = "#000";
      context.strokeRect(x + 1, y + 1, w - 2, h - 2);
    }
  }

  /** PAR from where the walk stands; a moment later, so that playing and painting stay quick. */
  function drawRefined(look, at) {
    clearTimeout(refineLater);
    const later = () => {
      const s = live.settings;
      const winners = mode === "seeds" && look.labels.length > 1;
      const from = winners ? look.steps[at] : plane(look.steps[at], look.channel, cells());
      let maps = live.maker.enlarged(from, s);
      for (let i = 0; i < s.num_iters; i++) maps = chain.parStep(maps, live.maker.kernel(s));
      const half = live.maker.half(s);
      const box = figure("refined");
      if (winners) {
        box.querySelector(".afa-scale")?.remove();
        const won = chain.strongest(maps, Array.from(look.labels, (_, i) => i));
        paintLabelField(box, won, half, (i) => kindColour(look.labels[i]), (i) => kindName(look.labels[i]));
        title("refined", text("walk.winner"));
      } else {
        const [low, high] = mode === "seeds" ? [0, limitsOf(maps)[1]] : limitsOf(maps);
        paintField(box, maps, half, [low, high], { smooth: true });
        title("refined", text("walk.refined", { at, iterations: s.num_iters }));
      }
      marks.keep([box.querySelector("canvas")]);
    };
    refineLater = setTimeout(later, 30);
  }

  /** Share of the probability outside its region, step by step. */
  function drawLeak(look, maps, at) {
    const region = inside(look.label);
    const shares = maps.map((map) => outside(map, region));
    const area = 1 - region.reduce((a, b) => a + b, 0) / region.length;
    const canvas = find(".afa-plot");
    const which = text(scene.target ? "walk.by_truth" : "walk.by_label");
    const name = className(look.label);
    const numbers = { at, now: percent(shares[at]), before: percent(shares[0]), area: percent(area), name, which };
    const nowhere = area > 0.9995 ? "walk.leak_nowhere" : "walk.leak";
    const words = text(shares[0] == null ? "walk.leak_empty" : nowhere, numbers);
    find('[data-fill="leak"]').textContent = words;
    canvas.setAttribute("aria-label", words);
    paintShares(canvas, shares, area, at, text("walk.even"));
  }

  // --- hands ---------------------------------------------------------------------------------------------------------

  function brushes() {
    const list = [SEED, 0, ...data.classes.map((c) => c.label)];
    if (!list.includes(brush)) brush = SEED;
    find('[data-list="brushes"]').replaceChildren(...list.map((kind) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = kindName(kind);
      button.style.setProperty("--colour", `rgb(${kindColour(kind)})`);
      button.setAttribute("aria-pressed", kind === brush);
      button.addEventListener("click", () => {
        [brush, erasing] = [kind, false];
        brushes();
        draw();
      });
      return button;
    }));
    section.querySelectorAll("[data-brush]").forEach((button) => {
      button.setAttribute("aria-pressed", (button.dataset.brush === "erase") === erasing);
    });
  }

  /** Brush the cells on the way from the last one to this one: a quick hand leaves no gaps. */
  function stroke([row, col]) {
    const [fromRow, fromCol] = painting ?? [row, col];
    const count = Math.max(1, Math.abs(row - fromRow), Math.abs(col - fromCol));
    for (let i = 0; i <= count; i++) {
      const at = (a, b) => Math.round(a + ((b - a) * i) / count);
      const index = at(fromRow, row) * data.grid[1] + at(fromCol, col);
      if (erasing) seeds.delete(index);
      else seeds.set(index, brush);
    }
    painting = [row, col];
    redraw();
  }

  let waiting = 0;
  const redraw = () => {
    if (!waiting) waiting = requestAnimationFrame(() => { waiting = 0; draw(); });
  };

  function dropHere() {
    const index = cell()[0] * data.grid[1] + cell()[1];
    mode = "seeds";
    if (seeds.get(index) === brush) seeds.delete(index);
    else seeds.set(index, brush);
    draw();
    say(text("walk.dropped", { count: seeds.size, row: cell()[0] + 1, col: cell()[1] + 1 }));
  }

  function choose(next) {
    step = Math.max(0, Math.min(STEPS, next));
    draw();
  }

  function cellUnder(canvas, event) {
    const box = canvas.getBoundingClientRect();
    const at = (place, size, count) => Math.min(count - 1, Math.max(0, Math.floor((place / size) * count)));
    const [rows, cols] = data.grid;
    return [at(event.clientY - box.top, box.height, rows), at(event.clientX - box.left, box.width, cols)];
  }

  registerTab("walk", {
    build(element) {
      section = element;
      shows = ["power", "radius", "low"].map((name) => linkSetting(find(`[data-setting="${name}"]`), name,
        { power: 1, radius: 0, low: 2 }[name]));
      const slider = find("[data-step]");
      slider.addEventListener("input", () => choose(Number(slider.value)));
      plays = playSlider(find("[data-play]"), slider);
      section.querySelectorAll("[data-mode]").forEach((button) => button.addEventListener("click", () => {
        mode = button.dataset.mode;
        draw();
      }));
      section.querySelectorAll("[data-brush]").forEach((button) => button.addEventListener("click", () => {
        erasing = button.dataset.brush === "erase";
        brushes();
      }));
      find('[data-do="drop"]').addEventListener("click", dropHere);
      find('[data-do="clear"]').addEventListener("click", () => {
        seeds.clear();
        draw();
      });
      const paper = figure("before").querySelector("canvas");
      paper.addEventListener("pointerdown", (event) => {
        if (mode !== "seeds" || event.button) return;
        painting = null;
        paper.setPointerCapture(event.pointerId);
        stroke(cellUnder(paper, event));
      });
      paper.addEventListener("pointermove", (event) => { if (painting) stroke(cellUnder(paper, event)); });
      for (const end of ["pointerup", "pointercancel"]) paper.addEventListener(end, () => { painting = null; });
      paper.addEventListener("click", (event) => { if (mode === "seeds") event.stopImmediatePropagation(); });
      for (const canvas of section.querySelectorAll(".afa-figs canvas")) linkCell(canvas);
      live.changed(() => { if (view.tab === "walk") redraw(); });
    },
    data() {
      const known = live.open();
      section.classList.toggle("afa-served", !known);
      if (!known) say(text("live.too_large"));
      if (painted !== scene) seeds.clear();
      painted = scene;
      shows.forEach((show) => show());
      brushes();
      draw();
    },
    selection: draw,
    cell() { if (data) marks.each(); },
    keys: { Enter: dropHere, " ": () => plays.play() },
  });
}
