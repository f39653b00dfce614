"""Every command with every kind of nonsense: one sentence and an exit code, no traceback, nothing made or replaced."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from afa_viz.__main__ import COMMANDS, main
from afa_viz.commands import bench, data
from afa_viz.commands.bench import GROUPS

ROOT = Path(__file__).parents[2]
CHECKPOINT = str(ROOT / "checkpoints" / "sandbox")
NUMBERS = ("-1", "0", "1.5", "nan", "inf", "1e400", "x", "", "-999999999999999999999", "9" * 30, "٣.٥", "²")
WORDS = ("", " ", "x", "🦜", "a,b", "=", "a=", "=1", "a=b=c", "explain.radius", "../../etc", "hf://", "nul\udcff")
OF_A_RUN = {"runs", "status.json", "run.lock", "log.txt"}  # a run that was refused says so in its folder


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> list[str]:
    """Paths that hold what no command wants there."""
    folder = tmp_path_factory.mktemp("places")
    (folder / "empty").write_bytes(b"")
    (folder / "binary").write_bytes(bytes(range(256)))
    (folder / "text.txt").write_text("hello")
    (folder / "half.json").write_text("{")
    (folder / "weights.safetensors").write_bytes(b"x" * 100)
    (folder / "weights.pth").write_bytes(b"x" * 100)
    (folder / "an empty folder").mkdir()
    return [str(path) for path in folder.iterdir()] + [str(folder / "not there"), "/proc/self/mem", "🦜" * 100]


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("image") / "a.png"
    Image.fromarray(np.full((32, 32, 3), 9, np.uint8)).save(path)
    return str(path)


def files_in(folder: Path) -> dict[str, bytes | None]:
    """What lies in a folder, None for folders; what says of a run that it was refused does not count."""
    found = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.name not in OF_A_RUN}
    return {
        name: path.read_bytes() if path.is_file() else None
        for name, path in found.items()
        if not name.startswith("runs/") or path.is_file()
    }


@pytest.fixture
def refused(tmp_path, monkeypatch, capfd):
    """Run a command that must end with a sentence or argparse's line, and leave everything as it was."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        before = files_in(tmp_path)
        code = main(arguments)
        output = capfd.readouterr()
        lines = [line for line in output.err.splitlines() if line.strip()]
        assert code in (1, 2), (arguments, code)
        assert "Traceback" not in output.err
        assert files_in(tmp_path) == before, arguments
        if lines:
            assert lines[-1].startswith("afa_viz: ") and lines[-1].endswith(".") or " error: " in lines[-1], lines[-1]
        else:
            assert code == 1 and output.out.strip(), arguments  # `data check` prints what it has found
        return lines[-1] if lines else output.out

    return run


# --- ten kinds for each command --------------------------------------------------------------------------------------

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
    for folder in ("folder", "folder.npy", "folder.safetensors", "set/images", "broken set/images", "run", "clone"):
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


# --- every option with the same nonsense -----------------------------------------------------------------------------


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_options_that_there_are_not(refused, command):
    for arguments in ([], ["--nonsense"], ["a", "b", "c", "d"], ["--"], ["--json"]):
        if command in ("app", "bench", "evaluate", "train") and arguments in ([], ["--"]):
            continue  # that is no nonsense: it serves, measures everything, scores the bundled model, or trains
        refused(command, *arguments)


def test_paths(refused, places, image):
    for path in places:
        refused("explain", path, "--out", "out", "--device", "cpu")
        refused("explain", image, "--out", "out", "--checkpoint", path)
        refused("explain", image, "--out", "out", "--checkpoint", CHECKPOINT, "--truth", path)
        refused("convert", path, "new.safetensors")
        refused("convert", CHECKPOINT, f"{path}/x.pth")
        refused("push", path, "jane/afa")
        refused("space", "jane/afa", "--dry-run", "--folder", path)
        refused("evaluate", "--limit", "1", "--checkpoint", path)
        refused("train", "--config", path)
        refused("data", "sbd", "--root", path, "--sbd", path)
        for layout in ("voc", "coco", "folder"):
            refused("data", "check", layout, "--root", path)
            refused("evaluate", "--limit", "1", "--checkpoint", CHECKPOINT, "--data", layout, "--root", path)
            refused("train", "--config", layout, "--root", path, "--set", "pretrained=no")
        refused("bench", "explain", "--checkpoint", path)


