"""Files of a run as whoever looks finds them: strange, damaged, misdated; and how often they are read."""

from __future__ import annotations

import errno
import functools
import json
import os
import tempfile
import time
from pathlib import Path

import pytest

from afa_viz.presets import QUICK
from afa_viz.training import records, status
from afa_viz.training.progress import seconds_left
from afa_viz.training.status import STATUS, Status, is_alive, read_status, report_status, write_status
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.train import TrainHandlers
from afa_viz.ui.jobs import trainer as trainer_module
from afa_viz.ui.jobs.trainer import REQUEST, Trainer
from afa_viz.ui.jobs.training_request import parse_training_request, stored_training_request

GOOD = {
    "recipe": "two_minutes", "start": "scratch", "pooling": "max", "backbone": "mit_b0", "iterations": 240,
    "device": "cpu",
}  # fmt: skip


def make_run(folder: Path, number: int = 1, request: object = None, **state) -> Path:
    run = folder / f"two_minutes-{number:03d}"
    run.mkdir(parents=True)
    text = (
        request
        if isinstance(request, str)
        else json.dumps(request or parse_training_request(GOOD, ("cpu",), None).to_dict())
    )
    (run / REQUEST).write_text(text)
    write_status(run, Status(**{"doing": "stopped", "pid": 1, **state}))
    return run


def look(folder: Path, **asked) -> dict:
    """What the page is told, which must be strict JSON."""
    text = TrainHandlers(Trainer(folder, folder)).train_status(asked)
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


# --- snapshots -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stray", ["iter_best.safetensors", "iter_.safetensors", "iter_20.safetensors", "iter_-00002.safetensors",
              "iter_000020 (1).safetensors", "iter_٠٠٠٠٢٠.safetensors", "iter_1e3.safetensors"]
)  # fmt: skip
def test_a_stray_snapshot_is_no_moment(tmp_path, stray):
    run = make_run(tmp_path)
    records.append_metrics(run, {"iteration": 60, "loss_cls": 0.5})
    (run / records.SNAPSHOTS).mkdir()
    for name in (stray, "iter_000040.safetensors"):
        (run / records.SNAPSHOTS / name).write_bytes(b"")
    (run / records.SNAPSHOTS / "iter_000050.safetensors").mkdir()
    assert look(tmp_path)["iterations"] == [40]
    write_status(run, Status("training", pid=1))  # its cause names the last moment
    assert "40" in look(tmp_path)["run"]["message"]


# --- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "3", '"x"', "[" * 100_000, json.dumps({**GOOD, "iterations": "many"}),
     json.dumps({**GOOD, "iterations": 1e999}), json.dumps({**GOOD, "iterations": True}),
     json.dumps({**GOOD, "iterations": 10**12}), json.dumps({**GOOD, "recipe": ["two_minutes"]}),
     json.dumps({**GOOD, "device": 3}), json.dumps({**GOOD, "pooling": None}), json.dumps({"recipe": "two_minutes"})],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_one_bad_request_hides_no_other_run(tmp_path, text, monkeypatch):
    make_run(tmp_path, 1)
    make_run(tmp_path, 2, request=text or " ")
    told = look(tmp_path)
    assert [run["name"] for run in told["runs"]] == ["two_minutes-001"] and told["run"]["state"] == "stopped"
    trainer = Trainer(tmp_path, tmp_path)
    with pytest.raises(UserError, match="no training"):
        trainer.run("two_minutes-002")
    monkeypatch.setattr(trainer, "_launch", lambda *arguments, **named: None)
    assert trainer.start(parse_training_request(GOOD, ("cpu",), None)) == "two_minutes-003", (
        "its folder is not taken over"
    )


def test_a_request_of_another_machine_is_one(tmp_path):
    request = stored_training_request({**GOOD, "device": "cuda", "start": "bundled", "of a newer version": 3})
    assert request.device == "cuda" and request.preset == "two_minutes_on"
    with pytest.raises(ValueError, match="device"):
        stored_training_request({**GOOD, "device": "toaster"})


