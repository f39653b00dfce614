"""Snapshots of a training run: found, read, explained once, published."""

from __future__ import annotations

import base64
import json
import shutil
import zlib

import checkpoint_page
import numpy as np
import publish_checkpoint
import pytest
import torch
from app_fixtures import add_snapshots, open_session, prepare, tiny

from afa_viz.config import ExplainConfig
from afa_viz.data.sandbox import SandboxDataset
from afa_viz.model.checkpoint import load_model, save_model
from afa_viz.pipeline import explain
from afa_viz.training.records import HISTORY, METRICS, score_history
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers import snapshots as snapshot_handlers
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.sessions import snapshots
from afa_viz.ui.sessions.cache import SingleFlightCache
from afa_viz.ui.sessions.model_registry import SNAPSHOTS_HELD, ModelRegistry, discover_checkpoints
from afa_viz.ui.sessions.session import Session

LINES = [
    {"iteration": 20, "phase": "classification", "lr": 1e-3, "loss_cls": 0.7, "loss": 0.7},
    {"iteration": 20, "miou_cam": 20.0, "miou_seg": float("nan"), "map": 40.0, "head_cam": 3.0},
    {"iteration": 40, "phase": "affinity", "lr": 1e-3, "loss_cls": 0.5, "loss_seg": 2.0, "loss_aff": 0.6},
    {"iteration": 45, "miou_cam": 30.0, "miou_seg": 15.0, "map": 60.0, "f1": 50.0},
]


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    made = prepare(tmp_path_factory.mktemp("page"))
    add_snapshots(made)
    return made


@pytest.fixture
def session(options):
    return open_session(options)


@pytest.fixture
def ask(session, tmp_path):
    """Ask about the first example; the answer as a dict."""
    answers = ExplorerHandlers(session, tmp_path)
    key = json.loads(answers.stages(session.request("example:scene0", "tiny")))["key"]
    named = {answer.__name__: answer for answer in answers.server_functions()}
    return lambda name, **asked: json.loads(named[name]({"key": key, **asked}))


def unpacked(packed: dict) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), np.uint8).reshape(packed["shape"])


# --- history ---------------------------------------------------------------------------------------------------------


def test_the_history_joins_each_ladder_with_the_losses_before_it():
    first, second = score_history(LINES)
    assert first == {
        "iteration": 20, "phase": "classification", "miou_cam": 20.0, "miou_walk_start": None, "miou_cam_rw": None,
        "miou_cam_refined": None, "miou_cam_par": None, "miou_pseudo_label": None, "miou_seg": None, "map": 40.0,
        "f1": None, "loss_cls": 0.7, "loss_seg": None, "loss_aff": None, "loss_energy": None,
    }  # fmt: skip
    assert (second["iteration"], second["phase"], second["loss_aff"], second["f1"]) == (45, "affinity", 0.6, 50.0)
    assert score_history([{"iteration": 3, "loss_cls": 1.0}]) == []


def test_the_history_comes_from_the_run_or_from_what_was_published(tmp_path):
    folder = tmp_path / "run" / "snapshots"
    folder.mkdir(parents=True)
    assert snapshots.read_history(folder) == [] and snapshots.read_history(None) == []
    (folder.parent / METRICS).write_text("".join(json.dumps(line) + "\n" for line in LINES))
    assert [(row["iteration"], row["miou_cam"]) for row in snapshots.read_history(folder)] == [(20, 20.0), (45, 30.0)]
    (folder / HISTORY).write_text(json.dumps([{"iteration": 7, "miou_cam": 9.5, "map": "much"}, {"miou_cam": 1.0}]))
    published = snapshots.read_history(folder)
    assert [(row["iteration"], row["miou_cam"], row["map"]) for row in published] == [(7, 9.5, None)]
    for broken in ("[1", "[1]", '{"a": 1}'):
        (folder / HISTORY).write_text(broken)
        assert snapshots.read_history(folder) == []


def test_the_phases_of_a_run():
    parts = [{"iterations": 5, "single_objects": True}, {"iterations": 95}]
    config = {"cam_iters": 30, "joint_after": 60, "max_iters": 100, "curriculum": parts}
    found = [(phase["name"], phase["until"]) for phase in snapshots.training_phases({"config": config})]
    assert found == [("single", 5), ("classification", 30), ("affinity", 60), ("joint", 100)]
    ended = {**config, "joint_after": 100, "curriculum": None}
    found = [(phase["name"], phase["until"]) for phase in snapshots.training_phases({"config": ended})]
    assert found == [("classification", 30), ("affinity", 100)]
    for unknown in ({}, {"config": 3}, {"config": {"cam_iters": 1}}):
        assert snapshots.training_phases(unknown) == []


