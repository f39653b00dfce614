"""Head weights, bias and symmetry as settings: the affinity is that of the trace's own logits, worked out here."""

from __future__ import annotations

import dataclasses

import expected_affinity
import numpy as np
import pytest
import torch
from error_sentence import raises_sentence
from small_checkpoint import small_model

import afa_viz
from afa_viz import ExplainConfig, Trace
from afa_viz.config_io import apply_settings
from afa_viz.pipeline import recompute
from afa_viz.value_paths import affinity_path, walk_path

SIZES = [(96, 160), (160, 96), (128, 128), (90, 170)]  # pixels; the last one fills no whole cells
CHANGES = {
    "learned": {},
    "without one": {"head_weights": (None, 0.0, *([None] * 14))},
    "only one": {"head_weights": (*([0.0] * 5), 1.5, *([0.0] * 10))},
    "all equal": {"head_weights": (0.01,) * 16},
    "bias": {"affinity_bias": -3.25},
    "one way": {"symmetric": False, "head_weights": tuple(np.linspace(-0.2, 0.2, 16)), "affinity_bias": 0.5},
}


@pytest.fixture(scope="module")
def model():
    return small_model().eval()


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: "x".join(map(str, size)))
def trace(request, model) -> Trace:
    image = np.random.default_rng(1).integers(0, 256, (*request.param, 3), dtype=np.uint8)
    config = ExplainConfig(scales=(1.0, 0.5, 1.25), num_iters=2, radius=3)
    return afa_viz.explain(model, image, [1, 7], config)


def by_hand(trace: Trace) -> np.ndarray:
    """The affinity that the settings of the trace ask for."""
    config = trace.config
    weights = dict(enumerate(config.head_weights or ()))
    return expected_affinity.of_trace(trace, weights, config.affinity_bias, config.symmetric)


@pytest.mark.parametrize("change", CHANGES)
def test_the_affinity_follows_from_the_logits_of_the_trace(trace, model, change):
    made = recompute(trace, dataclasses.replace(trace.config, **CHANGES[change]))
    np.testing.assert_allclose(made.affinity.numpy(), by_hand(made), atol=2e-5)
    again = afa_viz.explain(model, trace.image.numpy(), [1, 7], made.config)
    for name in ("affinity", "cam_rw", "cam_par", "pseudo_label", "affinity_label"):
        assert torch.equal(getattr(again, name), getattr(made, name)), name
    assert torch.equal(made.affinity_weight, trace.affinity_weight)  # the learned ones stay
    weight, bias = made.used_affinity_head
    assert [float(w) for w in weight] == [
        pytest.approx(float(old) if new is None else new)
        for old, new in zip(trace.affinity_weight, made.config.head_weights or [None] * 16, strict=True)
    ]
    assert float(bias) == pytest.approx(CHANGES[change].get("affinity_bias", float(trace.affinity_bias)))
    back = recompute(made, trace.config)
    assert torch.equal(back.affinity, trace.affinity) and torch.equal(back.cam_rw, trace.cam_rw)


def test_the_cam_of_a_trace_is_not_made_again(trace):
    made = recompute(trace, dataclasses.replace(trace.config, head_weights=(0.0,) * 16))  # needs no model
    assert made.cam.data_ptr() == trace.cam.data_ptr() and made.queries[-1].data_ptr() == trace.queries[-1].data_ptr()
    assert torch.equal(made.affinity, torch.full_like(made.affinity, float(torch.sigmoid(trace.affinity_bias))))


@pytest.mark.parametrize("weights, says", [
    ((0.0,) * 15, "head_weights has 15 numbers; expected 16, one for each head of the last two blocks"),
    ((), "head_weights is (); expected a list of one number for each head"),
    ("0,1", "head_weights is '0,1'; expected a list"),
    ((float("nan"),) * 16, "expected a list of one number for each head, of at most 1e+06"),
    ((1e9,) * 16, "of at most 1e+06"),
    ((True,) * 16, "expected a list"),
    ({"a": 1}, "expected a list"),
])  # fmt: skip
def test_other_weights_are_refused_in_a_sentence(model, weights, says):
    with raises_sentence(ValueError, says):
        afa_viz.explain(model, np.zeros((64, 64, 3), np.uint8), [1], ExplainConfig(head_weights=weights))


