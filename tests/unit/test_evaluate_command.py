"""`evaluate` on the sandbox: what it prints, writes and draws, and what it refuses."""

# ruff: noqa: F811 (arguments of tests are fixtures, imported by name)
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scored_scenes import SIZE, model  # noqa: F401

from afa_viz.__main__ import main
from afa_viz.data.sandbox import CLASSES, Recipe, SandboxDataset
from afa_viz.figures.evaluation_charts import write_plots
from afa_viz.model.afa import build_afa
from afa_viz.model.card import default_card
from afa_viz.model.checkpoint import save_model

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
        "stages under one rule", "paired bootstrap over images", "the walk, after PAR", "labels: certain pixels only",
        "CAM with one threshold, 0.45", "chosen with masks",
    ):  # fmt: skip
        assert words in shown
    assert "mIoU by context" in shown and "quadruped head" in shown and "no longer weakly supervised" in shown
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
    names = {"stages.png", "parts.png", "contexts.png", "sweep.png"}
    assert {path.name for path in (folder / "plots").iterdir()} == {*names, "scores.html"}
    assert "Scores by stage" in (folder / "plots" / "scores.html").read_text(encoding="utf-8")
    assert all((folder / "plots" / name).read_bytes().startswith(b"\x89PNG") for name in names)
    assert len(write_plots({k: v for k, v in data.items() if k != "sweep"}, folder / "fewer")) == 3


def test_heads_are_left_out_and_weighed(folder, capsys, model):
    """Without a head the scores are those of its weight at 0, and the table of heads says the same."""
    plain = ["--set", "scales=1", "flip=no", "num_iters=2"]
    found = {}
    for name, more in {
        "each": ["--each-head"],
        "without": ["--without-head", "3", "16", "--against", str(folder / "weights")],
        "zero": ["head_weights=" + ",".join("0" if head in (3, 16) else "none" for head in range(1, 17))],
        "one": ["--without-head", "3"],
    }.items():
        file = folder / f"{name}.json"
        settings = [*plain, *more] if name == "zero" else [*more, *plain]
        assert main(options(folder, *settings, "--json", str(file))) == 0
        found[name] = json.loads(file.read_text())
    assert "What each head is worth" in capsys.readouterr().out
    assert found["without"]["summary"] == found["zero"]["summary"] != found["each"]["summary"]
    assert found["without"]["without_heads"] == [3, 16] and found["each"]["without_heads"] == []
    against = {row["stage"]: row for row in found["without"]["against"]["rows"]}
    worth = found["each"]["head_worth"]
    assert worth["images"] == 3 and [row["head"] for row in worth["heads"]] == list(range(1, 17))
    assert [(row["block"], row["place"]) for row in worth["heads"]] == [(7, i) for i in range(1, 9)] + [
        (8, i) for i in range(1, 9)
    ]
    third = worth["heads"][2]
    assert third["weight"] == pytest.approx(float(model.affinity_head()[0][2]), abs=1e-4)
    for stage in ("cam_rw", "cam_par"):
        summary = {name: found[name]["summary"][f"miou_{stage}"] for name in ("each", "one", "without")}
        assert worth["used"][stage] == summary["each"]
        assert third["without"][stage]["change"] == pytest.approx(summary["one"] - summary["each"], abs=0.011)
        change = against[stage]["difference"]
        assert change == pytest.approx(summary["without"] - summary["each"], abs=0.011)


@pytest.mark.parametrize(
    "arguments,message",
    [
        (["--limit", "0"], "--limit is 0; expected at least 1 image"),
        (["--recipe", "harf"], "there is no recipe 'harf'; the nearest is 'hard'"),
        (["--recipe", "cooc=2"], "cooc is 2.0, expected a number from 0 to 1"),
        (["--set", "radios=3"], "the nearest is 'radius'"),
        (["--checkpoint", "VOC"], "the checkpoint has 20 classes but sandbox val has 12"),
        (["--checkpoint", "nowhere.safetensors"], "there is no 'nowhere.safetensors'"),
        (["--without-head", "0"], "--without-head: got head 0; expected 1 to 16"),
        (["--without-head", "3", "17"], "--without-head: got head 17; expected 1 to 16"),
        (["--without-head", "3", "--set", "head_weights=1,2"], "head_weights has 2 numbers; expected 16"),
        (
            ["--protocol", "published", "--set", "occlude=0,8,0,8"],
            "got occlude with --protocol published, which scores",
        ),
        (["--each-head", "--set", "use_walk=no"], "the walk is left out, so no head changes anything"),
        (["--each-head", "--runs", "a", "b"], "--each-head is of one checkpoint; expected it without --runs"),
        (
            ["--data", "voc", "--root", "x", "--without-head", "1"],
            "--without-head needs the stages protocol alone, not",
        ),
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
