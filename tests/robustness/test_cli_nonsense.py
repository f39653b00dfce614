"""Every command with ten kinds of nonsense: one sentence and an exit code, no traceback, nothing made or replaced."""

# ruff: noqa: F811 (arguments of tests are fixtures, imported by name)
from __future__ import annotations

import argparse
import zlib
from pathlib import Path

import pytest
from refused_commands import CHECKPOINT, image, refused  # noqa: F401

from afa_viz.__main__ import COMMANDS
from afa_viz.commands import data

KINDS = (
    "missing file", "folder for a file", "file for a folder", "empty file", "other file", "no number",
    "negative number", "too large", "unknown name", "output in no place", "output is there", "letters of any script",
)  # fmt: skip
TRAIN = ["train", "--config", "few_seconds", "--device", "cpu"]
SANDBOX = ["data", "sandbox", "--train", "1", "--val", "0", "--test", "0", "--out"]
SITE = ["site", "--device", "cpu", "--out", "new"]
OF_DATA = {  # what every command about a data set refuses of its folder
    "missing file": ["--root", "none"],
    "file for a folder": ["--root", "text"],
    "empty file": ["--root", "empty"],
    "folder for a file": ["--root", "folder"],
    "other file": ["--root", "broken set"],
    "letters of any script": ["--root", "없는 폴더 🦜"],
    "unknown name": ["--root", "set", "--split", "tràin"],
}
CASES = {
    "explain": {
        "missing file": ["explain", "none.png", "--out", "new"],
        "folder for a file": ["explain", "folder", "--out", "new"],
        "file for a folder": ["explain", "a.png", "--out", "new", "--truth", "text"],
        "empty file": ["explain", "empty", "--out", "new"],
        "other file": ["explain", "a.png", "--out", "new", "--checkpoint", "text"],
        "no number": ["explain", "a.png", "--out", "new", "--set", "bkg_score=nan"],
        "negative number": ["explain", "a.png", "--out", "new", "--set", "num_iters=-1"],
        "too large": ["explain", "bomb.png", "--out", "new"],
        "unknown name": ["explain", "a.png", "--out", "new", "--labels", "unicorn"],
        "output in no place": ["explain", "a.png", "--out", "text/new"],
        "output is there": ["explain", "a.png", "--out", "text"],
        "letters of any script": ["explain", "없는 그림 🦜.png", "--out", "new"],
    },
    "predict": {
        "missing file": ["predict", "none.png", "--out", "new"],
        "folder for a file": ["predict", "folder", "--out", "new"],
        "file for a folder": ["predict", "--data", "folder", "--root", "text", "--out", "new"],
        "empty file": ["predict", "empty", "--out", "new"],
        "other file": ["predict", "a.png", "--out", "new", "--checkpoint", "text"],
        "no number": ["predict", "a.png", "--out", "new", "--set", "bkg_score=nan"],
        "negative number": ["predict", "a.png", "--out", "new", "--limit", "-1"],
        "too large": ["predict", "bomb.png", "--out", "new"],
        "unknown name": ["predict", "a.png", "--out", "new", "--labels", "unicorn"],
        "output in no place": ["predict", "a.png", "--out", "text/new"],
        "output is there": ["predict", "a.png", "--out", "text"],
        "letters of any script": ["predict", "없는 그림 🦜.png", "--out", "new"],
    },
    "evaluate": {
        **{kind: ["evaluate", "--data", "folder", *more] for kind, more in OF_DATA.items()},
        "no number": ["evaluate", "--limit", "1", "--set", "power=nan"],
        "negative number": ["evaluate", "--limit", "-1"],
        "too large": ["evaluate", "--limit", "9" * 30],
        "output in no place": ["evaluate", "--limit", "1", "--json", "text/scores.json"],
        "output is there": ["evaluate", "--limit", "1", "--json", "folder"],
    },
    "train": {
        "missing file": [*TRAIN, "--init", "none"],
        "folder for a file": ["train", "--config", "folder"],
        "file for a folder": ["train", "--config", "folder", "--root", "text", "--set", "pretrained=no"],
        "empty file": [*TRAIN, "--init", "empty"],
        "other file": ["train", "--config", "half.json"],
        "no number": [*TRAIN, "--set", "learning_rate=nan"],
        "negative number": [*TRAIN, "--set", "rng_seed=-1"],
        "too large": [*TRAIN, "--eval-images", "9" * 30],
        "unknown name": [*TRAIN, "--set", "lr=1"],
        "output in no place": [*TRAIN, "--out", "text/new"],
        "output is there": [*TRAIN, "--out", "run"],
        "letters of any script": [*TRAIN, "--set", "학습률=1"],
    },
    "convert": {
        "missing file": ["convert", "none.pth", "new.safetensors"],
        "folder for a file": ["convert", "folder", "new.safetensors"],
        "file for a folder": ["convert", "text/model.safetensors", "new.safetensors"],
        "empty file": ["convert", "empty.safetensors", "old.safetensors"],
        "other file": ["convert", "a.png", "old.safetensors"],
        "no number": ["convert", CHECKPOINT, "new.safetensors", "--num-classes", "nan"],
        "negative number": ["convert", CHECKPOINT, "new.safetensors", "--num-classes", "-1"],
        "too large": ["convert", CHECKPOINT, "old.safetensors", "--num-classes", "9" * 30],
        "unknown name": ["convert", CHECKPOINT, "new.safetensors", "--backbone", "mit_b9"],
        "output in no place": ["convert", CHECKPOINT, "text/new.safetensors"],
        "output is there": ["convert", CHECKPOINT, "folder.safetensors"],
        "letters of any script": ["convert", "없는 🦜.pth", "old.safetensors"],
    },
    "export": {
        "missing file": ["export", "none.pth", "--onnx", "new.onnx"],
        "folder for a file": ["export", "folder", "--onnx", "new.onnx"],
        "file for a folder": ["export", "text/model.safetensors", "--onnx", "new.onnx"],
        "empty file": ["export", "empty.safetensors", "--onnx", "new.onnx"],
        "other file": ["export", "a.png", "--onnx", "new.onnx"],
        "no number": ["export", "nan", "--onnx", "new.onnx"],
        "negative number": ["export", "-1", "--onnx", "new.onnx"],
        "too large": ["export", "a" * 5000, "--onnx", "new.onnx"],
        "unknown name": ["export", CHECKPOINT, "--onnx", "new.pt"],
        "output in no place": ["export", CHECKPOINT, "--onnx", "text/new.onnx"],
        "output is there": ["export", CHECKPOINT, "--onnx", "folder.onnx"],
        "letters of any script": ["export", "없는 🦜.pth", "--onnx", "new.onnx"],
    },
    "push": {
        "missing file": ["push", "none", "jane/afa"],
        "folder for a file": ["push", "folder", "jane/afa"],
        "file for a folder": ["push", "text/model.safetensors", "jane/afa"],
        "empty file": ["push", "empty.safetensors", "jane/afa"],
        "other file": ["push", "a.png", "jane/afa"],
        "no number": ["push", CHECKPOINT, "nan"],
        "negative number": ["push", CHECKPOINT, "-1/-1"],
        "too large": ["push", CHECKPOINT, "jane/" + "a" * 500],
        "unknown name": ["push", CHECKPOINT, "a/b/c"],
        "output is there": ["push", CHECKPOINT, "jane/../afa"],
        "letters of any script": ["push", CHECKPOINT, "jane/앵무새"],
    },
    "space": {
        "missing file": ["space", "jane/afa", "--dry-run", "--folder", "none"],
        "folder for a file": ["space", "jane/afa", "--dry-run", "--folder", "folder"],
        "file for a folder": ["space", "jane/afa", "--dry-run", "--folder", "text"],
        "empty file": ["space", "jane/afa", "--dry-run", "--folder", "empty"],
        "other file": ["space", "jane/afa", "--dry-run", "--folder", "clone"],
        "no number": ["space", "nan", "--dry-run"],
        "negative number": ["space", "-1/-1", "--dry-run"],
        "too large": ["space", "jane/" + "a" * 500, "--dry-run"],
        "unknown name": ["space", "a/b/c", "--dry-run"],
        "output is there": ["space", "jane/../afa", "--dry-run"],
        "letters of any script": ["space", "jane/앵무새", "--dry-run"],
    },
    "site": {
        "missing file": [*SITE, "--images", "none.png"],
        "folder for a file": [*SITE, "--images", "folder"],
        "file for a folder": ["site", "--out", "text"],
        "empty file": [*SITE, "--images", "empty"],
        "other file": [*SITE, "--images", "text"],
        "no number": [*SITE, "--limit", "nan"],
        "negative number": [*SITE, "--limit", "-1"],
        "too large": [*SITE, "--images", "bomb.png"],
        "unknown name": [*SITE, "--data", "sandbx"],
        "output in no place": ["site", "--out", "text/new"],
        "output is there": ["site", "--out", "folder.npy/.."],
        "letters of any script": [*SITE, "--images", "없는 🦜.png"],
    },
    "data sandbox": {
        "folder for a file": [*SANDBOX, "new", "--recipe", "folder"],
        "file for a folder": [*SANDBOX, "text"],
        "empty file": [*SANDBOX, "empty/new"],
        "other file": [*SANDBOX, "new", "--recipe", "=="],
        "no number": [*SANDBOX, "new", "--recipe", "cooc=nan"],
        "negative number": [*SANDBOX, "new", "--size", "-64"],
        "too large": [*SANDBOX, "new", "--val", "9" * 20],
        "unknown name": [*SANDBOX, "new", "--recipe", "harrd"],
        "output in no place": [*SANDBOX, "text/new"],
        "output is there": [*SANDBOX, "a.png"],
        "letters of any script": [*SANDBOX, "new", "--recipe", "어려움"],
    },
    "data check": {
        **{kind: ["data", "check", "folder", *more] for kind, more in OF_DATA.items()},
        "no number": ["data", "check", "folder", "--root", "set", "--read", "nan"],
        "negative number": ["data", "check", "folder", "--root", "set", "--read", "-1"],
        "too large": ["data", "check", "coco", "--root", "set", "--split", "a" * 500],
        "output is there": ["data", "check", "folder", "--root", "set", "--labels", "none.csv"],
    },
    "data onehot": {
        **{kind: ["data", "onehot", "folder", *more, "--out", "old.npy"] for kind, more in OF_DATA.items()},
        "too large": ["data", "onehot", "voc", "--root", "set", "--split", "a" * 500, "--out", "old.npy"],
        "output in no place": ["data", "onehot", "folder", "--root", "set", "--out", "text/new.npy"],
        "output is there": ["data", "onehot", "folder", "--root", "set", "--out", "folder.npy"],
    },
    "data sbd": {
        "missing file": ["data", "sbd", "--root", "none", "--sbd", "none"],
        "folder for a file": ["data", "sbd", "--root", "folder", "--sbd", "folder"],
        "file for a folder": ["data", "sbd", "--root", "text", "--sbd", "text"],
        "empty file": ["data", "sbd", "--root", "empty", "--sbd", "empty"],
        "other file": ["data", "sbd", "--root", "set", "--sbd", "set"],
        "no number": ["data", "sbd", "--root", "nan", "--sbd", "nan"],
        "negative number": ["data", "sbd", "--root", "-1", "--sbd", "-1"],
        "too large": ["data", "sbd", "--root", "a" * 5000, "--sbd", "set"],
        "unknown name": ["data", "sbd", "--root", "set", "--split", "train"],
        "output is there": ["data", "sbd", "--root", "", "--sbd", ""],
        "letters of any script": ["data", "sbd", "--root", "없는 폴더 🦜", "--sbd", "set"],
    },
    "bench": {
        "missing file": ["bench", "explain", "--checkpoint", "none"],
        "folder for a file": ["bench", "explain", "--checkpoint", "folder"],
        "file for a folder": ["bench", "explain", "--checkpoint", "text/model.safetensors"],
        "empty file": ["bench", "explain", "--checkpoint", "empty.safetensors"],
        "other file": ["bench", "explain", "--checkpoint", "a.png"],
        "no number": ["bench", "par", "--threads", "nan"],
        "negative number": ["bench", "walk", "--radius", "-1"],
        "too large": ["bench", "par", "--threads", "9" * 30],
        "unknown name": ["bench", "wlak"],
        "output in no place": ["bench", "walk", "--json", "text/new.json"],
        "output is there": ["bench", "walk", "--json", "folder"],
        "letters of any script": ["bench", "걷기"],
    },
}  # fmt: skip


