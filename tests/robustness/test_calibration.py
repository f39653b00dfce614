"""The affinity head rescaled once, before it learns: what it measures, when it runs, and what is said about it."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from noise_runs import CONFIG, NAN, Noise, run_in, small_network  # noqa: F401  (a fixture)

from afa_viz.model.afa import build_afa
from afa_viz.ops import affinity as aff
from afa_viz.presets import PRESETS, QUICK, SANDBOX
from afa_viz.training import records
from afa_viz.training.calibration import logit_moments, rescale_affinity

PLAIN = dataclasses.replace(CONFIG, calibrate_affinity=False)
CALIBRATED = dataclasses.replace(CONFIG, calibrate_affinity=True)
FIRST = CALIBRATED.cam_iters + 1  # the iteration in which the affinity first learns


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def network():
    torch.manual_seed(0)
    model = build_afa("mit_b0", 13).train()
    with torch.no_grad():
        model.attn_proj.weight.mul_(50)
        model.attn_proj.bias.fill_(7)
    return model


def images(count=2, side=64):
    return [torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(k)) for k in range(count)]


def window_logits(model, image, radius):
    """The combined logits of the pairs of different cells in the window, by the function that explains them."""
    model.eval()
    with torch.no_grad():
        blocks = [block.logits for block in model.forward_intermediates(image).attention]
        found = aff.affinity_logits(blocks, model.attn_proj.weight, model.attn_proj.bias)
    near = aff.radius_mask(image.shape[-2] // 16, image.shape[-1] // 16, radius=radius) & ~torch.eye(
        found.shape[-1], dtype=torch.bool
    )
    return found[:, near]


def test_moments_are_those_of_the_logits_within_the_window(network):
    mean, std = logit_moments(network, images(), radius=2)
    assert network.training  # as it was
    values = torch.cat([window_logits(network, image, 2).flatten() for image in images()]).double()
    assert mean == pytest.approx(float(values.mean()), rel=1e-4)
    assert std == pytest.approx(float(values.std(correction=0)), rel=1e-4)


def test_after_it_the_logits_have_mean_0_and_spread_1_and_the_same_order(network):
    before = window_logits(network, images()[0], 2)
    rescale_affinity(network, *logit_moments(network, images(), radius=2))
    assert logit_moments(network, images(), radius=2) == pytest.approx((0, 1), abs=1e-4)
    after = window_logits(network, images()[0], 2)
    assert torch.equal(before.argsort(), after.argsort())


@pytest.mark.parametrize("moments", [(0.0, 0.0), (float("nan"), 1.0), (0.0, float("inf"))])
def test_without_a_spread_nothing_changes(network, moments):
    before = network.attn_proj.weight.clone()
    rescale_affinity(network, *moments)
    assert torch.equal(network.attn_proj.weight, before) and network.attn_proj.bias.tolist() == [7]


def test_it_runs_once_before_the_affinity_learns_and_is_said(tmp_path):
    run = run_in(tmp_path, config=CALIBRATED)
    run.run(until=FIRST, progress=False)
    kept = {name: value.clone() for name, value in run.model.attn_proj.state_dict().items()}
    assert not run.train_state.calibration and "affinity_calibration" not in run.card().training
    run.run(progress=False)
    said = run.card().training["affinity_calibration"]
    assert said == run.train_state.calibration and said["iteration"] == FIRST and said["std"] > 0
    lines = [line for line in records.read_metrics(tmp_path) if "affinity_logit_std" in line]
    assert [(line["iteration"], line["affinity_logit_std"]) for line in lines] == [(FIRST, said["std"])]
    assert not torch.equal(kept["weight"], run.model.attn_proj.weight)
    without = run_in(tmp_path / "without", config=PLAIN)
    without.run(progress=False)
    assert not without.train_state.calibration and "affinity_calibration" not in without.card().training


@pytest.mark.parametrize("stop", [1, FIRST, FIRST + 1, FIRST + 3])
def test_a_resumed_run_is_the_same_bit_for_bit(tmp_path, stop):
    whole = run_in(tmp_path / "whole", config=CALIBRATED)
    whole.run(progress=False)
    run_in(tmp_path / "parts", config=CALIBRATED).run(until=stop, progress=False)
    again = run_in(tmp_path / "parts", config=CALIBRATED, resume=True)
    again.run(progress=False)
    assert again.train_state.calibration == whole.train_state.calibration
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name
    for name, value in whole.eval_model.state_dict().items():
        assert torch.equal(value, again.eval_model.state_dict()[name]), name


def test_an_affinity_that_has_learned_in_the_run_is_left_alone(tmp_path):
    run = run_in(tmp_path, config=PLAIN)
    run.run(until=FIRST + 2, progress=False)
    run.train_state.config = CALIBRATED  # as if an older version had made these steps
    kept = run.model.attn_proj.weight.clone()
    assert not run.train_state.calibrate(Noise(), run.iteration)
    assert torch.equal(kept, run.model.attn_proj.weight)


def test_which_presets_do_it():
    on = {name for name, config in PRESETS.items() if config.calibrate_affinity}
    assert on == {"sandbox", *QUICK} - {"two_minutes_on", "ten_minutes_on"}  # those begin with a trained affinity
    assert SANDBOX.calibrate_affinity


def test_a_bad_batch_is_left_out():
    network = build_afa("mit_b0", 3)
    images = [torch.randn(1, 3, 64, 64) for _ in range(2)]
    bad = torch.full((1, 3, 64, 64), float("nan"))
    assert logit_moments(network, [images[0], bad, images[1]], 8) == logit_moments(network, images, 8)
    assert logit_moments(network, [bad], 8) == (0.0, 0.0)


def test_a_run_with_a_bad_batch_is_calibrated_by_the_others(tmp_path):
    run = run_in(tmp_path, Noise({FIRST}, "image", NAN), CALIBRATED)
    run.run(progress=False)
    assert run.train_state.calibration and run.history.skipped_steps == 1