def test_a_status_reads_each_request_once(tmp_path, monkeypatch):
    for number in range(1, 36):
        make_run(tmp_path, number)
    read, whole = [], Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda self, *a, **k: read.append(self.name) or whole(self, *a, **k))
    page = TrainHandlers(Trainer(tmp_path, tmp_path))
    told = json.loads(page.train_status({}))
    assert len(told["runs"]) == 30 and read.count(REQUEST) <= 35
    del read[:]
    for _ in range(5):
        page.train_status({"run": told["run"]["name"], "known": told["mark"]})
    page.train_status({})
    assert read.count(REQUEST) == 0
    changed = tmp_path / "two_minutes-035" / REQUEST
    changed.write_text(json.dumps({**GOOD, "iterations": 77}))
    assert json.loads(page.train_status({}))["run"]["request"]["iterations"] == 77 and read.count(REQUEST) == 1


# --- metrics ---------------------------------------------------------------------------------------------------------


def test_metrics_are_strict_json_and_null_where_nothing_is_finite(tmp_path):
    nan, inf = float("nan"), float("inf")
    records.append_metrics(
        tmp_path, {"iteration": 1, "loss": nan, "loss_cls": inf, "lr": 0.5, "changed": {"a": [nan, (1, -inf)]}}
    )
    text = (tmp_path / records.METRICS).read_text()
    strict = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert strict == {"iteration": 1, "loss": None, "loss_cls": None, "lr": 0.5, "changed": {"a": [None, [1, None]]}}
    assert records.read_metrics(tmp_path) == [{"iteration": 1, "lr": 0.5, "changed": {"a": [None, [1, None]]}}]


STRANGE = [
    '{"iteration": 20, "loss_cls": NaN, "lr": Infinity, "seconds": NaN}', '{"iteration": 20, "loss_cls": "high"}',
    '{"iteration": 20, "seconds": [3], "phase": 4}', '{"iteration": 20, "seconds": {}, "loss_cls": null}',
    f'{{"iteration": 20, "loss_cls": 1{"0" * 400}}}', '{"iteration": 20, "map": true, "miou_cam": false}',
    '{"iteration": 0, "seconds": 4}', '{"iteration": NaN}', '{"iteration": -3, "loss_cls": 1}', '{"iteration": true}',
    f'{{"iteration": 1{"0" * 30}, "loss_cls": 1}}', '{"iteration": 1e2}', "[" * 100_000, "NaN", "\x00", "{}",
]  # fmt: skip


@functools.cache  # most strange lines are left out, and the same ones remain
def is_drawn(lines: str) -> bool:
    from afa_viz.figures.training import write_training_plot

    with tempfile.TemporaryDirectory() as folder:
        return write_training_plot(json.loads(lines), Path(folder) / "plot.png").stat().st_size > 0


@pytest.mark.parametrize("line", STRANGE, ids=lambda text: text[:30])
def test_a_strange_line_does_no_harm(tmp_path, line):
    run = make_run(tmp_path, doing="training")
    (run / records.METRICS).write_text(f'{line}\n{{"iteration": 40, "loss_cls": 0.5, "seconds": 8, "lr": 1e-3}}\n')
    told = look(tmp_path)
    assert told["run"]["iteration"] == 40 and told["run"]["seconds"] == 8
    assert told["charts"]["losses"]["data"][0]["y"][-1] == 0.5
    lines = records.read_metrics(run)
    assert all(value is None or value < 1e3 for value in (seconds_left(QUICK["few_seconds"], lines, 5),))
    assert is_drawn(json.dumps(lines))
    (run / records.METRICS).write_text(f"{line}\n")
    look(tmp_path)
    records.score_history(records.read_metrics(run))
    records.truncate_metrics(run, 100)


def test_what_was_not_measured_is_dropped_when_a_run_is_resumed_and_stays_strict(tmp_path):
    (tmp_path / records.METRICS).write_text('{"iteration": 1, "loss": NaN}\n{"iteration": 9, "loss": 1.0}\n')
    records.truncate_metrics(tmp_path, 5)
    assert (tmp_path / records.METRICS).read_text() == '{"iteration": 1}\n'


