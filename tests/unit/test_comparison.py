"""Several evaluations side by side, intervals, confusion matrices and CSV tables; in Python and by the command."""

from __future__ import annotations

import csv
import dataclasses
import json
import statistics

import numpy as np
import pytest
import torch
from data_trees import make_voc

from afa_viz.__main__ import main
from afa_viz.classes import SANDBOX_CLASSES, VOC_CLASSES
from afa_viz.commands.evaluate_model import evaluate_checkpoint
from afa_viz.config import ExplainConfig
from afa_viz.data.sandbox import SandboxDataset
from afa_viz.evaluation import Sample, evaluate_samples
from afa_viz.evaluation.affinity_calibration import AffinityCalibration
from afa_viz.evaluation.bootstrap import PairedBootstrap
from afa_viz.evaluation.comparison import paired_differences, runs_text, summarise_runs
from afa_viz.evaluation.csv_tables import normalised_rows
from afa_viz.figures.calibration import calibration_chart
from afa_viz.figures.confusion import confusion_chart
from afa_viz.model.afa import build_afa
from afa_viz.model.card import default_card
from afa_viz.model.checkpoint import save_model
from afa_viz.ops.metrics import ConfusionMatrix
from afa_viz.pipeline import explain
from afa_viz.stage_scores import stage_labels

SIZE = 64
CONFIG = ExplainConfig(scales=(1.0,), flip=False, num_iters=2, long_side=SIZE)
FAST = ["--set", "scales=1", "flip=no", "num_iters=2"]


def small(seed: int, classes: int = 13):
    torch.manual_seed(seed)
    model = build_afa("mit_b0", num_classes=classes).eval()
    model.card = dataclasses.replace(default_card("mit_b0", classes), input_size=SIZE)
    return model


@pytest.fixture(scope="module")
def samples():
    return [Sample(s.image, s.image_labels, s.mask) for s in SandboxDataset("val", 4, SIZE)]


