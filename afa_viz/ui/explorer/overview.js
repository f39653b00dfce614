// Every head of every block as one number each, as a table of buttons: what it does, and which ones the affinity reads.

const overview = (() => {
  const KINDS = ["inside", "entropy", "distance", "asymmetry"];
  const loaded = new Map(); // key of the settings -> numbers
  let numbers = null;
  let kind = "inside";

  const digits = (value) => (kind === "distance" ? value.toFixed(1) : value.toFixed(2).replace(/^0\./, "."));

  /** The present number of every head of a block: {heads, even}; heads null where it has none. */
  function valuesOf(block) {
    if (kind === "inside") return block.inside[view.label] ?? { heads: null, even: null };
    const even = { entropy: 1, distance: block.even_distance, asymmetry: null }[kind];
    return { heads: block[kind], even };
  }

  async function load(section) {
    const mine = data.key;
    try {
      const found = await kept(loaded, mine, async () => readAnswer(await server.overview({ key: mine })));
      if (mine !== data.key) return;
      numbers = found;
      build(section);
    } catch (error) {
      gone(error);
    }
  }

  function button(words, title, act) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = words;
    made.title = title;
    made.addEventListener("click", act);
    return made;
  }

  function build(section) {
    const choices = $('[data-list="kinds"]', section);
    choices.replaceChildren(...KINDS.map((name) => {
      const made = button(text(`attention.${name}`), text(`attention.${name}_info`), () => {
        kind = name;
        build(section);
      });
      made.setAttribute("aria-pressed", name === kind);
      return made;
    }));
    const by = text(numbers.by_truth ? "attention.by_truth" : "attention.by_affinity_label");
    fill("kind", text(`attention.${kind}_info`, { name: className(view.label), by }), section);
    const all = numbers.blocks.map((block) => (block ? valuesOf(block) : { heads: null, even: null }));
    const known = all.flatMap(({ heads: list, even }) => [...(list ?? []), even]).filter((value) => value != null);
    const top = kind === "distance" || kind === "asymmetry" ? Math.max(...known) : 1;
    const widest = Math.max(...scene.blocks.map((block) => block.heads));
    const body = $('[data-list="blocks"]', section);
    body.replaceChildren(...scene.blocks.map((block, i) => rowOf(block, i, all[i], top, widest)).slice(data.first_block));
    scaleOf(section, top);
    mark(section);
  }

  function rowOf(block, at, { heads: list, even }, top, widest) {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = text("bar.block_name", blockWords(block));
    const grids = document.createElement("small");
    grids.textContent = text("attention.grids", { queries: block.queries.join("×"), keys: block.keys.join("×") });
    head.append(grids);
    row.classList.toggle("afa-read", Boolean(block.weights));
    row.append(head);
    for (let h = 0; h < widest; h++) {
      const box = document.createElement("td");
      if (h < block.heads) {
        const value = list?.[h];
        const words = value == null ? "–" : digits(value);
        const title = text("attention.head_title", { ...blockWords(block), head: h + 1, kind: text(`attention.${kind}`), value: words });
        const made = button(words, title, () => setView({ block: at, head: h }));
        made.setAttribute("aria-label", title);
        Object.assign(made.dataset, { block: at, head: h });
        if (value != null) shade(made, value / top);
        box.append(made);
      }
      row.append(box);
    }
    const last = document.createElement("td");
    last.className = "afa-even";
    last.textContent = even == null ? "–" : digits(even);
    row.append(last);
    return row;
  }

  /** The colour of a share, and letters that can be read on it. */
  function shade(box, share) {
    const i = 3 * Math.round(255 * Math.min(1, Math.max(0, share)));
    const colour = lut.subarray(i, i + 3);
    box.style.background = `rgb(${colour})`;
    box.style.color = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 130 ? "#000" : "#fff";
  }

  function scaleOf(section, top) {
    const bar = $(".afa-overview-scale", section);
    bar.classList.remove("afa-unused");
    paintRamp(bar.querySelector("canvas"), lut);
    bar.lastElementChild.textContent = digits(top);
  }

  function mark(section) {
    for (const made of $$("[data-block]", section)) {
      made.setAttribute("aria-pressed", Number(made.dataset.block) === view.block
        && (view.head === MEAN || Number(made.dataset.head) === view.head));
    }
  }

  return {
    /** Another explanation. */
    load,
    /** Another class, block or head. */
    draw(section) {
      if (numbers && kind === "inside") build(section);
      else if (numbers) mark(section);
    },
  };
})();
