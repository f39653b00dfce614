// A dense CRF in PAR's place, made by the server when somebody asks for it: both labels, both times, where they differ.

const crf = (() => {
  let section = null;
  let answered = null; // what the server made, with the key of the settings it belongs to

  const find = (selector) => $(selector, section);
  const figure = (name) => find(`[data-view="${name}"]`);
  const title = (name, words) => caption(figure(name), words);

  async function ask() {
    const button = find('[data-do="crf"]');
    const key = data.key;
    button.disabled = true;
    fill("crf", text("par.crf_waiting"), section);
    try {
      const answer = readAnswer(await server.crf({ key }));
      if (answer?.label) answer.label = await unpack(answer.label);
      if (answer?.par_label) answer.par_label = await unpack(answer.par_label);
      answered = answer && { ...answer, key };
      if (!answer) fill("crf", text("gone"), section);
      else draw();
    } catch (error) {
      fill("crf", whyGone(error), section);
      console.warn(error);
    }
    button.disabled = false;
  }

  const score = (iou) => (iou?.[view.label] == null ? "" : `, IoU ${percent(iou[view.label])}`);

  function draw() {
    const list = find('[data-list="crf"]');
    const fresh = answered && answered.key === data.key;
    list.hidden = !fresh || !answered.label;
    if (!fresh) {
      fill("crf", "", section);
      return;
    }
    if (!answered.label) {
      fill("crf", inOurLanguage(answered.missing), section);
      return;
    }
    const [par, other] = [answered.par_label.bytes, answered.label.bytes];
    const differ = other.map((label, i) => (label === par[i] ? 0 : 1));
    const share = differ.reduce((a, b) => a + b, 0) / differ.length;
    fill("crf", text("par.crf_done", { par: seconds(answered.par_seconds), crf: seconds(answered.seconds),
      times: (answered.seconds / answered.par_seconds).toFixed(1), share: percent(share), iterations: answered.iterations }), section);
    paintLabelField(figure("par_label"), par, data.size, colourOf, className);
    paintLabelField(figure("crf_label"), other, data.size, colourOf, className);
    paintLabelField(figure("disagree"), differ, data.size, (l) => (l ? [230, 159, 0] : null), () => "");
    title("par_label", `PAR, ${seconds(answered.par_seconds)}${score(answered.par_iou)}`);
    title("crf_label", `${text("par.dense_crf")}, ${seconds(answered.seconds)}${score(answered.iou)}`);
    title("disagree", text("par.disagree", { share: percent(share) }));
  }

  function build(element) {
    section = element;
    find('[data-do="crf"]').addEventListener("click", ask);
  }

  return { build, draw };
})();