# --- registry --------------------------------------------------------------------------------------------------------


def test_snapshots_are_models_with_a_name_but_no_choice_of_their_own(session, options):
    registry = session.registry
    assert registry.names == ["tiny"]
    assert [s.iteration for s in registry.snapshots("tiny")] == [10, 40, 90]
    assert registry.snapshots("tiny")[1].scores["miou_cam"] == 21.0
    path = options.checkpoint_folder / "tiny" / "snapshots" / "iter_000040.safetensors"
    wanted = load_model(path, device="cpu")
    assert torch.equal(registry.get("tiny@40").attn_proj.weight, wanted.attn_proj.weight)
    assert not torch.equal(registry.get("tiny").attn_proj.weight, wanted.attn_proj.weight)
    for name in ("tiny@41", "tiny@", "tiny@40@40", "nobody@40", "tiny@../x"):
        with pytest.raises(UserError, match="no model"):
            registry.get(name)


def test_few_snapshots_stay_in_memory(session):
    first = session.registry.get("tiny@10")
    assert session.registry.get("tiny@10") is first
    for iteration in (40, 90):
        session.registry.get(f"tiny@{iteration}")
    assert SNAPSHOTS_HELD == 2 and session.registry.get("tiny@10") is not first
    assert session.registry.get("tiny") is session.registry.get("tiny")


def test_a_damaged_snapshot_is_left_out_and_named(options, tmp_path, caplog):
    folder = tmp_path / "snapshots"
    shutil.copytree(options.checkpoint_folder / "tiny" / "snapshots", folder)
    (folder / "iter_000010.json").write_text("{")
    (folder / "iter_000040.json").unlink()
    (folder / "iter_last.safetensors").write_bytes(b"")
    assert [s.iteration for s in snapshots.find_snapshots(folder)] == [90]
    assert "iter_000010.safetensors is skipped" in caplog.text and "iter_000040" in caplog.text
    assert snapshots.find_snapshots(None) == [] and snapshots.snapshot_folder("hf://owner/repo") is None


# --- answers ---------------------------------------------------------------------------------------------------------


def test_the_page_is_told_of_the_run(ask):
    run = ask("training_run")
    assert run["model"] == "tiny" and run["models"] == ["tiny"] and run["phases"] == []
    assert [(row["iteration"], row["miou_cam"]) for row in run["points"]] == [(10, 20.0), (40, 21.0)]
    assert [(s["model"], s["iteration"]) for s in run["snapshots"]] == [
        ("tiny@10", 10), ("tiny@40", 40), ("tiny@90", 90),
    ]  # fmt: skip
    assert run["snapshots"][0]["scores"]["map"] == 50.0 and run["snapshots"][2]["scores"]["map"] is None


def test_the_scores_of_a_run_are_a_chart(ask, monkeypatch):
    history = [{"iteration": 20, "miou_cam": 21.0, "miou_seg": 3.0, "map": None}]
    monkeypatch.setattr(snapshot_handlers, "read_history", lambda folder: history)
    scores = {row["iteration"]: row for row in ask("training_run")["points"]}
    assert sorted(scores) == [10, 20, 40] and scores[40]["miou_cam"] == 21.0 and scores[20]["miou_seg"] == 3.0
    chart = ask("training_charts", language="ko")["scores"]
    lines = {trace["name"]: trace for trace in chart["data"]}
    assert lines["예측"]["x"] == [10, 20, 40] and lines["예측"]["y"] == [10.0, 3.0, 10.0]
    assert lines["스냅샷"]["x"] == [10, 40, 90] and chart["layout"]["xaxis"]["range"] == [0, 90]
    assert "var(--accent)" in json.dumps(chart)  # the page has the colours
    with pytest.raises(KeyError, match="language"):
        ask("training_charts", language="../ko")


def test_the_finished_model_is_the_last_snapshot(options, tmp_path):
    folder = tmp_path / "checkpoints"
    shutil.copytree(options.checkpoint_folder, folder)
    config = {"cam_iters": 30, "joint_after": 60, "max_iters": 100}
    model, card = tiny(0, training={"iterations": 100, "config": config})
    save_model(model, folder / "tiny" / "model.safetensors", card)
    session = Session(ModelRegistry(discover_checkpoints(folder), "cpu"), options.examples)
    answers = ExplorerHandlers(session, tmp_path / "exports")
    key = json.loads(answers.stages(session.request("example:scene0", "tiny")))["key"]
    named = {answer.__name__: answer for answer in answers.server_functions()}
    run = json.loads(named["training_run"]({"key": key}))
    assert run["snapshots"][-1] == {"model": "tiny", "iteration": 100, "scores": {}}
    assert [phase["name"] for phase in run["phases"]] == ["classification", "affinity", "joint"]
    assert json.loads(named["snapshot"]({"key": key, "model": "tiny"}))["labels"] == [2, 6]


