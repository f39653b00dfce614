// The address of what is shown. The server restores example, model, labels and settings from it, the page the rest.

const OWN = ["tab", "step", "class", "cell", "block", "head", "maps", "scale"]; // of the page
const THEIRS = ["example", "data", "photo", "model", "labels", "left_out", "radius", "power", "num_steps", "num_iters", "bkg_score_low",
  "bkg_score_high"]; // of the server

const linkParts = [];
/** A tab with an own share of the address: {names, read(asked) -> names that do not fit, write(query)}. */
const registerLink = (part) => { linkParts.push(part); };

const HOLD = 4000; // milliseconds that a first picture waits for the one that the address names
const asked = new URLSearchParams(window.location.search); // as the page was opened
const named = THEIRS.some((name) => asked.has(name));
let restored = false;
let overdue = false;
let holding = 0;

/** Whether an explanation must wait: the address names another one, which the server has not sent yet. */
function waits(raw) {
  const held = photo.waits(raw);
  if (!named || restored || overdue || raw.photo || (raw.linked && !held)) return false;
  if (!holding) holding = setTimeout(() => { overdue = true; receive(); }, HOLD);
  return true;
}

/** Take over what the address says, once what it names is here; what does not fit is left out, and a sentence says so. */
function restoreLink() {
  if (restored || photo.wanted || (named && !data.linked && !data.photo)) return "";
  restored = true;
  const wrong = [];
  const read = (name, fits, take) => {
    const value = asked.get(name);
    if (value == null) return;
    if (fits(value)) take(value);
    else wrong.push(name);
  };
  const whole = (value) => (/^\d{1,4}$/.test(value) ? Number(value) : -1);
  read("step", (value) => tables.texts[`lab.${value}.task`], (value) => { view.step = value; });
  read("tab", (value) => tabs.has(value), (value) => showTab(value));
  read("maps", (value) => value === "logits", () => { view.logits = true; });
  read("scale", (value) => value === "shared", () => { view.shared = true; });
  for (const part of linkParts) wrong.push(...part.read(asked));
  if (photo.gone) return text("link.photo_gone"); // class, cell and head were those of the photograph
  const labelOf = (value) => data.classes.find((c) => classId(c.label) === value)?.label;
  read("class", labelOf, (value) => Object.assign(view, { label: labelOf(value), picked: true }));
  Object.assign(view, { rest: strongest(), home: true });
  const cellOf = (value) => value.split(",").map((n) => whole(n) - 1);
  read("cell", (value) => {
    const [row, col, ...more] = cellOf(value);
    return !more.length && row >= 0 && col >= 0 && row < data.grid[0] && col < data.grid[1];
  }, (value) => Object.assign(view, { pin: cellOf(value), rest: cellOf(value), home: false }));
  const isKept = (block) => block > data.first_block && block <= scene.blocks.length;
  read("block", (value) => isKept(whole(value)), (value) => { view.block = whole(value) - 1; });
  const { heads } = scene.blocks[view.block];
  read("head", (value) => whole(value) >= 1 && whole(value) <= heads, (value) => { view.head = whole(value) - 1; });
  return wrong.length ? text("link.wrong", { names: wrong.join(", ") }) : "";
}

/** The query string of what is shown; what others have put there stays. */
function linkText() {
  const query = new URLSearchParams(window.location.search);
  for (const name of [...OWN, ...THEIRS, ...linkParts.flatMap((part) => part.names)]) query.delete(name);
  for (const [name, value] of Object.entries(data.link ?? {})) query.set(name, value);
  if (data.photo) query.set("photo", data.photo);
  query.set("tab", view.tab);
  if (view.tab === "lab" && view.step) query.set("step", view.step);
  query.set("class", classId(view.label));
  if (view.pin) query.set("cell", view.pin.map((n) => n + 1).join(","));
  if (view.block !== scene.blocks.length - 1) query.set("block", view.block + 1);
  if (view.head !== MEAN) query.set("head", view.head + 1);
  if (view.logits) query.set("maps", "logits");
  if (view.shared) query.set("scale", "shared");
  for (const part of linkParts) part.write(query);
  return query.toString().replaceAll("%2C", ",");
}

let linking = 0;
/** Write the address a moment after the last change: browsers allow only so many in a while. */
function linkLater() {
  clearTimeout(linking);
  linking = setTimeout(() => {
    const early = named && !restored && !overdue; // the address is still to be read
    if (data && !early) window.history.replaceState(window.history.state, "", `?${linkText()}${window.location.hash}`);
  }, 250);
}

$('[data-do="link"]').addEventListener("click", async () => {
  if (!data) return;
  if (!data.link?.example && !data.link?.data) {
    say(text("link.upload"), true);
    return;
  }
  const address = `${window.location.origin}${window.location.pathname}?${linkText()}`;
  try {
    await navigator.clipboard.writeText(address);
    say(text("link.copied"), true);
  } catch {
    window.prompt(text("link.copy_by_hand"), address); // no clipboard without https
  }
  $(".afa-share").open = false;
  $(".afa-share summary").focus();
});
