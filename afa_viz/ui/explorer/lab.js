// The guided lab: a question a step, answered by the trace on the server. Until then the strip is covered from the
// stage on that would tell, so that a guess is a guess.

{
  const STORE = "afa-lab"; // steps that were answered, in this browser tab
  const SHARE = 0.45; // where the threshold of "cut" begins: the published one
  let section = null;
  let contents = null; // steps and gallery for the explanation that is shown
  let loaded = ""; // its key
  let cam = null; // its CAMs as numbers
  let choice = { share: SHARE };
  let failed = false; // the server did not give them
  const verdicts = new Map(); // explanation, class and step -> what the server said
  const solved = recall();

  const find = (selector) => section.querySelector(selector);
  const say_ = (name, words) => fill(`lab-${name}`, words, section);
  const step = () => contents.steps.find((s) => s.name === view.step) ?? contents.steps[0];
  const name = () => `${data.key} ${view.label} ${step().name}`;
  const verdict = () => verdicts.get(name());
  const optionText = (of, code) => (tables.texts[`lab.${of}.option_${code}`] ? text(`lab.${of}.option_${code}`)
    : text(`lab.${of}.option`, { code }));

  function recall() {
    try {
      return JSON.parse(window.sessionStorage.getItem(STORE)) ?? {};
    } catch {
      return {}; // no storage, or not ours
    }
  }

  function remember(right) {
    solved[step().name] ||= right;
    try {
      window.sessionStorage.setItem(STORE, JSON.stringify(solved));
    } catch {
      // ticks then last as long as the page
    }
  }

  // --- what is covered -----------------------------------------------------------------------------------------------

  /** Cover the strip from the stage on that would tell the answer, while this tab is open and it is not given. */
  function veil() {
    const stages = $$(".afa-stage");
    const { hides, ready } = contents && data ? step() : { hides: failed ? "" : "cam", ready: true }; // until it is here
    const on = hides && !section.hidden && ready && !(contents && verdict());
    const from = stages.findIndex((item) => item.dataset.stage === hides);
    stages.forEach((item, i) => {
      item.inert = Boolean(on) && i >= from;
      item.classList.toggle("afa-veiled", item.inert);
    });
    root.classList.toggle("afa-guessing", Boolean(on));
    if (view.guessing === Boolean(on)) return;
    view.guessing = Boolean(on);
    if (on) say("", true); // what was said of the query cell
    scheduleDraw(CELL);
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  function draw() {
    if (!contents || loaded !== data.key) return;
    const now = step();
    const at = contents.steps.indexOf(now);
    drawSteps(now);
    const cell_ = strongest();
    const words = { name: className(view.label), row: cell_[0] + 1, col: cell_[1] + 1, high: data.high.toFixed(2) };
    say_("title", text("lab.step_of", { at: at + 1, of: contents.steps.length, title: text(`lab.${now.name}.title`) }));
    say_("story", text(`lab.${now.name}.story`, words));
    const teacher = now.teacher ? ` ${text(`lab.seg.teacher_${now.teacher}`)}` : "";
    say_("task", text(`lab.${now.name}.task`, words) + teacher);
    find('[data-fill="lab-missing"]').hidden = now.ready;
    say_("missing", text("lab.missing"));
    find("form").hidden = !now.ready;
    find('[data-do="look"]').hidden = Boolean(now.hides) && !verdict(); // it would tell
    find('[data-do="look"]').textContent = text("lab.look", { tab: text(`tabs.${now.tab}`) });
    find('[data-do="next"]').hidden = at + 1 === contents.steps.length;
    const open = find('[data-do="open"]');
    open.hidden = data.link?.example === now.example;
    open.href = address(now.example, now.name);
    open.textContent = text("lab.open", { title: inOurLanguage(now.title) });
    drawAnswers(now);
    drawFigure(now);
    drawVerdict(now);
    veil();
  }

  function drawSteps(now) {
    find('[data-list="steps"]').replaceChildren(...contents.steps.map((s) => {
      const [item, button, mark] = ["li", "button", "span"].map((tag) => document.createElement(tag));
      button.type = "button";
      button.setAttribute("aria-current", s === now ? "step" : "false");
      if (solved[s.name]) {
        mark.append(icon("check"));
        mark.setAttribute("role", "img");
        mark.setAttribute("aria-label", text("lab.solved"));
      }
      button.append(text(`lab.${s.name}.title`), mark);
      button.addEventListener("click", () => go(s.name));
      item.append(button);
      return item;
    }));
  }

  /** The controls that an answer is given with. */
  function drawAnswers(now) {
    const box = find('[data-list="answers"]');
    const wanted = `${name()} ${now.options}`;
    if (box.dataset.of === wanted) return; // what is being typed stays
    box.dataset.of = wanted;
    const input = (type, extra) => Object.assign(document.createElement("input"), { type, name: "answer", ...extra });
    const label = (...parts) => {
      const made = document.createElement("label");
      made.append(...parts);
      return made;
    };
    if (now.kind === "choice") {
      box.replaceChildren(...now.options.map((code) => label(input("radio", { value: code, required: true }),
        optionText(now.name, code))));
    } else if (now.kind === "number") {
      box.replaceChildren(label(text("lab.number"), input("number", { min: 0, step: 1, required: true })));
    } else if (now.kind === "share") {
      const output = document.createElement("output");
      const slider = input("range", { min: 0.01, max: 0.99, step: 0.01, value: choice.share });
      const show = () => { output.textContent = choice.share.toFixed(2); };
      slider.addEventListener("input", () => {
        choice = { share: Number(slider.value) };
        show();
        drawFigure(step());
      });
      show();
      box.replaceChildren(label(text("lab.threshold"), slider, output));
    } else {
      box.replaceChildren(); // the cell is pressed in the picture
    }
  }

  const figure = () => find('[data-view="lab"]');

  /** The picture to press a cell in, or to cut the CAM over. */
  function drawFigure(now) {
    const box = figure();
    box.hidden = !now.ready || !["cell", "share"].includes(now.kind);
    if (box.hidden) return;
    const canvas = box.querySelector("canvas");
    box.querySelector(".afa-scale")?.remove(); // only a map has one
    marks.forget();
    if (now.kind === "share") {
      const labels = chain.cutCam(cam, data.classes.map((c) => c.label), choice.share);
      const here = labels.map((l) => (l === view.label ? l : 0));
      paintLabelField(box, here, data.size, (l) => (l ? data.palette[l] : null), () => "");
      say_("figure", text("lab.cut.figure", { name: className(view.label), value: choice.share.toFixed(2) }));
    } else if (verdict()) {
      paintField(box, fieldOf(layer(data.cam, place())), data.size, [0, 1], { smooth: true });
      say_("figure", text("lab.cam.figure_after", { name: className(view.label) }));
    } else {
      fitFigure(canvas);
      paintPicture(canvas, scene.image);
      say_("figure", text("lab.cam.figure"));
    }
    canvas.setAttribute("aria-label", find('[data-fill="lab-figure"]').textContent);
    if (now.kind === "cell") marks.keep([canvas]);
  }

  const marks = marked((canvas) => {
    if (view.pin || verdict()) markCell(canvas, data.grid, view.pin ?? strongest(), Boolean(view.pin));
  });

  function drawVerdict(now) {
    const found = verdict();
    find(".afa-lab-verdict").dataset.right = found ? found.right : "";
    for (const part of ["verdict", "why", "failure"]) say_(part, "");
    if (!found) return;
    const number = ([key, value]) => [key, /^\d+$/.test(value) ? Number(value) : value];
    const numbers = (of) => Object.fromEntries(Object.entries(of).map(number));
    const facts = { ...numbers(found.facts), name: className(view.label),
      truth: found.truth ? optionText(now.name, found.truth) : "",
      names: (found.facts.names ?? "").split(", ").map(classWords).join(", ") };
    say_("verdict", `${text(found.right ? "lab.right" : "lab.wrong")} ${text(`lab.${now.name}.verdict`, facts)}`);
    say_("why", text(`lab.${now.name}.why`, facts));
    if (found.failure) say_("failure", text(`lab.failure.${found.failure.pathology}.fact`, numbers(found.failure.facts)));
  }

  function drawFailures() {
    const thumbnails = document.querySelectorAll("#afa-gallery .thumbnail-item img");
    find('[data-list="failures"]').replaceChildren(...contents.failures.map((failure) => {
      const card = document.createElement("a");
      const [title, words] = ["strong", "span"].map((tag) => document.createElement(tag));
      card.href = address(failure.example, "blame");
      title.textContent = text(`lab.failure.${failure.pathology}.title`);
      words.textContent = text(`lab.failure.${failure.pathology}.story`);
      if (thumbnails[failure.place]) {
        const alt = inOurLanguage(failure.title);
        card.append(Object.assign(document.createElement("img"), { src: thumbnails[failure.place].src, alt }));
      }
      card.append(title, words);
      card.addEventListener("click", (event) => follow(event, failure.place, failure.example, "blame"));
      return card;
    }));
  }

  // --- going somewhere -----------------------------------------------------------------------------------------------

  const address = (example, to) => `?${new URLSearchParams({ example, tab: "lab", step: to })}`;

  function go(to) {
    setView({ step: to, ...atHome() });
    find(".afa-lab-step").scrollIntoView({ block: "nearest" });
  }

  /** Open an example on this page; the link itself is for other hands, and where the gallery is not to be found. */
  function follow(event, at, example, to) {
    const thumbnail = document.querySelectorAll("#afa-gallery .thumbnail-item")[at];
    if (!thumbnail || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(to);
    if (data.link?.example !== example) thumbnail.click();
  }

  function answerOf(now) {
    const form = new FormData(find("form"));
    if (now.kind === "cell") return view.pin;
    if (now.kind === "share") return choice.share;
    return now.kind === "number" ? Number(form.get("answer")) : form.get("answer");
  }

  async function submit(event) {
    event.preventDefault();
    const [now, asked] = [step(), name()];
    const answer = answerOf(now);
    if (answer == null) {
      say(text("lab.press"), true);
      return;
    }
    try {
      const found = readAnswer(await server.lab_check({ key: data.key, step: now.name, answer, label: view.label }));
      if (!found) throw new Error("the server gave no verdict");
      verdicts.set(asked, found);
      if (asked === name()) remember(found.right);
      draw();
    } catch (error) {
      gone(error);
    }
  }

  async function load() {
    const { key } = data;
    if (loaded === key) {
      draw();
      return;
    }
    try {
      const next = readAnswer(await server.lab({ key }));
      if (key !== data.key) return;
      [contents, loaded, cam, failed] = [next, key, fieldOf(data.cam), false];
      drawFailures();
      draw();
    } catch (error) {
      failed = true;
      veil();
      gone(error);
    }
  }

  registerTab("lab", {
    build(element) {
      section = element;
      find("form").addEventListener("submit", submit);
      find('[data-do="look"]').addEventListener("click", () => {
        setView({ tab: step().tab, ...atHome(), block: scene.blocks.length - 1 });
      });
      find('[data-do="next"]').addEventListener("click", () => {
        go(contents.steps[contents.steps.indexOf(step()) + 1].name);
      });
      find('[data-do="open"]').addEventListener("click", (event) => follow(event, step().place, step().example, step().name));
      linkCell(figure().querySelector("canvas"));
      new MutationObserver(veil).observe(section, { attributes: true, attributeFilter: ["hidden"] });
    },
    show: veil,
    data: load,
    selection: draw,
    cell() { if (contents) marks.each(); },
  });
}
