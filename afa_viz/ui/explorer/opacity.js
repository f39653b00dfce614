// How much of the photograph the colours of the maps cover: one opacity for the whole page.

{
  const STEP = 0.05; // of the keys − and +
  const slider = control("opacity");

  /** Let every map be drawn with it. */
  function set(opacity) {
    const rounded = Math.round(100 * Math.min(1, Math.max(0, opacity))) / 100;
    setView({ opacity: rounded });
  }

  slider.addEventListener("input", () => set(Number(slider.value) / 100));
  Object.assign(KEYS, { "-": () => set(view.opacity - STEP), "+": () => set(view.opacity + STEP) });
  KEYS["="] = KEYS["+"]; // the same key without shift

  registerAlways({
    opacity() {
      slider.value = Math.round(100 * view.opacity);
      fill("opacity", `${slider.value}\u00a0%`);
    },
    cell() {},
  });

  registerLink({
    names: ["opacity"],
    read(asked) {
      const value = asked.get("opacity");
      if (value == null) return [];
      if (!/^(0|1|0\.\d{1,2})$/.test(value)) return ["opacity"];
      set(Number(value));
      return [];
    },
    write(query) {
      if (view.opacity !== HEAT) query.set("opacity", view.opacity);
    },
  });
}
