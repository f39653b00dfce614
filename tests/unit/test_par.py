"""PAR against the golden vectors, a loop over pixels in float64, the textbook form, and its own laws."""

from __future__ import annotations

import math
import threading

import pytest
import torch
from golden_vectors import cases, check
from torch import Tensor

from afa_viz.ops import par
from afa_viz.ops.par_fast import cpu_iterations, neighbours
from benchmarks import textbook_par

SMALL = (1, 2, 4)


def loop_kernel(image: Tensor, dilations: tuple[int, ...], w1: float = 0.3, w2: float = 0.01) -> list:
    """kernel[y][x] = list of (row, col, weight), straight from the formula, in Python floats."""
    channels, height, width = image.shape
    pixels = image.tolist()
    shifts = [(d * i, d * j) for d in dilations for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    rho = [math.hypot(*shift) for shift in shifts]
    position = softmax([-((r / (unbiased_std(rho) + 1e-8) / w1) ** 2) for r in rho])
    kernel = []
    for y in range(height):
        kernel.append([])
        for x in range(width):
            places = [(min(max(y + i, 0), height - 1), min(max(x + j, 0), width - 1)) for i, j in shifts]
            exponents = [0.0] * len(places)
            for plane in pixels:
                values = [plane[row][col] for row, col in places]
                sigma = unbiased_std(values)
                for n, value in enumerate(values):
                    exponents[n] -= (abs(value - plane[y][x]) / (sigma + 1e-8) / w1) ** 2 / channels
            weights = [colour + w2 * near for colour, near in zip(softmax(exponents), position, strict=True)]
            kernel[y].append([(*place, weight) for place, weight in zip(places, weights, strict=True)])
    return kernel


def loop_refine(scores: Tensor, kernel: list, num_iters: int) -> Tensor:
    planes = scores.tolist()
    for _ in range(num_iters):
        planes = [
            [[sum(w * plane[row][col] for row, col, w in pixel) for pixel in line] for line in kernel]
            for plane in planes
        ]
    return torch.tensor(planes, dtype=torch.float64)


def softmax(values: list[float]) -> list[float]:
    exps = [math.exp(value - max(values)) for value in values]
    return [value / sum(exps) for value in exps]


def unbiased_std(values: list[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


@pytest.mark.parametrize("case", cases("par"), ids=lambda case: case[0])
def test_golden(case):
    _, params, inputs, outputs = case
    dilations = tuple(params["dilations"])
    for name, expected in outputs.items():
        num_iters = int(name.removeprefix("iter"))
        got = par.pixel_adaptive_refinement(
            inputs["image"], inputs["masks"], dilations, num_iters, w1=params["w1"], w2=params["w2"]
        )
        check(got, expected)


@pytest.mark.parametrize("size", [(7, 9), (3, 5), (1, 1), (1, 6)])
@pytest.mark.parametrize("dilations", [SMALL, (2,), (3, 24)], ids=str)
def test_equals_a_loop_over_pixels(size, dilations):
    image = torch.rand(1, 3, *size, dtype=torch.float64)
    scores = torch.rand(1, 2, *size, dtype=torch.float64)
    loops = loop_kernel(image[0], dilations)

    kernel = par.pixel_affinity(image, dilations)
    expected = [[[weight for *_, weight in pixel] for pixel in line] for line in loops]
    expected = torch.tensor(expected, dtype=torch.float64).permute(2, 0, 1)
    torch.testing.assert_close(kernel[0], expected, rtol=1e-10, atol=1e-12)

    got = par.refine(scores, kernel, dilations, num_iters=4)
    torch.testing.assert_close(got[0], loop_refine(scores[0], loops, 4), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("num_maps", [3, 8])  # by shifts, by bags
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_fast_forms_equal_the_plain_one(num_maps, dtype):
    image, scores = torch.rand(2, 3, 21, 34, dtype=dtype), torch.rand(2, num_maps, 7, 9, dtype=dtype)
    image[:, :, 5:20, 5:30] = 0.5
    plain = par.pixel_adaptive_refinement(image, scores, fast=False)
    atol = 50 * torch.finfo(dtype).eps
    torch.testing.assert_close(par.pixel_affinity(image), par.pixel_affinity(image, fast=False), rtol=0, atol=atol)
    torch.testing.assert_close(par.pixel_adaptive_refinement(image, scores), plain, rtol=0, atol=2 * atol)
    kernel = par.pixel_affinity(image, SMALL)
    same_size = torch.rand(2, num_maps, 21, 34, dtype=dtype)
    for fast in (True, False):
        assert par.refine(same_size, kernel, SMALL, num_iters=0, fast=fast).data_ptr() != same_size.data_ptr()
    pairs = (par.refine_steps(same_size, kernel, SMALL, num_iters=3, fast=fast) for fast in (True, False))
    for got, expected in zip(*pairs, strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=2 * atol)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK_VALUES", 3 * 50 * 7)  # a few rows each, the last one shorter
    monkeypatch.setattr(cpu_iterations, "BAG_ROWS", 48 * 50 * 5)


@pytest.mark.parametrize("num_maps", [3, 8])  # by shifts, by bags
def test_equals_the_textbook_form_over_many_blocks(small_blocks, num_maps):
    image = (torch.rand(2, 3, 37, 50) * 255).floor() / 255
    image[:, :, 5:30, 5:40] = 0.5
    image[0, :, 17, 20] = 0.9  # alone among equals: sigma is 0 and the exponents are huge
    scores = torch.rand(2, num_maps, 37, 50)
    got = par.pixel_adaptive_refinement(image, scores)
    assert got.is_contiguous()
    torch.testing.assert_close(got, textbook_par.pixel_adaptive_refinement(image, scores), rtol=0, atol=1e-5)
    for step in par.refine_steps(scores, par.pixel_affinity(image)):
        assert step.is_contiguous()
    torch.testing.assert_close(got, step, rtol=0, atol=1e-6)


@pytest.mark.parametrize("num_maps", [3, 8])
def test_threads_change_nothing(small_blocks, monkeypatch, num_maps):
    image, scores = torch.rand(1, 3, 37, 50), torch.rand(1, num_maps, 37, 50)
    alone = par.pixel_adaptive_refinement(image, scores)
    workers = set()
    multiply = torch.mul
    monkeypatch.setattr(
        torch, "mul", lambda *args, **kw: (workers.add(threading.get_ident()), multiply(*args, **kw))[1]
    )
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(neighbours, "SHARED_BLOCKS", 2)
    with torch.inference_mode():
        shared = par.pixel_adaptive_refinement(image, scores)
    assert threading.get_ident() not in workers and workers  # blocks were computed elsewhere
    assert torch.equal(shared, alone)


def test_resizes_with_align_corners():
    image, scores = torch.rand(1, 3, 20, 12), torch.rand(1, 2, 5, 4)
    got = par.pixel_adaptive_refinement(image, scores, SMALL, num_iters=0)
    corners = (..., slice(None, None, 19), slice(None, None, 11))
    torch.testing.assert_close(got[corners], scores[..., ::4, ::3])


def test_a_constant_map_grows_by_one_percent_an_iteration():
    kernel = par.pixel_affinity(torch.rand(1, 3, 11, 23))
    for n, step in enumerate(par.refine_steps(torch.full((1, 1, 11, 23), 0.7), kernel, num_iters=10)):
        torch.testing.assert_close(step, torch.full_like(step, 0.7 * 1.01**n), rtol=1e-5, atol=0)


def test_kernel_is_a_share_of_each_neighbour():
    kernel = par.pixel_affinity(torch.rand(2, 3, 9, 13), w2=0.25)
    assert kernel.shape == (2, 48, 9, 13) and kernel.min() >= 0
    torch.testing.assert_close(kernel.sum(1), torch.full((2, 9, 13), 1.25))


def test_classes_and_images_do_not_mix():
    image, scores = torch.rand(3, 3, 19, 14), torch.rand(3, 4, 19, 14)
    whole = par.pixel_adaptive_refinement(image, scores, SMALL)
    order = [2, 0, 3, 1]
    torch.testing.assert_close(par.pixel_adaptive_refinement(image, scores[:, order], SMALL), whole[:, order])
    for b in range(3):
        alone = par.pixel_adaptive_refinement(image[b : b + 1], scores[b : b + 1, :1], SMALL)
        torch.testing.assert_close(alone, whole[b : b + 1, :1])


def test_linear_in_the_scores():
    kernel = par.pixel_affinity(torch.rand(1, 3, 12, 16, dtype=torch.float64), SMALL)
    one, two = torch.rand(2, 1, 3, 12, 16, dtype=torch.float64)
    got = par.refine(2 * one - 3 * two, kernel, SMALL)
    torch.testing.assert_close(got, 2 * par.refine(one, kernel, SMALL) - 3 * par.refine(two, kernel, SMALL))


def test_scores_stop_at_an_edge_and_cross_a_flat_region():
    image = torch.zeros(1, 3, 12, 40)
    image[..., 20:] = 1.0
    scores = torch.zeros(1, 1, 12, 40)
    scores[..., :10] = 1.0
    got = par.pixel_adaptive_refinement(image, scores, SMALL, num_iters=40, w2=0.0)
    assert got[..., 19].min() > 0.3 and got[..., 20].max() < 0.01


def test_flat_image_blurs_evenly():
    kernel = par.pixel_affinity(torch.full((1, 3, 8, 8), 0.3), SMALL, w2=0.0)
    torch.testing.assert_close(kernel, torch.full_like(kernel, 1 / 24))


def test_inputs_are_not_changed():
    image, scores = torch.rand(1, 3, 10, 12), torch.rand(1, 2, 10, 12)
    kernel = par.pixel_affinity(image)
    before = [tensor.clone() for tensor in (image, scores, kernel)]
    par.pixel_adaptive_refinement(image, scores)
    assert par.refine(scores, kernel, num_iters=0).data_ptr() != scores.data_ptr()
    par.refine(scores, kernel)
    for step in par.refine_steps(scores, kernel):
        step.zero_()
    par.neighbour_weights(kernel, 2, 3)[1].zero_()
    assert all(torch.equal(*pair) for pair in zip(before, (image, scores, kernel), strict=True))


def test_inputs_that_are_views():
    image, scores = torch.rand(1, 10, 12, 3).permute(0, 3, 1, 2), torch.rand(1, 2, 1, 1).expand(1, 2, 10, 12)
    got = par.pixel_adaptive_refinement(image, scores, SMALL)
    dense = par.pixel_adaptive_refinement(image.contiguous(), scores.contiguous(), SMALL)
    torch.testing.assert_close(got, dense)


def test_steps_are_the_iterations_of_refine():
    kernel, scores = par.pixel_affinity(torch.rand(1, 3, 10, 9), SMALL), torch.rand(1, 2, 10, 9)
    steps = list(par.refine_steps(scores, kernel, SMALL, num_iters=3))
    assert len(steps) == 4 and torch.equal(steps[0], scores)
    for n, step in enumerate(steps):
        assert torch.equal(step, par.refine(scores, kernel, SMALL, num_iters=n))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_dtypes(dtype):
    image, scores = torch.rand(1, 3, 10, 9).to(dtype), torch.rand(1, 2, 5, 5).to(dtype)
    got = par.pixel_adaptive_refinement(image, scores, SMALL)
    assert got.dtype == dtype
    assert par.pixel_affinity(image, SMALL).dtype == torch.promote_types(dtype, torch.float32)
    exact = par.pixel_adaptive_refinement(image.double(), scores.double(), SMALL)
    atol = max(2e-6, torch.finfo(dtype).eps)  # one rounding at the end, none between iterations
    torch.testing.assert_close(got.double(), exact, rtol=0, atol=atol)


def test_no_gradient_is_recorded():
    image, scores = torch.rand(1, 3, 6, 6, requires_grad=True), torch.rand(1, 2, 3, 3, requires_grad=True)
    assert not par.pixel_adaptive_refinement(image, scores, SMALL).requires_grad
    kernel = par.pixel_affinity(image, SMALL)
    for _ in par.refine_steps(torch.rand(1, 2, 6, 6, requires_grad=True), kernel, SMALL):
        assert torch.is_grad_enabled()


def test_neighbour_weights_give_the_next_value_of_a_pixel():
    image, scores = torch.rand(2, 3, 14, 11), torch.rand(2, 3, 14, 11)
    kernel = par.pixel_affinity(image)
    refined = par.refine(scores, kernel, num_iters=1)
    for row, col in [(0, 0), (13, 10), (6, 5), (0, 7)]:
        positions, weights = par.neighbour_weights(kernel, row, col)
        assert positions.shape == (48, 2) and positions.min() >= 0
        torch.testing.assert_close(weights.sum(1), torch.full((2,), 1.01))
        value = torch.einsum("bn,bcn->bc", weights, scores[..., positions[:, 0], positions[:, 1]])
        torch.testing.assert_close(value, refined[..., row, col])


def test_neighbour_offsets():
    ring = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
    expected = torch.tensor(ring + [(3 * row, 3 * col) for row, col in ring])
    assert torch.equal(par.neighbour_offsets((1, 3)), expected)


IMAGE, SCORES = torch.full((1, 3, 6, 8), 0.5), torch.full((1, 2, 6, 8), 0.5)
KERNEL = torch.full((1, 24, 6, 8), 1.01 / 24)
NAN = torch.tensor(float("nan"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: par.pixel_affinity(IMAGE[0]), "image has shape .3, 6, 8.*expected 4"),
        (lambda: par.pixel_affinity(IMAGE.byte()), "image .* torch.uint8; expected floats"),
        (lambda: par.pixel_affinity(IMAGE[..., :0]), "image .* not empty"),
        (lambda: par.pixel_affinity(IMAGE * NAN), "image holds .* NaN"),
        (lambda: par.pixel_affinity(IMAGE / 0), "image holds .* infinite"),
        (lambda: par.pixel_affinity(IMAGE, w1=0.0), "w1 0.0; expected a width above 0"),
        (lambda: par.pixel_affinity(IMAGE, dilations=()), "expected one or more whole numbers"),
        (lambda: par.pixel_affinity(IMAGE, dilations=(1, 0)), "expected one or more whole numbers"),
        (lambda: par.pixel_affinity(IMAGE, dilations=(1.5,)), "expected one or more whole numbers"),
        (lambda: par.refine(SCORES * NAN, KERNEL, SMALL), "scores holds .* NaN"),
        (lambda: par.refine(SCORES, KERNEL), "kernel has shape .*expected .B, 48, H, W."),
        (lambda: par.refine(SCORES[..., :5], KERNEL, SMALL), "same batch, height and width"),
        (lambda: par.refine(SCORES.expand(2, 2, 6, 8), KERNEL, SMALL), "same batch, height and width"),
        (lambda: par.refine(SCORES, KERNEL, SMALL, num_iters=-1), "num_iters -1; expected"),
        (lambda: par.refine_steps(SCORES, KERNEL), "kernel has shape"),
        (lambda: par.pixel_adaptive_refinement(IMAGE, SCORES[0]), "scores has shape .*expected 4"),
        (lambda: par.pixel_adaptive_refinement(IMAGE, SCORES.expand(2, 2, 6, 8)), "same batch"),
        (lambda: par.neighbour_weights(KERNEL, 6, 0, SMALL), "row 6, col 0.* outside"),
        (lambda: par.neighbour_weights(KERNEL, 0, 0), "kernel has shape"),
        (lambda: par.neighbour_offsets((-1,)), "expected one or more whole numbers"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_cuda_equals_cpu():
    image, scores = torch.rand(1, 3, 33, 47), torch.rand(1, 4, 9, 12)
    got = par.pixel_adaptive_refinement(image.cuda(), scores.cuda()).cpu()
    torch.testing.assert_close(got, par.pixel_adaptive_refinement(image, scores), rtol=0, atol=1e-5)
