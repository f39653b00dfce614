// The strip: every stage as a small picture, and between scored stages what the step changed. Always in sight.

const STAGES = [ // picture, the tab it opens, the stage whose label it is compared with ("" for none)
  { key: "image", tab: "cam" },
  { key: "cam", tab: "cam", bar: true },
  { key: "affinity", tab: "affinity", bar: true },
  { key: "cam_rw", tab: "walk", bar: true, before: "cam" },
  { key: "cam_par", tab: "par", bar: true, before: "cam_rw" },
  { key: "regions", tab: "regions" },
  { key: "pseudo_label", tab: "regions", before: "cam_par" },
  { key: "seg", tab: "seg", before: "pseudo_label" },
  { key: "target", tab: "seg" },
];
const BYTES = Uint8Array.from({ length: 256 }, (_, i) => i);
const colourOf = (label) => (label ? data.palette[label] : null);

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
    button.addEventListener("click", () => setView({ tab: stage.tab }));
    linkCell(canvas);
    const parts = { ...stage, item, canvas, caption, score, button };
    if (stage !== STAGES[0]) parts.arrow = arrowOf(stage);
    if (parts.arrow) item.append(parts.arrow.box);
    item.append(button);
    list.append(item);
    items.set(stage.key, parts);
  }

  /** What leads to a stage: an arrow, and for scored stages the change in numbers and a tiny map, which opens a large one. */
  function arrowOf({ key, before }) {
    if (!before) return { box: named("span", "afa-arrow", "→") };
    const [iou, pixels, canvas] = [named("b"), named("span"), document.createElement("canvas")];
    const box = named("button", "afa-arrow", named("span", "", "→"), iou, canvas, pixels);
    box.type = "button";
    box.setAttribute("aria-describedby", "afa-change-words");
    for (const event of ["pointerenter", "focus"]) box.addEventListener(event, () => open(key));
    for (const event of ["pointerleave", "blur"]) box.addEventListener(event, close);
    box.addEventListener("click", () => (shown === key ? undefined : open(key)));
    box.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
    return { box, iou, pixels, canvas };
  }

  // --- what a step changed -------------------------------------------------------------------------------------------

  /** Label map of a scored stage. */
  function labelOf(key) {
    if (key === "pseudo_label") return data.pseudo_label.bytes;
    return key === "seg" ? scene.seg.bytes : data.labels[key].bytes;
  }

  /** Pixels of the chosen class gained and lost by a step, and the change of its IoU. */
  function changeOf({ key, before }) {
    const score = (stage) => data.scores?.[stage]?.iou[view.label] ?? null;
    const [a, b] = [score(before), score(key)];
    return { ...changeKinds(labelOf(before), labelOf(key), scene.target?.bytes, view.label),
      iou: a == null || b == null ? null : b - a };
  }

  function drawArrow(stage) {
    const { arrow } = stage;
    const change = changeOf(stage);
    arrow.change = change;
    arrow.iou.replaceChildren(...(change.iou == null ? [] : [deltaOf(change.iou)]));
    arrow.pixels.replaceChildren(named("span", "", `+${short(change.gained)}`), named("span", "", `−${short(change.lost)}`));
    arrow.box.setAttribute("aria-label", wordsOf(stage));
  }

  const short = (count) => (count < 1000 ? String(count) : `${(count / 1000).toFixed(count < 9950 ? 1 : 0)}k`);

  function wordsOf({ key, before, arrow: { change } }) {
    const numbers = { step: text(`strip.step_${key}`), name: className(view.label), gained: change.gained,
      lost: change.lost, from: text(`strip.${before}`), to: text(`strip.${key}`) };
    let words = text("strip.change", numbers);
    if (scene.target) {
      words += ` ${text("strip.change_wrong", { gained: change.gainedWrong, lost: change.lostWrong })}`;
    }
    if (change.iou != null) words += ` ${text("strip.change_iou", { iou: signed(100 * change.iou) })}`;
    return words;
  }

  function open(key) {
    if (!data) return;
    shown = key;
    const stage = items.get(key);
    const canvas = document.createElement("canvas");
    const title = named("strong", "", text("strip.change_title", { from: text(`strip.${stage.before}`), to: text(`strip.${key}`) }));
    const words = named("span", "", wordsOf(stage));
    words.id = "afa-change-words";
    const legend = named("span", "afa-legend");
    legend.append(...changeLegend(stage.arrow.change));
    box.replaceChildren(title, canvas, legend, words);
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
      const { key, canvas, arrow, before } = stage;
      fitFigure(canvas);
      if (!canvas.width) continue;
      if (before) {
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
      if (stage.before) repaint(stage.arrow.canvas);
      if (bases.has(stage.key)) repaint(bases.get(stage.key));
      drawMark(stage, repaint);
    }
    if (shown) open(shown);
  }

  function draw() {
    items.get("target").item.hidden = !scene.target;
    for (const stage of items.values()) {
      if (stage.item.hidden) continue;
      const { key, caption, score, button } = stage;
      caption.textContent = text(`strip.${key}`);
      const iou = data.scores?.[key]?.iou[view.label];
      score.textContent = iou == null ? "" : text("strip.iou", { iou: percent(iou) });
      button.setAttribute("aria-label", text("strip.open", { name: text(`strip.${key}`), iou: score.textContent }));
      if (stage.before) drawArrow(stage);
    }
    paint();
  }

  return {
    selection: draw,
    opacity: repaintAll,
    cell() { for (const stage of items.values()) drawMark(stage); },
  };
})();
registerAlways(strip);
