"""Killed while saving or training, full disks, folders that cannot be written: nothing is lost, one sentence says why.

The rows of `fault_table.py` name these tests."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from app_fixtures import open_session, prepare
from explained import trace_of_noise
from killed_runs import SAVE_EVERY, card, run

from afa_viz.__main__ import main
from afa_viz.commands.explain import write_trace
from afa_viz.config import ExplainConfig
from afa_viz.data.sandbox import dataset as rendering
from afa_viz.model.afa import build_afa
from afa_viz.model.checkpoint import load_model, save_model
from afa_viz.training import machine_errors, records
from afa_viz.training.status import read_status, report_status
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.api import Api
from afa_viz.ui.handlers.dataset.images import DataSet
from afa_viz.ui.handlers.dataset.scoring import Scorer
from afa_viz.ui.handlers.dataset.sources import SandboxScenes
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.sessions.examples import read_examples
from afa_viz.ui.sessions.model_registry import discover_checkpoints

ROOT = Path(__file__).parents[2]
SUPPORT = ROOT / "tests" / "support"
FULL = Path("/dev/full")  # whatever is written there meets a full disk
needs_full = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full: it is a device of Linux")


def partial_of(path: Path) -> Path:
    """Where this thread writes what is to become a file."""
    return path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")


def child(*arguments: str, **options) -> subprocess.CompletedProcess:
    """A process of `killed_runs.py`."""
    paths = os.pathsep.join([str(ROOT), str(SUPPORT)])
    return subprocess.run(
        [sys.executable, str(SUPPORT / "killed_runs.py"), *arguments], capture_output=True, text=True, timeout=180,
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}, **options,
    )  # fmt: skip


# --- killed ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_killed_while_saving_a_checkpoint_loads(tmp_path):
    done = child("save", str(tmp_path / "x.safetensors"), "12")
    output = done.stdout.split("\n")
    assert output[0] == "ready" and len(output) == 14 and set(output[1:-1]) == {"whole"}, done.stdout + done.stderr
    save_model(build_afa("mit_b0", 3), tmp_path / "x.safetensors", card(2.0))  # what was left over is in nobody's way
    assert load_model(tmp_path / "x.safetensors").card.scores == {"number": 2.0}
    assert discover_checkpoints(tmp_path) == {"x": str(tmp_path / "x.safetensors")}


def test_killed_between_weights_and_card(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    model = build_afa("mit_b0", 3)
    save_model(model, path, card(1.0))
    torch.nn.init.constant_(model.attn_proj.bias, 7.0)
    replace, done = os.replace, []

    def killed_at_the_second(source, target):
        done.append(target)
        if len(done) == 2:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        save_model(model, path, card(2.0))
    found = load_model(path, device="cpu")
    assert found.attn_proj.bias.item() == 7.0 and found.card.scores == {"number": 1.0}


def test_killed_while_a_run_saves_its_state(tmp_path, monkeypatch):
    records.save_state(tmp_path, {"iteration": 3})
    save = torch.save

    def half(state, path):
        save(state, path)
        path.write_bytes(path.read_bytes()[:300])
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(KeyboardInterrupt):
        records.save_state(tmp_path, {"iteration": 6})
    assert records.load_state(tmp_path, "cpu") == {"iteration": 3}
    monkeypatch.setattr(torch, "save", save)
    records.save_state(tmp_path, {"iteration": 9})
    assert records.load_state(tmp_path, "cpu") == {"iteration": 9}
    assert sorted(path.name for path in tmp_path.iterdir()) == [records.LAST, records.PREVIOUS]


def test_a_line_that_was_cut_off_swallows_no_other(tmp_path):
    records.append_metrics(tmp_path, {"iteration": 1, "loss": 2.0})
    with open(tmp_path / records.METRICS, "a") as file:
        file.write('{"iteration": 2, "lo')
    records.append_metrics(tmp_path, {"iteration": 2, "loss": 1.0})
    records.append_metrics(tmp_path, {"iteration": 3, "loss": 0.5})
    with open(tmp_path / records.METRICS, "ab") as file:
        file.write(b'3\n[]\n{"iteration": "4"}\n\xff\xfe\n' + b"[" * 100_000 + b"\n")
    assert [line["iteration"] for line in records.read_metrics(tmp_path)] == [1, 2, 3]


def test_a_damaged_state_is_a_sentence(tmp_path):
    for content in (b"", b"x" * 100, b"PK\x03\x04"):
        (tmp_path / records.LAST).write_bytes(content)
        with pytest.raises(ValueError, match="expected the state of a run: begin again in another folder") as caught:
            records.load_state(tmp_path, "cpu")
        assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_killed_training_loses_at_most_the_steps_since_its_last_save(tmp_path):
    fatal = 8
    done = child("train", str(tmp_path / "killed"), str(fatal))
    assert done.returncode == -9, done.stderr
    begun = run(tmp_path / "killed", resume=True)
    assert fatal - SAVE_EVERY <= begun.iteration == fatal // SAVE_EVERY * SAVE_EVERY
    begun.run(progress=False)
    whole = run(tmp_path / "whole")
    whole.run(progress=False)
    for (name, tensor), other in zip(whole.model.state_dict().items(), begun.model.state_dict().values(), strict=True):
        assert torch.equal(tensor, other), name
    lines = [[line["loss_cls"] for line in records.read_metrics(tmp_path / name) if "loss_cls" in line]
             for name in ("whole", "killed")]  # fmt: skip
    assert len(lines[0]) == 12 and lines[0] == lines[1], "no step twice, none missing"


# --- full disks ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def no_file_beyond(size: int):
    """No process may write a larger file: what is left of a disk that is nearly full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