def test_a_snapshot_is_what_explain_makes_of_it_and_is_made_once(ask, session, monkeypatch):
    made = []
    look = session.uncached_trace
    monkeypatch.setattr(session, "uncached_trace", lambda request: made.append(request) or look(request))
    found = ask("snapshot", model="tiny@40")
    picture = session.images.find("example:scene0")
    wanted = explain(session.registry.get("tiny@40"), picture.image, list(picture.labels), ExplainConfig())
    present = [label - 1 for label in wanted.present]
    assert found["labels"] == list(wanted.present)
    assert np.abs(unpacked(found["cam"]) / 255 - wanted.cam[present].numpy()).max() <= 0.51 / 255
    assert np.abs(unpacked(found["affinity"]) / 255 - wanted.affinity.numpy()).max() <= 0.51 / 255
    assert (unpacked(found["seg"]) == wanted.seg.numpy()).all()
    assert set(found["scores"]) == {"cam", "seg"}
    assert ask("snapshot", model="tiny@40") == found and len(made) == 1


def test_snapshots_take_no_place_of_what_people_look_at(ask, session):
    before = session._traces.items()
    ask("snapshot", model="tiny@10")
    assert session._traces.items() == before


def test_moving_the_walk_explains_no_snapshot_again(session, tmp_path):
    answers = ExplorerHandlers(session, tmp_path)
    named = {answer.__name__: answer for answer in answers.server_functions()}
    series = []
    for config in (ExplainConfig(), ExplainConfig(power=4.0, use_par=False), ExplainConfig(symmetric=False)):
        key = json.loads(answers.stages(session.request("example:scene0", "tiny", None, config)))["key"]
        series.append(json.loads(named["training_run"]({"key": key}))["series"])
    assert series[0] == series[1] != series[2]


def test_a_busy_server_asks_for_patience(session, tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot_handlers, "LOCK_TIMEOUT", 0.01)
    answers = ExplorerHandlers(session, tmp_path)
    key = json.loads(answers.stages(session.request("example:scene0", "tiny")))["key"]
    others = snapshot_handlers.SnapshotHandlers(session, SingleFlightCache(2**20, lambda texts: 0), answers._find)
    asked = {"key": key, "model": "tiny@10"}
    with others._lock:
        assert json.loads(others.snapshot(asked)) == {"waiting": True}
    made = json.loads(others.snapshot(asked))
    assert made["labels"] == [2, 6]
    with others._lock:
        assert json.loads(others.snapshot(asked)) == made  # what is there waits for nobody


@pytest.mark.parametrize("model", [None, 3, "tiny@nothing", "other@10", "@10"])
def test_only_snapshots_of_the_shown_model(ask, model):
    if model == "tiny@nothing":
        assert "no model" in ask("snapshot", model=model)["refused"]
        return
    with pytest.raises(KeyError):
        ask("snapshot", model=model)


# --- publishing ------------------------------------------------------------------------------------------------------


def test_publishing_packs_the_snapshots_and_fills_in_their_ladders(tmp_path, monkeypatch):
    run, folder = tmp_path / "run", tmp_path / "checkpoints" / "sandbox"
    for module in (publish_checkpoint, checkpoint_page):
        monkeypatch.setattr(module, "FOLDER", folder)
    for iteration in (20, 33, 50):
        model, card = tiny(iteration, side=64, training={"iterations": iteration})
        save_model(model, run / "snapshots" / f"iter_{iteration:06d}.safetensors", card, half=True)
    (run / METRICS).write_text("".join(json.dumps(line) + "\n" for line in LINES))
    model, card = tiny(1)
    save_model(model, folder / "snapshots" / "iter_000007.safetensors", card)  # of an earlier run
    publish_checkpoint.publish_snapshots(run, SandboxDataset("val", 1, 64), {20, 33})
    found = snapshots.find_snapshots(folder / "snapshots")
    assert [s.iteration for s in found] == [20, 33]
    assert found[0].scores["miou_cam"] == 20.0  # from the run
    assert found[1].scores["miou_cam"] is not None  # measured
    for snapshot in found:
        mine = load_model(snapshot.path, device="cpu")
        theirs = load_model(run / "snapshots" / snapshot.path.name, device="cpu")
        weight, wanted = mine.classifier.weight, theirs.classifier.weight
        assert (weight - wanted).abs().max() <= wanted.abs().max() / 200
        assert snapshot.path.stat().st_size < 4e6
    assert [row["iteration"] for row in snapshots.read_history(folder / "snapshots")] == [20, 45]
    page = checkpoint_page.snapshots()
    assert "20, 33 iterations (2 files" in page
