"""The page without a browser: sessions, answers and callbacks."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from app_fixtures import SIDE, open_session, scene

from afa_viz import pipeline
from afa_viz.config import ExplainConfig
from afa_viz.figures import maps
from afa_viz.inspection import target_cells
from afa_viz.trace import Trace
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers import payload_attention
from afa_viz.ui.handlers.callbacks import Callbacks, stream_errors_as_warnings
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.localization import fill_template, texts
from afa_viz.ui.page import assets as page
from afa_viz.ui.page.config_fields import ABLATIONS, SLIDERS, config_from
from afa_viz.ui.server.app import _warm
from afa_viz.ui.sessions.model_registry import ModelRegistry, discover_checkpoints, name_sources
from afa_viz.ui.sessions.session import Session
from afa_viz.ui.sessions.trace_reuse import trace_bytes

DEFAULTS = tuple(slider.value(ExplainConfig()) for slider in SLIDERS)


@pytest.fixture
def session(options):
    return open_session(options)


@pytest.fixture
def callbacks(session, tmp_path):
    return Callbacks(session, ExplorerHandlers(session, tmp_path))


# --- session ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def counted(monkeypatch):
    """Stages that ran, one list a trace."""
    runs: list[list[str]] = []

    def count(name, function):
        def call(*args, **kwargs):
            stages: list[str] = []
            runs.append(stages)
            return function(*args, progress=stages.append, **kwargs)

        monkeypatch.setattr(pipeline, name, call)

    count("explain", pipeline.explain)
    count("recompute", pipeline.recompute)
    return runs


def test_a_changed_setting_runs_only_what_lies_below(session, counted):
    first = session.request("example:scene0", "tiny")
    trace = session.trace(first)
    for changes, stages in (
        ({"num_iters": 3}, ["cam_par", "pseudo_label"]),
        ({"bkg_score_low": 0.2}, ["cam_rw", "cam_par", "pseudo_label"]),
        ({"symmetric": False}, ["affinity", "cam_rw", "cam_par", "pseudo_label"]),
        ({"scales": (1.0,)}, ["cam", "affinity", "cam_rw", "cam_par", "pseudo_label"]),
        ({"scales": (1.0,), "num_iters": 3}, ["cam_par", "pseudo_label"]),  # from the one before, not from the first
    ):
        again = session.trace(dataclasses.replace(first, config=dataclasses.replace(first.config, **changes)))
        assert counted[-1] == stages
        assert again.attn_logits[-1].data_ptr() == trace.attn_logits[-1].data_ptr()
    assert counted[0][0] == "network" and len(counted) == 6
    assert session.trace(first) is trace and len(counted) == 6


def test_what_is_recomputed_equals_what_is_explained(session, options):
    config = ExplainConfig(bkg_score_low=0.2, bkg_score_high=0.7, use_par=False)
    session.trace(session.request("example:scene0", "tiny"))
    near = session.trace(session.request("example:scene0", "tiny", ["person"], config))
    fresh = Session(session.registry, options.examples).trace(
        session.request("example:scene0", "tiny", ["person"], config)
    )
    for name in ("cam", "affinity", "cam_rw", "cam_par", "pseudo_label", "image_labels"):
        assert torch.equal(getattr(near, name), getattr(fresh, name)), name


def test_labels_come_with_the_picture_or_are_predicted(session):
    given = session.trace(session.request("example:scene0", "tiny"))
    assert given.labels_given and [given.class_names[i] for i in given.present] == ["bird", "cat"]
    assert given.target is not None
    predicted = session.trace(session.request("example:scene0", "tiny", []))
    assert not predicted.labels_given and predicted.present
    photo = session.trace(session.request("example:photo", "tiny"))
    assert not photo.labels_given and photo.target is None


def test_traces_that_share_stages_weigh_less(session):
    first = session.request("example:scene0", "tiny")
    other = dataclasses.replace(first, config=ExplainConfig(num_iters=2))
    one, two = session.trace(first), session.trace(other)
    assert trace_bytes([one, two]) < 1.6 * trace_bytes([one])


def test_unknown_things_are_refused(session, options):
    for ask, words in (
        (lambda: session.request("example:scene0", "other"), "no model 'other'"),
        (lambda: session.request("example:scene0", "tiny", ["unicorn"]), "'unicorn' is not a class"),
        (lambda: session.images.find("example:../../etc/passwd"), "no such example"),
        (lambda: session.images.find("upload:0000"), "no longer holds"),
        (lambda: ModelRegistry({}), "put one into checkpoints/"),
        (lambda: config_from({"radius": 1e9}, [], ExplainConfig()), "Radius"),
        (lambda: config_from({"power": True}, [], ExplainConfig()), "Power"),
        (lambda: config_from({}, ["everything"], ExplainConfig()), "cannot be left out"),
    ):
        with pytest.raises(UserError, match=words):
            ask()
    assert name_sources(("a/model.pth", "b/model.pth", "hf://me/it")) == {
        "model": "a/model.pth", "model (2)": "b/model.pth", "me/it": "hf://me/it",
    }  # fmt: skip
    assert discover_checkpoints(options.examples / "nothing") == {}


# --- answers --------------------------------------------------------------------------------------------------------


def unpacked(packed: dict, dtype=np.uint8) -> np.ndarray:
    raw = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), dtype)
    return raw.reshape(packed["shape"])


def test_the_browser_gets_the_numbers_of_the_trace(session, tmp_path):
    answers = ExplorerHandlers(session, tmp_path)
    request = session.request("example:scene0", "tiny")
    trace = session.trace(request)
    data = json.loads(answers.stages(request))
    asked = {"key": data["key"]}
    cam = unpacked(data["cam"]) / 255
    assert np.abs(cam - trace.cam[[label - 1 for label in trace.present]].numpy()).max() <= 0.5 / 255 + 1e-6
    assert np.abs(unpacked(data["affinity"]) / 255 - trace.affinity.numpy()).max() <= 0.5 / 255 + 1e-6
    walked = data["cam_rw"]
    scale = (walked["high"] - walked["low"]) / 255
    shown = walked["low"] + unpacked(walked) * scale
    assert np.abs(shown - trace.cam_rw[maps.channels(trace)].numpy()).max() <= 0.51 * scale
    assert (unpacked(data["pseudo_label"]) == trace.pseudo_label.numpy()).all()
    steps = json.loads(answers.par(asked))
    assert steps["shape"] == [11, 1 + len(trace.present), SIDE // 2, SIDE // 2]
    picture = json.loads(answers.scene(asked))
    assert (unpacked(picture["target"]) == trace.target.numpy()).all()
    assert [block["heads"] for block in picture["blocks"]] == [1, 1, 2, 2, 5, 5, 8, 8]
    assert (picture["blocks"][0]["stage"], picture["blocks"][7]["place"]) == (1, 2) and picture["blocks"][5][
        "weights"
    ] is None
    assert len(picture["blocks"][7]["weights"]) == 8


@pytest.mark.parametrize("block", [0, 3, 7])
def test_attention_in_the_browser_is_that_of_the_figures(session, tmp_path, block):
    request = session.request("example:scene0", "tiny")
    trace = session.trace(request)
    packed = payload_attention.attention(trace, block)
    peaks = np.frombuffer(zlib.decompress(base64.b64decode(packed["peaks"])), "<f4").reshape(packed["shape"][:2])
    head, cell = 0, (2, 3)
    row = unpacked(packed)[head, cell[0] * 6 + cell[1]] / 255 * peaks[head, cell[0] * 6 + cell[1]]
    wanted = maps.attention(trace, block, head, cell).flatten().numpy()
    assert np.abs(row - wanted).max() <= 0.51 / 255 * wanted.max()


def test_what_the_browser_asks_for_is_checked(session, tmp_path):
    answers = ExplorerHandlers(session, tmp_path)
    key = json.loads(answers.stages(session.request("example:scene0", "tiny")))["key"]
    for ask in (
        lambda: answers.scene({"key": "nothing"}),
        lambda: answers.scene({"key": ["a", "list"]}),
        lambda: answers.attention({"key": key, "block": 8, "logits": False}),
        lambda: answers.attention({"key": key, "block": "1", "logits": False}),
        lambda: answers.attention({"key": key, "block": 1, "logits": "yes"}),
        lambda: answers.attention({"key": key, "block": 1}),
        lambda: answers.attention({"key": key, "block": True, "logits": False}),
        lambda: answers.attention({"key": key, "block": 7, "logits": False, "head": "0"}),
        lambda: answers.attention({"key": key, "block": 7, "logits": False, "cell": [1, 2.5]}),
        lambda: answers.attention({"key": key, "block": 7, "logits": False, "cell": {"row": 1}}),
        lambda: answers.affinity({"key": key, "cell": "1,2"}),
        lambda: answers.exports.export_file({"key": key, "kind": "../x"}),
    ):
        with pytest.raises(KeyError):
            ask()
    for wrong in ({"head": 8}, {"cell": [6, 0]}, {"cell": [-1, 0]}):
        with pytest.raises(ValueError, match="expected"):
            answers.attention({"key": key, "block": 7, "logits": False, **wrong})
    assert not list(tmp_path.iterdir())


def test_affinity_labels_are_read_where_the_model_read_them(session, tmp_path):
    answers, model = ExplorerHandlers(session, tmp_path), session.registry.get("tiny")
    before = model.card
    config = ExplainConfig(bkg_score_low=0.4, bkg_score_high=0.4, use_walk=False)  # nothing is uncertain
    for at_centre in (False, True):  # each a trace of its own, from the network on
        model.card = dataclasses.replace(before, affinity_at_centre=at_centre)
        request = session.request(f"example:scene{at_centre:d}", "tiny", None, config)
        trace = session.trace(request)
        assert not torch.equal(target_cells(trace, True), target_cells(trace, False))
        sent = json.loads(answers.affinity({"key": request.key}))
        assert (unpacked(sent["cells"]) == target_cells(trace, at_centre).numpy()).all()
    model.card = before
    assert json.loads(answers.overview({"key": request.key}))["by_truth"]


def test_files_to_download(session, tmp_path):
    answers = ExplorerHandlers(session, tmp_path)
    key = json.loads(answers.stages(session.request("example:scene0", "tiny")))["key"]
    arrays = json.loads(answers.exports.export_file({"key": key, "kind": "npz"}))
    assert arrays["name"] == "afa-viz.npz" and Trace.load(arrays["path"]).present == (2, 6)
    page = Path(json.loads(answers.exports.export_file({"key": key, "kind": "html"}))["path"]).read_text(
        encoding="utf-8"
    )
    assert page.lstrip().lower().startswith("<!doctype html>")


def test_the_static_part_has_every_tab_once_and_survives_the_template():
    text = page.explorer_html()
    for tab in page.TABS:
        assert text.count(f'role="tabpanel" id="afa-panel-{tab}"') == 1
    assert not [part for part in ("`", "${", "{{", "\\", "<!--") if part in text]


def test_every_text_that_a_script_or_fragment_asks_for_is_there():
    scripts = "".join(file.read_text(encoding="utf-8") for file in page.EXPLORER.rglob("*.js"))
    asked = set(re.findall(r"""\btext\((?:[\w.]+ \? )?"([\w.]+)"(?: : "([\w.]+)")?""", scripts))
    names = {name for pair in asked for name in pair if name}
    assert len(names) > 40 and names <= set(texts())
    with pytest.raises(KeyError, match="nothing.here is not in en.json"):
        fill_template("{{nothing.here}}")
    assert fill_template("{{why}}") == '<span data-words="why">Why?</span>'


# --- callbacks -------------------------------------------------------------------------------------------------------


def test_an_example_opens_with_its_own_labels(callbacks):
    value, labels, picture = callbacks.open_example(1, "tiny", [], *DEFAULTS)
    assert labels == ["cow"] and picture == "example:scene1"
    assert json.loads(value)["title"] == "Scene 1"
    with pytest.raises(UserError):
        callbacks.open_example(9, "tiny", [], *DEFAULTS)


def test_an_upload_is_explained_with_predicted_labels(callbacks, tmp_path):
    path = tmp_path / "a.png"
    scene(1)[0].save(path)
    *_, (value, labels, picture, _) = callbacks.open_upload(path, "tiny", [], *DEFAULTS)
    data = json.loads(value)
    assert picture.startswith("upload:") and labels and not data["labels_given"] and data["scores"] is None
    again, kept = callbacks.change_labels(picture, "tiny", ["bus"], [], *DEFAULTS)
    assert [c["label"] for c in json.loads(again)["classes"]] == [4] and isinstance(kept, dict)


def test_a_new_picture_has_a_first_look_and_nothing_is_computed_twice(callbacks, session, counted, tmp_path):
    path = tmp_path / "a.png"
    scene(1)[0].save(path)
    first, last = callbacks.open_upload(path, "tiny", [], *DEFAULTS)
    look, all_of_it = json.loads(first[0]), json.loads(last[0])
    assert look["partial"] and "partial" not in all_of_it and first[2] == last[2] and isinstance(first[1], dict)
    assert look["key"] != all_of_it["key"] and look["scene"] == all_of_it["scene"]
    assert look["link"] == all_of_it["link"] == {}
    assert [stages[0] for stages in counted] == ["network", "cam"]  # the second goes on from the first
    request, trace = session.find_by_key(look["key"])
    assert (request.config.scales, request.config.flip) == ((1.0,), False)
    shown = unpacked(look["cam"]) / 255
    assert np.abs(shown - trace.cam[[label - 1 for label in trace.present]].numpy()).max() < 0.5 / 255 + 1e-6
    again = list(callbacks.open_upload(path, "tiny", [], *DEFAULTS))
    assert len(again) == 1 and again[0][0] == last[0] and len(counted) == 2
    (near,) = callbacks.open_upload(path, "tiny", [], *(DEFAULTS[0] / 2, *DEFAULTS[1:]))  # from the one that is held
    assert "partial" not in json.loads(near[0])


def test_thirty_students_who_open_an_example_cost_one_explanation(callbacks, session, counted):
    found: list[tuple] = []
    students = [
        threading.Thread(target=lambda: found.append(callbacks.open_example(1, "tiny", [], *DEFAULTS)))
        for _ in range(30)
    ]
    for student in students:
        student.start()
    for student in students:
        student.join()
    assert len(found) == 30 and len({value for value, _, _ in found}) == 1
    assert len(counted) == 1


def test_what_was_explained_ahead_costs_a_student_nothing(callbacks, session, counted):
    _warm(session, callbacks.answers, "tiny")
    assert len(counted) == len(session.examples)
    for place in range(len(session.examples)):
        callbacks.open_example(place, "tiny", [], *DEFAULTS)
    assert len(counted) == len(session.examples)


def test_a_refusal_after_a_first_look_changes_nothing(callbacks, monkeypatch):
    output = []
    monkeypatch.setattr("gradio.Warning", lambda text: output.append(text))

    def steps():
        yield "a first look"
        raise UserError("No more of it.")

    first, second = stream_errors_as_warnings(1)(steps)()
    assert first == "a first look" and isinstance(second, dict) and output == ["No more of it."]


def test_labels_of_a_page_that_still_shows_the_image_before_are_not_those_of_the_image(callbacks):
    cats, cows = (json.loads(callbacks.open_example(i, "tiny", [], *DEFAULTS)[0])["key"] for i in (0, 1))
    image = "example:scene0"
    assert callbacks.labels_sent(["cow"], image, cats) == (["cow"], True)  # of a program: no explanation is named
    assert callbacks.labels_sent({"labels": ["dog"], "of": cats}, image, cats) == (["dog"], True)
    own = list(callbacks.session.request_of(cats).labels)
    assert callbacks.labels_sent({"labels": ["cow"], "of": cows}, image, cats) == (own, False)
    assert callbacks.labels_sent({"labels": ["cow"], "of": cows}, image, cows) == (None, False)
    predicted, *_ = callbacks.change_labels(image, "tiny", [], [], *DEFAULTS)
    shown = json.loads(predicted)["key"]
    assert callbacks.labels_sent({"labels": ["cow"], "of": cows}, image, shown) == ([], False)
    assert callbacks.labels_sent({"labels": 5, "of": {}}, image, cats) == (5, True)
    for odd in ({}, {"of": cows}, {"labels": ["cow"], "of": cows, "more": 1}):  # refused with the request
        assert callbacks.labels_sent(odd, image, cats) == (odd, True)


def test_one_threshold_pushes_the_other(callbacks):
    moved = (0.8, *DEFAULTS[1:])
    value, low, high = callbacks.change_settings("bkg_score_low", "example:scene0", "tiny", ["cat"], [], *moved)
    assert high == 0.8 and isinstance(low, dict)
    assert (json.loads(value)["low"], json.loads(value)["high"]) == (0.8, 0.8)


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_part_can_be_left_out(callbacks, name):
    value, *_ = callbacks.change_settings("left_out", "example:scene0", "tiny", ["cat"], [name], *DEFAULTS)
    assert json.loads(value)["classes"]
