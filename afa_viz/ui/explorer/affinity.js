// Affinity: raw, symmetrised, learned and as trained, for one query; what each step changes; the whole matrix.

{
  const COLOURS = { [matrix.POSITIVE]: [0, 158, 115], [matrix.NEGATIVE]: [204, 121, 167] };
  const MAPS_OF = ["raw", "symmetric", "learned", "labels"];
  let section = null;
  let step = "learned"; // whose change the difference map shows
  let shown = "learned"; // the matrix
  let partner = null; // the other cell of the pair under the pointer in the matrix
  let base = null; // the matrix without its marks

  const figure = (name) => $(`[data-view="${name}"]`, section);
  const colourOf = (kind) => COLOURS[kind] ?? null;
  const stretched = (values) => {
    const [low, high] = limitsOf(values);
    return values.map((value) => (high > low ? (value - low) / (high - low) : 0));
  };

  const title = (name, words) => caption(figure(name), words);

  function mark(name) {
    const canvas = figure(name).querySelector("canvas");
    const radius = live.settings?.radius ?? data.radius;
    if (name === "labels" || name === "learned") markWindow(canvas, data.grid, cell(), radius);
    if (partner) markCell(canvas, data.grid, partner, true);
    markCell(canvas, data.grid, cell(), Boolean(view.pin));
  }

  /** The maps of the query. */
  function drawQuery() {
    const found = matrix.rows();
    section.dataset.state = found ? "ready" : "waiting";
    if (!found) return;
    const both = limitsOf(found.raw, found.symmetric);
    const range = (name) => (view.shared ? both : limitsOf(found[name]));
    paintField(figure("raw"), found.raw, data.grid, range("raw"));
    paintField(figure("symmetric"), found.symmetric, data.grid, range("symmetric"));
    paintField(figure("learned"), found.learned, data.grid, view.shared ? [0, 1] : limitsOf(found.learned));
    const labels = matrix.labels();
    paintLabelField(figure("labels"), labels, data.grid, colourOf, () => "");
    fillLegend($('[data-list="labels"]', section), legendOf(labels));
    const before = step === "learned" ? stretched(found.symmetric) : found.raw;
    const change = (step === "learned" ? found.learned : found.symmetric).map((value, i) => value - before[i]);
    const most = Math.max(1e-6, largest(change));
    paintField(figure("change"), change, data.grid, [-most, most], { table: SIGNED });
    for (const name of [...MAPS_OF, "change"]) mark(name);
    words(found, labels);
    drawMarks();
  }

  const countOf = (labels, kind) => labels.reduce((sum, label) => sum + (label === kind), 0);
  function legendOf(labels) {
    return [["POSITIVE", `rgb(${COLOURS[matrix.POSITIVE]})`], ["NEGATIVE", `rgb(${COLOURS[matrix.NEGATIVE]})`],
      ["IGNORED", "hatch"]].map(([kind, colour]) => [colour, kind.toLowerCase(), countOf(labels, matrix[kind])])
      .filter(([, , count]) => count).map(([colour, kind, count]) => [colour, text(`affinity.${kind}`, { count }), null]);
  }

  function words(found, labels) {
    const mean = (values, kind) => {
      const chosen = values.filter((_, i) => labels[i] === kind);
      return chosen.length ? chosen.reduce((a, b) => a + b, 0) / chosen.length : null;
    };
    const [yes, no] = [matrix.POSITIVE, matrix.NEGATIVE].map((kind) => mean(found.learned, kind));
    const numbers = { yes: yes?.toFixed(2), no: no?.toFixed(2), raw_yes: yes == null ? "" : signed(mean(found.raw, matrix.POSITIVE)),
      raw_no: no == null ? "" : signed(mean(found.raw, matrix.NEGATIVE)) };
    const unknown = yes == null || no == null;
    fill("words", text(unknown ? "affinity.words_unknown" : "affinity.words", numbers), section);
    $('[data-do="find"]', section).hidden = !unknown;
    fill("window", text("affinity.window", { radius: live.settings?.radius ?? data.radius }), section);
    fill("teacher", teacherWords(), section);
    drawPair();
    if (!partner) return fill("pair", text("affinity.pair_none"), section);
    const i = matrix.at(partner);
    return fill("pair", text("affinity.pair", { row: cell()[0] + 1, col: cell()[1] + 1, row2: partner[0] + 1,
      col2: partner[1] + 1, raw: signed(found.raw[i]), symmetric: signed(found.symmetric[i]),
      learned: found.learned[i].toFixed(2), label: text(`affinity.is_${labels[i]}`) }), section);
  }

  /** From which of the two labels the pairs are made, and whether this model learned from it. */
  function teacherWords() {
    const [of, known] = [matrix.numbers.cells_of, data.trained_on.affinity];
    const words = text(`affinity.made_of_${of}`);
    if (known === "nothing") return `${words} ${text("affinity.untrained")}`;
    return known ? words : `${words} ${text("affinity.teacher_unknown")}`;
  }

  /** Both cells of a pair on the photograph: the query framed, the other one dotted. */
  function drawPair() {
    const canvas = figure("pair").querySelector("canvas");
    fitFigure(canvas);
    if (!canvas.width) return;
    canvas.getContext("2d").drawImage(scene.image, 0, 0, canvas.width, canvas.height);
    markCell(canvas, data.grid, cell(), false);
    if (partner) markCell(canvas, data.grid, partner, true);
  }

  /** Pin the cell nearest to the query that has cells of both kinds in its window: there the labels can be seen. */
  function find() {
    const [row, col] = cell();
    const all = Array.from({ length: data.grid[0] * data.grid[1] }, (_, i) => [Math.floor(i / data.grid[1]), i % data.grid[1]]);
    all.sort((a, b) => Math.hypot(a[0] - row, a[1] - col) - Math.hypot(b[0] - row, b[1] - col));
    const found = all.find((query) => {
      const labels = matrix.labels(query);
      return labels.includes(matrix.POSITIVE) && labels.includes(matrix.NEGATIVE);
    });
    if (found) setView({ pin: found });
    else say(text("affinity.find_none"), true);
  }

  // --- numbers of all pairs ------------------------------------------------------------------------------------------

  function drawNumbers() {
    const { numbers, bias } = matrix.numbers;
    const rows = [["raw", numbers.asymmetry_raw, numbers.order_raw], ["symmetric", 0, numbers.order_symmetric],
      ["learned", numbers.asymmetry_learned, numbers.order_learned]];
    $('[data-list="numbers"]', section).replaceChildren(...rows.map(([name, uneven, order]) => {
      const row = document.createElement("tr");
      const cells = [text(`affinity.${name}`), uneven.toFixed(2), percent(order)].map((words, i) => {
        const box = document.createElement(i ? "td" : "th");
        box.textContent = words;
        return box;
      });
      row.append(...cells);
      return row;
    }));
    const teacher = matrix.numbers.cells_of === "pseudo_label" ? "attention.by_label" : "attention.by_affinity_label";
    fill("order", text("affinity.order_hint", { by: text(numbers.by_truth ? "attention.by_truth" : teacher) }), section);
    fill("bias", text("affinity.bias", { bias: signed(bias, 2) }), section);
    fill("bytes", text(matrix.whole ? "affinity.bytes" : "affinity.bytes_line", { kb: Math.round(matrix.numbers.sent / 1000) }), section);
  }

  /** The learned weight of every head that the affinity reads, as bars from 0. */
  function drawWeights() {
    const read = scene.blocks.map((block, at) => ({ ...block, at })).filter((block) => block.weights);
    const most = Math.max(1e-6, ...read.flatMap((block) => block.weights.map(Math.abs)));
    $('[data-list="weights"]', section).replaceChildren(...read.map((block) => {
      const group = document.createElement("div");
      const head = document.createElement("h5");
      head.textContent = text("bar.block_name", blockWords(block));
      group.append(head, ...block.weights.map((weight, i) => {
        const button = document.createElement("button");
        button.type = "button";
        button.setAttribute("aria-label", text("affinity.weight_of", { head: i + 1, weight: signed(weight, 2) }));
        const [name, track, number] = ["span", "span", "span"].map((tag) => document.createElement(tag));
        const bar = document.createElement("i");
        const share = (50 * Math.abs(weight)) / most;
        Object.assign(bar.style, { width: `${share}%`, left: weight < 0 ? `${50 - share}%` : "50%" });
        bar.className = weight < 0 ? "afa-negative" : "";
        [name.textContent, number.textContent] = [text("attention.head", { head: i + 1 }), signed(weight, 2)];
        track.append(bar);
        button.append(name, track, number);
        button.addEventListener("click", () => setView({ block: block.at, head: i, tab: "attention" }));
        return button;
      }));
      return group;
    }));
  }

  // --- the whole matrix ----------------------------------------------------------------------------------------------

  function drawMatrix() {
    $('[data-list="matrix"]', section).hidden = !matrix.whole;
    if (!matrix.whole) return;
    const canvas = figure("matrix").querySelector("canvas");
    const width = Math.round(widthOf(canvas) * Math.min(2, window.devicePixelRatio || 1));
    if (!width) return;
    const cells = data.grid[0] * data.grid[1];
    const s = live.settings;
    const drawn = [data.key, shown, width, ...(shown === "labels" && s ? [s.radius, s.low, s.high] : [])].join(" ");
    if (base?.drawn !== drawn) paintMatrix(canvas, width, cells);
    base.drawn = drawn;
    title("matrix", text("affinity.matrix_of", { name: text(`affinity.${shown}`), cells }));
    drawMarks();
  }

  function paintMatrix(canvas, width, cells) {
    const box = figure("matrix");
    [canvas.width, canvas.height] = [width, width];
    const small = sheet(cells, cells);
    const context = small.getContext("2d");
    const pixels = context.createImageData(cells, cells);
    const values = matrix.all(shown);
    const range = shown === "learned" ? [0, 1] : matrix.numbers.limits;
    const bytes = shown === "labels" ? values : bytesOf(values, ...range);
    const colours = new Uint32Array((shown === "labels" ? kinds : solid).buffer);
    const out = new Uint32Array(pixels.data.buffer);
    for (let i = 0; i < out.length; i++) out[i] = colours[bytes[i]];
    context.putImageData(pixels, 0, 0);
    base = sheet(width, width);
    base.getContext("2d").imageSmoothingEnabled = false;
    base.getContext("2d").drawImage(small, 0, 0, width, width);
    if (shown === "labels") box.querySelector(".afa-scale")?.remove();
    else fieldBar(box, ...range, solid);
  }

  /** RGBA colours of 256 values. */
  const tableOf = (colourAt) => Uint8ClampedArray.from(Array.from({ length: 256 }, (_, i) => [...colourAt(i), 255]).flat());
  const solid = tableOf((i) => lut.subarray(3 * i, 3 * i + 3));
  const kinds = tableOf((i) => COLOURS[i] ?? (i ? [150, 150, 150] : [58, 58, 58])); // ignored, beyond the window

  /** The row of the query in the matrix, and the pair under the pointer. */
  function drawMarks() {
    if (!matrix.whole || !base) return;
    const canvas = figure("matrix").querySelector("canvas");
    const context = canvas.getContext("2d");
    context.drawImage(base, 0, 0);
    const size = canvas.width / (data.grid[0] * data.grid[1]);
    const tall = Math.max(size, 3);
    for (const [grow, colour] of [[2, "#000"], [1, "#fff"]]) {
      [context.lineWidth, context.strokeStyle] = [grow, colour];
      context.strokeRect(-4, matrix.at(cell()) * size - (tall - size) / 2, canvas.width + 8, tall);
      if (partner) context.strokeRect(matrix.at(partner) * size - 3, matrix.at(cell()) * size - 3, 6 + size, 6 + size);
    }
  }

  // --- hands ---------------------------------------------------------------------------------------------------------

  const indexCell = (share) => {
    const i = Math.min(data.grid[0] * data.grid[1] - 1, Math.max(0, Math.floor(share * data.grid[0] * data.grid[1])));
    return [Math.floor(i / data.grid[1]), i % data.grid[1]];
  };

  function choices(name, chosen, choose) {
    for (const button of $$(`[data-${name}]`, section)) {
      button.addEventListener("click", () => {
        choose(button.dataset[name]);
        pressed(name, chosen());
      });
    }
    pressed(name, chosen());
  }

  function pressed(name, chosen) {
    for (const button of $$(`[data-${name}]`, section)) button.setAttribute("aria-pressed", button.dataset[name] === chosen);
  }

  function draw() {
    if (!data || !matrix.here) return;
    title("raw", text("affinity.raw_title"));
    title("symmetric", text("affinity.symmetric_title"));
    title("learned", text(data.symmetric ? "affinity.learned_title" : "affinity.learned_one_way"));
    title("labels", text("affinity.labels_title"));
    title("change", text(step === "learned" ? "affinity.change_learned" : "affinity.change_symmetric"));
    drawNumbers();
    drawWeights();
    drawQuery();
    drawMatrix();
    if (!matrix.whole) matrix.wantLine(drawQuery);
  }

  /** A threshold or the radius moves: the labels follow. */
  function drawLabels() {
    if (!data || !matrix.here) return;
    drawQuery();
    if (shown === "labels") drawMatrix();
  }

  registerTab("affinity", {
    build(element) {
      section = element;
      for (const name of [...MAPS_OF, "change", "pair"]) linkCell(figure(name).querySelector("canvas"));
      const canvas = figure("matrix").querySelector("canvas");
      linkCell(canvas, (y) => indexCell(y));
      const point = (event) => {
        const box = canvas.getBoundingClientRect();
        partner = event.type === "pointerleave" ? null : indexCell((event.clientX - box.left) / box.width);
        scheduleDraw(CELL);
      };
      for (const name of ["pointermove", "pointerdown", "pointerleave"]) canvas.addEventListener(name, point);
      $('[data-do="find"]', section).addEventListener("click", find);
      let waiting = 0;
      live.changed(() => {
        if (view.tab === "affinity") waiting ||= requestAnimationFrame(() => { waiting = 0; drawLabels(); });
      });
      choices("step", () => step, (name) => { step = name; draw(); });
      choices("matrix", () => shown, (name) => { shown = name; drawMatrix(); });
    },
    data() {
      [partner, base] = [null, null];
      live.open();
      matrix.want(draw);
    },
    selection: draw,
    opacity() { if (matrix.here) drawQuery(); },
    cell() {
      if (!data || !matrix.here) return;
      drawQuery();
      if (!matrix.whole) matrix.wantLine(drawQuery);
    },
  });
}
