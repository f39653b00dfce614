// Pixel-adaptive refinement: its iterations, the 48 weights of one pixel, and a dense CRF beside it.

{
  let section = null;
  let at = null; // iteration; null: the last one
  let pixel = null; // (row, column) on PAR's grid that was chosen; null: the middle of the query cell
  let shows = [];
  let plays = null;
  let crf = null; // the server's answer, with the key of the settings it belongs to

  const find = (selector) => section.querySelector(selector);
  const figure = (name) => find(`[data-view="${name}"]`);
  const count = () => ((live.settings ?? data).use_par ? (live.settings ?? data).num_iters : 0);
  const shown = () => Math.min(at ?? count(), count());
  const half = () => live.maker.half(live.settings);

  function title(name, words) {
    const caption = figure(name).querySelector("figcaption");
    caption.textContent = words;
    figure(name).querySelector("canvas").setAttribute("aria-label", words);
  }

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
    const limits = limitsOf(maps[0], maps.at(-1));
    const name = className(view.label);
    const slider = find('[data-do="iteration"]');
    slider.max = Math.max(1, count());
    slider.value = shown();
    slider.disabled = !count();
    const words = count() ? text("par.of", { at: shown(), of: count() }) : text("par.left_out");
    find('[data-fill="iteration"]').textContent = words;
    paintField(figure("before"), maps[0], size, limits, { smooth: true });
    paintField(figure("after"), maps[shown()], size, limits, { smooth: true });
    const change = maps[shown()].map((v, i) => v - maps[0][i]);
    const most = Math.max(1e-6, ...limitsOf(change).map(Math.abs));
    paintField(figure("change"), change, size, [-most, most], { table: SIGNED, smooth: true });
    title("after", text("par.after", { name, at: shown() }));
    title("change", text("par.change", { at: shown() }));
    marks.keep(["before", "after", "change"].map((name) => figure(name).querySelector("canvas")));
    drawPixel();
    drawCrf();
  }

  const marks = marked((canvas) => {
    if (live.maker) markPixel(canvas, ...chosen());
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
    if (!live.maker) return;
    const s = live.settings;
    const { weights } = live.maker.kernel(s);
    const [height, width] = half();
    const [row, col] = chosen();
    const size = height * width;
    const own = Array.from({ length: 8 * s.dilations.length }, (_, k) => weights[k * size + row * width + col]);
    const top = Math.max(...own);
    const places = chain.neighbours(s.dilations).map(([y, x]) => [Math.min(height - 1, Math.max(0, row + y)),
      Math.min(width - 1, Math.max(0, col + x))]);
    paintWhole(row, col, places, own, top);
    paintAround(row, col, places, own, top);
    rings(own, top, s.dilations);
    words(own, places, row, col, s.dilations);
  }

  function markPixel(canvas, row, col) {
    const [height, width] = half();
    const context = canvas.getContext("2d");
    const [x, y] = [((col + 0.5) * canvas.width) / width, ((row + 0.5) * canvas.height) / height];
    const arm = Math.max(5, canvas.width / 45);
    for (const [line, colour] of [[canvas.width / 90, "#000"], [canvas.width / 200, "#fff"]]) {
      [context.lineWidth, context.strokeStyle] = [Math.max(1, line), colour];
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + dx * arm * 0.45, y + dy * arm * 0.45);
        context.lineTo(x + dx * arm, y + dy * arm);
      }
      context.stroke();
    }
  }

  function dot(context, x, y, radius, share) {
    const i = Math.round(255 * share);
    context.fillStyle = `rgb(${lut.slice(3 * i, 3 * i + 3)})`;
    [context.lineWidth, context.strokeStyle] = [1.5, "#000"];
    context.beginPath();
    context.arc(x, y, radius, 0, 7);
    context.fill();
    context.stroke();
    [context.lineWidth, context.strokeStyle] = [0.8, "#fff"];
    context.stroke();
  }

  function paintWhole(row, col, places, own, top) {
    const canvas = figure("pixel").querySelector("canvas");
    fitFigure(canvas);
    if (!canvas.width) return;
    const context = canvas.getContext("2d");
    const [height, width] = half();
    context.drawImage(scene.image, 0, 0, canvas.width, canvas.height);
    places.forEach(([y, x], k) => dot(context, ((x + 0.5) * canvas.width) / width, ((y + 0.5) * canvas.height) / height,
      canvas.width / 110 + (canvas.width / 55) * Math.sqrt(own[k] / top), own[k] / top));
    markPixel(canvas, row, col);
  }

  /** The photograph around the pixel, its own pixels visible; the nearest two rings at their places. */
  function paintAround(row, col, places, own, top) {
    const canvas = figure("around").querySelector("canvas");
    fitFigure(canvas);
    if (!canvas.width) return;
    const context = canvas.getContext("2d");
    const reach = 9.5; // PAR's pixels on each side
    const [height, width] = half();
    const [fx, fy] = [scene.image.width / width, scene.image.height / height];
    const tall = (reach * canvas.height) / canvas.width;
    context.imageSmoothingEnabled = false;
    context.fillStyle = "#777";
    context.fillRect(0, 0, canvas.width, canvas.height);
    const [left, top0] = [(col + 0.5 - reach) * fx, (row + 0.5 - tall) * fy];
    context.drawImage(scene.image, left, top0, 2 * reach * fx, 2 * tall * fy, 0, 0, canvas.width, canvas.height);
    const unit = canvas.width / (2 * reach);
    places.forEach(([y, x], k) => {
      if (Math.abs(y - row) > tall || Math.abs(x - col) > reach) return;
      dot(context, canvas.width / 2 + (x - col) * unit, canvas.height / 2 + (y - row) * unit,
        unit * (0.18 + 0.3 * Math.sqrt(own[k] / top)), own[k] / top);
    });
    context.strokeStyle = "#fff";
    context.lineWidth = 2;
    context.strokeRect(canvas.width / 2 - unit / 2, canvas.height / 2 - unit / 2, unit, unit);
  }

  /** A compass for each dilation: the eight directions coloured by their weight. */
  function rings(own, top, dilations) {
    const list = find('[data-list="rings"]');
    if (list.children.length !== dilations.length) {
      list.replaceChildren(...dilations.map(() => {
        const ring = document.createElement("div");
        ring.className = "afa-ring";
        ring.innerHTML = `<div>${"<i></i>".repeat(9)}</div><span></span>`;
        return ring;
      }));
    }
    dilations.forEach((d, r) => {
      const ring = list.children[r];
      const part = own.slice(8 * r, 8 * r + 8);
      [...ring.querySelectorAll("i")].forEach((square, i) => {
        if (i === 4) {
          square.className = "afa-centre";
          return;
        }
        const weight = part[i < 4 ? i : i - 1];
        const c = Math.round((255 * weight) / top);
        square.style.background = `rgb(${lut.slice(3 * c, 3 * c + 3)})`;
        square.title = percent(weight);
      });
      ring.lastChild.textContent = text("par.ring", { distance: d, share: percent(part.reduce((a, b) => a + b, 0)) });
    });
  }

  const WINDS = [[-1, -1], [-1, 0], [-1, 1], [0, -1], [0, 1], [1, -1], [1, 0], [1, 1]];

  function words(own, places, row, col, dilations) {
    const best = own.indexOf(Math.max(...own));
    const [dy, dx] = WINDS[best % 8];
    const side = text(`par.wind_${dy + 1}${dx + 1}`);
    const sorted = [...own].sort((a, b) => b - a);
    let [sum, needed] = [0, 0];
    while (sum < 0.505 && needed < sorted.length) sum += sorted[needed++];
    const distance = dilations[Math.floor(best / 8)];
    find('[data-fill="weights"]').textContent = text(distance === 1 ? "par.weights_next" : "par.weights", {
      row: row + 1, col: col + 1, best: percent(own[best]), distance, side, needed, total: own.length });
  }

  // --- dense CRF -----------------------------------------------------------------------------------------------------

  async function askCrf() {
    const button = find('[data-do="crf"]');
    const key = data.key;
    button.disabled = true;
    find('[data-fill="crf"]').textContent = text("par.crf_waiting");
    try {
      const answer = JSON.parse(await server.crf({ key }));
      if (answer?.label) answer.label = await unpack(answer.label);
      if (answer?.par_label) answer.par_label = await unpack(answer.par_label);
      crf = answer && { ...answer, key };
      if (!answer) find('[data-fill="crf"]').textContent = text("gone");
      else drawCrf();
    } catch (error) {
      find('[data-fill="crf"]').textContent = text("gone");
      console.warn(error);
    }
    button.disabled = false;
  }

  const seconds = (value) => (value < 1 ? `${Math.round(1000 * value)} ms` : `${value.toFixed(2)} s`);
  const score = (iou) => (iou?.[view.label] == null ? "" : `, IoU ${percent(iou[view.label])}`);

  function drawCrf() {
    const list = find('[data-list="crf"]');
    const fresh = crf && crf.key === data.key;
    list.hidden = !fresh || !crf.label;
    if (!fresh) {
      find('[data-fill="crf"]').textContent = "";
      return;
    }
    if (!crf.label) {
      find('[data-fill="crf"]').textContent = crf.missing;
      return;
    }
    const [par, other] = [crf.par_label.bytes, crf.label.bytes];
    const differ = other.map((label, i) => (label === par[i] ? 0 : 1));
    const share = differ.reduce((a, b) => a + b, 0) / differ.length;
    find('[data-fill="crf"]').textContent = text("par.crf_done", {
      par: seconds(crf.par_seconds), crf: seconds(crf.seconds), times: (crf.seconds / crf.par_seconds).toFixed(1),
      share: percent(share), iterations: crf.iterations });
    const colourOf = (label) => (label ? data.palette[label] : null);
    paintLabelField(figure("par_label"), par, data.size, colourOf, className);
    paintLabelField(figure("crf_label"), other, data.size, colourOf, className);
    paintLabelField(figure("disagree"), differ, data.size, (l) => (l ? [230, 159, 0] : null), () => "");
    title("par_label", `PAR, ${seconds(crf.par_seconds)}${score(crf.par_iou)}`);
    title("crf_label", `${text("par.dense_crf")}, ${seconds(crf.seconds)}${score(crf.iou)}`);
    title("disagree", text("par.disagree", { share: percent(share) }));
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
      find('[data-do="crf"]').addEventListener("click", askCrf);
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
