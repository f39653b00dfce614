"""Every option of the commands with the same nonsense: paths, numbers, words; and a shell that goes away."""

# ruff: noqa: F811 (arguments of tests are fixtures, imported by name)
from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest
from refused_commands import CHECKPOINT, ROOT, image, refused  # noqa: F401

from afa_viz.__main__ import COMMANDS, main
from afa_viz.commands import bench
from afa_viz.commands.bench import GROUPS

NUMBERS = ("-1", "0", "1.5", "nan", "inf", "1e400", "x", "", "-999999999999999999999", "9" * 30, "٣.٥", "²")
WORDS = ("", " ", "x", "🦜", "a,b", "=", "a=", "=1", "a=b=c", "explain.radius", "../../etc", "hf://", "nul\udcff")


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