@needs_full
@pytest.mark.parametrize("full", ["weights", "card"])
def test_a_full_disk_keeps_the_old_checkpoint(tmp_path, full):
    path = tmp_path / "x.safetensors"
    save_model(build_afa("mit_b0", 3), path, card(1.0))
    before = path.read_bytes()
    if full == "card":
        partial_of(tmp_path / "x.json").symlink_to(FULL)
    with no_file_beyond(2**20 if full == "weights" else 2**30), pytest.raises(OSError) as caught:
        save_model(build_afa("mit_b0", 3), path, card(2.0))
    text = "could not be written" if full == "weights" else "No space left"
    assert text in str(caught.value)
    assert path.read_bytes() == before and load_model(path).card.scores == {"number": 1.0}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.json", "x.safetensors"]


@needs_full
def test_a_full_disk_keeps_the_pictures_of_an_image(tmp_path):
    trace = trace_of_noise()
    write_trace(trace, tmp_path)
    before = (tmp_path / "strip.png").read_bytes()
    partial_of(tmp_path / "strip.png").symlink_to(FULL)
    with pytest.raises(OSError, match="No space left"):
        write_trace(trace, tmp_path)
    assert (tmp_path / "strip.png").read_bytes() == before


@needs_full
def test_a_full_disk_keeps_the_state_of_a_run(tmp_path):
    records.save_state(tmp_path, {"iteration": 3})
    (tmp_path / f"{records.LAST}.partial").symlink_to(FULL)
    with pytest.raises(OSError, match=r"could not be saved .*; expected room on the disk: make some and resume\.$"):
        records.save_state(tmp_path, {"iteration": 6, "weights": torch.zeros(2**16)})
    assert records.load_state(tmp_path, "cpu") == {"iteration": 3}


@needs_full
def test_a_full_disk_in_a_run_saves_what_it_can(tmp_path):
    training = run(tmp_path)
    (tmp_path / records.METRICS).symlink_to(FULL)
    with pytest.raises(OSError, match="the disk is full; make room and resume"), report_status(tmp_path):
        training.run(progress=False)
    assert read_status(tmp_path).message == machine_errors.DISK_MESSAGE
    (tmp_path / records.METRICS).unlink()
    assert run(tmp_path, resume=True).iteration == training.iteration > 0


