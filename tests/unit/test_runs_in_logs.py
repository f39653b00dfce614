"""What a long run says: plain lines outside a terminal, scores by class, what they were made on, the batch, splits."""

from __future__ import annotations

import dataclasses
import io
import json
import sys

import pytest
from data_trees import make_folder, make_voc

from afa_viz import progress as progress_module
from afa_viz.__main__ import main
from afa_viz.data.file_index import find_files
from afa_viz.model.card import Card
from afa_viz.presets import PRESETS
from afa_viz.progress import PlainProgress, progress
from afa_viz.training import precision
from afa_viz.training.batch_size import PUBLISHED_BATCH, batch_warning
from afa_viz.training.records import read_metrics

# --- plain lines -----------------------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass by hand."""
    now = [0.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    return now


def test_a_log_gets_a_line_every_so_often_and_one_at_the_end(clock, capsys):
    for _ in progress(range(100), desc="explain", unit="image"):
        clock[0] += 1.0
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "explain: 30 of 100 images, 30 s", "explain: 60 of 100 images, 1 min 0 s",
        "explain: 90 of 100 images, 1 min 30 s", "explain: 100 of 100 images, 1 min 40 s",
    ]  # fmt: skip


def test_lines_carry_numbers_and_start_where_a_run_goes_on(clock, capsys):
    bar = progress(total=10, initial=4, desc="train", unit="step")
    bar.set_postfix({"loss": "1.234"})
    clock[0] = 40
    bar.update(2), bar.close(), bar.close()
    assert capsys.readouterr().err == "train: 6 of 10 steps, 40 s, loss 1.234\n"
    bar = progress(total=10, initial=4)
    bar.close()
    assert capsys.readouterr().err == "", "nothing was done"


def test_nothing_is_said_where_it_is_switched_off_fails_or_is_closed(capsys, monkeypatch):
    for _ in progress([1, 2], disable=True):
        pass
    with pytest.raises(KeyError), progress([1]) as bar:
        bar.update()
        raise KeyError
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys, "stderr", None)
    assert list(progress(iter([1, 2]))) == [1, 2]
    closed = io.StringIO()
    closed.isatty = lambda: False
    monkeypatch.setattr(sys, "stderr", closed)
    bar = progress([1, 2])
    closed.close()
    assert list(bar) == [1, 2]


def test_a_terminal_gets_a_bar(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    bar = progress([1], desc="train")
    assert not isinstance(bar, PlainProgress) and list(bar) == [1]
    assert "train: 100%" in terminal.getvalue()


# --- links -----------------------------------------------------------------------------------------------------------


def test_folders_behind_links_are_read_once_and_loops_end(tmp_path):
    root, other = tmp_path / "root", tmp_path / "other"
    for path in (root / "a" / "deep", other / "inner"):
        path.mkdir(parents=True)
    for file in (root / "one.png", root / "a" / "two.png", root / "a" / "deep" / "three.png", other / "four.png",
                 other / "inner" / "five.png", tmp_path / "outside.png"):  # fmt: skip
        file.write_bytes(b"")
    (root / "A link").symlink_to(root / "a")  # also reached without it
    (root / "a" / "linked").symlink_to(other)
    (root / "again").symlink_to(other)
    (root / "up").symlink_to(tmp_path)
    (root / "a" / "self").symlink_to(root)
    (other / "back").symlink_to(root / "a")
    (other / "round").symlink_to(other)
    (root / "broken").symlink_to(tmp_path / "nowhere")
    names = list(find_files(root, recursive=True))
    assert names == ["a/deep/three", "a/linked/four", "a/linked/inner/five", "a/two", "one"]
    linked = tmp_path / "link to root"
    linked.symlink_to(root)
    assert list(find_files(linked, recursive=True)) == names
    assert list(find_files(root, recursive=True, exclude=[root / "a"])) == ["again/four", "again/inner/five", "one"]


# --- the batch and the split -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset, batch, accumulate, world, says", [
    ("voc", 2, 1, 1, "2 x 1 x 1 = 2 images (batch_size x accumulate x processes), the published run 4: others lost"),
    ("voc", 2, 1, 1, "--set accumulate=2 gives 4"),
    ("coco", 2, 1, 1, "--set accumulate=4 gives 8"),
    ("coco", 2, 1, 2, "--set accumulate=2 gives 8"),
    ("voc", 3, 1, 1, "others lost"),
    ("voc", 8, 1, 1, "its learning rate and number of steps are for that"),
    ("voc", 2, 2, 1, None), ("voc", 2, 1, 2, None), ("voc", 4, 1, 1, None), ("voc", 1, 4, 1, None),
    ("coco", 2, 1, 4, None),
    ("folder", 2, 1, 1, None), ("sandbox", 2, 1, 1, None),
])  # fmt: skip
def test_the_batch_is_compared_with_the_published_one(preset, batch, accumulate, world, says):
    config = dataclasses.replace(PRESETS[preset], batch_size=batch, accumulate=accumulate)
    warning = batch_warning(preset, config, world)
    assert warning is None if says is None else says in warning and warning.endswith(".")
    if warning is not None:
        smaller = batch * accumulate * world < PUBLISHED_BATCH[preset]
        assert ("--set accumulate" in warning) == (smaller and PUBLISHED_BATCH[preset] % (batch * world) == 0)


