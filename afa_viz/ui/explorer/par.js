// Pixel-adaptive refinement, iteration by iteration; below it the weights of one pixel (weights.js) and a dense CRF (crf.js).

{
  let section = null;
  let at = null; // iteration; null: the last one
  let pixel = null; // (row, column) on PAR's grid that was chosen; null: the middle of the query cell
  let shows = [];
  let plays = null;

  const find = (selector) => section.querySelector(selector);
  const figure = (name) => find(`[data-view="${name}"]`);
  const count = () => ((live.settings ?? data).use_par ? (live.settings ?? data).num_iters : 0);
  const shown = () => Math.min(at ?? count(), count());
  const half = () => live.maker.half(live.settings);

  const title = (name, words) => caption(figure(name), words);

  /** The maps of the chosen class before PAR and after each iteration, and their size. */
  function iterations() {
    const channel = 1 + data.classes.findIndex((c) => c.label === view.label);
    if (!live.maker) { // too large a grid: what the server made, once it is here
      const maps = Array.from({ length: par ? count() + 1 : 0 }, (_, i) => layer(par, i, channel));
      return { maps: maps.map(fieldOf), size: maps.length ? [maps[0].rows, maps[0].cols] : null };
    }
    const s = live.settings;
    const size = half();
    const steps = live.maker.parSteps(s, s.low, count()).slice(0, count() + 1);
    return { maps: steps.map((scores) => plane(scores, channel, size[0] * size[1])), size };
  }

  function draw() {
    if (!data) return;
    const { maps, size } = iterations();
    if (!maps.length) return;
    const limits = (map) => (view.shared ? robustLimits(maps[0], maps.at(-1)) : robustLimits(map));
    const name = className(view.label);
    const slider = find('[data-do="iteration"]');
    slider.max = Math.max(1, count());
    slider.value = shown();
    slider.disabled = !count();
    const words = count() ? text("par.of", { at: shown(), of: count() }) : text("par.left_out");
    find('[data-fill="iteration"]').textContent = words;
    paintField(figure("before"), maps[0], size, limits(maps[0]), { smooth: true });
    paintField(figure("after"), maps[shown()], size, limits(maps[shown()]), { smooth: true });
    const growth = (1 + data.chain.w2) ** shown(); // the weights of a pixel sum to that: all scores have grown alike
    const change = maps[shown()].map((v, i) => v / growth - maps[0][i]);
    const most = Math.max(1e-6, robustChange(change, maps[0], maps[shown()]));
    paintField(figure("change"), change, size, [-most, most], { table: SIGNED, smooth: true });
    title("after", text("par.after", { name, at: shown() }));
    title("change", text("par.change", { at: shown() }));
    fill("scale", text(view.shared ? "par.scale_shared" : "par.scale_own", { growth: growth.toFixed(2) }), section);
    marks.keep(["before", "after", "change"].map((name) => figure(name).querySelector("canvas")));
    drawPixel();
    crf.draw();
  }

  const marks = marked((canvas) => {
    if (live.maker) weights.mark(canvas, half(), chosen());
    else markCell(canvas, data.grid, cell(), Boolean(view.pin));
  });

  // --- the weights of one pixel --------------------------------------------------------------------------------------

  function chosen() {
    const [height, width] = half();
    if (pixel) return pixel;
    const middle = (i, n, size) => Math.min(size - 1, Math.floor(((i + 0.5) * size) / n));
    return [middle(cell()[0], data.grid[0], height), middle(cell()[1], data.grid[1], width)];
  }

  function drawPixel() {
    if (!data) return;
    marks.each();
    if (live.maker) weights.draw(section, live.maker.kernel(live.settings), chosen());
  }

  // --- hands ---------------------------------------------------------------------------------------------------------

  function choosePixel(row, col) {
    const [height, width] = half();
    pixel = [Math.min(height - 1, Math.max(0, row)), Math.min(width - 1, Math.max(0, col))];
    drawPixel();
  }

  function pixelAt(canvas, event) {
    const box = canvas.getBoundingClientRect();
    const [height, width] = half();
    return [Math.floor(((event.clientY - box.top) / box.height) * height),
      Math.floor(((event.clientX - box.left) / box.width) * width)];
  }

  registerTab("par", {
    build(element) {
      section = element;
      shows = [linkSetting(find('[data-setting="num_iters"]'), "num_iters", 0)];
      const slider = find('[data-do="iteration"]');
      slider.addEventListener("input", () => {
        at = Number(slider.value);
        draw();
      });
      plays = playSlider(find("[data-play]"), slider);
      const canvas = figure("pixel").querySelector("canvas");
      let down = false;
      canvas.addEventListener("pointerdown", (event) => {
        down = true;
        canvas.setPointerCapture(event.pointerId);
        choosePixel(...pixelAt(canvas, event));
      });
      canvas.addEventListener("pointermove", (event) => { if (down) choosePixel(...pixelAt(canvas, event)); });
      for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { down = false; });
      canvas.addEventListener("keydown", (event) => {
        const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
        if (!move || !live.maker) return;
        event.preventDefault();
        event.stopPropagation();
        choosePixel(chosen()[0] + move[0], chosen()[1] + move[1]);
      });
      for (const name of ["before", "after", "change"]) linkCell(figure(name).querySelector("canvas"));
      crf.build(section);
      live.changed((name) => {
        if (view.tab !== "par") return;
        if (name === "num_iters") at = null;
        draw();
      });
    },
    data() {
      const known = live.open();
      section.classList.toggle("afa-served", !known);
      pixel = null;
      if (!known) {
        say(text("live.too_large"));
        if (!par) loadPar();
      }
      at = null;
      shows.forEach((show) => show());
      draw();
    },
    selection: draw,
    cell() {
      pixel = null;
      drawPixel();
    },
    keys: { " ": () => plays.play() },
  });
}
