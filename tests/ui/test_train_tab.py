"""The Train tab without a browser: orders, the process behind them, and what the page is told."""

from __future__ import annotations

import json
import os
import re
import signal
from collections import namedtuple
from pathlib import Path

import pytest
from app_fixtures import open_session, prepare
from waiting import until

from afa_viz.presets import PRESETS
from afa_viz.training import records
from afa_viz.training.status import Status, write_status
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.callbacks import Callbacks
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.handlers.train import MAX_LINES, MEASURED, TRAINING_OFF, TrainHandlers, subsampled
from afa_viz.ui.jobs import trainer as trainer_module
from afa_viz.ui.jobs.trainer import REQUEST, Trainer
from afa_viz.ui.jobs.training_request import (
    MAX_ITERATIONS,
    MIN_ITERATIONS,
    OFFERED_POOLINGS,
    RECIPES,
    STARTS,
    TrainingRequest,
    parse_training_request,
)
from afa_viz.ui.server.launch import parser, training_allowed

SMALL = ("--config", "few_seconds", "--threads", "1", "--eval-images", "2", "--eval-every", "60")
GOOD = {
    "recipe": "two_minutes", "start": "scratch", "pooling": "max", "backbone": "mit_b0", "iterations": 240,
    "device": "cpu",
}  # fmt: skip
DEVICES = ("auto", "cpu")


def ended(trainer: Trainer, name: str) -> trainer_module.Run:
    return until(lambda: None if trainer.run(name).is_active else trainer.run(name))


def losses(trainer: Trainer, name: str) -> list[int]:
    return [line["iteration"] for line in trainer.metrics(name) if "loss_cls" in line]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def stopped(folders):
    """A training that was started, refused a second one, and stopped; by two apps that share the folder."""
    here, there = Trainer(*folders, extra=SMALL), Trainer(*folders, extra=SMALL)
    name = here.start(parse_training_request(GOOD, DEVICES, None))
    assert here.run(name).is_active and there.run(name).is_active
    for app in (here, there):
        with pytest.raises(UserError, match=f"already running .{name}"):
            app.start(parse_training_request(GOOD, DEVICES, None))
        with pytest.raises(UserError, match="already running"):
            app.resume(name)
    until(lambda: len(losses(here, name)) > 4)
    assert there.run(name).state == "training"
    assert there.seconds_left(there.run(name)) > 0
    there.stop(name)
    assert ended(here, name).state == "stopped"
    return here, name


@pytest.mark.slow
def test_a_stopped_training_goes_on_where_it_was(stopped, folders):
    trainer, name = stopped
    seen = losses(trainer, name)
    at = max(line["iteration"] for line in trainer.metrics(name))
    assert 0 < at < GOOD["iterations"]
    first, last = trainer.snapshot_iterations(name)[0], trainer.snapshot_iterations(name)[-1]
    assert first == 0 and 0 <= last - at < 3  # the moment of the stop is kept too; every second step has a line
    for moment in (first, last):
        assert trainer.weights(name, moment).is_file() and trainer.panel(name, moment).is_file()
    with pytest.raises(UserError, match="already ended"):
        trainer.stop(name)
    again = Trainer(*folders, extra=SMALL)  # an app that was started anew
    assert again.names() == [name] and again.run(name).state == "stopped"
    again.resume(name)
    until(lambda: len(losses(again, name)) > len(seen) + 2)
    assert losses(again, name)[: len(seen)] == seen and losses(again, name) == sorted(set(losses(again, name)))

    pid = again.run(name).status.pid
    os.kill(pid, signal.SIGKILL)
    run = ended(again, name)
    assert run.state == "killed"
    assert run.message.startswith("The operating system ended the training") and "resume" in run.message
    elsewhere = Trainer(*folders).run(name)
    assert elsewhere.state == "killed" and elsewhere.message.startswith(
        "The training's process ended without an error message"
    )


@pytest.mark.slow
def test_explaining_with_what_was_learned(stopped, tmp_path):
    trainer, name = stopped
    options = prepare(tmp_path)
    session = open_session(options)
    callbacks = Callbacks(session, ExplorerHandlers(session, tmp_path / "out"), TrainHandlers(trainer))
    settings = ([], 0.35, 0.55, 8, 2.0, 1, 10)
    at = trainer.snapshot_iterations(name)[-1]
    value, _, model, line, radius = callbacks.open_checkpoint(
        {"run": name, "iteration": at}, "example:scene0", *settings
    )
    assert json.loads(value)["names"][1] == "aeroplane"
    assert model["value"] == f"{name}@{at}" and model["value"] in model["choices"] and model["visible"]
    assert "input size 64 pixels" in line and radius == PRESETS["few_seconds"].explain.radius
    assert session.registry.get(f"{name}@{at}").checkpoint_id != session.registry.get("tiny").checkpoint_id
    for asked in ({"run": name, "iteration": at + 1}, {"run": name}, {"run": "../tiny", "iteration": 0}, None, []):
        with pytest.raises(UserError):
            callbacks.open_checkpoint(asked, "example:scene0", *settings)
    with pytest.raises(UserError, match="Training is off"):
        Callbacks(session, callbacks.answers).open_checkpoint(
            {"run": name, "iteration": at}, "example:scene0", *settings
        )


