// Save and share: files from the server, the open tab as one picture drawn here, and the program that makes it again.

// --- the open tab as a picture: title, figures with their captions, colour bars and legends -------------------------------

const sheetOf = (() => {
  const SIZES = { margin: 24, gap: 20, width: 360, columns: 4, title: 24, text: 14, line: 19 };

  /** Words broken into lines that fit. */
  function lines(context, words, width) {
    const found = [];
    let line = "";
    for (const word of words.split(/\s+/)) {
      const longer = line ? `${line} ${word}` : word;
      if (line && context.measureText(longer).width > width) {
        found.push(line);
        line = word;
      } else line = longer;
    }
    return line ? [...found, line] : found;
  }

  /** What a figure shows: caption, picture, numbers at the ends of its colour bar, legend. */
  function read(figure) {
    const title = figure.querySelector("figcaption, h4, h5") ?? figure.parentElement.previousElementSibling;
    const caption = title?.matches("figcaption, h4, h5") ? title.innerText.trim() : "";
    const canvas = figure.querySelector("canvas[role=img], canvas");
    const scale = figure.querySelector(".afa-scale");
    const bar = scale && { low: scale.firstElementChild.textContent, ramp: scale.querySelector("canvas"),
      high: scale.lastElementChild.textContent };
    const legend = [...figure.querySelectorAll(".afa-legend > span")].map((item) => ({
      words: item.innerText.trim(), hatched: Boolean(item.querySelector(".afa-hatch")),
      colour: item.querySelector("i") && getComputedStyle(item.querySelector("i")).backgroundColor }));
    return { caption, canvas, bar, legend };
  }

  /** Draw one figure (or only measure it) at a place; returns its height. */
  function drawFigure(context, { caption, canvas, bar, legend }, x, y, draws) {
    const { width, text: size, line } = SIZES;
    let top = y;
    const ink = context.fillStyle;
    const write = (words, left) => { if (draws) context.fillText(words, left, top + line / 2); };
    context.font = `700 ${size}px system-ui, sans-serif`;
    for (const words of lines(context, caption, width)) {
      write(words, x);
      top += line;
    }
    const height = (width * canvas.height) / canvas.width;
    if (draws) context.drawImage(canvas, x, top + 4, width, height);
    top += height + 10;
    context.font = `${size}px system-ui, sans-serif`;
    if (bar) {
      const [low, high] = [context.measureText(bar.low).width, context.measureText(bar.high).width];
      write(bar.low, x);
      write(bar.high, x + width - high);
      if (draws) context.drawImage(bar.ramp, x + low + 8, top + line / 2 - 5, width - low - high - 16, 10);
      top += line + 4;
    }
    let left = x;
    for (const { words, colour, hatched } of legend) {
      const wide = 18 + context.measureText(words).width + 14;
      if (left > x && left + wide > x + width) [left, top] = [x, top + line];
      if (draws && colour) {
        context.fillStyle = hatched ? "rgb(90, 90, 90)" : colour;
        context.fillRect(left, top + line / 2 - 6, 12, 12);
        if (hatched) {
          context.fillStyle = "rgb(200, 200, 200)";
          for (let k = 0; k < 12; k += 4) context.fillRect(left, top + line / 2 - 6 + k, 12, 2);
        }
        context.strokeStyle = "rgba(128, 128, 128, .8)";
        context.strokeRect(left + 0.5, top + line / 2 - 5.5, 11, 11);
        context.fillStyle = ink;
      }
      write(words, left + 18);
      left += wide;
    }
    return top + (legend.length ? line : 0) - y;
  }

  /** A canvas with everything that a tab shows; null where it shows no picture. */
  return (section, title, facts) => {
    const { margin, gap, width, columns, title: large, text: size, line } = SIZES;
    const figures = [...section.querySelectorAll("figure, .afa-leak > div")].map(read)
      .filter(({ canvas }) => canvas?.width && canvas.clientWidth);
    if (!figures.length) return null;
    const style = getComputedStyle(root);
    const across = Math.min(columns, figures.length);
    const total = Math.max(2 * width + gap, across * (width + gap) - gap) + 2 * margin;
    const measuring = sheet(1, 1).getContext("2d");
    measuring.font = `${size}px system-ui, sans-serif`;
    const words = lines(measuring, facts, total - 2 * margin);
    const head = margin + large + 14 + words.length * line + 12;
    const rows = [];
    for (let i = 0; i < figures.length; i += across) rows.push(figures.slice(i, i + across));
    const heights = rows.map((row) => Math.max(...row.map((figure) => drawFigure(measuring, figure, 0, 0, false))));
    const canvas = sheet(total, head + heights.reduce((sum, height) => sum + height + gap, 0) + margin - gap);
    const context = canvas.getContext("2d");
    context.fillStyle = style.getPropertyValue("--body-background-fill").trim() || "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = style.color;
    context.textBaseline = "middle";
    context.font = `700 ${large}px system-ui, sans-serif`;
    context.fillText(title, margin, margin + large / 2);
    context.font = `${size}px system-ui, sans-serif`;
    words.forEach((one, i) => context.fillText(one, margin, margin + large + 14 + i * line + line / 2));
    let top = head;
    rows.forEach((row, i) => {
      row.forEach((figure, k) => drawFigure(context, figure, margin + k * (width + gap), top, true));
      top += heights[i] + gap;
    });
    return canvas;
  };
})();

