// What differs between two label maps for one class: pixels gained and lost, right or wrong where the truth is known.

const KIND = { none: 0, gained: 1, lost: 2, gainedWrong: 3, lostWrong: 4 }; // of a pixel of a difference map

/** Pixels of a class that only the first or only the second label map has. */
function changeKinds(old, now, truth, label) {
  const kinds = new Uint8Array(now.length);
  const counts = [0, 0, 0, 0, 0];
  for (let i = 0; i < now.length; i++) {
    const [is, was] = [now[i] === label, old[i] === label];
    if (is === was) continue;
    const good = !truth || truth[i] === 255 || (truth[i] === label) === is;
    kinds[i] = is ? (good ? KIND.gained : KIND.gainedWrong) : (good ? KIND.lost : KIND.lostWrong);
    counts[kinds[i]]++;
  }
  const [, gained, lost, gainedWrong, lostWrong] = counts;
  return { kinds, gained: gained + gainedWrong, lost: lost + lostWrong, gainedWrong, lostWrong };
}

/** Draw them over the grey photograph; wrong ones are striped. */
function paintChange(canvas, kinds) {
  const [rows, cols] = data.size;
  const { grey } = scene;
  const large = scaledLabels({ rows, cols, bytes: kinds }, canvas.width, canvas.height);
  paintBy(canvas, () => paintKinds(canvas, grey, large));
}

function paintKinds(canvas, ground, large) {
  const pixels = groundCopy(ground, canvas.width, canvas.height);
  const alpha = Math.min(1, view.opacity / HEAT);
  const period = Math.max(4, Math.round(canvas.width / 40));
  for (let i = 0; i < large.length; i++) {
    if (!large[i]) continue;
    const wrong = large[i] > KIND.lost;
    const dark = wrong && ((i % canvas.width) + Math.floor(i / canvas.width)) % period < period / 2;
    const colour = dark ? [25, 25, 25] : tables[large[i] % 2 ? "gained" : "lost"];
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] += (colour[c] - pixels.data[4 * i + c]) * alpha;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

/** What the colours that are there mean, as elements of a legend. */
function changeLegend({ gained, lost, gainedWrong, lostWrong }) {
  const counts = { gained: gained - gainedWrong, gained_wrong: gainedWrong, lost: lost - lostWrong, lost_wrong: lostWrong };
  return Object.keys(counts).filter((kind) => counts[kind]).map((kind) => {
    const [item, swatch] = [document.createElement("span"), document.createElement("i")];
    if (kind.endsWith("wrong")) swatch.className = "afa-wrong";
    swatch.style.setProperty("--colour", `rgb(${tables[kind.split("_")[0]]})`);
    item.append(swatch, text(`strip.${kind}`));
    return item;
  });
}

/** A change of IoU in points with its arrow, coloured; what rounds to none is neither good nor bad. */
function deltaOf(change) {
  const box = document.createElement("b");
  const words = Math.abs(100 * change).toFixed(1);
  const sign = Number(words) === 0 ? "=" : change > 0 ? "▲" : "▼";
  box.className = { "▲": "afa-more", "▼": "afa-less" }[sign] ?? "";
  box.textContent = `${sign} ${words}`;
  return box;
}
