// Pointer, keys and controls that all tabs share.

// --- the query cell under the pointer --------------------------------------------------------------------------------

/** The cell under a pointer event; null beside every linked canvas. */
function cellAt(event) {
  const canvas = event.target.closest?.("canvas");
  if (!data || !linked.has(canvas)) return null;
  const box = canvas.getBoundingClientRect();
  return linked.get(canvas)((event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width);
}

function hover(next) {
  if (view.pin || same(view.hover, next) || (!view.hover && !next)) return;
  view.hover = next;
  scheduleDraw(CELL);
}

views.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse") hover(cellAt(event)); });
views.addEventListener("pointerleave", () => hover(null));
views.addEventListener("click", (event) => {
  if (event.target.closest("button")) return;
  const at = cellAt(event);
  if (at) setView({ pin: same(view.pin, at) ? null : at, rest: at, home: false });
});

// --- keys, only while the views are focused --------------------------------------------------------------------------

function move(rows, cols) {
  const clamp = (value, count) => Math.min(count - 1, Math.max(0, value));
  const next = [clamp(begin()[0] + rows, data.grid[0]), clamp(begin()[1] + cols, data.grid[1])];
  setView({ ...(view.pin ? { pin: next } : {}), rest: next, hover: null, home: false });
}

function stepHead(by) {
  const { heads } = scene.blocks[view.block];
  setView({ head: ((view.head - MEAN + by + heads + 1) % (heads + 1)) + MEAN });
}

const KEYS = {
  ArrowUp: () => move(-1, 0),
  ArrowDown: () => move(1, 0),
  ArrowLeft: () => move(0, -1),
  ArrowRight: () => move(0, 1),
  Enter: () => setView({ pin: view.pin ? null : begin(), rest: begin(), home: false }),
  Escape: () => setView(atHome()),
  "[": () => stepHead(-1),
  "]": () => stepHead(1),
  "?": () => { $(".afa-keys").open = !$(".afa-keys").open; },
};

views.addEventListener("keydown", (event) => {
  const here = event.target === views || event.target.matches("canvas, .afa-heads button, .afa-overview button");
  const act = tabs.get(view.tab)?.hooks.keys?.[event.key] ?? KEYS[event.key];
  if (!here || !data || !act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act(event);
});

// --- what opens over the page: Esc and a press beside it close it, wherever the focus is -----------------------------

const popups = $$(".afa-keys, .afa-share");
/** Close what is open; whether there was something. */
function closePopups(but = null) {
  const open = popups.filter((box) => box.open && box !== but);
  for (const box of open) {
    const inside = box.contains(document.activeElement);
    box.open = false;
    if (inside) $("summary", box).focus(); // what had it is out of sight
  }
  return open.length > 0;
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !closePopups()) return;
  event.preventDefault();
  event.stopPropagation(); // it closes one thing at a time
}, true);
document.addEventListener("pointerdown", (event) => closePopups(event.target.closest?.(".afa-keys, .afa-share")));

// --- tabs ------------------------------------------------------------------------------------------------------------

for (const button of $$("[role=tab]")) button.addEventListener("click", () => setView({ tab: button.dataset.tab }));
$("[role=tablist]").addEventListener("keydown", (event) => {
  const buttons = $$("[role=tab]");
  const at = buttons.indexOf(event.target);
  const last = buttons.length - 1;
  const next = { ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at ? at - 1 : last, Home: 0, End: last }[event.key];
  if (next == null || at < 0) return;
  event.preventDefault();
  setView({ tab: buttons[next].dataset.tab });
  buttons[next].focus();
});

// --- controls of the bar ---------------------------------------------------------------------------------------------

control("block").addEventListener("change", (event) => setView({ block: Number(event.target.value) }));
control("head").addEventListener("change", (event) => setView({ head: Number(event.target.value) }));
control("shared").addEventListener("click", () => setView({ shared: !view.shared }));
for (const button of $$("[data-move]")) { // for fingers, which have no arrow keys
  button.addEventListener("click", () => { if (data) move(...button.dataset.move.split(" ").map(Number)); });
}
for (const [name, axis] of [["row", 0], ["col", 1]]) {
  control(name).addEventListener("change", (event) => {
    typing = "";
    const next = [...begin()];
    const typed = event.target.value === "" ? next[axis] + 1 : Math.round(Number(event.target.value));
    next[axis] = Math.min(data.grid[axis], Math.max(1, typed)) - 1;
    setView({ pin: next, rest: next, hover: null, home: false });
  });
}
