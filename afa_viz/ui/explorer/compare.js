// Two sides: A is what the page shows, B is A with some changes (sides.js). Every stage of both, and what differs: signed
// differences of scores, pixels gained and lost of labels.

{
  const ROWS = ["a", "b", "difference"];

  let section = null;
  const cells = new Map(); // stage -> {button, score, a, b, difference}

  const find = (selector) => section.querySelector(selector);
  const figure = (name) => find(`.afa-pair [data-view="${name}"]`);
  const isLabel = (name) => name === "seg" || CERTAIN.includes(name);

  // --- asking --------------------------------------------------------------------------------------------------------

  async function ask() {
    if (!data) return;
    if (!versus.differs(sides.changes)) {
      draw();
      return;
    }
    section.dataset.state = "waiting";
    fill("words", text("compare.waiting"), section);
    try {
      const answer = await versus.want(sides.changes);
      if (!answer) return; // somebody has asked for another one since
      section.dataset.state = answer.refused ? "refused" : "ready";
      if (answer.refused) fill("words", inOurLanguage(answer.refused), section);
      else draw();
    } catch (error) {
      fill("words", text("gone"), section);
      gone(error);
    }
  }

  async function loadRun() {
    const { key } = data;
    try {
      const next = await trainingRun(key);
      if (key !== data.key) return;
      sides.know(next);
      if (section.dataset.state === "ready") describe();
    } catch (error) {
      gone(error);
    }
  }

  const colourOf = (label) => (label ? versus.other.palette[label] : null);
  const nameOf = (label) => classWords(versus.other.names[label] ?? "");
  /** IoU of a stage that decides every pixel; null for others, and without a truth. */
  const iouOf = ({ scores }, name) => (!scores?.[name] || CERTAIN.includes(name) ? null : scores[name].iou[view.label] ?? 0);
  /** How much of a label is certain, and how much of that is right. */
  function certainOf(side, name) {
    const share = percent(1 - side.shares[name].uncertain);
    const right = side.precision?.[name].all;
    return right == null ? text("strip.certain", { share }) : text("compare.certain", { share, right: percent(right) });
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  const marks = marked((canvas) => markCell(canvas, data.grid, cell(), Boolean(view.pin)));
  const ready = () => versus.here && section.dataset.state === "ready";

  function draw() {
    if (!ready()) return;
    describe();
    for (const name of sides.STAGES) drawColumn(name);
    drawLarge();
    marks.keep(drawn());
  }

  const drawn = () => section.querySelectorAll(".afa-board canvas, .afa-pair:not([hidden]) canvas[role=img]");

  function describe() {
    const parts = sides.differences();
    const words = [parts.length ? text("compare.words", { parts: parts.join(", ") }) : text("compare.nothing")];
    if (versus.other.resized) words.push(text("compare.resized", { width: data.size[1], height: data.size[0] }));
    if (!versus.other.labels.includes(view.label)) words.push(text("compare.unknown_class", { name: className(view.label) }));
    if (versus.other.crf_seconds != null) {
      words.push(text("compare.times", { par: seconds(versus.other.par_seconds), crf: seconds(versus.other.crf_seconds),
        times: (versus.other.crf_seconds / versus.other.par_seconds).toFixed(1) }));
    }
    fill("words", words.join(" "), section);
  }

  function drawColumn(name) {
    const { button, score, ...canvases } = cells.get(name);
    button.setAttribute("aria-pressed", name === sides.stage);
    ROWS.forEach((row) => fitFigure(canvases[row]));
    if (!canvases.a.width || !widthOf(canvases.a)) return;
    paintColumn(name);
    const same = isLabel(name) ? !shareApart(...versus.labels(name)) : versus.fields(name)?.same ?? false;
    const [a, b] = [iouOf(data, name), iouOf(versus.other, name)];
    score.replaceChildren();
    if (CERTAIN.includes(name)) {
      for (const [row, side] of [["A", data], ["B", versus.other]]) {
        score.append(`${row}: ${certainOf(side, name)}`, document.createElement("br"));
      }
    }
    if (a != null && b != null) score.append(text("compare.ious", { a: percent(a), b: percent(b) }), document.createElement("br"));
    if (same) score.append(text("compare.equal"));
    else if (a != null && b != null) score.append(deltaOf(b - a));
    else if (name !== "affinity") score.append(text("compare.differ", { share: percent(shareApart(...versus.labels(name))) }));
  }

  const shareApart = (a, b) => a.reduce((count, label, i) => count + (label !== b[i]), 0) / a.length;

  const paintColumn = (name) => (isLabel(name) ? paintLabelMaps : paintFields)(name, cells.get(name));

  /** Scores of both sides and their difference. */
  function paintFields(name, canvases) {
    const found = versus.fields(name);
    if (!found) return;
    const [rows, cols] = found.size;
    const smooth = name === "cam" || name === "cam_par";
    const paint = (row, low, high, table) => heatCanvas(canvases[row],
      { rows, cols, bytes: bytesOf(found[row], low, high) }, table, smooth);
    paint("a", ...found.limits, heat);
    paint("b", ...found.limits, heat);
    paint("difference", -found.most, found.most, SIGNED);
  }

  /** The labels of both sides and what B changes in the chosen class. */
  function paintLabelMaps(name, canvases) {
    const labels = versus.labels(name);
    [canvases.a, canvases.b].forEach((canvas, i) => labelCanvas(canvas,
      { rows: data.size[0], cols: data.size[1], bytes: labels[i] }, colourOf));
    paintChange(canvases.difference, changeKinds(...labels, scene.target?.bytes, view.label).kinds);
  }

  function drawLarge() {
    const name = className(view.label);
    const words = text(`strip.${sides.stage}`);
    fill("stage", text("compare.large", { stage: words }), section);
    const titles = isLabel(sides.stage) ? { difference: text("compare.changed", { name }) } : { difference: text("compare.difference") };
    for (const [row, side] of [["a", data], ["b", versus.other]]) {
      const iou = iouOf(side, sides.stage);
      const score = iou == null ? "" : text("strip.iou", { iou: percent(iou) });
      const worth = CERTAIN.includes(sides.stage) ? certainOf(side, sides.stage) : score;
      titles[row] = [`${row.toUpperCase()}: ${subjectOf(row, name)}`, ...(worth ? [worth] : [])].join(", ");
    }
    for (const row of ROWS) {
      figure(row).querySelector("figcaption").textContent = titles[row];
      figure(row).querySelector("canvas").setAttribute("aria-label", titles[row]);
      figure(row).querySelector(".afa-legend").replaceChildren();
    }
    paintLarge();
    const sentences = isLabel(sides.stage) ? largeLabels() : largeFields();
    fill("numbers", sentences.join(" "), section);
  }

  /** What the large picture of a side shows; a step that this side leaves out or replaces is not called by its name. */
  function subjectOf(row, name) {
    const named = text(`strip.${sides.stage}`);
    if (isLabel(sides.stage)) return named;
    if (sides.stage === "affinity") return text("compare.of_cell", { stage: named, row: cell()[0] + 1, col: cell()[1] + 1 });
    const { walk, par, crf } = row === "a" ? { walk: data.use_walk, par: data.use_par } : sides.parts();
    let stage = named;
    if (sides.stage === "cam_rw" && !walk) stage = text("compare.no_walk");
    if (sides.stage === "cam_par" && !par) stage = text("compare.no_par");
    if (sides.stage === "cam_par" && crf) stage = text("par.dense_crf");
    return text("compare.of_class", { stage, name });
  }

  function paintLarge() {
    const found = isLabel(sides.stage) ? versus.labels(sides.stage) : versus.fields(sides.stage);
    find(".afa-pair").hidden = !found;
    if (!found) return;
    if (isLabel(sides.stage)) {
      for (const row of ROWS) figure(row).querySelector(".afa-scale")?.remove();
      found.forEach((bytes, i) => paintLabelField(figure(ROWS[i]), bytes, data.size, colourOf, nameOf));
      const canvas = figure("difference").querySelector("canvas");
      fitFigure(canvas);
      paintChange(canvas, changed().kinds);
      return;
    }
    const smooth = sides.stage === "cam" || sides.stage === "cam_par";
    for (const row of ["a", "b"]) paintField(figure(row), found[row], found.size, found.limits, { smooth });
    paintField(figure("difference"), found.difference, found.size, [-found.most, found.most], { table: SIGNED, smooth });
  }

  function largeFields() {
    const found = versus.fields(sides.stage);
    if (!found) return [text("compare.too_large")];
    const share = (test) => percent(found.difference.reduce((count, d) => count + test(d), 0) / found.difference.length);
    const least = 0.02 * (found.limits[1] - found.limits[0]);
    const sentences = [found.same ? text("compare.same") : text("compare.fields", { more: share((d) => d > least),
      less: share((d) => d < -least) })];
    if (sides.stage === "affinity" && data.affinity.band) sentences.push(text("compare.window", { band: data.affinity.band }));
    return sides.stage === "affinity" ? sentences : [...sentences, text("compare.as_labels"), ...changeWords()];
  }

  function largeLabels() {
    versus.labels(sides.stage).forEach((bytes, i) => {
      fillLegend(figure(ROWS[i]).querySelector(".afa-legend"), areasOf(bytes, text("uncertain"), versus.other));
    });
    figure("difference").querySelector(".afa-legend").append(...changeLegend(changed()));
    return changeWords();
  }

  /** Pixels of the class that B gains and loses at the large stage. */
  const changed = () => changeKinds(...versus.labels(sides.stage), scene.target?.bytes, view.label);

  /** The same in words, and what it does to the IoU. */
  function changeWords() {
    const found = changed();
    const words = [text("strip.change", {
      step: "B", name: className(view.label), gained: found.gained, lost: found.lost })];
    const [a, b] = [iouOf(data, sides.stage), iouOf(versus.other, sides.stage)];
    if (scene.target) {
      words.push(text("strip.change_wrong", { gained: found.gainedWrong, lost: found.lostWrong }));
    }
    if (a != null && b != null) {
      words.push(text("compare.change_iou", { iou: signed(100 * (b - a)), a: percent(a), b: percent(b) }));
    }
    return words;
  }

  /** The affinity is that of the query cell: it alone changes with it. */
  function drawCell() {
    if (!ready()) return;
    const changed = ROWS.map((row) => cells.get("affinity")[row]);
    marks.each();
    drawColumn("affinity");
    if (sides.stage === "affinity") {
      drawLarge();
      changed.push(...section.querySelectorAll(".afa-pair canvas[role=img]"));
    }
    marks.keep(changed);
  }

  // --- the board -----------------------------------------------------------------------------------------------------

  function buildBoard() {
    const board = find(".afa-board");
    board.style.setProperty("--columns", sides.STAGES.length);
    const side = (words) => {
      const made = document.createElement("span");
      if (words) made.className = "afa-side";
      made.textContent = words;
      return made;
    };
    board.append(side(""), side("A"), side("B"), side("B−A"), side(""));
    for (const name of sides.STAGES) {
      const [button, score] = [document.createElement("button"), document.createElement("span")];
      button.type = "button";
      button.textContent = text(`strip.${name}`);
      button.addEventListener("click", () => {
        sides.stage = name;
        draw();
        linkLater();
      });
      score.className = "afa-score";
      const canvases = Object.fromEntries(ROWS.map((row) => {
        const canvas = document.createElement("canvas");
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", text(`compare.row_${row}`, { stage: text(`strip.${name}`) }));
        linkCell(canvas);
        return [row, canvas];
      }));
      cells.set(name, { button, score, ...canvases });
      board.append(button, ...Object.values(canvases), score);
    }
    for (const canvas of section.querySelectorAll(".afa-pair canvas")) linkCell(canvas);
  }

  registerTab("compare", {
    build(element) {
      section = element;
      buildBoard();
      sides.build(section, () => {
        ask();
        linkLater();
      });
    },
    data() {
      sides.form();
      ask();
      loadRun();
    },
    selection: draw,
    opacity() { if (ready()) recolour(drawn(), marks); },
    cell: drawCell,
    other: () => (ready() ? sides.changes : null),
    facts: () => find('[data-fill="words"]').textContent,
  });
}
