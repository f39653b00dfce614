"""The other side of a comparison without a browser: what it may be, what it is, and what it costs."""

from __future__ import annotations

import base64
import dataclasses
import json
import zlib

import numpy as np
import pytest
import torch
from app_fixtures import SIDE, prepare, tiny

from afa_viz import pipeline
from afa_viz import stage_scores as scores
from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.config import ExplainConfig
from afa_viz.inspection import with_crf
from afa_viz.model.checkpoint import save_model
from afa_viz.ops import dense_crf
from afa_viz.pipeline import explain
from afa_viz.stage_scores import stage_labels
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers import compare
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.sessions.model_registry import ModelRegistry, discover_checkpoints
from afa_viz.ui.sessions.session import Session

OTHER_NAMES = ("background", "person", "cat", "lamp", "bird")  # three that the sandbox knows, in another order


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    made = prepare(tmp_path_factory.mktemp("page"))
    model, card = tiny(5, OTHER_NAMES, side=64)
    save_model(model, made.checkpoint_folder / "other.safetensors", card)
    model, card = tiny(6, ("background", "lamp", "vase"))
    save_model(model, made.checkpoint_folder / "strange.safetensors", card)
    return made


@pytest.fixture
def session(options):
    sources = discover_checkpoints(options.checkpoint_folder)
    names = ["tiny", *(name for name in sources if name != "tiny")]
    return Session(ModelRegistry({name: sources[name] for name in names}, "cpu"), options.examples)


@pytest.fixture
def ask(session, tmp_path):
    """Ask for B of the first example; the answer as a dict."""
    answers = ExplorerHandlers(session, tmp_path)
    request = session.request("example:scene0", "tiny")
    key = json.loads(answers.stages(request))["key"]
    named = {answer.__name__: answer for answer in answers.server_functions()}
    return lambda **b: json.loads(named["compare"]({"key": key, "b": b}))


def unpacked(packed: dict) -> np.ndarray:
    raw = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), np.uint8).reshape(packed["shape"])
    return packed["low"] + raw * ((packed["high"] - packed["low"]) / 255) if "low" in packed else raw


def explained(session, **changes):
    """The first example by the model "tiny", outside every cache."""
    picture = session.images.find("example:scene0")
    model = session.registry.get("tiny")
    return explain(model, picture.image, list(picture.labels), ExplainConfig(**changes), target=picture.mask.copy())


def assert_is(found: dict, trace) -> None:
    """The answer holds the stages of a trace."""
    present = list(trace.present)
    assert found["labels"] == present
    for name, wanted in (
        ("cam", trace.cam[[label - 1 for label in present]]),
        ("affinity", trace.affinity),
        ("cam_rw", trace.cam_rw[[0, *present]]),
        ("cam_par", trace.cam_par[[0, *present]]),
    ):
        step = (found[name]["high"] - found[name]["low"]) / 255
        assert np.abs(unpacked(found[name]) - wanted.numpy()).max() <= 0.51 * step + 1e-6, name
    for name in ("affinity_label", "pseudo_label"):
        assert (unpacked(found[name]) == getattr(trace, name).numpy()).all()
    assert (unpacked(found["seg"]) == trace.seg.numpy()).all()
    labels = stage_labels(trace)
    own = set() if trace.config.use_walk else {"par_start"}
    assert set(found["stage_labels"]) == {"cam", "walk_start", "cam_rw", "cam_par"} | own
    for name, packed in found["stage_labels"].items():
        assert (unpacked(packed) == labels[name].numpy()).all(), name


@pytest.mark.parametrize(
    "b, changes",
    [
        ({}, {}),
        ({"switched": ["random walk"]}, {"use_walk": False}),
        ({"switched": ["PAR", "symmetry of the affinity"]}, {"use_par": False, "symmetric": False}),
        ({"switched": ["other scales of the CAM"]}, {"scales": (1.0,)}),
        ({"setting": "power", "value": 4}, {"power": 4.0}),
        ({"setting": "num_iters", "value": 3, "switched": ["random walk"]}, {"num_iters": 3, "use_walk": False}),
    ],
    ids=str,
)
def test_b_is_what_explain_makes_of_its_settings(ask, session, b, changes):
    found, trace = ask(**b), explained(session, **changes)
    assert_is(found, trace)
    assert not found["resized"] and "crf_seconds" not in found
    wanted = scores.stage_scores(trace)
    for stage, numbers in found["scores"].items():
        assert numbers["miou"] == pytest.approx(wanted[stage]["miou"], rel=1e-3)


def test_what_a_leaves_out_b_can_have_again(session, tmp_path):
    answers = ExplorerHandlers(session, tmp_path)
    without = session.request("example:scene0", "tiny", None, ExplainConfig(use_walk=False))
    key = json.loads(answers.stages(without))["key"]
    named = {answer.__name__: answer for answer in answers.server_functions()}
    found = json.loads(named["compare"]({"key": key, "b": {"switched": ["random walk"]}}))
    assert_is(found, explained(session))


def test_no_stage_runs_twice(ask, monkeypatch):
    runs: list[list[str]] = []

    def counted(real):
        def call(*args, **kwargs):
            runs.append([])
            return real(*args, progress=runs[-1].append, **kwargs)

        return call

    for name in ("explain", "recompute"):
        monkeypatch.setattr(pipeline, name, counted(getattr(pipeline, name)))
    ask(setting="num_iters", value=2)
    ask(switched=["random walk"])
    ask(switched=["random walk"])
    assert runs == [["cam_par", "pseudo_label"], ["cam_rw", "cam_par", "pseudo_label"]]


