"""Where the network lies, there the stages run: every pass on a second device in software gives what the CPU gives."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from golden_vectors import golden_model
from other_device import NAME, OtherDevice, is_there, sent
from torch import Tensor

import afa_viz
from afa_viz.config import ExplainConfig
from afa_viz.evaluation import Sample, ThresholdSweep, evaluate_samples
from afa_viz.evaluation.published import published_labels
from afa_viz.ops import banded_walk, par
from afa_viz.stages.batch_labels import make_pseudo_labels

SMALL = ExplainConfig(scales=(1.0, 0.5), num_iters=2, long_side=64)


@pytest.fixture(scope="module")
def sample() -> Sample:
    rng = np.random.default_rng(0)
    labels = np.zeros(20, np.float32)
    labels[[2, 6]] = 1
    return Sample(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8), labels, rng.choice([0, 3, 7, 255], (48, 64)))


@pytest.fixture(scope="module")
def here():
    return golden_model()


@pytest.fixture
def there():
    """The same network on the other device, which exists for the length of a test."""
    with OtherDevice():
        yield sent(golden_model())


def seen(monkeypatch, module, name: str) -> list[bool]:
    """Whether the tensors that a function was called with lay on the other device, call by call."""
    calls: list[bool] = []
    original = getattr(module, name)

    def call(*args, **kwargs):
        calls.append(all(is_there(value) for value in args if isinstance(value, Tensor)))
        return original(*args, **kwargs)

    monkeypatch.setattr(module, name, call)
    return calls


def test_the_other_device_refuses_what_a_gpu_refuses():
    with OtherDevice():
        one = torch.ones(3, device=NAME)
        assert is_there(one) and is_there(one * torch.tensor(2.0)) and is_there(one[torch.tensor([0, 2])])
        assert one.cpu().tolist() == [1, 1, 1] and float(one.sum()) == 3
        with pytest.raises(AssertionError, match="two devices"):
            one + torch.ones(3)
        with pytest.raises(AssertionError, match="two devices"):
            one[torch.tensor([0, 2])] = torch.ones(2)


@pytest.mark.parametrize("use_walk", [True, False])
def test_walk_and_par_run_where_the_network_is(here, there, sample, use_walk, monkeypatch):
    config = dataclasses.replace(SMALL, use_walk=use_walk)
    walks, refinements = seen(monkeypatch, banded_walk, "propagate_windowed"), seen(monkeypatch, par, "refine")
    trace = afa_viz.explain(there, sample.image, sample.image_labels, config)
    assert walks == [True] * use_walk and refinements == [True]
    expected = afa_viz.explain(here, sample.image, sample.image_labels, config)
    for field in dataclasses.fields(trace):
        value, wanted = getattr(trace, field.name), getattr(expected, field.name)
        for one, other in zip(*((v if isinstance(v, tuple) else (v,)) for v in (value, wanted)), strict=True):
            if isinstance(one, Tensor):
                assert not is_there(one) and not one.is_inference(), field.name
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_labels_are_predicted_and_settings_changed(here, there, sample):
    trace = afa_viz.explain(there, sample.image, config=SMALL)
    changed = dataclasses.replace(SMALL, num_iters=1, num_steps=2)
    again = afa_viz.recompute(trace, changed)
    scales = afa_viz.recompute(trace, dataclasses.replace(changed, scales=(1.0,)), model=there)
    expected = afa_viz.explain(here, sample.image, config=changed)
    assert torch.equal(trace.image_labels, expected.image_labels)
    torch.testing.assert_close(again.cam_par, expected.cam_par, rtol=1e-4, atol=1e-5)
    assert scales.config.scales == (1.0,) and not is_there(scales.cam_par)


def test_evaluation_counts_the_same(here, there, sample):
    ladders, sweeps = [], []
    for model in (here, there):
        sweeps.append(ThresholdSweep(21, (0.3, 0.5), (0.3, 0.5)))
        ladders.append(evaluate_samples(model, [sample], SMALL, multi_scale=True, on_trace=sweeps[-1].update))
    assert ladders[0].data() == ladders[1].data()
    assert sweeps[0].data() == sweeps[1].data()


def test_the_published_passes_give_the_same_labels(here, there, sample, monkeypatch):
    monkeypatch.setattr("afa_viz.evaluation.published.LONG_SIDE", 64)
    (one, logits), (other, their_logits) = (published_labels(model, sample, SMALL) for model in (here, there))
    torch.testing.assert_close(logits, their_logits)
    for name, label in one.items():
        assert (label == other[name]).float().mean() > 0.999, name


def test_pseudo_labels_of_a_training_batch(here, there, sample):
    pixels = torch.from_numpy(sample.image).permute(2, 0, 1)[None, :, :, :48].float() / 255
    labels, box = torch.from_numpy(sample.image_labels)[None], torch.tensor([[0, 48, 0, 40]])
    expected = make_pseudo_labels(here, pixels, labels, box, SMALL, with_walk=True)
    batch = (value.to(NAME) for value in (pixels, labels, box))
    found = make_pseudo_labels(there, *batch, SMALL, with_walk=True)
    for field in dataclasses.fields(found):
        value = getattr(found, field.name)
        assert is_there(value), field.name
        torch.testing.assert_close(value.cpu(), getattr(expected, field.name), rtol=1e-4, atol=1e-5)
