"""A few small scenes scored by an untrained network: what tests of scores and of their charts share."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from afa_viz.config import ExplainConfig
from afa_viz.data.sandbox import SandboxDataset
from afa_viz.evaluation import Sample, ThresholdSweep, evaluate_samples
from afa_viz.model.afa import build_afa
from afa_viz.model.card import default_card
from afa_viz.pipeline import explain

SIZE = 64
CONFIG = ExplainConfig(scales=(1.0,), flip=False, num_iters=2, long_side=SIZE)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = build_afa("mit_b0", num_classes=13).eval()
    model.card = dataclasses.replace(default_card("mit_b0", 13), input_size=SIZE)
    return model


@pytest.fixture(scope="module")
def samples():
    scenes = SandboxDataset("val", 5, SIZE)
    return [Sample(s.image, s.image_labels, s.mask, s.parts, s.context) for s in scenes]


@pytest.fixture(scope="module")
def traces(model, samples):
    return [explain(model, s.image, s.image_labels, CONFIG, target=s.target) for s in samples]


@pytest.fixture(scope="module")
def sweep(model):
    return ThresholdSweep(13, cam_scores=(0.1, 0.3, 0.45, 0.8), label_scores=(0.2, 0.35, 0.6))


@pytest.fixture(scope="module")
def by_stage(model, samples, sweep):
    return evaluate_samples(model, samples, CONFIG, multi_scale=True, on_trace=sweep.update)