@pytest.mark.slow
def test_what_the_page_is_told(stopped):
    trainer, name = stopped
    page = TrainHandlers(trainer)
    seen = json.loads(page.train_status({}))
    assert seen["run"]["name"] == name and [run["name"] for run in seen["runs"]] == [name]
    assert seen["iterations"] == trainer.snapshot_iterations(name)
    losses = seen["charts"]["losses"]["data"][0]
    assert losses["name"] == "classification"
    assert losses["y"] == pytest.approx(
        [line["loss_cls"] for line in trainer.metrics(name) if "loss_cls" in line], rel=1e-4
    )
    korean = json.loads(page.train_status({"language": "ko"}))["charts"]["losses"]
    assert korean["data"][0]["name"] == "분류" and korean["layout"]["title"]["text"] == "반복에 따른 손실"
    again = json.loads(page.train_status({"run": name, "known": seen["mark"]}))
    assert "charts" not in again and again["run"]["iteration"] == seen["run"]["iteration"]
    assert len(json.dumps(again)) < 1500  # what a look a second costs
    assert "--config two_minutes" in seen["run"]["command"] and str(trainer.folder) not in seen["run"]["command"]
    panel = json.loads(page.train_panel({"run": name, "iteration": 0}))
    assert panel["picture"].startswith("data:image/jpeg;base64,") and len(panel["classes"]) == 3


HOSTILE = [None, True, 3, -1, 1e9, float("nan"), "", "../x", "two_minutes; rm -rf .", ["mit_b0"], {"a": 1}, "x" * 9999]


@pytest.mark.parametrize("field", GOOD)
@pytest.mark.parametrize("value", HOSTILE, ids=lambda v: str(v)[:12])
def test_orders_come_from_the_lists(field, value):
    if field == "iterations" and value == 3:
        value = MIN_ITERATIONS - 1
    with pytest.raises(UserError) as refusal:
        parse_training_request({**GOOD, field: value}, DEVICES, "mit_b0")
    assert field in str(refusal.value) and len(str(refusal.value)) < 300


@pytest.mark.parametrize("name", HOSTILE, ids=lambda v: str(v)[:12])
def test_names_that_are_no_run(stopped, name):
    page = TrainHandlers(stopped[0])
    for answer in (page.train_stop, page.train_resume, page.train_panel):
        assert "There is no training" in json.loads(answer({"run": name, "iteration": 0}))["refused"]
    for iteration in HOSTILE:
        assert "refused" in json.loads(page.train_panel({"run": stopped[1], "iteration": iteration}))
    for asked in (None, 3, "run", []):
        assert "refused" in json.loads(page.train_status(asked)) and "refused" in json.loads(page.train_start(asked))
    assert "unknown" in json.loads(page.train_start({"request": name}))["refused"] or isinstance(name, dict)


def test_every_order_is_a_training_that_can_be_had():
    for recipe in RECIPES:
        for start in STARTS:
            for pooling in OFFERED_POOLINGS:
                for iterations in (MIN_ITERATIONS, 777, MAX_ITERATIONS):
                    request = parse_training_request(
                        {**GOOD, "recipe": recipe, "start": start, "pooling": pooling, "iterations": iterations},
                        DEVICES, "mit_b0",
                    )  # fmt: skip
                    assert request.config.max_iters == iterations and request.config.pooling == pooling
                    assert request == TrainingRequest(**json.loads(json.dumps(request.to_dict())))
    arguments = request.arguments(Path("runs/a"), Path("cache"), Path("c"))
    assert arguments[arguments.index("--init") + 1] == "c"


def test_bundled_weights_keep_their_backbone():
    request = {**GOOD, "start": "bundled"}
    assert parse_training_request(request, DEVICES, "mit_b0").preset == "two_minutes_on"
    with pytest.raises(UserError, match="no bundled weights"):
        parse_training_request(request, DEVICES, None)
    with pytest.raises(UserError, match="those of a mit_b0, not of a mit_b1"):
        parse_training_request({**request, "backbone": "mit_b1"}, DEVICES, "mit_b0")


