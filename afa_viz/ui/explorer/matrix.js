// What the affinity is learned from, the affinity, and its labels, for the query cell or whole. Grids of more than
// 1024 cells: one query at a time, once the hand rests on it.

const matrix = (() => {
  const REST = 150; // milliseconds without a move
  const kept_ = new Map(); // name -> what the server sent
  let whole = null; // of the present explanation
  let line = null; // of one query
  let resting = 0;

  const count = () => data.grid[0] * data.grid[1];
  const at = ([row, col]) => row * data.grid[1] + col;

  function load(asked) {
    return kept(kept_, `${data.key} ${asked.cell ?? ""}`, async () => {
      const answer = await server.affinity({ key: data.key, ...asked });
      const raw = readAnswer(answer);
      const names = ["raw", "learned", "cells", "raw_row", "raw_column"];
      const maps = await Promise.all(names.map((name) => unpack(raw[name])));
      const made = { ...raw, cell: asked.cell ?? null, sent: answer.length };
      names.forEach((name, i) => { made[name] = maps[i] && name !== "cells" ? fieldOf(maps[i]) : maps[i]; });
      if (raw.raw) made.limits = [raw.raw.low, raw.raw.high];
      return made;
    });
  }

  /** Ask for what this explanation needs and is not here; `ready` is called with it. */
  async function want(ready) {
    const key = data.key;
    try {
      const found = await load({});
      if (key !== data.key) return;
      data.cellsOf = found.cells_of;
      whole = { ...found, key, learned: found.learned ?? (count() <= LARGEST ? fieldOf(data.affinity) : null) };
      ready();
    } catch (error) {
      gone(error);
    }
  }

  function wantLine(ready) {
    if (!whole || whole.raw) return;
    clearTimeout(resting);
    resting = setTimeout(async () => {
      const [key, asked] = [data.key, cell()];
      try {
        const found = await load({ cell: asked });
        if (key !== data.key || !same(asked, cell())) return;
        line = { ...found, key };
        ready();
      } catch (error) {
        gone(error);
      }
    }, REST);
  }

  const here = () => whole?.key === data.key;

  /** Rows of a query: {raw, symmetric, learned}; null while they are not here. */
  function rows(query = cell()) {
    if (!here()) return null;
    const n = count();
    if (!whole.raw) {
      if (line?.key !== data.key || !same(line.cell, query)) return null;
      return { raw: line.raw_row, symmetric: line.raw_row.map((v, i) => (v + line.raw_column[i]) / 2), learned: line.learned };
    }
    const from = at(query) * n;
    const raw = whole.raw.subarray(from, from + n);
    const symmetric = raw.map((value, i) => (value + whole.raw[i * n + at(query)]) / 2);
    return { raw, symmetric, learned: whole.learned.subarray(from, from + n) };
  }

  const POSITIVE = 1;
  const NEGATIVE = 2;
  const IGNORED = 255;
  const BEYOND = 0;
  /** The label of every cell: the server's, or where a threshold moved, made here. */
  const cellsNow = () => (live.moved ? live.maker.cellLabels(live.label(whole.cells_of), whole.at_centre) : whole.cells.bytes);

  /** Affinity labels of a query: positive, negative, ignored, or beyond the window. */
  function labels(query = cell(), cells = cellsNow()) {
    const [rowsOf, cols] = data.grid;
    const own = cells[at(query)];
    const radius = live.settings?.radius ?? data.radius;
    const out = new Uint8Array(rowsOf * cols);
    for (let i = 0; i < out.length; i++) {
      const apart = Math.max(Math.abs(Math.floor(i / cols) - query[0]), Math.abs((i % cols) - query[1]));
      if (apart > radius) out[i] = BEYOND;
      else if (own === 255 || cells[i] === 255) out[i] = IGNORED;
      else out[i] = own === cells[i] ? POSITIVE : NEGATIVE;
    }
    return out;
  }

  /** A whole matrix by its name, as numbers; for labels as their kinds. */
  function all(name) {
    const n = count();
    if (name === "raw" || name === "learned") return whole[name];
    const out = name === "labels" ? new Uint8Array(n * n) : new Float32Array(n * n);
    const cells = name === "labels" ? cellsNow() : null;
    for (let i = 0; i < n; i++) {
      const query = [Math.floor(i / data.grid[1]), i % data.grid[1]];
      out.set(name === "labels" ? labels(query, cells) : rows(query).symmetric, i * n);
    }
    return out;
  }

  return { want, wantLine, rows, labels, all, at, POSITIVE, NEGATIVE, IGNORED, BEYOND,
    get here() { return here(); }, get numbers() { return whole; }, get whole() { return here() && Boolean(whole.raw); } };
})();