def test_a_full_disk_while_rendering_is_a_sentence(tmp_path, monkeypatch, capsys):
    def no_room(file, start, length):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_room, raising=False)
    arguments = ["train", "--config", "few_seconds", "--threads", "1", "--cache", str(tmp_path / "cache")]
    assert main([*arguments, "--out", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"afa_viz: {machine_errors.DISK_MESSAGE}"
    monkeypatch.undo()
    path = rendering.render_split("val", 3, 64, cache_dir=tmp_path / "cache", progress=False)
    assert rendering.load_split(path)["images"].shape == (3, 64, 64, 3)
    blocks = os.stat(path / "images.npy").st_blocks * 512
    assert blocks >= 3 * 64 * 64 * 3, "the room is taken, not only promised"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    options = prepare(folder)
    session = open_session(options)
    answers = ExplorerHandlers(session, folder / "exports")
    api = Api(session, answers)
    return api, answers, api.explain(None, "example:scene0", None, {"num_iters": 1}, None)["key"]


@needs_full
@pytest.mark.parametrize("kind", ["png", "npz", "html"])
def test_a_full_disk_while_exporting_is_a_sentence(page, kind, tmp_path, monkeypatch):
    api, answers, key = page
    number, ident = os.getpid(), threading.get_ident()
    (tmp_path / f".afa-viz.{kind}.{number}-{ident}.tmp").symlink_to(FULL)
    with monkeypatch.context() as context:
        context.setattr("afa_viz.ui.sessions.exports.tempfile.mkdtemp", lambda **where: str(tmp_path))
        with pytest.raises(UserError, match=r"no room for this file at the moment; try again later\.$"):
            api.export(key, kind, None, None, None)
    assert not tmp_path.exists() and kind not in {path.suffix[1:] for path in answers.exports.files.folder.rglob("*.*")}
    assert Path(api.export(key, kind, None, None, None)).stat().st_size > 1000


# --- folders that cannot be used ------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["file", "/proc/afa-viz"], ids=["a file is there", "nobody may write there"])
def test_a_cache_that_can_not_be_written_is_no_error(tmp_path, place):
    (tmp_path / "file").write_text("")
    cache = Path(place) if place.startswith("/") else tmp_path / "file" / "cache"
    options = prepare(tmp_path)
    dataset = DataSet(SandboxScenes(cache, 64, 2), cache)
    session = open_session(options, dataset=dataset)
    scorer = Scorer(session, dataset)
    scorer.start("tiny", ExplainConfig(scales=(1.0,), num_iters=1))
    scorer._thread.join(60)
    table = scorer.table("tiny", ExplainConfig(scales=(1.0,), num_iters=1))
    assert len(table) == 2 and not table.broken() and not cache.exists()
    assert dataset.input_image("val_0001").image.shape == (64, 64, 3)


def test_a_folder_that_can_not_be_written_is_a_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    options = prepare(tmp_path)
    checkpoint, image = str(options.checkpoint_folder / "tiny"), str(options.examples / "scene0.png")
    out = str(tmp_path / "file" / "out")
    for arguments in (
        ["explain", image, "--checkpoint", checkpoint, "--out", out],
        ["convert", str(Path(checkpoint) / "model.safetensors"), f"{out}.safetensors"],
        ["data", "sandbox", "--out", out, "--train", "1", "--val", "1"],
        ["train", "--config", "few_seconds", "--out", str(tmp_path / "run"), "--cache", out, "--threads", "1"],
        ["train", "--config", "few_seconds", "--out", out, "--cache", str(tmp_path / "cache")],
    ):
        assert main(arguments) == 2, arguments
        text = capsys.readouterr().err.splitlines()[-1]
        assert text.startswith("afa_viz: ") and text.endswith(".") and "file" in text and "Traceback" not in text


@pytest.mark.parametrize("text", ["{", "[3]", "{}", '[{"name": "x"}]', '"x"', '[{"name": "x", "image": 3}]', "\xff"])
def test_damaged_examples_are_a_sentence(tmp_path, text):
    (tmp_path / "examples.json").write_text(text, encoding="latin-1")
    if text == "{}":
        assert read_examples(tmp_path) == []
        return
    with pytest.raises(UserError, match=r"is not a list of examples .*; expected names and images\.$"):
        read_examples(tmp_path)
