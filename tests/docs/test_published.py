"""The published passes: their scores against torchmetrics, counts of two processes, the reference column."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from data_trees import picture
from golden_vectors import golden_model

from afa_viz.classes import VOC_CLASSES
from afa_viz.config import ExplainConfig
from afa_viz.evaluation import Sample
from afa_viz.evaluation.published import PASSES, REFERENCES, PublishedScores, published_labels

CONFIG = ExplainConfig(scales=(1.0, 0.5))


@pytest.fixture
def samples(monkeypatch):
    monkeypatch.setattr("afa_viz.evaluation.published.LONG_SIDE", 64)
    found = []
    for labels in ([3, 15], [7]):
        image, mask = picture(labels, np.random.default_rng(labels[0]), (48, 64))
        found.append(Sample(image, np.isin(np.arange(1, 21), labels).astype(np.float32), mask))
    return found


def test_scores_of_every_pass_are_those_of_torchmetrics(samples):
    import warnings

    with warnings.catch_warnings():  # of its imports
        warnings.simplefilter("ignore")
        from torchmetrics.classification import MulticlassJaccardIndex
    model = golden_model()
    scores, parts = PublishedScores(VOC_CLASSES), [PublishedScores(VOC_CLASSES) for _ in samples]
    oracles = {name: MulticlassJaccardIndex(21, average="none", ignore_index=255) for name in scores.matrices}
    for sample, part in zip(samples, parts, strict=True):
        scores.update(model, sample, CONFIG)
        part.update(model, sample, CONFIG)
        labels, _ = published_labels(model, sample, CONFIG)
        for name, oracle in oracles.items():
            assert labels[name].shape == sample.image.shape[:2]
            oracle.update(labels[name], torch.from_numpy(sample.target).long())
    parts[0].add(parts[1])
    present = [0, 3, 7, 15]
    for name, oracle in oracles.items():
        want = oracle.compute().double()[present]
        got = scores.matrices[name].scores()
        torch.testing.assert_close(got.iou[present], want, rtol=0, atol=1e-6)
        assert got.miou == pytest.approx(float(want.mean()), abs=1e-6)
        assert torch.equal(parts[0].matrices[name].matrix, scores.matrices[name].matrix), "processes add up"
    data = scores.data(REFERENCES["voc", "val"])
    assert data["images"] == 2 and data["passes"]["cam"]["protocol"] == PASSES["cam"].format(bkg_score=0.45)
    assert data["passes"]["cam"]["reference"]["miou"] == 64.4 and data["passes"]["seg_test"]["reference"] is None
    assert "64.4" in scores.table(REFERENCES["voc", "val"]) and "64.4" not in scores.table({})
