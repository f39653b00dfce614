"""Outputs and options of the commands are checked before any work is done, and no result is lost to a console."""

from __future__ import annotations

import codecs
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from afa_viz.__main__ import main
from afa_viz.commands import bench, outputs
from afa_viz.encodings import PLAIN, escape_unencodable
from afa_viz.model.afa import build_afa
from afa_viz.model.card import default_card
from afa_viz.model.checkpoint import save_model

ROOT = Path(__file__).parents[2]
FULL = Path("/dev/full")  # whatever is written there meets a full disk


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """weights/ of a network whose classes are those of the sandbox, an image, and rendered scenes."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("outputs")
    card = {**vars(default_card("mit_b0", 13)), "input_size": 64}
    save_model(
        build_afa("mit_b0", 13), folder / "weights" / "model.safetensors", type(default_card("mit_b0", 13))(**card)
    )
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(folder / "one.png")
    (folder / "a file").write_text("")
    return folder


def evaluate(folder: Path, *more: str) -> list[str]:
    common = ["--checkpoint", str(folder / "weights"), "--cache", str(folder / "cache"), "--device", "cpu"]
    return ["evaluate", *common, "--limit", "2", "--set", "scales=1", "flip=no", "num_iters=1", *more]


# --- refused before the first image ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more, told",
    [(["--json", "FOLDER/none/s.json"], "there is no folder FOLDER/none for --json s.json"),
     (["--json", "FOLDER"], "--json is FOLDER, a folder; expected a file"),
     (["--json", "FOLDER/a file/s.json"], "there is no folder FOLDER/a file for --json"),
     (["--json", "/proc/s.json"], "nothing can be written to /proc for --json"),
     (["--plots", "FOLDER/a file"], "--plots FOLDER/a file cannot be made: FOLDER/a file is a file"),
     (["--plots", "FOLDER/a file/plots"], "cannot be made: FOLDER/a file is a file"),
     (["--plots", "FOLDER/plots", "--protocol", "published"], "--plots needs the stages protocol, not published alone"),
     (["--sweep", "--protocol", "published"], "--sweep needs the stages protocol, not published alone"),
     (["--multi-scale", "--protocol", "published"], "--multi-scale needs the stages protocol"),
     (["--by", "context", "--protocol", "published"], "--by needs the stages protocol"),
     (["--crf", "--protocol", "stages"], "--crf needs the published protocol"),
     (["--crf"], "--crf needs the published protocol, not stages alone"),
     (["--root", "FOLDER"], "--root means nothing for --data sandbox; expected --data voc, coco or folder"),
     (["--labels", "xml"], "--labels means nothing for --data sandbox"),
     (["--data", "voc", "--recipe", "hard"], "--recipe means nothing for --data voc; expected --data sandbox"),
     (["--data", "folder", "--by", "context"], "--by context means nothing for --data folder"),
     (["--threads", "-2"], "--threads is -2; expected 0 to 1024"), (["--limit", "-1"], "--limit is -1"),
     (["--device", "toaster"], "got device 'toaster'; expected one that is here")],
    ids=lambda v: " ".join(v)[:30] if isinstance(v, list) else "",
)  # fmt: skip
def test_evaluate_refuses_before_the_first_image(folder, capsys, monkeypatch, more, told):
    monkeypatch.setattr("afa_viz.model.checkpoint.load_model", lambda *a, **k: pytest.fail("it began"))
    before = sorted(folder.rglob("*"))
    words = [word.replace("FOLDER", str(folder)) for word in more]
    assert main(evaluate(folder, *words)) == 2
    output = capsys.readouterr().err
    assert told.replace("FOLDER", str(folder)) in output and output.startswith("afa_viz: ") and output.count("\n") == 1
    assert sorted(folder.rglob("*")) == before, "nothing was made"


@pytest.mark.parametrize(
    "command, began",
    [(["explain", "FOLDER/one.png", "--out", "FOLDER/a file/out"], "afa_viz.model.checkpoint.load_model"),
     (["convert", "FOLDER/weights", "FOLDER/a file/x.safetensors"], "afa_viz.model.checkpoint.convert"),
     (["convert", "FOLDER/weights", "FOLDER/x.pth"], "afa_viz.model.checkpoint.convert"),
     (["export", "FOLDER/weights", "--onnx", "FOLDER/a file/x.onnx"], "afa_viz.model.checkpoint.load_model"),
     (["export", "FOLDER/weights", "--onnx", "FOLDER/x.pth"], "afa_viz.model.checkpoint.load_model"),
     (["data", "sandbox", "--out", "FOLDER/a file/w", "--train", "3"], "afa_viz.data.sandbox.write_voc_layout"),
     (["train", "--config", "few_seconds", "--out", "FOLDER/a file/run"], "afa_viz.training.distributed.start"),
     (["train", "--config", "few_seconds", "--cache", "FOLDER/a file/c", "--out", "FOLDER/r"],
      "afa_viz.data.sandbox.render_split"),
     (["bench", "walk", "--json", "FOLDER/none/b.json"], "benchmarks.walk.run"),
     (["bench", "walk", "--json", "FOLDER"], "benchmarks.walk.run")],
    ids=lambda v: " ".join(v)[:40] if isinstance(v, list) else "",
)  # fmt: skip
def test_the_other_commands_refuse_before_they_begin(folder, capsys, monkeypatch, command, began):
    if began.startswith("benchmarks"):
        monkeypatch.chdir(ROOT)
    monkeypatch.setattr(began, lambda *a, **k: pytest.fail("it began"))
    assert main([word.replace("FOLDER", str(folder)) for word in command]) == 2
    output = capsys.readouterr().err.splitlines()
    assert (
        len(output) == 1 and output[0].startswith("afa_viz: ") and str(folder) in output[0] and output[0].endswith(".")
    )


def test_what_can_be_written_is_not_refused_and_not_made(tmp_path):
    outputs.require_file(tmp_path / "s.json", "--json")
    outputs.require_folder(tmp_path / "new" / "deep", "--out")
    outputs.require_file("s.json", "--json")
    for nothing in (outputs.require_file, outputs.require_folder):
        nothing(None, "--json")
    assert list(tmp_path.iterdir()) == [] and not Path("s.json").exists()


# --- nothing is lost afterwards --------------------------------------------------------------------------------------


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full: it is a device of Linux")
def test_scores_that_can_not_be_written_are_printed(folder, capsys, monkeypatch):
    def no_room(*arguments, **named):
        raise OSError(28, "No space left on device", "s.json")

    monkeypatch.setattr("afa_viz.evaluation.write_scores", no_room)
    assert main(evaluate(folder, "--json", str(folder / "full.json"))) == 2
    shown = capsys.readouterr()
    assert "mIoU" in shown.out and "mAP" in shown.out and "s.json cannot be used: no space left" in shown.err


@pytest.mark.parametrize("what", ["print", "plots"])
def test_scores_are_written_before_they_are_printed_or_drawn(folder, monkeypatch, what):
    path = folder / f"{what}.json"

    def fails(*arguments, **named):
        raise UnicodeEncodeError("cp949", "–", 0, 1, "illegal multibyte sequence")

    monkeypatch.setattr("builtins.print" if what == "print" else "afa_viz.figures.evaluation_charts.write_plots", fails)
    with monkeypatch.context() as patch:
        patch.setattr("afa_viz.__main__._print_error", lambda message: 2)
        assert main(evaluate(folder, "--json", str(path), "--plots", str(folder / "plots"))) == 2
    assert json.loads(path.read_text())["images"] == 2


@pytest.mark.parametrize("encoding", ["cp949", "latin-1", "ascii", "cp437", "utf-8"])
def test_any_console_shows_the_tables(folder, tmp_path, encoding):
    environment = os.environ | {
        "PYTHONIOENCODING": f"{encoding}:strict",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "afa_viz", *evaluate(folder, "--json", str(tmp_path / "s.json"))], cwd=ROOT,
        env=environment, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
    shown = done.stdout.decode(encoding)
    assert "mIoU" in shown and "background" in shown and (tmp_path / "s.json").is_file()


def test_letters_that_a_console_lacks(monkeypatch, capsys):
    escape_unencodable()
    for sign, plain in PLAIN.items():
        assert codecs.encode(sign, "ascii", "afa_viz.plain") == plain.encode()
    assert "고양이 – 12.5 ▲ 3".encode("latin-1", "afa_viz.plain") == b"\\uace0\\uc591\\uc774 - 12.5 + 3"
    assert "고양이 – 1".encode("cp949", "afa_viz.plain").decode("cp949") == "고양이 - 1"
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", "afa_viz.plain")


def test_a_choice_of_the_user_for_letters_is_kept():
    code = "import sys; from afa_viz.encodings import escape_unencodable; escape_unencodable(); print('a–b')"
    for errors, shown in (("replace", b"a?b"), ("ignore", b"ab"), ("strict", b"a-b"), ("surrogateescape", b"a-b")):
        environment = os.environ | {"PYTHONIOENCODING": f"ascii:{errors}", "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
        assert done.stdout.strip() == shown, errors


def test_bench_writes_before_it_prints(tmp_path, monkeypatch):
    path = tmp_path / "b.json"

    def table(report):
        raise UnicodeEncodeError("ascii", "≤", 0, 1, "not in range")

    module = SimpleNamespace(add_arguments=lambda parser: None, run=lambda options: {"rows": [3]}, table=table)
    monkeypatch.setattr(bench, "_load", lambda group: module)
    assert main(["bench", "walk", "--json", str(path)]) == 2
    assert json.loads(path.read_text()) == {"walk": {"rows": [3]}}
