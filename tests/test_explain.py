"""One image through all stages: the trace, its file, and what a changed setting recomputes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from golden_vectors import golden_model
from PIL import Image

import afa_viz
from afa_viz import ExplainConfig, Trace
from afa_viz import explain as explain_module
from afa_viz.explain import _STAGE_FUNCTIONS, STAGES, recompute
from afa_viz.model.afa import build_afa
from afa_viz.steps import par_steps, stage_labels, target_affinity, walk_steps


@pytest.fixture(scope="module")
def model():
    return golden_model()


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(3).integers(0, 256, (75, 101, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def trace(model, picture):
    target = np.random.default_rng(4).choice([0, 3, 8, 255], (75, 101)).astype(np.uint8)
    return afa_viz.explain(model, picture, labels=["bird", "cat"], target=target)


def assert_same(a: Trace, b: Trace) -> None:
    for field in dataclasses.fields(Trace):
        one, two = getattr(a, field.name), getattr(b, field.name)
        if isinstance(one, torch.Tensor):
            assert one.dtype == two.dtype, field.name
            assert torch.equal(one, two), field.name
        elif isinstance(one, tuple) and isinstance(one[0], torch.Tensor):
            assert all(torch.equal(x, y) for x, y in zip(one, two, strict=True)), field.name
        else:
            assert one == two, field.name


def test_shapes_and_ranges(trace):
    assert trace.image.shape == (75, 101, 3)
    assert trace.grid == (5, 7)
    assert trace.present == (3, 8)
    assert trace.cam.shape == (20, 75, 101)
    assert trace.affinity.shape == (35, 35)
    assert trace.cam_rw.shape == (21, 5, 7)
    assert trace.cam_par.shape == (21, 75, 101)
    assert len(trace.attn_logits) == 8
    for i, logits in enumerate(trace.attn_logits):
        queries, keys = (int(np.prod(grid)) for grid in (trace.query_grids[i], trace.key_grids[i]))
        assert logits.shape[1:] == (queries, keys)
        torch.testing.assert_close(trace.attn_probs(i).sum(dim=-1), torch.ones(logits.shape[:2]))
    assert set(trace.pseudo_label.unique().tolist()) <= {0, 3, 8, 255}
    assert torch.equal(trace.regions == 2, trace.pseudo_label == 255)
    assert torch.equal(trace.affinity, trace.affinity.T)
    assert not trace.cam.is_inference()


def test_same_input_same_trace(model, picture, trace):
    again = afa_viz.explain(model, Image.fromarray(picture), labels=[3, 8], target=trace.target)
    assert_same(trace, again)
    hot = np.zeros(20, np.float32)
    hot[[2, 7]] = 1
    assert_same(trace, afa_viz.explain(model, picture, labels=hot, target=trace.target))


def test_save_and_load_lose_nothing(trace, tmp_path):
    path = trace.save(tmp_path / "deep" / "trace.npz")
    assert_same(trace, Trace.load(path))
    assert [p.name for p in path.parent.iterdir()] == ["trace.npz"]
    without_truth = dataclasses.replace(trace, target=None)
    assert Trace.load(without_truth.save(tmp_path / "b.npz")).target is None


def test_load_refuses_other_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        Trace.load(tmp_path / "x.npz")
    (tmp_path / "y.npz").write_bytes(b"no trace")
    with pytest.raises(ValueError, match="not a trace"):
        Trace.load(tmp_path / "y.npz")
    np.savez(tmp_path / "z.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match="not a trace"):
        Trace.load(tmp_path / "z.npz")


CHANGES = {
    "cam": {"scales": (1.0,)},
    "affinity": {"symmetric": False},
    "cam_rw": {"bkg_score_low": 0.2},
    "cam_par": {"num_iters": 3},
}


@pytest.mark.parametrize("stage", CHANGES)
def test_recompute_runs_the_changed_stage_and_below_only(model, picture, trace, stage, monkeypatch):
    ran = []

    def counted(name, function):
        return lambda *args: (ran.append(name), function(*args))[1]

    for name, function in list(_STAGE_FUNCTIONS.items()):
        monkeypatch.setitem(_STAGE_FUNCTIONS, name, counted(name, function))
    config = dataclasses.replace(trace.config, **CHANGES[stage])
    changed = recompute(trace, config, model=model)
    order = list(STAGES)
    assert ran == order[order.index(stage) :]
    assert_same(changed, afa_viz.explain(model, picture, labels=[3, 8], config=config, target=trace.target))


def test_single_cut_recomputes_nothing(trace, monkeypatch):
    monkeypatch.setattr(explain_module, "_STAGE_FUNCTIONS", {})
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


def test_predicted_labels(model, picture):
    best = afa_viz.explain(model, picture, config=ExplainConfig(label_threshold=1e9))
    assert best.present == (int(best.class_logits.argmax()) + 1,)
    assert not best.labels_given
    every = afa_viz.explain(model, picture, config=ExplainConfig(label_threshold=-1e9))
    assert len(every.present) == 20


def test_long_side_and_small_images(model, picture):
    assert afa_viz.explain(model, picture, [1], ExplainConfig(long_side=64)).image.shape == (48, 64, 3)
    for size in ((1, 1), (5, 40), (17, 16)):
        trace = afa_viz.explain(model, np.full((*size, 3), 99, np.uint8), [1])
        assert torch.isfinite(trace.cam_par).all()


def test_kinds_of_images(model, tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    a = afa_viz.explain(model, tmp_path / "grey.png", [1])
    b = afa_viz.explain(model, grey, [1])
    assert torch.equal(a.image, b.image)


def test_steps_on_request(trace):
    walked = list(walk_steps(trace, 2))
    assert len(walked) == 3
    torch.testing.assert_close(walked[1], trace.cam_rw)
    refined = list(par_steps(trace, trace.config.num_iters))
    assert len(refined) == 11
    assert refined[0].shape == (3, 37, 50)
    full = torch.nn.functional.interpolate(refined[-1][None], size=(75, 101), mode="bilinear")[0]
    torch.testing.assert_close(full, trace.cam_par[[0, 3, 8]])
    assert target_affinity(trace).shape == (35, 35)


def test_fresh_network_without_card():
    trace = afa_viz.explain(build_afa("mit_b0", num_classes=13), np.zeros((32, 48, 3), np.uint8))
    assert trace.class_names[1] == "aeroplane"


def test_refusals(model, picture, trace, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    for call, error, words in (
        (lambda: afa_viz.explain(model, tmp_path / "none.png"), FileNotFoundError, "no image"),
        (lambda: afa_viz.explain(model, tmp_path / "text.png"), ValueError, "can not be read"),
        (lambda: afa_viz.explain(model, np.zeros((4, 4, 2), np.uint8)), ValueError, "shape"),
        (lambda: afa_viz.explain(model, picture.astype(float)), ValueError, "uint8"),
        (lambda: afa_viz.explain(model, picture, ["unicorn"]), ValueError, "unicorn"),
        (lambda: afa_viz.explain(model, picture, [21]), ValueError, "1 to 20"),
        (lambda: afa_viz.explain(model, picture, target=np.zeros((3, 3))), ValueError, "same size"),
        (lambda: recompute(trace, ExplainConfig(long_side=64)), ValueError, "explain"),
        (lambda: recompute(trace, ExplainConfig(flip=False)), ValueError, "model="),
        (lambda: ExplainConfig(bkg_score_low=0.8), ValueError, "bkg_score_low"),
        (lambda: ExplainConfig(power=0), ValueError, "power"),
    ):
        with pytest.raises(error, match=words):
            call()
