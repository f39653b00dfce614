"""Runs that are resumed with other settings: each change is told, and what is refused leaves the run as it was; on the
command line, too."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from data_trees import make_folder
from noise_runs import CONFIG, PART, Noise, run_in, small_network  # noqa: F401  (a fixture)

from afa_viz.__main__ import main
from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.config import TrainConfig
from afa_viz.model.card import Card
from afa_viz.training import records
from afa_viz.training.loop import Run
from afa_viz.training.status import read_status

ROOT = Path(__file__).parents[2]

# --- runs ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def begun(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("begun")
    run_in(folder).run(until=4, progress=False)
    return folder


@pytest.fixture
def folder(begun, tmp_path) -> Path:
    shutil.copytree(begun, tmp_path / "run")
    return tmp_path / "run"


def longer(**changes) -> TrainConfig:
    part = dataclasses.replace(PART, iterations=12, learning_rate=1e-5)
    return dataclasses.replace(CONFIG, curriculum=(part,), max_iters=12, **changes)


def test_each_change_is_logged_and_written_on_the_card(folder, caplog):
    run = run_in(
        folder, config=longer(weight_decay=0.5, betas=(0.5, 0.6), freeze_norms=True, clip_grad=9.0), resume=True
    )
    assert "resumed at iteration 4 with other settings: " in caplog.text
    assert "curriculum[0].learning_rate 0.001 -> 1e-05" in caplog.text and "max_iters 8 -> 12" in caplog.text
    encoder, norms, *_ = run.train_state.optimizer.param_groups
    assert (encoder["weight_decay"], encoder["betas"], norms["multiplier"]) == (0.5, (0.5, 0.6), 0.0)
    (change,) = run.card().training["changes"]
    assert change["iteration"] == 4 and change["weight_decay"] == [0.03, 0.5] and change["max_iters"] == [8, 12]
    (line,) = [line for line in records.read_metrics(folder) if "changed" in line]
    assert line["iteration"] == 4 and line["changed"]["clip_grad"] == [1.0, 9.0]
    run.run(until=5, progress=False)
    assert run.train_state.optimizer.param_groups[0]["lr"] < 1e-5
    caplog.clear()
    again = run_in(
        folder, config=longer(weight_decay=0.5, betas=(0.5, 0.6), freeze_norms=True, clip_grad=0.0), resume=True
    )
    assert [list(change) for change in again.history.changes][1:] == [["iteration", "clip_grad"]], "only what is new"
    again.run(progress=False)
    again.export(folder / "model.safetensors")
    held = json.loads((folder / "model.json").read_text())["training"]["changes"]
    assert [change["iteration"] for change in held] == [4, 5] and held[1]["clip_grad"] == [9.0, 0.0]
    assert "changes" not in run_in(folder.parent / "new").card().training


def test_reordered_classes_are_refused_and_nothing_is_changed(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    names = (SANDBOX_CLASSES[0], *SANDBOX_CLASSES[:0:-1])
    with pytest.raises(ValueError, match=r"class_names\[1\] is 'aeroplane' there and .* and 8 more"):
        Run(CONFIG, Noise(), folder, names, resume=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("was, now", [("off", "bf16"), ("fp16", "off"), ("off", "fp16")])
def test_precision_may_change(tmp_path, was, now):
    run_in(tmp_path, config=dataclasses.replace(CONFIG, amp=was)).run(until=1, progress=False)
    run = run_in(tmp_path, config=dataclasses.replace(CONFIG, amp=now), resume=True)
    run.run(until=2, progress=False)
    assert run.history.changes == [{"iteration": 1, "amp": [was, now]}]


def test_a_state_of_an_older_version(folder):
    state = torch.load(folder / records.LAST, weights_only=True)
    del state["settings"]
    torch.save({**state, "config": repr(CONFIG)}, folder / records.LAST)
    assert run_in(folder, resume=True).iteration == 4
    with pytest.raises(ValueError, match="was trained with other settings, by an older version"):
        run_in(folder, config=longer(), resume=True)


# --- the command -----------------------------------------------------------------------------------------------------

FEW = ["train", "--config", "few_seconds", "--device", "cpu", "--threads", "1", "--eval-every", "99",
       "--eval-images", "1"]  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def one_step(cache, tmp_path_factory) -> Path:
    """The folder of a run of the command that was stopped after its first step."""
    out = tmp_path_factory.mktemp("one_step") / "run"
    assert main(few(cache, out, "--iterations", "4", "--until", "1")) == 0
    return out


def few(cache: str, out: Path, *more: str) -> list[str]:
    return [*FEW, "--cache", cache, "--out", str(out), *more]


@pytest.mark.slow
def test_a_run_of_the_command_goes_on_longer_and_slower(cache, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(few(cache, out, "--iterations", "4", "--until", "0")) == 0
    assert json.loads(capsys.readouterr().out)["iterations"] == 0 and read_status(out).doing == "stopped"
    assert main(few(cache, out, "--iterations", "4", "--resume")) == 0
    assert read_status(out).doing == "finished"
    capsys.readouterr()
    assert main(few(cache, out, "--iterations", "3", "--resume")) == 2
    assert "max_iters is 3 but the run in" in capsys.readouterr().err
    assert main(few(cache, out, "--iterations", "6", "--resume", "--set", "learning_rate=1e-4", "batch_size=2")) == 0
    card = Card.read(out / "model.json")
    assert card.training["iterations"] == 6 and card.training["data"] == "sandbox train"
    (change,) = card.training["changes"]
    assert change["curriculum[0].learning_rate"] == [1e-3, 1e-4] and change["curriculum[0].batch_size"] == [8, 2]
    last = [line for line in records.read_metrics(out) if "lr" in line][-1]
    assert last["lr"] < 1e-4


@pytest.mark.parametrize(
    "more, told",
    [(["--set", "backbone=mit_b1"], "backbone is 'mit_b0' there and 'mit_b1' here"),
     (["--set", "explain.radius=2"], "explain.radius is 1 there and 2 here"),
     (["--set", "train_images=30"], "train_images is 24 there and 30 here"),
     (["--set", "weight_seg=0.7"], "weight_seg is 0.5 there and 0.7 here")],
)  # fmt: skip
def test_another_run_is_refused_before_anything_is_rendered(cache, one_step, tmp_path, capsys, more, told, monkeypatch):
    out = shutil.copytree(one_step, tmp_path / "run")
    state = (out / records.LAST).read_bytes()
    monkeypatch.setattr("afa_viz.data.sandbox.render_split", lambda *a, **k: pytest.fail("it rendered"))
    capsys.readouterr()
    assert main(few(cache, out, "--iterations", "4", "--resume", *more)) == 2
    assert told in capsys.readouterr().err and (out / records.LAST).read_bytes() == state


def test_a_run_that_is_there_keeps_its_status(cache, one_step, tmp_path, capsys):
    out = shutil.copytree(one_step, tmp_path / "run")
    before = (out / "status.json").read_bytes()
    assert main(few(cache, out, "--iterations", "4")) == 2
    assert "already holds a run; pass --resume" in capsys.readouterr().err
    assert (out / "status.json").read_bytes() == before


def test_resuming_where_nothing_is_says_so(cache, tmp_path, capsys):
    assert main(few(cache, tmp_path / "run", "--iterations", "2", "--until", "0", "--resume")) == 0
    assert "run holds no state to resume: the run begins at iteration 0." in capsys.readouterr().err


@pytest.mark.parametrize(
    "more, told",
    [(["--until", "-1"], "--until is -1; expected 0 or more"), (["--threads", "-1"], "--threads is -1; expected 0"),
     (["--readers", "0"], "--readers is 0; expected 1"), (["--eval-every", "0"], "--eval-every is 0; expected 1"),
     (["--eval-images", "0"], "--eval-images is 0"), (["--snapshots", "3,400"], "none beyond 40"),
     (["--snapshots", "ladder"], "expected iterations like"), (["--iterations", "0"], "iterations is 0"),
     (["--device", "toaster"], "got device 'toaster'; expected one that is here"),
     (["--init", "nothing.safetensors"], "there is no 'nothing.safetensors'"),
     (["--set", "pooling=maxx"], "got pooling 'maxx'"), (["--set", "backbone=mit_b9"], "got backbone 'mit_b9'"),
     (["--set", "num_classes=7"], "num_classes is 7 but the sandbox has 13")],
)  # fmt: skip
def test_options_are_refused_before_anything_is_rendered(tmp_path, capsys, monkeypatch, more, told):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("afa_viz.data.sandbox.render_split", lambda *a, **k: pytest.fail("it rendered"))
    assert main([*FEW, "--out", str(tmp_path / "run"), *more]) == 2
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 1 and shown[0].startswith("afa_viz: ") and told in shown[0]
    assert not (tmp_path / "cache").exists()


@pytest.mark.slow
def test_a_terminated_run_says_what_is_saved(cache, tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "afa_viz", *few(cache, out, "--iterations", "400", "--set", "batch_size=2")]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 120
        while not any("loss" in line for line in records.read_metrics(out)) and process.poll() is None:
            assert time.monotonic() < end, "it never began"
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    iteration = torch.load(out / records.LAST, weights_only=True)["iteration"]
    assert process.returncode == 128 + signal.SIGTERM and "Traceback" not in said
    assert said.rstrip().endswith(
        f"afa_viz: the run in {out} was stopped at iteration {iteration}; iteration {iteration} is saved: go on with "
        "--resume."
    )
    assert 0 < iteration < 400 and read_status(out).doing == "stopped"


# --- photographs -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> tuple[Path, Path]:
    """A folder of photographs, and one of a run on them that was stopped after a step."""
    place = tmp_path_factory.mktemp("photographs")
    make_folder(place / "pets", 12)
    (place / "pets" / "val.txt").write_text("photo_1\nphoto_2\n")
    (place / "pets" / "train.txt").write_text("photo_4\nphoto_5\nnew/photo_3\nphoto_6\n")
    small = {"preset": "folder", "backbone": "mit_b0", "pretrained": False, "crop_size": 64, "input_size": 64}
    lengths = {"max_iters": 3, "cam_iters": 0, "joint_after": 1, "warmup_iters": 1}
    (place / "small.json").write_text(json.dumps({**small, **lengths, "explain": {"scales": [1], "num_iters": 1}}))
    assert main(photo(place, "pets", place / "run", "--until", "1")) == 0
    return place, place / "run"


def photo(place: Path, root: str, out: Path, *more: str) -> list[str]:
    fixed = ["train", "--config", str(place / "small.json"), "--root", str(place / root), "--out", str(out)]
    return [*fixed, "--eval-images", "1", "--threads", "1", "--device", "cpu", "--eval-every", "99", *more]


@pytest.fixture
def copied(photographs, tmp_path) -> Path:
    shutil.copytree(photographs[0], tmp_path, dirs_exist_ok=True)
    return tmp_path


def other_split(place: Path) -> list[str]:
    return ["--split", "all"]


def another_list(place: Path) -> None:
    (place / "pets" / "train.txt").write_text("photo_4\nphoto_5\nnew/photo_3\nphoto_8\n")


def another_order(place: Path) -> None:
    (place / "pets" / "train.txt").write_text("photo_5\nphoto_4\nnew/photo_3\nphoto_6\n")


def other_labels(place: Path) -> None:
    path = place / "pets" / "labels.csv"
    path.write_text(path.read_text().replace("photo_4.png,fire engine", "photo_4.png,cat"))


def other_classes(place: Path) -> None:
    (place / "pets" / "classes.txt").write_text("fire engine\ncat\n")


@pytest.mark.parametrize("change", [other_split, another_list, another_order, other_labels, other_classes])
def test_another_split_list_or_labels_are_refused(copied, change, capsys):
    more = change(copied) or []
    state = (copied / "run" / records.LAST).read_bytes()
    assert main(photo(copied, "pets", copied / "run", "--resume", *more)) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "was trained with other settings: " in said and " there and " in said
    if change is other_split:
        assert "data is 'pets train' there and 'pets all' here, images is 4 there and 12 here" in said
    if change is other_classes:
        assert "class_names[1] is 'cat' there and 'fire engine' here" in said
    assert (copied / "run" / records.LAST).read_bytes() == state


def test_a_data_set_may_move(copied, capsys):
    (copied / "pets").rename(copied / "animals")
    assert main(photo(copied, "animals", copied / "run", "--resume", "--until", "2")) == 0
    change = torch.load(copied / "run" / records.LAST, weights_only=True)["changes"][0]
    assert change["data"] == ["pets train", "animals train"]
