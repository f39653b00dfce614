"""Scores by part, context and threshold against plain loops and recomputed stages; the command and its refusals."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from afa_viz.__main__ import main
from afa_viz.classes import SANDBOX_CLASSES, SANDBOX_PARTS
from afa_viz.config import ExplainConfig
from afa_viz.data.sandbox import CLASSES, Recipe, SandboxDataset
from afa_viz.evaluation import PartCounts, Sample, ThresholdSweep, evaluate_samples, score_samples, write_scores
from afa_viz.evaluation.parts import UNCERTAIN
from afa_viz.figures.colour import MAGNITUDE, table
from afa_viz.figures.evaluation_charts import part_chart, stage_score_chart, threshold_sweep_chart, write_plots
from afa_viz.figures.interactive import evaluation_figures
from afa_viz.figures.training import training_chart, write_training_plot
from afa_viz.figures.translation import language_scope
from afa_viz.model.afa import build_afa
from afa_viz.model.card import default_card
from afa_viz.model.checkpoint import save_model
from afa_viz.ops.metrics import ConfusionMatrix
from afa_viz.pipeline import explain, recompute
from afa_viz.stage_scores import stage_labels
from afa_viz.ui.localization import display_names

SIZE = 64
CONFIG = ExplainConfig(scales=(1.0,), flip=False, num_iters=2, long_side=SIZE)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = build_afa("mit_b0", num_classes=13).eval()
    model.card = dataclasses.replace(default_card("mit_b0", 13), input_size=SIZE)
    return model


@pytest.fixture(scope="module")
def samples():
    scenes = SandboxDataset("val", 5, SIZE)
    return [Sample(s.image, s.image_labels, s.mask, s.parts, s.context) for s in scenes]


@pytest.fixture(scope="module")
def traces(model, samples):
    return [explain(model, s.image, s.image_labels, CONFIG, target=s.target) for s in samples]


@pytest.fixture(scope="module")
def sweep(model):
    return ThresholdSweep(13, cam_scores=(0.1, 0.3, 0.45, 0.8), label_scores=(0.2, 0.35, 0.6))


@pytest.fixture(scope="module")
def ladder(model, samples, sweep):
    return evaluate_samples(model, samples, CONFIG, multi_scale=True, on_trace=sweep.update)


# --- parts -----------------------------------------------------------------------------------------------------------


def test_part_counts_are_those_of_a_plain_loop():
    rng = np.random.default_rng(0)
    target = rng.choice([0, 1, 2, 255], (7, 9)).astype(np.uint8)
    parts, label = rng.integers(0, 3, (7, 9)).astype(np.uint8), rng.choice([0, 1, 2, 255], (7, 9)).astype(np.uint8)
    counts = PartCounts(3, ("none", "head", "body"))
    for _ in range(2):
        counts.update(*(torch.from_numpy(a) for a in (target, parts, label)))
    right = {"head": [0, 0, 0], "body": [0, 0, 0]}
    for t, p, g in zip(target.ravel(), parts.ravel(), label.ravel(), strict=True):
        if t in (1, 2) and p:
            found = right[("head", "body")[p - 1]]
            found[0] += 2
            found[1] += 2 * (g == t)
            found[2] += 2 * (g == 255)
    for name, (total, hits, left_out) in right.items():
        assert counts.share()[name] == pytest.approx(hits / total)
        assert counts.share(kind=UNCERTAIN)[name] == pytest.approx(left_out / total)
    only = (target == 2) & (parts == 1)
    assert counts.share([2])["head"] == pytest.approx((label == 2)[only].mean())


def test_part_counts_refuse_what_does_not_fit():
    counts, plane = PartCounts(3, ("none", "head")), torch.zeros(4, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match="expected equal shapes"):
        counts.update(plane, plane[:2], plane)
    with pytest.raises(ValueError, match="parts hold id 2; expected 0 to 1"):
        counts.update(plane, plane + 2, plane)
    assert np.isnan(counts.share()["head"])


def test_ladder_by_part_is_what_the_stages_label(ladder, samples, traces):
    assert traces[0].target.shape == (SIZE, SIZE)
    for stage in ("cam", "cam_rw", "cam_par", "pseudo_label", "seg"):
        for number, part in ((1, "head"), (2, "body"), (7, "wheel")):
            right = total = 0
            for sample, trace in zip(samples, traces, strict=True):
                here = (sample.parts == number) & (sample.target > 0)
                total += here.sum()
                right += (stage_labels(trace)[stage].numpy() == sample.target)[here].sum()
            if total:
                assert ladder.parts[stage].share()[part] == pytest.approx(right / total)
    left_out = np.mean([(trace.pseudo_label == 255).float().mean() for trace in traces])
    assert ladder.uncertain() == pytest.approx(left_out, abs=1e-6)


def test_summary_follows_heads_and_bodies_of_quadrupeds(ladder, samples, traces):
    summary = ladder.summary()
    quadrupeds = [SANDBOX_CLASSES.index(name) for name in ("cat", "cow", "dog", "horse", "sheep")]
    right = total = 0
    for sample, trace in zip(samples, traces, strict=True):
        here = (sample.parts == 1) & np.isin(sample.target, quadrupeds)
        total += here.sum()
        right += (trace.seg.numpy() == sample.target)[here].sum()
    assert total > 0 and summary["head_seg"] == pytest.approx(100 * right / total, abs=0.01)
    assert {"uncertain", "body_cam", "head_seg_multi_scale"} <= set(summary)


def test_without_parts_the_summary_has_none(model, samples):
    plain = [Sample(s.image, s.image_labels, s.target) for s in samples[:1]]
    ladder = evaluate_samples(model, plain, CONFIG)
    assert not any(name.startswith(("head", "body")) for name in ladder.summary())
    assert "parts" not in ladder.data() and "contexts" not in ladder.data()


def test_parts_are_resized_like_the_target(model, samples):
    large = SandboxDataset("val", 1, 2 * SIZE)[0]
    sample = Sample(large.image, large.image_labels, large.mask, large.parts)
    ladder = evaluate_samples(model, [sample], CONFIG)
    counts = ladder.parts["seg"].counts[..., 0]
    assert int(counts.sum()) == SIZE * SIZE
    assert int(counts[0, 1:].sum()) == int(counts[1:, 0].sum()) == 0  # parts and classes still lie on each other


def test_contexts_share_out_the_images(ladder, samples):
    assert set(ladder.contexts) == {sample.context for sample in samples}
    for stage, matrix in ladder.matrices.items():
        parts = sum(context.matrices[stage].matrix for context in ladder.contexts.values())
        assert torch.equal(matrix.matrix, parts)
    assert sum(len(context.logits) for context in ladder.contexts.values()) == len(samples)
    assert all(f"{name} ({len(one.logits)})" in ladder.context_table() for name, one in ladder.contexts.items())


def test_single_images_add_up(model, samples, ladder):
    pairs = list(score_samples(model, samples, CONFIG, multi_scale=True))
    assert [sample.context for sample, _ in pairs] == [sample.context for sample in samples]
    total = sum(one.matrices["cam"].matrix for _, one in pairs)
    assert torch.equal(total, ladder.matrices["cam"].matrix)


def test_json_holds_every_number(ladder, tmp_path):
    write_scores(ladder, tmp_path / "scores.json", {"split": "val"})
    data = json.loads((tmp_path / "scores.json").read_text())
    assert data["split"] == "val" and data["images"] == 5
    share = ladder.parts["cam_par"].share([SANDBOX_CLASSES.index("person")])["head"]
    stored = data["parts_by_class"]["cam_par"]["person"]["head"]
    assert stored is None if np.isnan(share) else stored == pytest.approx(100 * share, abs=0.005)
    assert set(data["parts"]["cam"]) == set(SANDBOX_PARTS[1:])
    assert set(data["contexts"]) == set(ladder.contexts)


# --- thresholds ------------------------------------------------------------------------------------------------------


def test_sweep_of_the_cam_is_the_cut_at_every_score(ladder, sweep, traces):
    for score, counts in zip(sweep.cam_scores, sweep.cam, strict=True):
        again = ConfusionMatrix(13)
        for trace in traces:
            cut = recompute(trace, dataclasses.replace(CONFIG, bkg_score=score))
            again.update(trace.target, stage_labels(cut)["cam"])
        assert torch.equal(counts, again.matrix), score
    assert not torch.equal(sweep.cam[0], sweep.cam[-1])


def test_sweep_of_the_pseudo_label_is_the_recomputed_one(ladder, sweep, traces):
    assert len(sweep.pairs) == 6
    for (low, high), counts in sweep.pairs.items():
        again, left_out = ConfusionMatrix(13), 0
        for trace in traces:
            label = recompute(trace, dataclasses.replace(CONFIG, bkg_score_low=low, bkg_score_high=high)).pseudo_label
            again.update(trace.target, label)
            left_out += int((label == 255).sum())
        assert torch.equal(counts[:, :13], again.matrix), (low, high)
        assert int(counts[:, 13].sum()) == left_out
    row = next(r for r in sweep.data()["pseudo_label"] if (r["low"], r["high"]) == (0.2, 0.6))
    counts = sweep.pairs[0.2, 0.6]
    assert row["coverage"] == pytest.approx(100 * (1 - int(counts[:, 13].sum()) / int(counts.sum())), abs=0.01)


def test_sweep_runs_no_network(model, traces, monkeypatch):
    def refuse(*_):
        raise AssertionError("the network ran")

    monkeypatch.setattr(model, "forward_intermediates", refuse)
    monkeypatch.setattr(model, "forward_cam", refuse)
    again = ThresholdSweep(13, (0.5,), (0.1, 0.9))
    again.update(traces[0])
    assert again.images == 1 and int(again.cam.sum()) == SIZE * SIZE


@pytest.mark.parametrize("scores", [(), (0.5, 0.2), (0.5, 0.5), (-0.1, 0.5), (0.5, 1.2)])
def test_sweep_refuses_scores_that_do_not_rise(scores):
    with pytest.raises(ValueError, match="expected rising numbers from 0 to 1"):
        ThresholdSweep(13, cam_scores=scores)


# --- charts ----------------------------------------------------------------------------------------------------------


def test_ladder_chart_shows_the_numbers(ladder):
    data = ladder.data()
    axes = stage_score_chart(data).axes[0]
    stages = ["walk_start", "cam_rw", "cam_refined", "cam_par", "seg", "seg_multi_scale"]  # one rule, every pixel
    assert [bar.get_height() for bar in axes.patches] == [data["summary"][f"miou_{stage}"] for stage in stages]
    points = np.concatenate([collection.get_offsets()[:, 1] for collection in axes.collections])
    assert sorted(points) == sorted(v for stage in stages for v in data["iou"][stage].values() if v is not None)


def test_part_chart_writes_each_number_in_its_cell(ladder):
    data = ladder.data()
    axes = part_chart(data).axes[0]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    texts = {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in axes.texts}
    stages = [stage for stage in data["parts"] if stage != "par_start"]  # that is the walk's column
    for i, stage in enumerate(stages):
        assert texts[rows.index("head"), i] == f"{data['parts'][stage]['head']:.0f}"
        assert texts[rows.index("quadruped body"), i] == f"{data['parts_of_quadrupeds'][stage]['body']:.0f}"
    assert texts[rows.index("head"), len(stages)] == f"{data['uncertain_parts']['head']:.0f}"
    assert axes.images[0].get_cmap().name == MAGNITUDE and table(MAGNITUDE).shape == (256, 3)


def test_sweep_chart_draws_the_curve_and_the_scores_in_use(ladder, sweep):
    data = sweep.data()
    cam = threshold_sweep_chart(data).axes[0]
    curves = {line.get_label(): line for line in cam.lines}
    assert curves["mIoU"].get_ydata().tolist() == [row["miou"] for row in data["cam"]]
    assert any(list(line.get_xdata()) == [0.45, 0.45] for line in cam.lines)


def test_training_chart_draws_lines_and_phases(tmp_path):
    lines = [
        {"iteration": 20, "phase": "classification", "lr": 1e-3, "loss_cls": 2.0},
        {"iteration": 40, "phase": "classification", "lr": 5e-4, "loss_cls": 1.0},
        {"iteration": 40, "miou_cam": 30.0, "miou_seg": 1.0, "map": 50.0, "f1": 40.0},
        {"iteration": 60, "phase": "affinity", "lr": 1e-4, "loss_cls": 0.5, "loss_seg": 1.5, "loss_aff": 0.7},
    ]
    losses, rate, ladder, labels = training_chart(lines).axes
    curves = {line.get_label(): list(zip(*line.get_data(), strict=True)) for line in losses.lines}
    assert curves["classification"] == [(20, 2.0), (40, 1.0), (60, 0.5)] and curves["affinity"] == [(60, 0.7)]
    assert [text.get_text() for text in losses.texts] == ["classification", "affinity"]
    assert list(rate.lines[0].get_ydata()) == [1e-3, 5e-4, 1e-4]
    assert {line.get_label() for line in ladder.lines} == {"CAM, cut once (another rule)", "prediction"}
    assert {line.get_label() for line in labels.lines} == {"mAP", "F1"}
    assert write_training_plot(lines, tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["plot.png"]
    with pytest.raises(ValueError, match="no numbers yet"):
        training_chart([])


# --- interactive figures ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(model, samples, sweep, ladder):
    whole = evaluate_samples(model, samples, CONFIG, diagnose=True)
    assert whole.matrices["seg"].matrix.equal(ladder.matrices["seg"].matrix)
    return {**whole.data(), "sweep": sweep.data()}


@pytest.fixture(scope="module")
def figures(data):
    return evaluation_figures(data)


def test_an_evaluation_has_its_figures(figures, data):
    assert list(figures) == [
        "stages", "classes", "steps", "confusion_seg", "confusion_cam_par", "parts", "contexts", "cam_thresholds",
        "label_miou", "label_precision", "label_coverage",
    ]  # fmt: skip
    bare = {name: data[name] for name in ("images", "rule", "summary", "iou")}
    assert list(evaluation_figures(bare)) == ["stages", "classes"]  # of a file that an earlier version wrote


def test_figures_of_an_evaluation_are_korean_in_korean(data):
    with language_scope("ko", display_names("ko")):
        figures = evaluation_figures(data, theme="page")
    plain = re.compile(r"CAM|PAR|m?IoU|%p|<sub>.</sub>|<br>")
    for name, figure in figures.items():
        layout = figure.layout
        table = layout.meta["table"]
        said = [layout.title.text, layout.xaxis.title.text, layout.yaxis.title.text, *table["columns"],
                *(row[0] for row in table["rows"]), *(trace.name for trace in figure.data),
                *(layout.xaxis.ticktext or ()), *(layout.yaxis.ticktext or ())]  # fmt: skip
        for text in filter(None, said):
            assert not re.search("[A-Za-z]{2,}", plain.sub("", text)), (name, text)


def test_stages_and_classes_have_their_scores_and_intervals(figures, data):
    stages = ["walk_start", "cam_rw", "cam_refined", "cam_par", "seg"]
    bars, points = figures["stages"].data
    assert list(bars.x) == [data["summary"][f"miou_{stage}"] for stage in reversed(stages)]
    assert sorted(points.x) == sorted(v for stage in stages for v in data["iou"][stage].values() if v is not None)
    for i, stage in enumerate(reversed(stages)):
        low, high = data["intervals"][stage]["miou"]
        assert bars.x[i] + bars.error_x.array[i] == pytest.approx(max(high, bars.x[i]), abs=0.02)
        assert bars.x[i] - bars.error_x.arrayminus[i] == pytest.approx(min(low, bars.x[i]), abs=0.02)
    seg = next(trace for trace in figures["classes"].data if trace.name == "prediction")
    assert dict(zip(seg.text, seg.x, strict=True)) == {k: v for k, v in data["iou"]["seg"].items() if v is not None}
    assert list(figures["steps"].data[0].x) == [step["change"] for step in reversed(data["changes"].values())]


def test_rows_of_a_confusion_matrix_add_up(figures, data, ladder):
    counts = ladder.matrices["seg"].matrix
    assert data["confusion"]["seg"] == counts.tolist() and set(data["confusion"]) >= {"seg", "cam_par"}
    cells = figures["confusion_seg"].data[0]
    names = list(figures["confusion_seg"].layout.yaxis.ticktext)
    for row, name in zip(cells.z, names, strict=True):
        known = [value for value in row if value is not None]
        assert not known or sum(known) == pytest.approx(100, abs=0.6)
        i = SANDBOX_CLASSES.index(name)
        if known:
            share = 100 * int(counts[i, i]) / int(counts[i].sum())
            assert row[names.index(name)] == pytest.approx(share, abs=0.06)


def test_maps_hold_the_cells_of_their_tables(figures, data):
    stages = [stage for stage in data["parts"] if stage != "par_start"]
    parts = dict(zip(figures["parts"].layout.yaxis.ticktext, figures["parts"].data[0].z, strict=True))
    assert list(parts["head"]) == [*(data["parts"][stage]["head"] for stage in stages), data["uncertain_parts"]["head"]]
    field = figures["label_miou"].data[0]
    for row in data["sweep"]["pseudo_label"]:
        i, j = list(field.y).index(row["low"]), list(field.x).index(row["high"])
        assert field.z[i][j] == row["miou"]
    assert field.z[2][0] is None  # the higher score below the lower one
    best = next(trace for trace in figures["label_miou"].data if (trace.name or "").startswith("highest"))
    known = [row for row in data["sweep"]["pseudo_label"] if row["miou"] is not None]
    top = max(known, key=lambda row: row["miou"])
    assert (best.x[0], best.y[0]) == (top["high"], top["low"])
    curve = figures["cam_thresholds"].data[0]
    assert list(curve.y) == [row["miou"] for row in data["sweep"]["cam"]]


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory, model) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    save_model(model, folder / "weights" / "model.safetensors", model.card)
    save_model(build_afa("mit_b0", 21), folder / "voc" / "model.safetensors", default_card("mit_b0", 21))
    return folder


def options(folder: Path, *more: str) -> list[str]:
    common = ["--checkpoint", str(folder / "weights"), "--cache", str(folder / "cache"), "--device", "cpu"]
    return ["evaluate", *common, "--split", "val", "--limit", "3", *more]


def test_evaluate_prints_writes_and_draws(folder, capsys):
    settings = ["--set", "scales=1", "flip=no", "num_iters=2"]
    wanted = ["--recipe", "max_objects=2", "cooc=1", "--by", "context", "--sweep"]
    files = ["--json", str(folder / "scores.json"), "--plots", str(folder / "plots")]
    assert main(options(folder, *settings, *wanted, *files)) == 0
    shown = capsys.readouterr().out
    for words in (
        "stages under one rule", "paired bootstrap over images", "the walk, after PAR", "labels: certain pixels alone",
        "CAM cut once at 0.45", "chosen with masks",
    ):  # fmt: skip
        assert words in shown
    assert "mIoU by context" in shown and "quadruped head" in shown and "weakly supervised no more" in shown
    data = json.loads((folder / "scores.json").read_text())
    recipe = Recipe(max_objects=2, cooc=1.0)
    scenes = [SandboxDataset("val", 3, SIZE, recipe)[i] for i in range(3)]
    assert set(data["changes"]) == {"cam_rw", "cam_par", "seg", "walk_after_par"}
    assert data["changes"]["cam_rw"]["interval"][0] <= data["changes"]["cam_rw"]["interval"][1]
    assert data["recipe"] == "max_objects=2 cooc=1" and data["images"] == data["sweep"]["images"] == 3
    assert sorted(data["contexts"]) == sorted({scene.context for scene in scenes})
    present = {CLASSES[i] for scene in scenes for i in np.flatnonzero(scene.image_labels)}
    scored = {name for name, value in data["iou"]["cam"].items() if value is not None}
    assert present <= scored
    names = {"ladder.png", "parts.png", "contexts.png", "sweep.png"}
    assert {path.name for path in (folder / "plots").iterdir()} == {*names, "scores.html"}
    assert "Scores by stage" in (folder / "plots" / "scores.html").read_text(encoding="utf-8")
    assert all((folder / "plots" / name).read_bytes().startswith(b"\x89PNG") for name in names)
    assert len(write_plots({k: v for k, v in data.items() if k != "sweep"}, folder / "fewer")) == 3


@pytest.mark.parametrize(
    "arguments,message",
    [
        (["--limit", "0"], "--limit is 0; expected at least 1 image"),
        (["--recipe", "harf"], "there is no recipe 'harf'; the nearest is 'hard'"),
        (["--recipe", "cooc=2"], "cooc is 2.0, expected a number from 0 to 1"),
        (["--set", "radios=3"], "the nearest is 'radius'"),
        (["--checkpoint", "VOC"], "the checkpoint knows 20 classes but sandbox val has 12"),
        (["--checkpoint", "nowhere.safetensors"], "there is no 'nowhere.safetensors'"),
    ],
)
def test_evaluate_faults_are_sentences(folder, capsys, arguments, message):
    words = [str(folder / "voc") if word == "VOC" else word for word in arguments]
    small = ["--limit", "1"] if "--limit" not in words else []
    assert main([*options(folder), *small, *words]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_world_on_disk_follows_its_recipe(tmp_path, capsys):
    counts = ["--train", "0", "--val", "2", "--test", "0", "--size", "64"]
    assert main(["data", "sandbox", "--out", str(tmp_path / "w"), *counts, "--recipe", "missing_labels=1"]) == 0
    assert (tmp_path / "w" / "labels.csv").read_text().split() == ["name,classes", "val_000000,", "val_000001,"]
    assert main(["data", "sandbox", "--out", str(tmp_path / "x"), *counts, "--recipe", "cook=1"]) == 2
    assert "the nearest is 'cooc'" in capsys.readouterr().err and not (tmp_path / "x").exists()