def test_a_full_disk_is_a_sentence(folders, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(trainer_module.shutil, "disk_usage", lambda path: usage(2**40, 2**40, 2**20))
    trainer = Trainer(tmp_path / "runs", folders[1], extra=SMALL)
    with pytest.raises(UserError, match="The disk has 1 MB free"):
        trainer.start(parse_training_request(GOOD, DEVICES, None))
    assert trainer.names() == []
    run = tmp_path / "runs" / "two_minutes-001"
    run.mkdir()
    (run / REQUEST).write_text(json.dumps(parse_training_request(GOOD, DEVICES, None).to_dict()))
    write_status(run, Status("training", pid=1))
    assert "because the disk is full" in trainer.run("two_minutes-001").message


def test_a_damaged_run_is_left_out(tmp_path):
    good = parse_training_request(GOOD, DEVICES, None).to_dict()
    for number, text in enumerate(["{", "[]", "{}", json.dumps({**good, "recipe": "gone"}), json.dumps(good)], 1):
        folder = tmp_path / f"two_minutes-{number:03d}"
        folder.mkdir()
        (folder / REQUEST).write_text(text)
    assert Trainer(tmp_path, tmp_path).names() == ["two_minutes-005"]
    assert json.loads(TrainHandlers(Trainer(tmp_path, tmp_path)).train_status({}))["run"]["state"] == "killed"


def test_a_folder_that_can_not_be_used_is_a_sentence(tmp_path):
    (tmp_path / "runs").write_text("a file")
    page = TrainHandlers(Trainer(tmp_path / "runs", tmp_path))
    assert json.loads(page.train_status({})) == {"runs": [], "run": None}
    assert "cannot be used" in json.loads(page.train_start({"request": GOOD}))["refused"]


def test_a_training_that_can_not_begin_says_why(folders, tmp_path):
    trainer = Trainer(tmp_path, folders[1], extra=(*SMALL, "--set", "poolin=max"))
    with pytest.raises(UserError, match="could not begin: there is no setting 'poolin'"):
        trainer.start(parse_training_request(GOOD, DEVICES, None))
    assert trainer.run(trainer.names()[0]).message.startswith("there is no setting 'poolin'")
    late = Trainer(tmp_path, folders[1], extra=(*SMALL, "--init", str(tmp_path / "nothing")))
    run = ended(late, late.start(parse_training_request(GOOD, DEVICES, None)))
    assert run.state == "failed" and "nothing" in run.message
    late._wait_for_exit(run.name)


def test_training_is_off_unless_only_this_computer_visits(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    asked = parser().parse_args
    assert asked([]).train is None and asked(["--train"]).train is True and asked(["--no-train"]).train is False
    assert training_allowed(None, "127.0.0.1", share=False) and not training_allowed(False, "127.0.0.1", share=False)
    assert not training_allowed(None, "0.0.0.0", share=False) and training_allowed(True, "0.0.0.0", share=True)
    assert not training_allowed(None, "127.0.0.1", share=True)
    monkeypatch.setenv("SPACE_ID", "someone/space")
    assert not training_allowed(None, "127.0.0.1", share=False)
    page = TrainHandlers(None)
    assert page.offers() == {"off": TRAINING_OFF}
    for answer in page.server_functions():
        assert json.loads(answer({"request": GOOD, "run": "a", "iteration": 0})) == {"refused": TRAINING_OFF}


def test_many_losses_are_thinned_and_every_ladder_stays():
    lines = [{"iteration": i, "loss_cls": i / 7} for i in range(1, 2001)]
    lines += [{"iteration": 2000, "miou_cam": 1.0}, {"iteration": 2001, "miou_cam": 2.0}]
    sent = subsampled(lines)
    kept = [line["iteration"] for line in sent if "loss_cls" in line]
    assert len(kept) <= MAX_LINES and kept[-1] == 2000
    assert [line["miou_cam"] for line in sent if "miou_cam" in line] == [1.0, 2.0]


def test_what_the_page_promises_was_measured():
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))["presets"]
    assert {"two_minutes", "two_minutes_on"} <= set(measured) <= {n for r in RECIPES for n in (r, f"{r}_on")}
    for name, numbers in measured.items():
        assert numbers["iterations"] == PRESETS[name].max_iters, f"{name} has changed: run tools/measure_presets.py"
        limit = 120 if name.startswith("two") else 600
        assert numbers["seconds"] <= limit
    page = (Path(__file__).parents[2] / "docs" / "presets.md").read_text(encoding="utf-8")
    for name, numbers in measured.items():
        assert re.search(rf"\| `{name}` .*\| {numbers['map_first']} → {numbers['map_last']} ", page)


def test_lines_of_a_run_are_read_while_it_writes(stopped):
    trainer, name = stopped
    with open(trainer.folder / name / records.METRICS, "a", encoding="utf-8") as file:
        file.write('{"iteration": 999, "loss_c')
    assert max(losses(trainer, name)) < 999
