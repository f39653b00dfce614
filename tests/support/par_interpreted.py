"""PAR's Triton form on the CPU, through Triton's interpreter: golden vectors, the plain form, and tests of test_par.py
with the Triton form in its place. Started by test_gpu.py, for Triton reads TRITON_INTERPRET when it is imported.

TRITON_INTERPRET=1 python -m pytest tests/support/par_interpreted.py
"""

from __future__ import annotations

import types

import pytest
import torch
from golden_vectors import cases, check
from test_par import (  # noqa: F401
    SMALL,
    test_equals_a_loop_over_pixels,
    test_neighbour_weights_give_the_next_value_of_a_pixel,
    test_steps_are_the_iterations_of_refine,
)

from afa_viz.ops import par, par_fast
from afa_viz.ops.par_fast import cpu_iterations, gpu
from afa_viz.ops.par_fast.neighbours import offset_pairs
from benchmarks import par_forms

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def calls(monkeypatch):
    """Functions of `gpu` that `par` called: it takes them for every tensor, and some in every test."""
    made = []

    def counted(name):
        return lambda *given: (made.append(name), getattr(gpu, name)(*given))[1]

    stand_in = types.SimpleNamespace(compute_kernel=counted("compute_kernel"), by_pixels=counted("by_pixels"))
    monkeypatch.setattr(par_fast, "compute_kernel", lambda *given: stand_in.compute_kernel(*given[:4]))
    monkeypatch.setattr(par_fast, "iterate", stand_in.by_pixels)
    monkeypatch.setattr(gpu, "KERNEL_PIXELS", 1024)  # the interpreter takes one program after the other,
    monkeypatch.setattr(gpu, "PIXELS", 4096)  # each about as long whether it is small or large
    yield made
    assert made


@pytest.mark.parametrize("case", cases("par"), ids=lambda case: case[0])
def test_golden(case):
    _, params, inputs, outputs = case
    image, dilations = inputs["image"], tuple(params["dilations"])
    scores = par.pixel_adaptive_refinement(image, inputs["masks"], dilations, num_iters=0)  # resized
    kernel = par.pixel_affinity(image, dilations, params["w1"], params["w2"])
    steps = list(par.refine_steps(scores, kernel, dilations, params["iterations"][-1]))
    for name, expected in outputs.items():
        check(steps[int(name.removeprefix("iter"))], expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("num_maps", "dilations"), [(1, SMALL), (3, (5,)), (21, (1, 12))])
def test_equals_the_plain_form(calls, monkeypatch, dtype, num_maps, dilations):
    monkeypatch.setattr(gpu, "PIXELS", 1024)  # two programs an image, the second not full
    image, maps = torch.rand(2, 3, 33, 47, dtype=dtype), torch.rand(2, num_maps, 33, 47, dtype=dtype)
    image[:, :, 5:30, 5:40] = 0.5
    image[0, :, 17, 20] = 0.9  # alone among equals: sigma is 0 and the exponents are huge
    offsets, atol = offset_pairs(dilations), 50 * torch.finfo(dtype).eps
    kernel = par.pixel_affinity(image, dilations)
    assert kernel.dtype == dtype
    torch.testing.assert_close(kernel, par.pixel_affinity(image, dilations, fast=False), rtol=0, atol=atol)
    expected = cpu_iterations.by_shifts(maps, kernel, offsets, 2)
    for step, want in zip(par.refine_steps(maps, kernel, dilations, 2), expected, strict=True):
        torch.testing.assert_close(step, want, rtol=0, atol=atol)
    assert calls == ["compute_kernel", "by_pixels"]


def test_views_that_want_gradients_are_read_and_left_alone():
    image = torch.rand(1, 10, 12, 3).permute(0, 3, 1, 2).requires_grad_()
    scores = torch.rand(1, 1, 10, 12).expand(1, 2, 10, 12).requires_grad_()
    kernel = par.pixel_affinity(image, SMALL)
    assert not kernel.requires_grad
    kernel = kernel.contiguous(memory_format=torch.channels_last).requires_grad_()
    before = [tensor.detach().clone() for tensor in (image, scores, kernel)]
    assert par.refine(scores, kernel, SMALL, num_iters=0).data_ptr() != scores.data_ptr()
    expected = par.refine(scores, kernel, SMALL, num_iters=2, fast=False)
    torch.testing.assert_close(par.refine(scores, kernel, SMALL, num_iters=2), expected)
    for step in par.refine_steps(scores, kernel, SMALL, num_iters=2):
        assert not step.requires_grad and step.is_contiguous() and torch.is_grad_enabled()
        last = step.clone()
        step.zero_()
    torch.testing.assert_close(last, expected)
    assert all(torch.equal(*pair) for pair in zip(before, (image, scores, kernel), strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_rounded_once(dtype):
    image, scores = torch.rand(1, 3, 9, 11).to(dtype), torch.rand(1, 2, 9, 11).to(dtype)
    got = par.pixel_adaptive_refinement(image, scores, SMALL, num_iters=3)
    exact = par.pixel_adaptive_refinement(image.double(), scores.double(), SMALL, num_iters=3, fast=False)
    assert got.dtype == dtype
    torch.testing.assert_close(got.double(), exact, rtol=0, atol=torch.finfo(dtype).eps)


def test_can_be_switched_off(calls):
    image, scores = torch.rand(1, 3, 7, 9), torch.rand(1, 2, 7, 9)
    kernel = par.pixel_affinity(image, SMALL, fast=False)
    par.refine(scores, kernel, SMALL, fast=False)
    list(par.refine_steps(scores, kernel, SMALL, fast=False))
    got = par.pixel_adaptive_refinement(image, scores, SMALL, num_iters=2, fast=False)
    assert calls == []
    torch.testing.assert_close(got, par.pixel_adaptive_refinement(image, scores, SMALL, num_iters=2))
    assert calls == ["compute_kernel", "by_pixels"]


@pytest.mark.parametrize("channels", [1, 4])
def test_images_of_other_channels(channels):
    image = torch.rand(1, channels, 9, 31)
    expected = par.pixel_affinity(image, SMALL, fast=False)
    torch.testing.assert_close(par.pixel_affinity(image, SMALL), expected, rtol=0, atol=2e-6)


def test_the_form_that_is_measured(calls):
    image, scores = torch.rand(1, 3, 7, 9), torch.rand(1, 2, 7, 9)
    got = par_forms.on_gpu(image, scores, num_iters=2)
    torch.testing.assert_close(got, par.pixel_adaptive_refinement(image, scores, num_iters=2))
    torch.testing.assert_close(got, par_forms.blocked_shifts(image, scores, num_iters=2))


def test_the_trial_passes_with_programs_of_their_real_size(calls, monkeypatch):
    monkeypatch.undo()
    assert gpu.PIXELS < 13 * 19  # several programs, the last of them not full
    assert gpu.is_supported.__wrapped__(CPU)
    calls.append("trial")