@pytest.fixture(scope="module")
def scored(samples):
    return [evaluate_samples(small(seed), samples, CONFIG, diagnose=True) for seed in (0, 1)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three checkpoints of the sandbox's classes, and two of VOC's with a tree."""
    folder = tmp_path_factory.mktemp("comparison")
    for seed in range(3):
        model = small(seed)
        save_model(model, folder / f"run{seed}" / "model.safetensors", model.card)
    model = small(0, 21)
    save_model(model, folder / "voc" / "model.safetensors", model.card)
    make_voc(folder / "tree")
    return folder


def evaluate(folder, *more: str, limit: int = 3):
    fixed = ["--cache", str(folder / "cache"), "--device", "cpu", "--limit", str(limit), *FAST]
    return main(["evaluate", *fixed, *more])


def of_sandbox(folder, number: int = 0):
    return ["--checkpoint", str(folder / f"run{number}"), "--split", "val"]


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


# --- in Python -------------------------------------------------------------------------------------------------------


def test_confusion_is_a_numpy_array_of_counts_or_shares(scored, samples):
    expected = np.zeros((13, 13), np.int64)
    for sample in samples:
        label = stage_labels(explain(small(0), sample.image, sample.image_labels, CONFIG))["seg"].numpy()
        for true, guess in zip(sample.target.ravel(), label.ravel(), strict=True):
            if true != 255:
                expected[true, guess] += 1
    counts, shares = scored[0].confusion("seg"), scored[0].confusion("seg", normalised=True)
    assert isinstance(counts, np.ndarray) and (counts == expected).all()
    present = expected.sum(axis=1) > 0
    np.testing.assert_allclose(shares[present].sum(axis=1), 1)
    assert np.isnan(shares[~present]).all() and (counts := scored[0].confusion("seg")) is not scored[0].matrices["seg"]
    assert scored[0].data()["confusion"]["seg"] == expected.tolist()
    assert normalised_rows(counts.tolist())[0] == pytest.approx(shares[0], abs=1e-6)


def test_the_chart_has_the_shares_and_leaves_absent_classes_white(scored):
    counts = scored[0].confusion("cam_par")
    axes = confusion_chart(counts, SANDBOX_CLASSES, "PAR, sandbox val, 4 images").axes[0]
    shown = {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in axes.texts}
    present = np.flatnonzero(counts.sum(axis=1))
    assert {row for row, _ in shown} == set(present)
    assert shown[0, 0] == f"{100 * counts[0, 0] / counts[0].sum():.0f}"
    assert len(confusion_chart(np.eye(81), [str(i) for i in range(81)], "").axes[0].texts) == 0, "no room for numbers"


def test_the_calibration_chart_draws_the_curve(scored):
    data = scored[0].calibration.data()
    curve, auc = calibration_chart(data, "sandbox val, 4 images").axes
    rows = [row for row in data["reliability"] if row["pairs"]]
    assert curve.lines[1].get_ydata().tolist() == [row["same_class_share"] for row in rows]
    assert f"{data['expected_calibration_error']:.3f}" in curve.get_title(loc="left")
    assert auc.lines[1].get_ydata().tolist() == [row["auc"] for row in data["by_distance"] if row["auc"] is not None]
    empty = AffinityCalibration(2).data()
    assert "–" in calibration_chart(empty, "").axes[0].get_title(loc="left")


def test_intervals_hold_the_score_and_shrink_with_more_images():
    rng, widths = np.random.default_rng(0), []
    for count in (10, 160):
        bootstrap = PairedBootstrap(("a",), 3)
        for _ in range(count):
            target = torch.from_numpy(rng.integers(0, 3, 400))
            right = torch.from_numpy(rng.random(400) < rng.uniform(0.4, 0.9))
            label = torch.where(right, target, (target + 1) % 3)
            bootstrap.update({"a": ConfusionMatrix(3).update(target, label).matrix}, rng.integers(0, 256, 64))
        found = bootstrap.interval("a")
        assert found.low < found.value < found.high
        widths.append(found.high - found.low)
    assert 2 < widths[0] / widths[1] < 8, "a quarter for sixteen times as many images"


def test_the_difference_of_two_models_is_paired(samples):
    """The same images are drawn in both, so that what makes images hard leaves the difference."""
    rng = np.random.default_rng(1)
    one, other, alone = (PairedBootstrap(("a",), 2) for _ in range(3))
    for _ in range(60):
        image = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        target = torch.from_numpy(rng.integers(0, 2, 1000))
        hard = rng.uniform(0.1, 0.9)  # of this image, for every model
        draws = [torch.from_numpy(rng.random(1000) < share) for share in (hard, hard + 0.05)]
        matrices = [ConfusionMatrix(2).update(target, torch.where(d, target, 1 - target)).matrix for d in draws]
        one.update({"a": matrices[0]}, image), other.update({"a": matrices[1]}, image)
        alone.update({"a": matrices[1]}, rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    paired, unpaired = other.difference(one, "a"), alone.difference(one, "a")
    assert paired.value == unpaired.value == pytest.approx(other.interval("a").value - one.interval("a").value)
    assert 0 < paired.low < paired.value < paired.high
    assert unpaired.high - unpaired.low > 3 * (paired.high - paired.low)
    back = one.difference(other, "a")
    assert (back.low, back.high) == pytest.approx((-paired.high, -paired.low))
    assert one.difference(one, "a") == (0, 0, 0)
    with pytest.raises(ValueError, match="expected both models on the same images"):
        PairedBootstrap(("a",), 2).difference(one, "a")


def test_a_stage_minus_itself_of_another_model(scored):
    rows = {row["stage"]: row for row in paired_differences(scored[0].bootstrap, scored[1].bootstrap)}
    for stage in ("cam", "cam_rw", "cam_par", "seg"):
        values = [one.summary()[f"miou_{stage}"] for one in scored]
        assert (rows[stage]["checkpoint"], rows[stage]["against"]) == tuple(values)
        assert rows[stage]["difference"] == pytest.approx(values[0] - values[1], abs=0.011)
        assert rows[stage]["low"] <= rows[stage]["difference"] <= rows[stage]["high"]


def run(**scores):
    return {"data": "voc", "split": "val", "recipe": "default", "images": 5, "iou": {"seg": {"background": 1.0}},
            "summary": scores}  # fmt: skip


def test_mean_and_sample_standard_deviation():
    found = summarise_runs([run(a=1.0, b=None), run(a=2.0, b=4.0), run(a=6.0, b=7.0)])
    rows = {row["score"]: row for row in found["rows"]}
    assert found["n"] == 3 and found["images"] == 5
    assert rows["a"]["mean"] == 3 and rows["a"]["std"] == round(statistics.stdev([1, 2, 6]), 2) and rows["a"]["n"] == 3
    assert rows["b"]["mean"] == 5.5 and rows["b"]["std"] == 2.12 and rows["b"]["n"] == 2 and rows["b"]["run_1"] is None
    assert rows["iou_seg/background"]["std"] == 0
    text = runs_text(found)
    assert "over n = 3 runs, voc val, 5 images" in text and "3.00 ± 2.65" in text and "(n = 2)" in text
    assert summarise_runs([run(a=1.0), run(a=None)])["rows"][0]["std"] is None


@pytest.mark.parametrize("other, says", [
    ({"split": "train"}, "voc val, 5 images of 1 classes and run 2 on voc train"),
    ({"images": 6}, "6 images"), ({"recipe": "hard"}, "(hard)"), ({"iou": {"seg": {"cat": 1.0}}}, "expected the same"),
    ({"title": "cats"}, "(cats), 5 images of 1 classes; expected the same images and settings: they differ in the"),
    ({"settings": ["flip=no"]}, "with no settings and run 2 on voc val, 5 images of 1 classes, with flip=False;"),
    ({"settings": ["flip=no"], "split": "train"}, "they differ in the split, settings."),
    ({"without_heads": [3]}, "without 3 of the heads"),
])  # fmt: skip
def test_runs_on_other_images_are_no_mean(other, says):
    with pytest.raises(ValueError) as caught:
        summarise_runs([run(a=1.0), run(a=1.0) | other])
    assert says in str(caught.value)
    with pytest.raises(ValueError, match="expected at least two"):
        summarise_runs([run(a=1.0)])


def test_the_same_settings_may_be_written_in_other_ways():
    ways = (["flip=no", "radius=3"], ["radius=5", "radius=3", "flip=false"])
    assert summarise_runs([run(a=1.0) | {"settings": way} for way in ways])["n"] == 2


# --- the command -----------------------------------------------------------------------------------------------------


def test_tables_are_csv_files_of_the_numbers_in_the_json(folder, tmp_path, capsys):
    assert evaluate(folder, *of_sandbox(folder), "--json", str(tmp_path / "s.json"), "--tables", str(tmp_path)) == 0
    shown = capsys.readouterr().out
    for words in ("95 % from", "edges: mean boundary IoU", "trimap 1 px", "expected calibration error",
                  "largest confusions of seg", "sandbox val, 3 images"):  # fmt: skip
        assert words in shown, words
    data = json.loads((tmp_path / "s.json").read_text())
    scores = table(tmp_path / "scores.csv")
    assert scores[0][:6] == ["stage", "images", "miou", "low", "high", "boundary_iou"]
    row = dict(zip(scores[0], next(row for row in scores if row[0] == "seg"), strict=True))
    assert float(row["miou"]) == data["summary"]["miou_seg"] and row["images"] == "3"
    assert [float(row["low"]), float(row["high"])] == data["intervals"]["seg"]["miou"]
    edges = data["boundaries"]["stages"]["seg"]
    assert float(row["boundary_iou"]) == edges["boundary_iou"]
    assert float(row["trimap_4px"]) == edges["trimap_accuracy"]["4"]
    counts = table(tmp_path / "confusion_seg.csv")
    assert counts[0][1:] == [line[0] for line in counts[1:]] == list(SANDBOX_CLASSES)
    assert [[int(n) for n in line[1:]] for line in counts[1:]] == data["confusion"]["seg"]
    shares = table(tmp_path / "confusion_seg_normalised.csv")[1][1:]
    assert sum(map(float, shares)) == pytest.approx(1, abs=1e-4)
    reliability = table(tmp_path / "affinity_reliability.csv")
    assert reliability[0] == ["from", "to", "pairs", "mean_affinity", "same_class_share"] and len(reliability) == 11
    assert len(table(tmp_path / "affinity_by_distance.csv")) == 1 + ExplainConfig.radius
    for name in ("confusion_seg.png", "affinity_calibration.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_runs_of_checkpoints_and_of_their_files(folder, tmp_path, capsys):
    for number in range(3):
        assert evaluate(folder, *of_sandbox(folder, number), "--json", str(tmp_path / f"{number}.json")) == 0
    capsys.readouterr()
    single = [json.loads((tmp_path / f"{i}.json").read_text())["summary"] for i in range(3)]
    wanted = ["--runs", str(folder / "run0"), str(tmp_path / "1.json"), str(folder / "run2"), "--split", "val"]
    assert evaluate(folder, *wanted, "--json", str(tmp_path / "r.json"), "--tables", str(tmp_path)) == 0
    rows = {row["score"]: row for row in json.loads((tmp_path / "r.json").read_text())["runs"]["rows"]}
    values = [one["miou_seg"] for one in single]
    assert [rows["miou_seg"][f"run_{i}"] for i in (1, 2, 3)] == values
    assert rows["miou_seg"]["mean"] == pytest.approx(statistics.fmean(values), abs=0.006)
    assert rows["miou_seg"]["std"] == pytest.approx(statistics.stdev(values), abs=0.006)
    shown = capsys.readouterr().out
    assert "n = 3 runs, sandbox val, 3 images" in shown and "iou_seg/cow" in shown and "run 2: " in shown
    assert table(tmp_path / "runs.csv")[0][:4] == ["score", "mean", "std", "n"]


def test_against_another_checkpoint_and_against_itself(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("afa_viz.figures.charts.save_figure", lambda figure, path: path)
    wanted = [*of_sandbox(folder), "--against", str(folder / "run1")]
    assert evaluate(folder, *wanted, "--json", str(tmp_path / "a.json"), "--tables", str(tmp_path)) == 0
    shown = capsys.readouterr().out
    assert "run0 against " in shown and "3 images; the interval" in shown
    data = json.loads((tmp_path / "a.json").read_text())
    row = next(row for row in data["against"]["rows"] if row["stage"] == "seg")
    assert row["checkpoint"] == data["summary"]["miou_seg"] and data["against"]["images"] == 3
    assert not {"affinity_label", "pseudo_label"} & {row["stage"] for row in data["against"]["rows"]}
    assert table(tmp_path / "against.csv")[0] == ["stage", "checkpoint", "against", "difference", "low", "high"]
    itself = ["--against", str(folder / "run0"), "--json", str(tmp_path / "b.json")]
    assert evaluate(folder, *of_sandbox(folder), *itself, limit=2) == 0
    rows = json.loads((tmp_path / "b.json").read_text())["against"]["rows"]
    assert rows and all(row["difference"] == row["low"] == row["high"] == 0 for row in rows)


def test_published_passes_have_intervals_and_differences_too(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("afa_viz.figures.charts.save_figure", lambda figure, path: path)
    voc = ["--checkpoint", str(folder / "voc"), "--data", "voc", "--root", str(folder / "tree"), "--split", "train"]
    more = ["--against", str(folder / "voc"), "--protocol", "published"]
    assert evaluate(folder, *voc, *more, "--json", str(tmp_path / "v.json"), "--tables", str(tmp_path), limit=1) == 0
    data = json.loads((tmp_path / "v.json").read_text())
    passes = data["published"]["passes"]
    assert {row["stage"] for row in data["against"]["rows"]} == {f"published_{name}" for name in passes}
    assert len(passes["seg"]["interval"]) == 2 and sum(map(sum, passes["seg"]["confusion"])) > 0
    assert len(table(tmp_path / "published_iou.csv")) == 1 + len(VOC_CLASSES)
    assert (tmp_path / "confusion_published_seg.csv").is_file()
    shown = capsys.readouterr().out
    assert "PASCAL VOC 2012 train, 1 image," in shown
    assert "train_aug (10,582)" in shown and "scores of the two are not comparable" in shown


@pytest.mark.parametrize("more, says", [
    (["--runs", "A"], "--runs has 1 run; expected at least two"),
    (["--runs", "A", "B", "--against", "C"], "expected one of the two"),
    (["--runs", "A", "B", "--sweep"], "--sweep is of one checkpoint"),
    (["--runs", "none.json", "B"], "there is no none.json"),
    (["--runs", "LIST", "B"], "holds no scores of a checkpoint"),
    (["--runs", "TEXT", "B"], "is not JSON"),
    (["--against", "none"], "there is no 'none'"),
    (["--against", "LIST"], "list.json"),
    (["--runs", "RUN", "none"], "there is no 'none'"),
    (["--against", "VOC"], "the checkpoint has 20 classes but sandbox val has 12"),
    (["--tables", "LIST"], "--tables"),
    (["--runs", "RUN", "RUN", "--checkpoint", "RUN"], "--checkpoint names one model and --runs several"),
    (["--runs", "RUN", "VAL"], "with no settings; expected the same images and settings: they differ in the settings."),
    (["--runs", "VAL", "TEST"], "they differ in the data set, split."),
    (["--runs", "VAL", "VAL"], "--set is of checkpoints, and every run is a file of scores"),
    (["--runs", "ODD", "RUN"], "holds scores of another form"),
])  # fmt: skip
def test_refusals_are_one_sentence(folder, tmp_path, capsys, more, says):
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "text.json").write_text("{no")
    val = run(a=1.0) | {"data": "sandbox", "title": "sandbox val", "images": 1}
    (tmp_path / "val.json").write_text(json.dumps(val))
    (tmp_path / "test.json").write_text(json.dumps(val | {"title": "sandbox test", "split": "test"}))
    (tmp_path / "odd.json").write_text(json.dumps(val | {"summary": [1]}))
    names = {
        "LIST": tmp_path / "list.json",
        "TEXT": tmp_path / "text.json",
        "VOC": folder / "voc",
        "RUN": folder / "run0",
        **{name.upper(): tmp_path / f"{name}.json" for name in ("val", "test", "odd")},
    }
    where = ["--split", "val"] if "--runs" in more else of_sandbox(folder)
    assert evaluate(folder, *where, *(str(names.get(word, word)) for word in more), limit=1) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("afa_viz: ") and says in lines[-1] and lines[-1].endswith(".")
    assert says.startswith("the checkpoint has") or not any("explain" in line for line in lines), "nothing was scored"


def test_files_beside_a_checkpoint_are_compared_before_it_is_scored(folder, tmp_path, capsys):
    """Of photographs the title is known once they are opened."""
    other = run(a=1.0) | {"title": "another VOC", "split": "train", "settings": FAST[1:], "images": 1}
    (tmp_path / "a.json").write_text(json.dumps(other))
    voc = ["--data", "voc", "--root", str(folder / "tree"), "--split", "train", "--protocol", "stages"]
    assert evaluate(folder, "--runs", str(tmp_path / "a.json"), str(folder / "voc"), *voc, limit=1) == 2
    told = capsys.readouterr().err
    assert "(another VOC), " in told and "they differ in the data set, classes." in told and "explain" not in told


def test_without_a_checkpoint_the_bundled_model_is_named(folder, capsys, monkeypatch):
    evaluated = evaluate_checkpoint
    monkeypatch.setattr(
        "afa_viz.commands.evaluate_runs.evaluate_checkpoint",
        lambda args, source, *rest, **more: evaluated(args, source or str(folder / "run0"), *rest, **more),
    )
    assert evaluate(folder, "--split", "val", "--against", str(folder / "run1"), limit=2) == 0
    shown = capsys.readouterr().out
    assert "mIoU in percent of the bundled model against " in shown and "None" not in shown
