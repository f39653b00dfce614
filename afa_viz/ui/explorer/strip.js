// The strip: every stage as a small picture in the order of the fork (fork.js), and beside the stages that a step may be
// credited to what it changed. Which is held against which the server says: `data.steps`. Always in sight.

const STAGES = [ // picture, the tab it opens
  { key: "image", tab: "cam" },
  { key: "cam", tab: "cam" },
  { key: "affinity", tab: "affinity" },
  { key: "cam_rw", tab: "walk", step: true },
  { key: "cam_par", tab: "par", step: true },
  { key: "affinity_label", tab: "regions", label: "affinity_label" },
  { key: "regions", tab: "regions", label: "pseudo_label" },
  { key: "pseudo_label", tab: "regions", label: "pseudo_label" },
  { key: "seg", tab: "seg", step: true },
  { key: "target", tab: "seg" },
];
const BYTES = Uint8Array.from({ length: 256 }, (_, i) => i);
const colourOf = (label) => (label ? data.palette[label] : null);
/** What a stage is held against: the stage before by the same rule over the same pixels, or undefined. */
const beforeOf = (key) => data.steps.find(({ stage }) => stage === key)?.before;

const strip = (() => {
  const list = $(".afa-strip");
  const box = $(".afa-change");
  const items = new Map(); // stage -> its elements
  const bases = new Map(); // stage -> finished picture without the mark
  let shown = ""; // the stage whose difference map is open

  const named = (tag, name, ...children) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    made.append(...children);
    return made;
  };

  for (const stage of STAGES) {
    const item = named("li", "afa-stage");
    item.dataset.stage = stage.key;
    const canvas = document.createElement("canvas");
    const [caption, score] = [named("span", "afa-caption"), named("span", "afa-score")];
    const button = named("button", "", caption, canvas, score);
    button.type = "button";
    button.dataset.open = stage.tab;
    button.addEventListener("click", () => setView({ tab: stage.tab, ...(stage.label && { shownLabel: stage.label }) }));
    linkCell(canvas);
    const parts = { ...stage, item, canvas, caption, score, button };
    if (stage.step) {
      parts.arrow = arrowOf(stage);
      item.append(parts.arrow.box);
    }
    item.append(button);
    list.append(item);
    items.set(stage.key, parts);
  }

  /** What a step changed: in numbers and as a tiny map, which opens a large one. */
  function arrowOf({ key }) {
    const [against, iou, pixels, canvas] = [named("small"), named("b"), named("span"), document.createElement("canvas")];
    const button = named("button", "afa-arrow", named("span", "", against, iou), canvas, pixels);
    button.type = "button";
    button.setAttribute("aria-describedby", "afa-change-words");
    for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => open(key));
    for (const event of ["pointerleave", "blur"]) button.addEventListener(event, close);
    button.addEventListener("click", () => (shown === key ? undefined : open(key)));
    return { box: button, against, iou, pixels, canvas };
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && shown) close(); });

  // --- what a step changed -------------------------------------------------------------------------------------------

  /** Label map of a scored stage. */
  function labelOf(key) {
    if (key === "seg") return scene.seg.bytes;
    return (data.labels[key] ?? data.labels.cam_rw).bytes; // where PAR starts from the walk, this is the label of both
  }

  const iouOf = (key) => data.scores?.[key]?.iou[view.label] ?? (data.scores?.[key] ? 0 : null);

  /** Pixels of the chosen class gained and lost by a step, and the change of its IoU. */
  function changeOf(key, before) {
    const [a, b] = [iouOf(before), iouOf(key)];
    return { ...changeKinds(labelOf(before), labelOf(key), scene.target?.bytes, view.label),
      iou: a == null || b == null ? null : b - a, from: a, to: b };
  }

  function drawArrow({ key, arrow }) {
    const before = beforeOf(key);
    arrow.box.hidden = !before;
    arrow.change = null;
    if (!before) return;
    const change = changeOf(key, before);
    arrow.change = change;
    arrow.against.textContent = key === "seg" ? text("strip.against", { before: text(`strip.${before}`) }) : "";
    arrow.iou.replaceChildren(...(change.iou == null ? [] : [deltaOf(change.iou)]));
    arrow.pixels.replaceChildren(named("span", "", `+${short(change.gained)}`), named("span", "", `−${short(change.lost)}`));
    arrow.box.setAttribute("aria-label", `${text(`strip.against_${key}`)}: ${wordsOf(key, change)}`);
  }

  const short = (count) => (count < 1000 ? String(count) : `${(count / 1000).toFixed(count < 9950 ? 1 : 0)}k`);

  function wordsOf(key, change) {
    let words = text("strip.change", { step: text(`strip.step_${key}`), name: className(view.label), gained: change.gained,
      lost: change.lost });
    if (scene.target) words += ` ${text("strip.change_wrong", { gained: change.gainedWrong, lost: change.lostWrong })}`;
    if (change.iou != null) {
      words += ` ${text("strip.change_iou", { iou: signed(100 * change.iou), from: percent(change.from), to: percent(change.to) })}`;
    }
    return words;
  }

  function open(key) {
    const stage = items.get(key);
    if (!data || !stage.arrow.change) return;
    shown = key;
    const canvas = document.createElement("canvas");
    const title = named("strong", "", text(`strip.against_${key}`));
    const words = named("span", "", wordsOf(key, stage.arrow.change));
    words.id = "afa-change-words";
    const legend = named("span", "afa-legend");
    legend.append(...changeLegend(stage.arrow.change));
    box.replaceChildren(title, canvas, legend, words, named("span", "afa-rule", text("strip.rule")));
    box.hidden = false;
    fitFigure(canvas);
    paintChange(canvas, stage.arrow.change.kinds);
    const from = stage.arrow.box.getBoundingClientRect();
    const frame = views.getBoundingClientRect();
    const left = from.left + from.width / 2 - frame.left - box.offsetWidth / 2;
    box.style.left = `${Math.max(0, Math.min(frame.width - box.offsetWidth, left))}px`;
    box.style.top = `${from.bottom - frame.top + 4}px`;
  }

  function close() {
    shown = "";
    box.hidden = true;
  }

  // --- pictures ------------------------------------------------------------------------------------------------------

  /** A map between the numbers of its colours: its own, or 0 to 1 for all. */
  function paintMap(canvas, map, smooth, spread = limitsOf) {
    const number = fieldOf({ ...map, bytes: BYTES }); // of each of the 256 bytes
    const [low, high] = view.shared ? [0, 1] : spread(map.bytes).map((byte) => number[byte]);
    const colours = new Uint32Array(heat.buffer);
    const table = Uint32Array.from(bytesOf(number, low, high), (byte) => colours[byte]);
    heatCanvas(canvas, map, table, smooth);
  }

  const PAINT = {
    image: (canvas) => paintPicture(canvas, scene.image),
    cam: (canvas) => paintMap(canvas, layer(data.cam, place()), true),
    affinity: (canvas) => paintMap(canvas, affinityMap(), false),
    cam_rw: (canvas) => paintMap(canvas, layer(data.cam_rw, channel()), false, robustBytes),
    cam_par: (canvas) => paintMap(canvas, layer(data.cam_par, channel()), true, robustBytes),
    affinity_label: (canvas) => labelCanvas(canvas, layer(data.affinity_label), colourOf),
    regions: (canvas) => labelCanvas(canvas, layer(data.pseudo_label),
      (label) => (label ? tables.foreground : tables.background)),
    pseudo_label: (canvas) => labelCanvas(canvas, layer(data.pseudo_label), colourOf),
    seg: (canvas) => labelCanvas(canvas, layer(scene.seg), colourOf),
    target: (canvas) => labelCanvas(canvas, layer(scene.target), colourOf),
  };

  /** A picture with the query cell in it; the affinity is the cell's own. */
  function drawMark({ key, canvas }, fillAffinity = PAINT.affinity) {
    if (!canvas.width || (key === "target" && !scene.target)) return;
    if (key === "affinity") fillAffinity(canvas);
    else canvas.getContext("2d").drawImage(bases.get(key), 0, 0);
    if (!unseen()) markCell(canvas, data.grid, cell(), Boolean(view.pin));
  }

  /** All pictures in the present colours. */
  function paint() {
    for (const stage of items.values()) {
      if (stage.item.hidden) continue;
      const { key, canvas, arrow } = stage;
      fitFigure(canvas);
      if (!canvas.width) continue;
      if (arrow?.change) {
        fitFigure(arrow.canvas);
        if (arrow.canvas.width) paintChange(arrow.canvas, arrow.change.kinds);
      }
      if (key !== "affinity") {
        const base = sheet(canvas.width, canvas.height);
        PAINT[key](base);
        bases.set(key, base);
        if (nameSheets.has(base)) nameSheets.set(canvas, nameSheets.get(base));
      }
      drawMark(stage);
    }
    if (shown) open(shown);
  }

  /** They are the same at another opacity. */
  function repaintAll() {
    for (const stage of items.values()) {
      if (stage.item.hidden) continue;
      if (stage.arrow?.change) repaint(stage.arrow.canvas);
      if (bases.has(stage.key)) repaint(bases.get(stage.key));
      drawMark(stage, repaint);
    }
    if (shown) open(shown);
  }

  /** The line below a picture: its IoU over all pixels, or of a label how much is certain and how much of that right. */
  function scoreOf({ key, label }) {
    if (data.left_out.includes(key)) return [text("strip.left_out")];
    if (label) {
      const certain = text("strip.certain", { share: percent(1 - data.shares[label].uncertain) });
      const right = data.precision?.[label].all;
      return right == null || key === "regions" ? [certain] : [certain, text("strip.right", { share: percent(right) })];
    }
    const iou = iouOf(key);
    return iou == null ? [] : [text(key === "cam" ? "strip.iou_cut" : "strip.iou", { iou: percent(iou) })];
  }

  function draw() {
    items.get("target").item.hidden = !scene.target;
    for (const stage of items.values()) {
      if (stage.item.hidden) continue;
      const { key, item, caption, score, button } = stage;
      caption.textContent = text(`strip.${key}`);
      const lines = scoreOf(stage);
      score.replaceChildren(...lines.map((line) => named("span", "", line)));
      item.classList.toggle("afa-left-out", data.left_out.includes(key));
      button.title = text(`strip.${key}_info`);
      button.setAttribute("aria-label", text("strip.open", { name: text(`strip.${key}`), iou: lines.join(", ") }));
      if (stage.arrow) drawArrow(stage);
    }
    if (shown && !items.get(shown).arrow.change) close();
    paint();
    fork.draw();
  }

  return {
    selection: draw,
    opacity: repaintAll,
    cell() { for (const stage of items.values()) drawMark(stage); },
  };
})();
registerAlways(strip);
