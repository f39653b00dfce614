"""A changed setting or label runs its stage and those below it, and gives what a fresh explanation gives."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from explained import assert_same, noise, trace_of_noise
from golden_vectors import golden_model

import afa_viz
from afa_viz import ExplainConfig, Trace, pipeline
from afa_viz.pipeline import _STAGE_FUNCTIONS, recompute
from afa_viz.stage_scores import stage_labels


@pytest.fixture(scope="module")
def model():
    return golden_model()


@pytest.fixture(scope="module")
def picture():
    return noise()


@pytest.fixture(scope="module")
def trace():
    return trace_of_noise()


CHANGES = {
    "cam": {"scales": (1.0,)},
    "affinity": {"symmetric": False},
    "cam_rw": {"bkg_score_low": 0.2},
    "cam_par": {"num_iters": 3},
}


ORDER = ("network", "cam", "affinity", "cam_rw", "cam_par", "pseudo_label")


def below(stage):
    """What a change of a stage runs, from the method: the affinity comes from the attention, not from the CAM."""
    return [name for name in ORDER[ORDER.index(stage) :] if (stage, name) != ("cam", "affinity")]


@pytest.mark.parametrize("stage", CHANGES)
def test_recompute_runs_the_changed_stage_and_below_only(model, picture, trace, stage, monkeypatch):
    ran = []

    def counted(name, function):
        return lambda *args: (ran.append(name), function(*args))[1]

    for name, function in list(_STAGE_FUNCTIONS.items()):
        monkeypatch.setitem(_STAGE_FUNCTIONS, name, counted(name, function))
    config = dataclasses.replace(trace.config, **CHANGES[stage])
    changed = recompute(trace, config, model=model)
    assert ran == below(stage)
    assert_same(changed, afa_viz.explain(model, picture, labels=[3, 8], config=config, target=trace.target))


def test_single_cut_recomputes_nothing(trace, monkeypatch):
    monkeypatch.setattr(pipeline, "_STAGE_FUNCTIONS", {})
    changed = recompute(trace, dataclasses.replace(trace.config, bkg_score=0.6))
    assert changed.config.bkg_score == 0.6
    assert not torch.equal(stage_labels(changed)["cam"], stage_labels(trace)["cam"])


def test_new_labels(model, picture, trace):
    changed = recompute(trace, trace.config, labels=["dog"])
    assert_same(changed, afa_viz.explain(model, picture, labels=["dog"], target=trace.target))


@pytest.mark.parametrize(
    "change", [{"use_walk": False}, {"use_par": False}, {"use_walk": False, "use_par": False}, {"flip": False}]
)
def test_ablations_run_and_differ(model, picture, trace, change):
    other = afa_viz.explain(model, picture, ["bird", "cat"], dataclasses.replace(trace.config, **change))
    assert not torch.equal(other.cam_par, trace.cam_par)


SETTINGS = {
    "label_threshold": -1.0, "scales": (0.75, 2.0), "flip": False, "symmetric": False, "bkg_score": 0.6,
    "bkg_score_low": 0.1, "bkg_score_high": 0.9, "use_walk": False, "radius": 1, "power": 3.5, "num_steps": 4,
    "use_par": False, "num_iters": 2, "dilations": (1, 3), "par_downscale": 1,
    "keep_attention": "last_stage", "head_weights": (None, 0.0, *([0.3] * 14)), "affinity_bias": -1.0,
    "affinity_edits": (("join", (0, 1), (3,)), ("separate", (2,), None)),
    "class_thresholds": (("cat", 0.7), ("dog", 0.2)),
}  # fmt: skip


def test_every_setting_recomputes_to_what_explain_gives(model):
    assert {"long_side", "occlude", *SETTINGS} == {field.name for field in dataclasses.fields(ExplainConfig)}
    small = np.random.default_rng(5).integers(0, 256, (64, 50, 3), dtype=np.uint8)
    before = afa_viz.explain(model, small)
    for name, value in SETTINGS.items():
        config = dataclasses.replace(before.config, **{name: value})
        assert_same(recompute(before, config, model=model), afa_viz.explain(model, small, config=config))


FIRST = {  # the first stage that may run again, from the method: what each setting is a number of
    "scales": "cam", "flip": "cam", "symmetric": "affinity", "label_threshold": "cam_rw", "bkg_score_low": "cam_rw",
    "bkg_score_high": "cam_rw", "use_walk": "cam_rw", "radius": "cam_rw", "power": "cam_rw", "num_steps": "cam_rw",
    "use_par": "cam_par", "num_iters": "cam_par", "dilations": "cam_par", "par_downscale": "cam_par",
    "bkg_score": None, "keep_attention": None, "head_weights": "affinity", "affinity_bias": "affinity",
    "affinity_edits": "affinity", "class_thresholds": "cam_rw",
}  # fmt: skip


@pytest.fixture
def calls(model, monkeypatch):
    """What runs, in order: names of stages, and "pass" for every picture that goes through the encoder."""
    ran: list[str] = []

    def counted(name, function):
        return lambda *args: (ran.append(name), function(*args))[1]

    for name, function in list(_STAGE_FUNCTIONS.items()):
        monkeypatch.setitem(_STAGE_FUNCTIONS, name, counted(name, function))
    embed = type(model.encoder).embed

    def watched(encoder, i, maps):
        if i == 0:
            ran.extend(["pass"] * len(maps))
        return embed(encoder, i, maps)

    monkeypatch.setattr(type(model.encoder), "embed", watched)
    return ran


def test_a_whole_trace_runs_each_stage_once(model, picture, calls):
    afa_viz.explain(model, picture, labels=[3])
    assert tuple(name for name in calls if name != "pass") == ORDER


@pytest.mark.parametrize("name", SETTINGS)
def test_a_changed_setting_runs_nothing_above_it(model, picture, trace, calls, name):
    config = dataclasses.replace(trace.config, **{name: SETTINGS[name]})
    recompute(trace, config, model=model)
    first = FIRST[name]
    assert [one for one in calls if one != "pass"] == (below(first) if first else [])
    pictures = (2 if config.flip else 1) * len({1.0, *config.scales}) - 1 if first == "cam" else 0  # one is kept
    assert calls.count("pass") == pictures


def test_a_trace_without_the_raw_cam_gets_it(model, picture, trace, tmp_path):
    old = Trace.load(dataclasses.replace(trace, raw_cam=None).save(tmp_path / "old.npz"))
    assert old.raw_cam is None
    config = dataclasses.replace(trace.config, scales=(1.0,))
    assert_same(recompute(old, config, model=model), recompute(trace, config, model=model))


def test_attention_that_was_not_kept_comes_back_with_the_model_alone(model, trace):
    less = recompute(trace, dataclasses.replace(trace.config, keep_attention="last_stage"))
    assert [logits is None for logits in less.attn_logits] == [True] * 6 + [False] * 2
    with pytest.raises(ValueError, match="pass the model that made this trace"):
        recompute(less, trace.config)
    assert_same(recompute(less, trace.config, model=model), trace)
    walked = recompute(less, dataclasses.replace(less.config, num_steps=3))
    assert_same(walked, recompute(recompute(trace, dataclasses.replace(trace.config, num_steps=3)), walked.config))


def test_an_unchanged_setting_runs_nothing(model, trace, calls):
    recompute(trace, dataclasses.replace(trace.config), model=model)
    assert not calls


def test_new_labels_run_no_network(model, trace, calls):
    recompute(trace, trace.config, labels=["dog"], model=model)
    assert tuple(calls) == ORDER[ORDER.index("cam_rw") :]
