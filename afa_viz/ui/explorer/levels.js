// How high the cells inside a region score and how high those outside, step by step: middle, spread and order.

const levels = (() => {
  const BAND = [0.1, 0.5, 0.9]; // a band holds the middle 80 % of the cells, a line goes through its median

  /** The scores of the cells of which most lies inside a region, and of the others. */
  function split(map, region) {
    const inside = map.filter((_, i) => region[i] > 0.5);
    return { inside, outside: map.filter((_, i) => region[i] <= 0.5) };
  }

  /** Of every map {inside, outside} as quantiles, and their order; null where one of them has no cell. */
  function of(maps, region) {
    const first = split(maps[0], region);
    if (!first.inside.length || !first.outside.length) return null;
    return maps.map((map) => {
      const { inside, outside } = split(map, region);
      return { inside: quantiles(inside, BAND), outside: quantiles(outside, BAND), order: orderOf(inside, outside) };
    });
  }

  /** Draw both bands over the steps, with the names at their ends, the present step marked. */
  function paint(canvas, steps, at, names) {
    const right = 18 + Math.max(...names.map((name) => plotWidth(name)));
    const plot = plotOf(canvas, { left: 50, right, bottom: 38 });
    if (!plot) return;
    const { context, x } = plot;
    const last = steps.length - 1;
    const low = Math.min(...steps.flatMap((s) => [s.inside[0], s.outside[0]]));
    const high = Math.max(...steps.flatMap((s) => [s.inside[2], s.outside[2]]));
    const y = (value) => plot.y(high > low ? (value - low) / (high - low) : 0.5);
    plotGrid(plot, [[low, three(low)], [(low + high) / 2, three((low + high) / 2)], [high, three(high)]].map(([v, w]) => [y(v), w]),
      steps.map((_, i) => [i / last, String(i)]).filter((_, i) => i % 2 === 0));
    plotAxis(plot, text("walk.step_axis"));
    [context.strokeStyle, context.globalAlpha, context.lineWidth] = [plot.ink, 0.6, 1];
    context.strokeRect(x(at / last), plot.y(1), 0, plot.y(0) - plot.y(1));
    context.globalAlpha = 1;
    const ends = [["outside", plot.accent, names[1]], ["inside", plot.warm, names[0]]];
    for (const [which, colour] of ends) {
      const line = (quantile, reverse) => {
        const places = reverse ? steps.map((_, i) => last - i) : steps.map((_, i) => i);
        for (const i of places) context.lineTo(x(i / last), y(steps[i][which][quantile]));
      };
      [context.fillStyle, context.globalAlpha] = [colour, 0.22];
      context.beginPath();
      line(0, false);
      line(2, true);
      context.fill();
      [context.strokeStyle, context.globalAlpha, context.lineWidth] = [colour, 1, 2.5];
      context.beginPath();
      line(1, false);
      context.stroke();
      context.beginPath();
      context.arc(x(at / last), y(steps[at][which][1]), 6, 0, 7);
      context.fill();
    }
    plotEnds(plot, ends.map(([which, colour, name]) => ({ colour, name, at: y(steps[last][which][1]) })));
  }

  return { of, paint };
})();