@pytest.mark.parametrize("amp, device, times, warned", [
    ("bf16", "cpu", 7.6, True), ("bf16", "cpu", 0.6, False), ("off", "cpu", 7.6, False), ("bf16", "cuda:0", 7.6, False),
])  # fmt: skip
def test_bfloat16_that_is_slow_on_this_cpu_is_said(monkeypatch, amp, device, times, warned):
    monkeypatch.setattr(precision, "bfloat16_time", lambda: times)
    warning = precision.precision_warning(dataclasses.replace(PRESETS["sandbox"], amp=amp), device)
    assert (warning is not None) == warned
    assert warning is None or ("8 times as long" in warning and "--set amp=off" in warning)


def test_a_product_in_bfloat16_is_timed():
    assert 0.01 < precision.bfloat16_time(repeats=1) < 1000


# --- a run -----------------------------------------------------------------------------------------------------------

SMALL = {
    "backbone": "mit_b0", "pretrained": False, "crop_size": 32, "input_size": 32, "max_iters": 2, "cam_iters": 0,
    "joint_after": 1, "warmup_iters": 1, "explain": {"scales": [1.0], "num_iters": 1, "flip": False},
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run of no step on own images, and what it printed."""
    folder = tmp_path_factory.mktemp("run")
    make_folder(folder / "data")
    (folder / "small.json").write_text(json.dumps({"preset": "folder", **SMALL}))
    assert train(folder, folder / "small.json", folder / "out", "--until", "0") == 0
    return folder


def train(folder, config, out, *more, root="data"):
    return main(["train", "--config", str(config), "--root", str(folder / root), "--out", str(out), "--device", "cpu",
                 "--eval-images", "2", "--readers", "1", *more])  # fmt: skip


def test_metrics_have_scores_by_class_and_name_what_they_were_made_on(run):
    (line,) = [line for line in read_metrics(run / "out") if "miou_seg" in line]
    assert line["scored_on"] == "data val, 2 images"
    stages = {name.removeprefix("miou_") for name in line if name.startswith("miou_")}
    for stage in stages:
        assert f"iou_{stage}/background" in line
    present = [line[name] for name in line if name.startswith("iou_seg/")]
    assert line["miou_seg"] <= max(present) and {"iou_seg/cat", "iou_seg/fire engine"} & set(line)
    card = Card.read(run / "out" / "model.json")
    assert card.training["scored_on"] == "data val, 2 images" and card.scores["miou_seg"] == line["miou_seg"]


def test_the_config_of_a_run_starts_another_one(run, tmp_path, capsys):
    assert train(run, run / "out" / "config.json", tmp_path / "again", "--until", "0") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["scored_on"] == "data val, 2 images"
    one, two = (json.loads((folder / "config.json").read_text()) for folder in (run / "out", tmp_path / "again"))
    assert one == two and one["preset"] == "folder" and one["num_classes"] == 3
    one, two = ([line for line in read_metrics(folder) if "miou_seg" in line] for folder in
                (run / "out", tmp_path / "again"))  # fmt: skip
    one, two = ({**lines[0], "evaluation_seconds": 0} for lines in (one, two))
    assert one == two, "the same weights, the same scores"


def test_a_voc_run_on_train_says_so_and_warns_of_its_batch(tmp_path, capsys):
    make_voc(tmp_path / "voc")
    (tmp_path / "small.json").write_text(json.dumps({"preset": "voc", **SMALL}))
    out = tmp_path / "out"
    assert train(tmp_path, tmp_path / "small.json", out, "--until", "0", "--split", "train", root="voc") == 0
    said = capsys.readouterr().err
    assert "warning: a step has 2 x 1 x 1 = 2 images" in said and "--set accumulate=2 gives 4" in said
    assert "note: train (6 images here, 1,464 published)" in said and "train_aug (10,582)" in said
