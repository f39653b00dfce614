// Attention of the chosen block: all heads of every cell where that is little, else the one head that is looked at for
// every cell, and all heads for the one cell on which the hand rests.

const heads = (() => {
  const MOST = 2 ** 20; // bytes of maps that the page takes at once
  const REST = 150; // milliseconds without a move
  const blocks = new Map(); // name -> maps, a few kept ones
  let parts = []; // maps of the present block that are here
  let of = ""; // whose they are
  let resting = 0;

  const cells = () => data.grid[0] * data.grid[1];
  const query = () => cell()[0] * data.grid[1] + cell()[1];
  const block = () => scene.blocks[view.block];
  const keys = () => block().keys[0] * block().keys[1];
  const name = () => `${data.scene} ${view.block} ${view.logits}`;
  const whole = () => block().heads * cells() * keys() <= MOST;

  function load(asked) {
    return kept(blocks, `${name()} ${JSON.stringify(asked)}`, async () => {
      const answer = await server.attention({ key: data.key, block: view.block, logits: view.logits, ...asked });
      const raw = readAnswer(answer);
      const [maps, lows, peaks] = await Promise.all([unpack(raw), inflate(raw.lows), inflate(raw.peaks)]);
      const [lowest, highest] = [lows, peaks].map((bytes) => new Float32Array(bytes.buffer));
      return { ...maps, asked, lows: lowest, peaks: highest, sent: answer.length };
    });
  }

  async function add(asked) {
    const mine = of;
    try {
      const part = await load(asked);
      if (mine !== of || parts.includes(part)) return;
      parts = [...parts.filter((p) => JSON.stringify(Object.keys(p.asked)) !== JSON.stringify(Object.keys(asked))), part];
      scheduleDraw(SELECTION);
    } catch (error) {
      gone(error);
    }
  }

  /** Ask for what is looked at and not here. */
  function want() {
    if (of !== name()) [of, parts] = [name(), []];
    if (whole()) {
      if (!parts.length) add({});
      return;
    }
    if (cells() * keys() <= MOST && !parts.some((p) => p.asked.head === view.head)) add({ head: view.head });
    clearTimeout(resting);
    resting = setTimeout(() => add({ cell: cell() }), REST);
  }

  /** The map of a head (`MEAN`: of all) for the query cell, as numbers; null while it is not here. */
  function map(head) {
    for (const part of parts) {
      const { asked, shape: [count, , size] } = part;
      if (asked.cell && !same(asked.cell, cell())) continue;
      const at = asked.cell ? 0 : query();
      if (asked.head != null) {
        if (asked.head === head) return row(part, 0, at);
        continue;
      }
      if (head !== MEAN) return row(part, head, at);
      const mean = new Float32Array(size);
      for (let h = 0; h < count; h++) row(part, h, at).forEach((value, i) => { mean[i] += value / count; });
      return mean;
    }
    return null;
  }

  function row({ bytes, shape: [, queries, size], lows, peaks }, head, at) {
    const place = head * queries + at;
    return fieldOf({ bytes: bytes.subarray(place * size, (place + 1) * size), low: lows[place], high: peaks[place] });
  }

  return {
    want,
    map,
    whole,
    /** Bytes that this block's view came as. */
    sent: () => parts.reduce((sum, part) => sum + part.sent, 0),
  };
})();
