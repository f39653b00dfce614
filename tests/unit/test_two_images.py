"""The affinity between the cells of two images: of one image it is the trace's, of two what is worked out here."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from small_checkpoint import small_model

import afa_viz
from afa_viz import ExplainConfig, Trace
from afa_viz.ops.cross_affinity import cross_affinity
from afa_viz.pipeline import recompute
from afa_viz.two_images import affinity_between

CHANGES = {
    "learned": {},
    "other weights": {"head_weights": (0.0, None, 0.3, *([None] * 13)), "affinity_bias": -0.75},
    "one way": {"symmetric": False},
}


@pytest.fixture(scope="module")
def traces() -> list[Trace]:
    """Of two images with different grids, 6 x 10 and 8 x 6 cells; the last cells of the first are not whole."""
    model, rng = small_model().eval(), np.random.default_rng(3)
    config = ExplainConfig(scales=(1.0,), num_iters=1, radius=3)
    sizes = ((90, 155), (128, 96))
    return [afa_viz.explain(model, rng.integers(0, 256, (*size, 3), dtype=np.uint8), [1, 7], config) for size in sizes]


def by_hand(trace: Trace, other: Trace) -> np.ndarray:
    """The formula in double precision, head by head."""
    weight, bias = (part.double().numpy() for part in trace.used_affinity_head)
    (queries, keys), (other_queries, other_keys) = (
        [torch.cat([one.queries[block] if name == "q" else one.keys[block] for block in (-2, -1)]).double().numpy()
         for name in "qk"] for one in (trace, other)
    )  # fmt: skip
    logit = np.full((queries.shape[1], other_keys.shape[1]), bias[0])
    for head, w in enumerate(weight):
        there = queries[head] @ other_keys[head].T
        back = (other_queries[head] @ keys[head].T).T if trace.config.symmetric else there
        logit += w * (there + back)
    return 1 / (1 + np.exp(-logit))


@pytest.mark.parametrize("change", CHANGES)
def test_an_image_with_itself_has_its_own_affinity(traces, change):
    for trace in traces:
        moved = recompute(trace, dataclasses.replace(trace.config, **CHANGES[change]))
        torch.testing.assert_close(affinity_between(moved, moved), moved.affinity, atol=2e-5, rtol=0)


@pytest.mark.parametrize("change", CHANGES)
def test_two_images_follow_the_formula(traces, change):
    first, second = (recompute(t, dataclasses.replace(t.config, **CHANGES[change])) for t in traces)
    found = affinity_between(first, second)
    assert found.shape == (60, 48) and found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), by_hand(first, second), atol=2e-5)
    back = affinity_between(second, first)
    if change != "one way":
        torch.testing.assert_close(back, found.T, atol=2e-5, rtol=0)
    else:
        assert not torch.allclose(back, found.T, atol=1e-3)
    # the settings of the image of the rows count
    torch.testing.assert_close(affinity_between(first, traces[1]), found, atol=0, rtol=0)


def test_what_cannot_be_compared_is_refused_in_a_sentence(traces):
    first, second = traces
    plain = dataclasses.replace(second, queries=None, keys=None)
    for pair in ((first, plain), (plain, first)):
        with pytest.raises(ValueError, match=r"without queries and keys, as in files of an earlier version; .*again\."):
            affinity_between(*pair)
    with pytest.raises(ValueError, match=r"expected both of one model, .*: explain one of the images again\."):
        affinity_between(first, dataclasses.replace(second, checkpoint_id="another"))
    with pytest.raises(ValueError, match=r"expected both of one model"):
        affinity_between(first, dataclasses.replace(second, affinity_weight=second.affinity_weight + 1))
    for pair in ((first, None), ("x", first)):
        with pytest.raises(TypeError, match=r"expected two traces: what afa_viz\.explain returns\."):
            affinity_between(*pair)


def test_parts_of_two_networks_are_refused():
    def heads(count: int, width: int, cells: int = 4) -> list[torch.Tensor]:
        return [torch.randn(1, count, cells, width)]

    weight, bias = torch.randn(3), torch.zeros(1)
    q = heads(3, 5)
    assert cross_affinity(q, q, heads(3, 5, 7), heads(3, 5, 7), weight, bias).shape == (1, 4, 7)
    for other in (heads(3, 6), heads(2, 5), [torch.randn(2, 3, 4, 5)]):
        with pytest.raises(ValueError, match="expected the same four times"):
            cross_affinity(q, q, other, other, weight, bias)
    with pytest.raises(ValueError, match="weight has 2 entries but queries have 3 heads"):
        cross_affinity(q, q, q, q, weight[:2], bias)
    with pytest.raises(ValueError, match="other_keys holds 60 NaN"):
        cross_affinity(q, q, q, [torch.full((1, 3, 4, 5), float("nan"))], weight, bias)
    refused = {
        "weight holds 3 NaN": (q, q, q, q, weight * float("nan"), bias),
        "bias holds 1 NaN": (q, q, q, q, weight, bias * float("nan")),
        "bias has shape": (q, q, q, q, weight, torch.zeros(2)),
        "queries has no block": ([], [], [], [], weight, bias),
        "queries have 4 cells but keys have 7": (q, heads(3, 5, 7), q, q, weight, bias),
        "blocks of 4 and 7 cells": ([*q, *heads(3, 5, 7)], q, q, q, weight, bias),
    }
    for words, given in refused.items():
        with pytest.raises(ValueError, match=words):
            cross_affinity(*given)
    with pytest.raises(ValueError, match="queries"):
        cross_affinity([torch.zeros(3, 4, 5)], q, q, q, weight, bias)