def test_settings_of_every_kind_mean_the_same():
    given = (0.5, *([None] * 15))
    assert ExplainConfig(head_weights=list(given)) == ExplainConfig(head_weights=given)
    assert ExplainConfig(head_weights=np.full(16, 0.5)).head_weights == (0.5,) * 16
    assert ExplainConfig(head_weights=torch.full((16,), 0.5)).head_weights == (0.5,) * 16
    assert ExplainConfig(head_weights=[None] * 16) == ExplainConfig()  # as learned
    text = "head_weights=0.5," + ",".join(["none"] * 15)
    assert apply_settings(ExplainConfig(), [text, "affinity_bias=-1"]) == ExplainConfig(
        head_weights=given, affinity_bias=-1
    )
    assert apply_settings(ExplainConfig(head_weights=given), ["head_weights=none"]) == ExplainConfig()


def test_a_trace_is_saved_with_them(trace, tmp_path):
    made = recompute(trace, dataclasses.replace(trace.config, head_weights=(0.0, *([None] * 15)), affinity_bias=1))
    loaded = Trace.load(made.save(tmp_path / "x.npz"))
    assert loaded.config == made.config and torch.equal(loaded.affinity, made.affinity)
    for name in ("queries", "keys"):
        kept, saved = getattr(loaded, name), getattr(made, name)
        assert kept[:-2] == (None,) * (len(kept) - 2)
        assert all(torch.equal(kept[block], saved[block]) for block in (-2, -1))
    plain = dataclasses.replace(made, queries=None, keys=None)
    assert Trace.load(plain.save(tmp_path / "plain.npz")).queries is None
    assert "queries: last 2 blocks" in repr(made) and "queries: none" in repr(plain)


def test_queries_times_keys_are_the_logits(trace):
    for block in (-2, -1):
        query, key = trace.query_key(block)
        assert query.shape == key.shape and query.shape[-1] == 32  # numbers a head of MiT-B0
        np.testing.assert_allclose(
            np.einsum("hnd,hmd->hnm", query.double(), key.double()), trace.logits(block).numpy(), atol=1e-3
        )
    assert trace.query_key(0) is None


@pytest.mark.parametrize("change", CHANGES)
def test_the_path_of_a_pair_multiplies_out_to_its_affinity(trace, change):
    made = recompute(trace, dataclasses.replace(trace.config, **CHANGES[change]))
    rows, cols = made.grid
    rng = np.random.default_rng(0)
    for _ in range(5):
        cell, other = [(int(rng.integers(rows)), int(rng.integers(cols))) for _ in range(2)]
        at, to = (row * cols + col for row, col in (cell, other))
        path = affinity_path(made, cell, other)
        assert path.blocks.tolist() == [len(made.attn_logits) - 2] * 8 + [len(made.attn_logits) - 1] * 8
        whole = torch.cat([made.logits(-2), made.logits(-1)])
        assert torch.equal(path.logits, whole[:, at, to]) and torch.equal(path.transposed, whole[:, to, at])
        torch.testing.assert_close((path.query * path.key).sum(1), path.logits, atol=1e-3, rtol=1e-4)
        torch.testing.assert_close((path.other_query * path.other_key).sum(1), path.transposed, atol=1e-3, rtol=1e-4)
        doubled = path.logits + path.transposed if made.config.symmetric else 2 * path.logits
        torch.testing.assert_close(path.contributions, path.weight * doubled)
        assert path.logit == pytest.approx(float(path.contributions.sum()) + path.bias, abs=1e-4)
        assert path.affinity == pytest.approx(1 / (1 + np.exp(-path.logit)), abs=1e-6)
        assert path.affinity == pytest.approx(float(made.affinity[at, to]), abs=2e-5)
    with pytest.raises(ValueError, match=r"got cell \(99, 0\); expected a row from 0 to"):
        affinity_path(made, (99, 0), (0, 0))


def test_the_path_of_a_walked_score_adds_up_to_it(trace):
    made = recompute(trace, dataclasses.replace(trace.config, num_steps=2, power=3.0))
    for cell in ((0, 0), (made.grid[0] - 1, made.grid[1] - 1), (2, 3)):
        for label in (0, 1, 7):
            path = walk_path(made, cell, label, step=2)
            assert path.value == pytest.approx(float(made.cam_rw[label][cell]), abs=1e-5)
            assert torch.equal(path.contributions, path.scores * path.transition)
            assert float(path.transition.sum()) == pytest.approx(path.column_sum / (path.column_sum + 0.1), abs=1e-5)
    for wrong, says in (({"label": 3}, "got label 3; expected one of 0, 1, 7"), ({"step": 0}, "got step 0; expected")):
        with pytest.raises(ValueError, match=says):
            walk_path(made, (0, 0), **({"label": 1} | wrong))
