// What the benchmark of the page runs inside it: events as hands make them, and the time until their result is drawn.

(() => {
  let scripts = 0; // milliseconds in callbacks of frames since the last reset
  const request = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (call) => request((time) => {
    const began = performance.now();
    call(time);
    scripts += performance.now() - began;
  });

  let pending = 0; // answers that the page waits for
  const fetched = window.fetch.bind(window);
  window.fetch = async (...asked) => {
    pending += 1;
    try {
      return await fetched(...asked);
    } finally {
      pending -= 1;
    }
  };

  /** The next frame is on the screen. */
  const painted = () => new Promise((done) => {
    request(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = done;
      channel.port2.postMessage(0);
    });
  });

  /** {drawn, work}: until some frames after an action are painted, and how much of that scripts took. */
  async function once(act, frames = 1) {
    await painted();
    scripts = 0;
    const began = performance.now();
    act();
    const handler = performance.now() - began;
    for (let i = 0; i < frames; i++) await painted();
    return { drawn: performance.now() - began, work: handler + scripts };
  }

  /** Row and column of the query cell, as the page says them. */
  const query = () => ["row", "col"].map((name) => document.querySelector(`.afa-bar [data-do="${name}"]`).value).join(" ");

  async function many(count, act, frames = 1) {
    const samples = [];
    for (let i = -2; i < count; i++) { // two for warming up
      const sample = await once(() => act(i + 2), frames);
      if (i >= 0) samples.push({ ...sample, cell: query() });
    }
    return samples;
  }

  const root = () => document.querySelector(".afa");

  /** Pointer events on the cells of a canvas, one after the other. */
  function onCells(canvas, count, make) {
    canvas.scrollIntoView({ block: "nearest" });
    return many(count, (i) => {
      const box = canvas.getBoundingClientRect();
      const at = { clientX: box.left + box.width * (0.05 + 0.9 * ((i * 0.37) % 1)), clientY: box.top + box.height * (0.05 + 0.9 * ((i * 0.61) % 1)) };
      for (const [type, options] of make) canvas.dispatchEvent(new type(options.name, { bubbles: true, pointerType: "mouse", ...at }));
    });
  }

  const CLICK = [[MouseEvent, { name: "click" }]];

  /** A picture of the open tab that a click moves the query cell on; null where a tab has none. */
  async function clickable() {
    for (const canvas of document.querySelectorAll(".afa [role=tabpanel]:not([hidden]) canvas")) {
      if (!canvas.clientWidth || canvas.closest("button")) continue;
      const before = query();
      await onCells(canvas, 1, CLICK);
      if (query() !== before) return canvas;
    }
    return null;
  }

  window.bench = {
    /** Nothing is awaited from the server, and the open tab says the same. */
    rests: () => pending === 0 && !document.querySelector(".afa [role=tabpanel]:not([hidden]):is([data-state=waiting], [data-state=loading])"),

    hover: (count) => onCells(document.querySelector(".afa-strip canvas"), count, [[PointerEvent, { name: "pointermove" }]]),

    /** No samples where the open tab has nothing to click. */
    async click(count) {
      const canvas = await clickable();
      return canvas ? onCells(canvas, count, CLICK) : [];
    },

    opacity: (count) => window.bench.drag('.afa-bar [data-do="opacity"]', count),

    /** Drag a slider over its places; the button stays down. What is drawn later than in the next frame needs more of them. */
    drag(selector, count, frames = 1) {
      const slider = document.querySelector(selector);
      const [low, high] = [Number(slider.min), Number(slider.max)];
      const step = slider.step === "any" ? (high - low) / 40 : Number(slider.step) || 1;
      const places = Math.round((high - low) / step);
      return many(count, (i) => {
        const place = ((i * 7 + 1) % (places + 1)) * step + low;
        slider.value = Number(slider.value) === place ? low : place;
        slider.dispatchEvent(new Event("input", { bubbles: true }));
      }, frames);
    },

    /** Brush over one more cell of a grid for each sample, by keys; then the brush is lifted. */
    async brush(selector, count) {
      const canvas = document.querySelector(selector);
      canvas.scrollIntoView({ block: "nearest" });
      canvas.focus();
      const way = ["ArrowLeft", "ArrowUp", "ArrowLeft", "ArrowDown"]; // visits no cell twice
      const found = await many(count, (i) => canvas.dispatchEvent(
        new KeyboardEvent("keydown", { key: way[i % way.length], shiftKey: true, bubbles: true, cancelable: true })));
      canvas.dispatchEvent(new KeyboardEvent("keyup", { key: "Shift", bubbles: true }));
      return found;
    },

    /** Milliseconds from a move of a head's weight until PAR, regions and scores have followed; the button stays down. */
    async follows(selector, count) {
      const [slider, results] = [document.querySelector(selector), document.querySelector('.afa-hand-results')];
      const samples = [];
      for (let i = -2; i < count; i++) {
        await painted();
        const done = new Promise((ready) => {
          const watcher = new MutationObserver(() => {
            if (results.dataset.state === "ready") { watcher.disconnect(); ready(performance.now()); }
          });
          watcher.observe(results, { attributes: true, attributeFilter: ["data-slow"] });
        });
        const began = performance.now();
        slider.value = Number(slider.max) * (0.9 * (((i + 3) * 0.37) % 1) - 0.4);
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        await done;
        await painted();
        if (i >= 0) samples.push({ drawn: performance.now() - began });
      }
      return samples;
    },

    /** {first, all}: until another explanation's CAM is painted, and until everything of it is here. */
    async opens(act) {
      const element = root();
      const { key: old, first: looked } = element.dataset;
      const reached = (ready) => new Promise((done) => {
        const look = () => { if (ready()) { watcher.disconnect(); done(performance.now()); } };
        const watcher = new MutationObserver(look);
        watcher.observe(element, { attributes: true });
        look();
      });
      const began = performance.now();
      const first = reached(() => element.dataset.key !== old || element.dataset.first !== looked)
        .then(async () => { await painted(); return performance.now() - began; });
      const all = reached(() => element.dataset.key !== old && element.dataset.settled === element.dataset.key)
        .then(async () => { await painted(); return performance.now() - began; });
      act();
      return { first: await first, all: await all };
    },

    example: (place) => window.bench.opens(() => document.querySelectorAll("#afa-gallery .thumbnail-item")[place].click()),

    upload(letters, name) {
      const bytes = Uint8Array.from(atob(letters), (c) => c.charCodeAt(0));
      const files = new DataTransfer();
      files.items.add(new File([bytes], name, { type: "image/jpeg" }));
      const input = document.querySelector("#afa-pick input[type=file]");
      return window.bench.opens(() => {
        input.files = files.files;
        input.dispatchEvent(new Event("change", { bubbles: true }));
      });
    },
  };
})();
