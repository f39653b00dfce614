"""The dense CRF: what it does to scenes with a known answer, and what it says where its package is missing."""

from __future__ import annotations

import dataclasses
import importlib.util

import numpy as np
import pytest
import torch

from afa_viz.classes import SANDBOX_CLASSES, palette
from afa_viz.inspection import crf_label, par_label
from afa_viz.model.afa import build_afa
from afa_viz.model.card import Card
from afa_viz.ops import dense_crf
from afa_viz.ops.dense_crf import HOW_TO_INSTALL
from afa_viz.stage_scores import stage_labels
from afa_viz.ui.handlers import payload

installed = pytest.mark.skipif(not dense_crf.available(), reason=HOW_TO_INSTALL)


def halves() -> tuple[torch.Tensor, torch.Tensor]:
    """A dark and a bright half, 24 x 32, and scores that favour the right label a little, with wrong spots."""
    image = torch.full((24, 32, 3), 40, dtype=torch.uint8)
    image[:, 16:] = 210
    bright = torch.full((24, 32), 0.4)
    bright[:, 16:] = 0.6
    bright[10:12, 4:6] = 0.7  # wrong
    bright[4:6, 24:26] = 0.3  # wrong
    return image, torch.stack([1 - bright, bright])


@installed
def test_wrong_spots_are_overruled_by_their_colour():
    image, scores = halves()
    kept = scores.clone()
    after = dense_crf.dense_crf(image, scores)
    truth = torch.zeros(24, 32)
    truth[:, 16:] = 1
    assert (scores.argmax(dim=0) != truth).sum() == 8
    assert torch.equal(after.argmax(dim=0), truth.long())
    assert torch.allclose(after.sum(dim=0), torch.ones(24, 32), atol=1e-5)
    assert torch.equal(scores, kept)


@installed
def test_no_iteration_gives_the_normalised_scores():
    image, scores = halves()
    after = dense_crf.dense_crf(image, 3 * scores, num_iters=0)
    assert torch.allclose(after, scores, atol=1e-5)


@pytest.mark.parametrize(
    "image, scores, words",
    [
        (torch.zeros(4, 5, 3), torch.ones(2, 4, 5), "uint8"),
        (torch.zeros(4, 4, 3, dtype=torch.uint8), torch.ones(2, 4, 5), "resize"),
        (torch.zeros(4, 5, 3, dtype=torch.uint8), -torch.ones(2, 4, 5), "softmax"),
        (torch.zeros(4, 5, 3, dtype=torch.uint8), torch.zeros(2, 4, 5), "without any"),
        (torch.zeros(4, 5, 3, dtype=torch.uint8), torch.ones(4, 5), "P, H, W"),
    ],
)
def test_refuses_what_does_not_fit(image, scores, words):
    with pytest.raises(ValueError, match=words):
        dense_crf.dense_crf(image, scores)


def test_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    image, scores = halves()
    with pytest.raises(ModuleNotFoundError, match="pip install pydensecrf2"):
        dense_crf.dense_crf(image, scores)


@pytest.fixture(scope="module")
def trace():
    import afa_viz

    torch.manual_seed(0)
    model = build_afa("mit_b0", len(SANDBOX_CLASSES), "topk")
    model.card = Card("mit_b0", len(SANDBOX_CLASSES), SANDBOX_CLASSES, palette(len(SANDBOX_CLASSES)), "topk")
    image = torch.randint(0, 255, (64, 64, 3), generator=torch.Generator().manual_seed(1)).to(torch.uint8).numpy()
    config = afa_viz.ExplainConfig(scales=(1.0,), flip=False, long_side=64)
    target = np.zeros((64, 64), dtype=np.uint8)
    return afa_viz.explain(model, image, [SANDBOX_CLASSES[1], SANDBOX_CLASSES[2]], config, target=target)


def test_its_rival_is_par_as_the_trace_has_it(trace):
    assert torch.equal(par_label(trace), stage_labels(trace)["cam_par"])


@installed
def test_both_start_from_the_walk(trace):
    """Labels of the image alone; scores that leave no doubt stay as they are."""
    assert set(crf_label(trace).unique().tolist()) <= {0, *trace.present}
    sure = torch.zeros_like(trace.cam_rw)
    sure[trace.present[0]] = 1
    assert (crf_label(dataclasses.replace(trace, cam_rw=sure)) == trace.present[0]).all()


def test_the_page_gets_labels_times_and_scores_or_a_sentence(trace, monkeypatch):
    answer = payload.crf(trace)
    if dense_crf.available():
        assert answer["label"]["shape"] == answer["par_label"]["shape"] == [64, 64]
        assert answer["seconds"] > 0 and answer["par_seconds"] > 0
        assert 0 <= answer["iou"][0] <= 1
    monkeypatch.setattr(dense_crf, "available", lambda: False)
    assert payload.crf(trace) == {"missing": HOW_TO_INSTALL}