// --- the menu ----------------------------------------------------------------------------------------------------------

{
  const menu = $(".afa-share");

  function download(address, name) {
    const link = document.createElement("a");
    link.href = address;
    link.download = name;
    link.click();
  }

  /** One line: picture, class, cell, model, and settings that are not the published ones. */
  function factsLine() {
    const [row, col] = cell();
    const nameOf = (name) => text(name === "left_out" ? "side.group_left_out" : `side.${name}`);
    const settings = Object.entries(data.link ?? {}).filter(([name]) => !["example", "data", "model"].includes(name))
      .map(([name, value]) => `${nameOf(name)}: ${inOurLanguage(value)}`).join(", ");
    return text("share.facts", { name: className(view.label), row: row + 1, col: col + 1, model: data.model,
      labels: data.classes.map((c) => className(c.label)).join(", "), settings: settings || text("share.published") });
  }

  async function saveTab() {
    const name = $(`[role=tab][data-tab="${view.tab}"]`).textContent;
    const { section, hooks } = tabs.get(view.tab);
    const canvas = sheetOf(section, `${inOurLanguage(data.title)}: ${name}`, [factsLine(), hooks.facts?.() ?? ""].join(" "));
    if (!canvas) {
      say(text("share.no_picture", { name }), true);
      return;
    }
    const blob = await new Promise((done) => { canvas.toBlob(done); });
    const address = URL.createObjectURL(blob);
    download(address, `afa-viz-${view.tab}.png`);
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }

  async function saveFile(kind) {
    const asked = { key: data.key, kind, label: view.label, cell: cell(), language };
    const { path, name } = readAnswer(await server.export_file(asked));
    download(`${window.gradio_config?.root ?? ""}/gradio_api/file=${path}`, name);
  }

  async function copyPython() {
    const asked = { key: data.key, tab: view.tab, label: view.label, cell: cell(), block: view.block, head: view.head,
      b: tabs.get(view.tab).hooks.other?.() };
    const { code } = readAnswer(await server.python_code(asked));
    try {
      await navigator.clipboard.writeText(code);
      say(text("share.python_copied"), true);
    } catch {
      showCode(code); // no clipboard without https
    }
  }

  /** The program to copy by hand. */
  function showCode(code) {
    const box = $(".afa-code");
    box.hidden = false;
    const area = $("textarea", box);
    area.value = code;
    area.focus();
    area.select();
  }
  $(".afa-code button").addEventListener("click", () => { $(".afa-code").hidden = true; });

  async function act(button, what) {
    if (!data || button.disabled) return;
    button.disabled = true;
    try {
      await what();
      menu.open = false;
    } catch (error) {
      gone(error);
    }
    button.disabled = false;
  }

  for (const button of $$("[data-export]", menu)) {
    button.addEventListener("click", () => act(button, () => saveFile(button.dataset.export)));
  }
  $('[data-do="picture"]').addEventListener("click", (event) => act(event.currentTarget, saveTab));
  $('[data-do="python"]').addEventListener("click", (event) => act(event.currentTarget, copyPython));
}
