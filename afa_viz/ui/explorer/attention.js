// Attention: all heads as numbers, every head for the query cell, one head large.

{
  let section = null;
  let edge = null; // of the chosen class; null until it is drawn
  const figure = (name) => $(`[data-view="${name}"]`, section);
  const kindOf = () => (view.logits ? "attention.logits" : "attention.probs");

  const region = () => scene.target?.bytes ?? data.affinity_label.bytes; // as payload_attention.overview

  /** The photograph, the class outlined, and the query. */
  function drawQuery() {
    const canvas = figure("query").querySelector("canvas");
    fitFigure(canvas);
    if (!canvas.width) return;
    canvas.getContext("2d").drawImage(scene.image, 0, 0, canvas.width, canvas.height);
    const map = region();
    markRegion(canvas, data.size, (i) => map[i] === view.label);
    edge = sheet(canvas.width, canvas.height);
    edge.getContext("2d").drawImage(canvas, 0, 0);
    caption(figure("query"), text("attention.query", { outline: outlineWords(map, "by_affinity_label") }));
  }

  /** How much of the picture the keys of a block cover: rows and columns that fill no whole key have none. */
  function cover({ queries, keys, ratio }) {
    return [0, 1].map((axis) => Math.min(1, (keys[axis] * ratio) / queries[axis]));
  }

  /** A map over the keys of the block on the grey photograph, squares at their places. */
  function paintKeys(canvas, values, [low, high], block) {
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = true;
    context.drawImage(scene.grey, 0, 0, canvas.width, canvas.height);
    context.imageSmoothingEnabled = false;
    const [tall, wide] = cover(block);
    const map = { rows: block.keys[0], cols: block.keys[1], bytes: bytesOf(values, low, high) };
    context.globalAlpha = view.opacity;
    context.drawImage(heatSheet(map, heat), 0, 0, canvas.width * wide, canvas.height * tall);
    context.globalAlpha = 1;
  }

  const limits = (values) => (view.logits ? limitsOf(values) : [0, limitsOf(values)[1]]);
  /** One range for all heads, or each its own. */
  function limitsFor(values, all) {
    if (!view.shared) return limits(values);
    const each = all.filter(Boolean).map(limits);
    return [Math.min(...each.map(([low]) => low)), Math.max(...each.map(([, high]) => high))];
  }

  function drawMaps() {
    const block = scene.blocks[view.block];
    const chosen = heads.map(view.head);
    const all = [MEAN, ...Array(block.heads).keys()].map(heads.map);
    drawGrid(block, all);
    const large = figure("large");
    const canvas = large.querySelector("canvas");
    fitFigure(canvas);
    if (edge) figure("query").querySelector("canvas").getContext("2d").drawImage(edge, 0, 0);
    markCell(figure("query").querySelector("canvas"), data.grid, cell(), Boolean(view.pin));
    section.dataset.state = chosen ? "ready" : "waiting";
    if (!chosen || !canvas.width) return;
    const range = limitsFor(chosen, all);
    paintKeys(canvas, chosen, range, block);
    fieldBar(large, ...range, heat);
    markCell(canvas, data.grid, cell(), Boolean(view.pin));
    words(chosen, block);
  }

  function drawGrid(block, all) {
    const buttons = $$(".afa-heads button", section);
    buttons.forEach((button, i) => {
      const canvas = button.querySelector("canvas");
      button.setAttribute("aria-pressed", i + MEAN === view.head);
      fitFigure(canvas);
      if (!canvas.width || !all[i]) return;
      const range = limitsFor(all[i], all);
      paintKeys(canvas, all[i], range, block);
      markCell(canvas, data.grid, cell(), Boolean(view.pin));
      button.querySelector("small").textContent = view.logits ? `${signed(range[0])} … ${signed(range[1])}`
        : text("attention.up_to", { most: percent(range[1]) });
    });
  }

  function buildGrid() {
    const block = scene.blocks[view.block];
    $(".afa-heads", section).replaceChildren(...[MEAN, ...Array(block.heads).keys()].map((head) => {
      const button = document.createElement("button");
      button.type = "button";
      const [caption, range] = [document.createElement("span"), document.createElement("small")];
      const weight = head === MEAN ? null : block.weights?.[head];
      caption.textContent = head === MEAN ? text("bar.mean") : text("attention.head", { head: head + 1 });
      if (weight != null) {
        const sign = document.createElement("b");
        sign.textContent = `w ${signed(weight, 2)}`;
        sign.title = text("attention.weight_info");
        caption.append(sign);
      }
      button.append(caption, document.createElement("canvas"), range);
      button.addEventListener("click", () => setView({ head }));
      return button;
    }));
  }

  /** What this query does in the chosen head, in words. */
  function words(values, block) {
    const [rows, cols] = block.keys;
    const [tall, wide] = cover(block);
    const best = values.indexOf(Math.max(...values));
    const centre = (index, count, share, cells) => Math.min(cells, Math.floor(((index + 0.5) / count) * share * cells) + 1);
    const numbers = { head: view.head === MEAN ? text("attention.the_mean") : text("bar.one_head", { head: view.head + 1 }),
      name: className(view.label), row: centre(Math.floor(best / cols), rows, tall, data.grid[0]),
      col: centre(best % cols, cols, wide, data.grid[1]) };
    let sentence = "attention.words";
    if (view.logits) {
      sentence = "attention.words_logits";
      const [low, high] = limitsOf(values);
      Object.assign(numbers, { low: signed(low), high: signed(high) });
    } else {
      const inside = keyShares(block);
      const sum = values.reduce((total, value) => total + value, 0) || 1;
      const share = values.reduce((total, value, i) => total + value * inside[i], 0) / sum;
      const even = inside.reduce((total, part) => total + part, 0) / inside.length;
      Object.assign(numbers, { share: percent(share), even: percent(even) });
      if (!even) sentence = "attention.words_nowhere";
    }
    const line = text(sentence, numbers);
    fill("words", line, section);
    figure("large").querySelector("canvas").setAttribute("aria-label", line);
  }

  let shares = null; // of the class in every key, with what it was counted for
  function keyShares(block) {
    const name = `${data.key} ${view.label} ${block.keys}`;
    if (shares?.name === name) return shares.list;
    const [[height, width], [rows, cols], map] = [data.size, block.keys, region()];
    const [tall, wide] = cover(block);
    const [hits, counts] = [new Float32Array(rows * cols), new Float32Array(rows * cols)];
    for (let y = 0; y < height; y++) {
      const row = Math.floor((y * rows) / (height * tall));
      for (let x = 0; x < width; x++) {
        const col = Math.floor((x * cols) / (width * wide));
        if (row >= rows || col >= cols) continue;
        counts[row * cols + col]++;
        if (map[y * width + x] === view.label) hits[row * cols + col]++;
      }
    }
    shares = { name, list: hits.map((hit, i) => hit / (counts[i] || 1)) };
    return shares.list;
  }

  function draw() {
    if (!data) return;
    const block = scene.blocks[view.block];
    heads.want();
    buildGrid();
    for (const button of $$("[data-logits]", section)) {
      button.setAttribute("aria-pressed", (button.dataset.logits === "yes") === view.logits);
    }
    const words = { ...blockWords(block), head: view.head === MEAN ? text("bar.mean_head") : text("bar.one_head", { head: view.head + 1 }),
      what: text(kindOf()) };
    fill("heads", text("attention.heads", words), section);
    fill("not_kept", data.first_block ? text("attention.not_kept", { memory: data.memory }) : "", section);
    figure("large").querySelector("figcaption").textContent = text("attention.large", words);
    const ratio = [0, 1].map((axis) => Math.round(block.queries[axis] / data.grid[axis]));
    fill("grids", text(block.ratio > 1 ? "attention.coarse" : "attention.fine", { queries: block.queries.join(" × "),
      keys: block.keys.join(" × "), per: ratio[0] * ratio[1], side: block.ratio }), section);
    const sent = heads.sent();
    fill("bytes", sent ? text(heads.whole() ? "attention.bytes" : "attention.bytes_large", { kb: Math.round(sent / 1000) }) : "",
      section);
    overview.draw(section);
    drawQuery();
    drawMaps();
  }

  registerTab("attention", {
    build(element) {
      section = element;
      for (const name of ["query", "large"]) linkCell(figure(name).querySelector("canvas"));
      for (const button of $$("[data-logits]", section)) {
        button.addEventListener("click", () => setView({ logits: button.dataset.logits === "yes" }));
      }
    },
    data() {
      overview.load(section);
      draw();
    },
    selection: draw,
    opacity: drawMaps,
    cell() {
      if (!data) return;
      if (!heads.whole()) heads.want();
      drawMaps();
    },
  });
}