@pytest.fixture
def nonsense(tmp_path, image) -> Path:
    """A folder with what the cases name."""
    for folder in (
        "folder",
        "folder.npy",
        "folder.safetensors",
        "folder.onnx",
        "set/images",
        "broken set/images",
        "run",
        "clone",
    ):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("empty", "empty.safetensors", "clone/app.py"):
        (tmp_path / name).write_bytes(b"")
    for name in ("text", "old.safetensors", "old.json", "old.npy", "run/last.pt", "broken set/labels.csv"):
        (tmp_path / name).write_text("nobody may lose me\n")
    (tmp_path / "half.json").write_text('{"preset": ')
    for name in ("a.png", "set/images/a.png", "set/images/b.png"):
        (tmp_path / name).write_bytes(Path(image).read_bytes())
    (tmp_path / "broken set/images/a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "set/labels.csv").write_text("a.png,cat\nb.png,dog\n")
    (tmp_path / "bomb.png").write_bytes(png_of_size(200_000))
    return tmp_path


def png_of_size(side: int) -> bytes:
    """A small file whose head promises a huge square image."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    head = side.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("command", CASES)
def test_every_kind_of_nonsense(nonsense, refused, command):
    for kind, arguments in CASES[command].items():
        options = ["--checkpoint", CHECKPOINT] if command in ("explain", "evaluate", "predict") else []
        told = refused(*arguments, *([] if "--checkpoint" in arguments else options))
        assert len(told.split()) >= 6, (kind, told)
        assert "Errno" not in told and "object at 0x" not in told, (kind, told)


def test_every_command_is_tried_with_ten_kinds():
    parser = argparse.ArgumentParser()
    data.add_arguments(parser)
    kinds = next(action.choices for action in parser._actions if action.dest == "kind")
    # The options of `app` are those of app.py, which test_any_machine.py and test_hosts.py try.
    commands = {command.name for command in COMMANDS} - {"app", "data"} | {f"data {kind}" for kind in kinds}
    assert set(CASES) == commands
    for command, cases in CASES.items():
        assert len(cases) >= 10 and set(cases) <= set(KINDS), command
