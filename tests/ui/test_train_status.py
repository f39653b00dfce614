"""What a run tells the outside: who trains in a folder, how it ended, how long it takes; panels of its stages."""

from __future__ import annotations

import errno
import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image

from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.config import CurriculumStage, ExplainConfig, TrainConfig, scale_iterations
from afa_viz.figures.panel import PANEL_STAGES, panel_facts, write_panel
from afa_viz.model.afa import build_afa
from afa_viz.pipeline import explain
from afa_viz.presets import PRESETS, QUICK
from afa_viz.training import machine_errors, records, status
from afa_viz.training.progress import PSEUDO_LABELS, seconds_left
from afa_viz.training.status import Status, delayed_interrupts, is_alive, read_status, report_status


def test_one_process_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(status, "LOCK_TIMEOUT", 0.05)
    assert not is_alive(tmp_path)
    with report_status(tmp_path) as reporter:
        assert is_alive(tmp_path)
        reporter.update("rendering", 3, 8)
        assert read_status(tmp_path) == Status("rendering", 3, 8, "", os.getpid())
        with pytest.raises(ValueError, match="another process trains in"), report_status(tmp_path):
            pass
        assert read_status(tmp_path).doing == "rendering"  # the refused one left it alone
        reporter.update("finished")
    assert not is_alive(tmp_path)
    assert read_status(tmp_path).doing == "finished"


def test_other_processes_of_a_run_say_nothing(tmp_path):
    with report_status(tmp_path / "run", is_main=False) as reporter:
        reporter.update("training")
    assert not (tmp_path / "run").exists()


def test_sigterm_stops_as_ctrl_c_does(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), report_status(tmp_path):
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    assert read_status(tmp_path).doing == "stopped"
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_being_saved_is_saved_first(tmp_path, number):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    done = []
    with pytest.raises(KeyboardInterrupt), report_status(tmp_path), delayed_interrupts():
        signal.raise_signal(number)
        signal.raise_signal(number)
        done.append("saved")
    assert done == ["saved"]
    assert read_status(tmp_path).doing == "stopped"
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@pytest.mark.parametrize(
    "error, told",
    [
        (OSError(errno.ENOSPC, "No space left on device"), machine_errors.DISK_MESSAGE),
        (MemoryError(), machine_errors.MEMORY_MESSAGE),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
            machine_errors.MEMORY_MESSAGE,
        ),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), machine_errors.MEMORY_MESSAGE),
    ],
    ids=["disk", "memory", "processor", "card"],
)
def test_what_the_machine_lacks_is_a_sentence(tmp_path, error, told):
    with pytest.raises(OSError, match=told[:20]), report_status(tmp_path):
        raise error
    assert read_status(tmp_path) == Status("failed", message=told, pid=os.getpid())


def test_any_other_error_is_kept_as_it_is(tmp_path):
    with pytest.raises(ValueError, match="learning rate"), report_status(tmp_path):
        raise ValueError("the loss is nan: lower the learning rate")
    assert read_status(tmp_path).message == "the loss is nan: lower the learning rate"


def test_a_damaged_status_is_none(tmp_path):
    assert read_status(tmp_path) is None
    for text in ("{", "[1]", '{"doing": "training", "more": 1}'):
        (tmp_path / status.STATUS).write_text(text)
        assert read_status(tmp_path) is None


def test_lines_of_a_run_killed_before_its_first_save_are_forgotten(tmp_path):
    records.append_metrics(tmp_path, {"iteration": 0, "miou_cam": 1.0})
    records.truncate_metrics(tmp_path, -1)
    assert records.read_metrics(tmp_path) == []


def test_a_recipe_keeps_its_proportions():
    for name, config in QUICK.items():
        for iterations in (1, 7, config.max_iters, 3 * config.max_iters):
            short = scale_iterations(config, iterations)
            assert short.max_iters == iterations == sum(part.iterations for part in short.curriculum), name
            assert short.cam_iters == pytest.approx(config.cam_iters * iterations / config.max_iters, abs=0.51)
        assert scale_iterations(config, config.max_iters) == config
    assert scale_iterations(PRESETS["voc"], 100).curriculum == ()
    with pytest.raises(ValueError, match="1 or more"):
        scale_iterations(config, 0)


