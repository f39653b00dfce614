// The bar above the tabs: story, classes, block, head, query cell; and the status line that says what is chosen.

/** Everything here that a new explanation may change. */
function rebuild() {
  $('[data-list="classes"]').replaceChildren(...data.classes.map(({ label }) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.label = label;
    button.style.setProperty("--colour", `rgb(${data.palette[label]})`);
    button.textContent = className(label);
    button.onclick = () => chooseClass(label);
    return button;
  }));
  control("block").replaceChildren(...scene.blocks.map((block, i) => new Option(
    text(block.weights ? "bar.block_read" : "bar.block_name", blockWords(block)), i, false, i === view.block)));
  for (const option of control("block").options) option.disabled = option.value < data.first_block; // not kept
  const [rows, cols] = data.grid;
  control("row").max = rows;
  control("col").max = cols;
  fill("domain", data.domain === "photograph" ? text("bar.outside") : "");
  fill("picture", inOurLanguage(data.title));
  fill("story", inOurLanguage(data.story));
  const names = data.classes.map((c) => className(c.label)).join(", ");
  fill("labels", text(data.labels_given ? "bar.labels_given" : "bar.labels_predicted", { names }));
  fill("grid", text("bar.grid", { width: data.size[1], height: data.size[0], cols, rows }));
  rebuildHeads();
}

const blockWords = (block) => ({ stage: block.stage, place: block.place, heads: block.heads });

function rebuildHeads() {
  const { heads } = scene.blocks[view.block];
  view.head = Math.min(view.head, heads - 1);
  control("block").value = view.block;
  control("head").replaceChildren(...[MEAN, ...Array(heads).keys()].map((head) => new Option(
    head === MEAN ? text("bar.mean") : text("bar.head_of", { head: head + 1, heads }), head, false, head === view.head)));
}

function chooseClass(label) {
  setView(view.pin ? { label, picked: true }
    : { label, picked: true, rest: data.classes.find((c) => c.label === label).cell, home: true });
}

let typing = ""; // the field of the query cell that holds a number which is not taken over yet
for (const name of ["row", "col"]) control(name).addEventListener("input", () => { typing = name; });

registerAlways({
  selection() {
    for (const chip of $$('[data-list="classes"] button')) {
      chip.setAttribute("aria-pressed", Number(chip.dataset.label) === view.label);
    }
    control("head").value = view.head;
    const shared = $('[data-do="shared"]');
    shared.setAttribute("aria-pressed", view.shared);
    shared.textContent = text(view.shared ? "bar.scale_shared" : "bar.scale_own");
    this.cell();
  },
  cell() {
    for (const [name, at] of [["row", cell()[0]], ["col", cell()[1]]]) if (typing !== name) control(name).value = unseen() ? "" : at + 1;
    if (!view.guessing) describe();
  },
});

/** The value of a map at the middle of the query cell. */
function atCell(map) {
  const [row, col] = cell();
  const y = Math.min(map.rows - 1, Math.floor(((row + 0.5) * map.rows) / data.grid[0]));
  return map.bytes[y * map.cols + Math.min(map.cols - 1, Math.floor(((col + 0.5) * map.cols) / data.grid[1]))];
}

/** The affinities of the query cell. */
function affinityMap() {
  const [rows, cols] = data.grid;
  const size = rows * cols;
  const query = cell()[0] * cols + cell()[1];
  return { rows, cols, low: 0, high: 1, bytes: data.affinity.bytes.subarray(query * size, (query + 1) * size) };
}

function describe() {
  const [row, col] = cell();
  const flat = (map) => atCell({ ...map, rows: map.shape[0], cols: map.shape[1] });
  const named = (map) => (flat(map) === 255 ? text("uncertain") : className(flat(map)));
  const close = affinityMap().bytes.reduce((count, byte) => count + (byte > 127), 0);
  const reach = (axis) => Math.min(data.grid[axis], cell()[axis] + data.affinity.band + 1) - Math.max(0, cell()[axis] - data.affinity.band);
  const cells = data.affinity.band ? reach(0) * reach(1) : data.grid[0] * data.grid[1]; // a band knows its window alone
  say(text(scene.target ? "bar.status_known" : "bar.status", {
    row: row + 1, col: col + 1, pinned: view.pin ? text("bar.pinned") : "", close, cells,
    name: className(view.label), cam: (atCell(layer(data.cam, place())) / 255).toFixed(2),
    label: named(data.pseudo_label), seg: named(scene.seg), truth: scene.target ? named(scene.target) : "",
    head: view.head === MEAN ? text("bar.mean_head") : text("bar.one_head", { head: view.head + 1 }),
  }));
}