@pytest.mark.parametrize("name", [records.METRICS, "run.lock", STATUS, records.SNAPSHOTS])
def test_one_run_that_can_not_be_read_hides_no_other(tmp_path, name):
    other = make_run(tmp_path, 1)
    records.append_metrics(other, {"iteration": 60, "loss_cls": 0.5})
    run = make_run(tmp_path, 2, doing="training")
    (run / name).unlink(missing_ok=True)
    if name == records.SNAPSHOTS:
        (run / name).write_text("a file")
    else:
        (run / name).mkdir()
    told = look(tmp_path)
    assert [one["name"] for one in told["runs"]] == ["two_minutes-002", "two_minutes-001"]
    assert told["run"]["state"] in ("killed", "starting") and told["run"]["iteration"] == 0
    drawn = look(tmp_path, run="two_minutes-001")["charts"]["losses"]["data"]
    assert [list(line["y"]) for line in drawn] == [[0.5]]


# --- status ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [1, 400, -1, -400])
def test_a_status_of_another_day_is_no_start(tmp_path, days):
    run = make_run(tmp_path, doing="starting", pid=0)
    assert look(tmp_path)["run"]["live"], "it is just being started"
    moment = time.time() + days * 86400
    os.utime(run / STATUS, (moment, moment))
    told = look(tmp_path)["run"]
    assert not told["live"] and told["state"] == "killed"


@pytest.mark.parametrize(
    "text",
    ['{"doing": "training", "pid": -1}', '{"doing": "training", "pid": "7"}', '{"doing": "training", "pid": 1e9}',
     '{"doing": "training", "pid": 99999999999}', '{"doing": ["training"]}', '{"doing": "cooking"}', '{"message": 3}',
     '{"done": NaN}', "[" * 100_000, "null", ""],
    ids=lambda text: text[:30],
)  # fmt: skip
def test_a_strange_status_is_none(tmp_path, text):
    run = make_run(tmp_path)
    (run / STATUS).write_text(text)
    assert read_status(run) is None
    assert look(tmp_path)["run"]["state"] in ("killed", "starting")


def full_disk(monkeypatch, kinds=("partial",)):
    """Whoever makes a new file meets a full disk; with "any", whoever writes does."""

    def no_room(*arguments, **named):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", no_room)
    if "any" in kinds:
        monkeypatch.setattr(status, "_overwrite", no_room)


@pytest.mark.parametrize("room", ["of the older status", "none"])
def test_a_status_never_says_training_after_a_full_disk(tmp_path, room, monkeypatch):
    with pytest.raises(OSError, match="the disk is full"), report_status(tmp_path) as reporter:
        reporter.update("training")
        size = (tmp_path / STATUS).stat().st_size
        full_disk(monkeypatch, ("any",) if room == "none" else ())
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not is_alive(tmp_path)
    if room == "none":
        assert read_status(tmp_path) is None and not (tmp_path / STATUS).exists()
    else:
        assert (tmp_path / STATUS).stat().st_size == size, "it needed no room"
        found = read_status(tmp_path)
        assert found.doing == "failed" and found.message.startswith("the disk is full")
    assert not (tmp_path / f"{STATUS}.partial").exists()


def test_a_long_message_is_written_over_a_short_one(tmp_path, monkeypatch):
    write_status(tmp_path, Status("training", pid=7))
    monkeypatch.setattr(Path, "write_text", lambda *a, **k: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    for message in ("x" * 5000, "y"):
        write_status(tmp_path, Status("failed", message=message))
        assert read_status(tmp_path) == Status("failed", message=message)


def test_names_of_folders_are_no_way_out(tmp_path):
    make_run(tmp_path / "runs")
    (tmp_path / REQUEST).write_text(json.dumps(GOOD))
    trainer = trainer_module.Trainer(tmp_path / "runs", tmp_path)
    for name in ("..", ".", "", "two_minutes-001/..", "../runs/two_minutes-001", "a\0b", "x" * 5000):
        with pytest.raises(UserError):
            trainer.run(name)