def test_time_left_counts_parts_by_their_cost():
    parts = (CurriculumStage(10, 32, 32, 2, 1e-3, single_objects=True), CurriculumStage(10, 64, 64, 2, 1e-3))
    config = TrainConfig(crop_size=64, curriculum=parts, max_iters=20, cam_iters=14, joint_after=14)
    assert seconds_left(config, [{"iteration": 0, "miou_cam": 1.0, "evaluation_seconds": 2.0}], 5) is None
    lines = [
        {"iteration": 0, "evaluation_seconds": 1.0},
        {"iteration": 5, "seconds": 10.0},
        {"iteration": 5, "evaluation_seconds": 3.0},
    ]
    # A step of the first part takes 2 s. Left: 5 of them, 5 of four times the pixels, 5 with pseudo labels; 3 ladders.
    assert seconds_left(config, lines, 5) == pytest.approx(2 * (5 + 5 * 4 + 5 * 4 * PSEUDO_LABELS) + 3 * 2.0)
    assert seconds_left(config, [*lines, {"iteration": 20, "seconds": 99.0}], 5) == 0


@pytest.fixture(scope="module")
def traces():
    torch.manual_seed(0)
    model = build_afa("mit_b0", len(SANDBOX_CLASSES), "topk").eval()
    image = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    mask = np.zeros((64, 96), np.uint8)
    mask[20:40, 30:60] = 7
    config = ExplainConfig(scales=(1.0,), flip=False, num_iters=1)
    return [explain(model, image, [label], config, target=mask) for label in (7, 3)]


def test_a_panel_says_what_it_shows(traces, tmp_path):
    path = write_panel(traces, tmp_path / "panels" / "iter_000020.jpg", side=48)
    facts = panel_facts(path)
    assert facts["side"] == 48 and tuple(facts["stages"]) == PANEL_STAGES
    assert facts["classes"] == [traces[0].class_names[7], traces[0].class_names[3]]
    with Image.open(path) as opened:
        assert opened.size == (48 * len(PANEL_STAGES), 48 * 2)
        picture = np.asarray(opened).astype(int)
    small = np.asarray(Image.fromarray(traces[0].image.numpy()).resize((48, 32), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(picture[:32, :48].mean((0, 1)) - small.mean((0, 1))).max() < 4  # the image, in its column
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(ValueError, match="no trace"):
        write_panel([], path)


@pytest.mark.slow
def test_the_command_has_what_the_page_needs(tmp_path):
    from afa_viz.__main__ import main

    options = ["--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache"), "--device", "cpu", "--threads", "1"]
    small = ["--config", "few_seconds", "--iterations", "4", "--eval-every", "2", "--eval-images", "2"]
    assert main(["train", *small, *options, "--snapshots", "evaluations", "--until", "3"]) == 0
    assert read_status(tmp_path / "run").doing == "stopped"
    assert main(["train", *small, *options, "--snapshots", "evaluations", "--resume"]) == 0
    assert read_status(tmp_path / "run").doing == "finished"
    snapshot_iterations = [0, 2, 3, 4]
    assert sorted(p.name for p in (tmp_path / "run" / "panels").iterdir()) == [
        f"iter_{i:06d}.jpg" for i in snapshot_iterations
    ]
    weights = sorted((tmp_path / "run" / "snapshots").glob("*.safetensors"))
    assert [p.name for p in weights] == [f"iter_{i:06d}.safetensors" for i in snapshot_iterations]
    assert (tmp_path / "run" / "model.safetensors").exists() and (tmp_path / "run" / "training.png").exists()
    lines = records.read_metrics(tmp_path / "run")
    assert [line["iteration"] for line in lines if "evaluation_seconds" in line] == snapshot_iterations
    assert {"loss_cls", "loss_seg", "loss_aff", "lr", "phase", "seconds"} <= set(lines[-2])