def test_numbers(refused):
    sandbox = ["data", "sandbox", "--out", "out", "--train", "1", "--val", "0", "--test", "0", "--size", "64"]
    for number in NUMBERS:
        refused("convert", CHECKPOINT, "x.safetensors", "--num-classes", number)
        refused(*sandbox, "--size", number)
        refused(*sandbox, "--workers", number)
        if number != "0":
            refused("evaluate", "--limit", "1", "--threads", number)
            refused("train", "--config", "few_seconds", "--threads", number)
        refused("evaluate", "--checkpoint", CHECKPOINT, "--limit", number)
        for option in ("--iterations", "--eval-images", "--readers", "--eval-every"):
            if (option, number) != ("--eval-every", "9" * 30):  # never but at the end: that is right
                refused("train", "--config", "few_seconds", option, number)


def test_words(refused, image):
    for word in WORDS:
        refused("push", CHECKPOINT, word)
        refused("space", word, "--dry-run")
        refused("explain", image, "--out", "out", "--device", word)
        if word.strip():
            refused("explain", image, "--out", "out", "--checkpoint", CHECKPOINT, "--labels", word)
            refused("evaluate", "--limit", "1", "--split", word)
            refused("evaluate", "--limit", "1", "--recipe", word)
            refused("train", "--config", "few_seconds", "--snapshots", word)
        for command in (["explain", image, "--out", "out"], ["evaluate"], ["train", "--config", "few_seconds"]):
            refused(*command, "--set", word)
        refused("bench", "train_step", "--backbone", word)
        refused(word) if word.strip() else None


@pytest.mark.parametrize("group", [group.name for group in GROUPS])
def test_numbers_of_the_benchmarks(refused, group):
    module = bench._load(next(g for g in GROUPS if g.name == group))
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    options = {a.dest: a for a in parser._actions if a.type in (int, float) and a.option_strings}
    least = bench.MIN_VALUES | getattr(module, "MIN_VALUES", {})
    assert options
    for name, action in options.items():
        for number in ("-1", "x", "nan", "-inf", "inf", "1e400"):
            if number not in ("inf", "1e400") or action.type is not float or name in ("pause", "seconds", "minutes"):
                assert name.replace("_", "-") in refused("bench", group, f"{action.option_strings[0]}={number}")
        if least.get(name, 1) > 0:
            refused("bench", group, action.option_strings[0], "0")


def test_what_is_printed_to_nobody_ends_quietly():
    command = f'"{sys.executable}" -m afa_viz space jane/afa --dry-run | head -n 1; echo "${{PIPESTATUS[0]}}"'
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stderr == "" and done.stdout.splitlines()[-1] in ("0", "141")  # 0: all was printed before


def test_memory_that_runs_out_is_a_sentence(monkeypatch, capsys, image):
    import afa_viz.model.checkpoint as checkpoint

    for error in (
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ):

        def load(*_, error=error, **__):
            raise error

        monkeypatch.setattr(checkpoint, "load_model", load)
        assert main(["explain", image, "--out", "out"]) == 2
        assert capsys.readouterr().err.startswith("afa_viz: memory ran out; close other programs, or choose smaller")


def test_scores_may_be_written_to_a_device(capsys, tmp_path):
    options = ["--limit", "1", "--device", "cpu", "--cache", str(tmp_path), "--set", "long_side=64", "scales=1"]
    assert main(["evaluate", *options, "--checkpoint", CHECKPOINT, "--json", os.devnull]) == 0
    assert Path(os.devnull).is_char_device()