def test_another_model_sees_the_same_picture_and_speaks_of_the_same_classes(ask, session):
    found = ask(model="other")
    picture = session.images.find("example:scene0")
    config = ExplainConfig(long_side=SIDE)  # of A; its own would be 64
    own = explain(session.registry.get("other"), picture.image, ["bird", "cat"], config)
    number = {name: SANDBOX_CLASSES.index(name) for name in OTHER_NAMES if name in SANDBOX_CLASSES} | {"lamp": 13}
    assert found["resized"] and found["names"] == [*SANDBOX_CLASSES, "lamp"] and len(found["palette"]) == 14
    assert found["labels"] == [number["bird"], number["cat"]]
    cams = [own.cam[OTHER_NAMES.index(name) - 1].numpy() for name in ("bird", "cat")]
    assert np.abs(unpacked(found["cam"]) - np.stack(cams)).max() <= 0.51 / 255
    lookup = np.array([number[name] for name in OTHER_NAMES])
    assert (unpacked(found["seg"]) == lookup[own.seg.numpy()]).all()
    wanted = np.where(own.pseudo_label == 255, 255, lookup[own.pseudo_label.numpy() % 255])
    assert (unpacked(found["pseudo_label"]) == wanted).all()
    target = torch.from_numpy(picture.mask.copy())
    right = scores.label_score(target, torch.from_numpy(lookup[own.seg.numpy()].astype(np.uint8)), 14)
    assert found["scores"]["seg"]["miou"] == pytest.approx(right["miou"], rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(
    "b, words",
    [
        ({"model": "nobody"}, "no model 'nobody'"),
        ({"model": "strange"}, "has no class bird or cat"),
        ({"model": "tiny@7"}, "no model 'tiny@7'"),
        ({"switched": ["everything"]}, "cannot be switched"),
        ({"setting": "dilations", "value": 3}, "no setting 'dilations'"),
        ({"setting": "radius", "value": 1000}, "Radius"),
        ({"setting": "radius", "value": None}, "Radius"),
        ({"setting": "power", "value": float("nan")}, "Power"),
        ({"setting": "bkg_score_low", "value": 0.9}, "bkg_score_high"),
        ({"crf": True, "switched": ["PAR"]}, "at once"),
    ],
    ids=str,
)
def test_what_can_not_be_is_one_sentence(ask, b, words):
    refused = ask(**b)["refused"]
    assert words in refused and "\n" not in refused


@pytest.mark.parametrize(
    "b",
    [None, "PAR", [], {"other": 1}, {"switched": "PAR"}, {"switched": [1]}, {"model": 3}, {"setting": []}, {"crf": 1}],
    ids=str,
)
def test_other_forms_are_no_comparison(b):
    with pytest.raises(TypeError):
        compare.parse_changes(b)


def test_the_page_is_told_nothing_about_a_key_that_is_not_there(session, tmp_path):
    named = {answer.__name__: answer for answer in ExplorerHandlers(session, tmp_path).server_functions()}
    for ask in (
        lambda: named["compare"]({"key": "nothing", "b": {}}),
        lambda: named["training_run"]({"key": ["a"]}),
        lambda: named["snapshot"]({"key": None, "model": "tiny@10"}),
    ):
        with pytest.raises(KeyError):
            ask()


# --- a dense CRF in PAR's place --------------------------------------------------------------------------------------


def sharpened(image, probabilities, **options):
    """Stands in for the dense CRF: the strongest label takes all."""
    best = probabilities.argmax(dim=-3)
    return torch.nn.functional.one_hot(best, probabilities.shape[-3]).movedim(-1, -3).float()


@pytest.mark.parametrize("use_walk", [True, False])
def test_the_crf_takes_pars_place(session, monkeypatch, use_walk):
    monkeypatch.setattr(dense_crf, "dense_crf", sharpened)
    trace = explained(session, use_walk=use_walk)
    crf = with_crf(trace)
    used, labels = [0, *trace.present], torch.tensor([0, *trace.present])
    cams = trace.cam[[label - 1 for label in trace.present]]
    won = []  # what only sharpens changes no winner
    for walked, beta in ((trace.cam_rw, trace.config.bkg_score_low), (trace.cam_rw_high, trace.config.bkg_score_high)):
        if use_walk:
            large = torch.nn.functional.interpolate(walked[used][None], (SIDE, SIDE), mode="bilinear")[0]
        else:
            large = torch.cat([torch.full((1, SIDE, SIDE), beta), cams])
        won.append(labels[large.argmax(dim=0)])
    for name, label in zip(("cam_par", "cam_par_high"), won, strict=True):
        assert torch.equal(getattr(crf, name).argmax(dim=0), label), name
    low, high = won
    wanted = torch.where(high > 0, high, torch.where(low > 0, 255, 0))
    assert torch.equal(crf.pseudo_label.long(), wanted) and len(wanted.unique()) > 1
    assert torch.equal(crf.regions == 2, wanted == 255)
    for name in ("cam", "affinity", "cam_rw", "seg"):
        assert getattr(crf, name) is getattr(trace, name)


def test_both_times_are_told(ask, monkeypatch):
    monkeypatch.setattr(dense_crf, "dense_crf", sharpened)
    found = ask(crf=True)
    assert found["par_seconds"] > 0 and found["crf_seconds"] > 0
    assert set(np.unique(unpacked(found["cam_par"]).round(2))) == {0.0, 1.0}


def test_a_request_by_its_own_model_stays_what_it_is(session):
    request = session.request("example:scene0", "tiny")
    trace = session.trace(request)
    assert compare.request_for_model(session, request, trace, "tiny") is request
    assert compare.remap_classes(trace, trace) is trace
    with pytest.raises(UserError, match="no model"):
        compare.request_for_model(session, request, trace, "nobody")
    again = compare.comparison_request(session, request, trace, compare.Changes())
    assert again == dataclasses.replace(request) and again.key == request.key
