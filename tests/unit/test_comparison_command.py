"""`evaluate --runs`, `--against` and `--tables`: the same numbers in text, JSON and CSV; refusals in one sentence."""

from __future__ import annotations

import csv
import json
import statistics

import pytest
from compared_runs import run, small
from data_trees import make_voc

from afa_viz.__main__ import main
from afa_viz.classes import SANDBOX_CLASSES, VOC_CLASSES
from afa_viz.commands.evaluate_model import evaluate_checkpoint
from afa_viz.config import ExplainConfig
from afa_viz.model.checkpoint import save_model

FAST = ["--set", "scales=1", "flip=no", "num_iters=2"]


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


@pytest.mark.parametrize("more, option", [
    (["--data", "voc"], "--data"), (["--split", "val"], "--split"), (["--limit", "3"], "--limit"),
    (["--recipe", "hard"], "--recipe"), (["--set", "flip=no"], "--set"),
])  # fmt: skip
def test_of_files_alone_no_option_of_checkpoints_is_ignored(tmp_path, capsys, more, option):
    (tmp_path / "a.json").write_text(json.dumps(run(a=1.0) | {"data": "sandbox", "title": "sandbox val", "images": 1}))
    files = ["evaluate", "--runs", str(tmp_path / "a.json"), str(tmp_path / "a.json")]
    assert main(files) == 0
    assert main([*files, *more]) == 2
    assert f"{option} is of checkpoints, and every run is a file of scores" in capsys.readouterr().err


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
