"""The forms that PAR's iterations may take, each with the kernel in the order that suits it; those on a GPU apart.

Symbols: C maps (classes), H x W pixels, n neighbours; one image.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import torch
from torch import Tensor

from afa_viz.ops import par
from afa_viz.ops.par_fast import cpu_iterations, cpu_kernel, neighbours
from benchmarks import textbook_par


def whole_shifts(image: Tensor, scores: Tensor, num_iters: int = par.NUM_ITERS) -> Tensor:
    """Shift-accumulate over whole maps: n shifted views of one padded copy, each times its weights."""
    offsets = neighbours.offset_pairs(par.DILATIONS)
    farthest = neighbours.max_offset(offsets)
    weights = cpu_kernel.compute_kernel(image, offsets, par.W1, _position(image, offsets)).unsqueeze(2).unbind(1)
    padded = neighbours.new_padded(scores, farthest)
    for _ in range(num_iters):
        neighbours.fill_padded(padded, scores)
        views = neighbours.shifted_views(padded, offsets, 0, scores.shape[-2], farthest)
        scores = torch.zeros_like(scores)
        for view, weight in zip(views, weights, strict=True):
            scores.addcmul_(view, weight)
    return scores


def blocked_shifts(image: Tensor, scores: Tensor, num_iters: int = par.NUM_ITERS) -> Tensor:
    """The same by blocks of rows that stay in the cache: what `afa_viz` takes for few maps, for any number of them."""
    offsets = neighbours.offset_pairs(par.DILATIONS)
    kernel = cpu_kernel.compute_kernel(image, offsets, par.W1, _position(image, offsets))
    return last(cpu_iterations.by_shifts(scores, kernel, offsets, num_iters))


def sparse_rows(image: Tensor, scores: Tensor, num_iters: int = par.NUM_ITERS) -> Tensor:
    """The kernel as a sparse matrix of H W rows with n values each (CSR), times the maps with a pixel's values
    side by side."""
    offsets = torch.tensor(neighbours.offset_pairs(par.DILATIONS))
    height, width = image.shape[-2:]
    pixels, n = height * width, len(offsets)
    kernel = cpu_kernel.compute_kernel(
        image, offsets.tolist(), par.W1, _position(image, offsets.tolist()), pixels_first=True
    )
    rows, cols = ((torch.arange(side)[:, None] + offset).clamp(0, side - 1)
                  for side, offset in zip((height, width), offsets.unbind(1), strict=True))  # fmt: skip
    columns = (rows[:, None] * width + cols).int().flatten()  # edge pixels appear several times in a row
    starts = torch.arange(0, pixels * n + 1, n, dtype=torch.int32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch calls sparse rows a beta
        matrix = torch.sparse_csr_tensor(
            starts, columns, kernel.permute(0, 2, 3, 1).flatten(), (pixels, pixels), check_invariants=False
        )
    by_pixel = scores[0].flatten(1).t().contiguous()
    for _ in range(num_iters):
        by_pixel = matrix @ by_pixel
    return by_pixel.t().reshape(scores.shape).contiguous()


def pixel_bags(image: Tensor, scores: Tensor, num_iters: int = par.NUM_ITERS) -> Tensor:
    """Channels last, summed by `embedding_bag`: what `afa_viz` takes for many maps, for any number of them."""
    offsets = neighbours.offset_pairs(par.DILATIONS)
    kernel = cpu_kernel.compute_kernel(image, offsets, par.W1, _position(image, offsets), pixels_first=True)
    return last(cpu_iterations.by_bags(scores, kernel, offsets, num_iters)).contiguous()


def on_gpu(image: Tensor, scores: Tensor, num_iters: int = par.NUM_ITERS) -> Tensor:
    """The Triton form: what `afa_viz` takes on a GPU."""
    from afa_viz.ops.par_fast import gpu

    offsets = neighbours.offset_pairs(par.DILATIONS)
    kernel = gpu.compute_kernel(image, offsets, par.W1, _position(image, offsets))
    return last(gpu.by_pixels(scores, kernel, offsets, num_iters))


def plain(image: Tensor, scores: Tensor, num_iters: int = par.NUM_ITERS) -> Tensor:
    """The algorithm as `ops/par.py` writes it, on any device."""
    return par.pixel_adaptive_refinement(image, scores, num_iters=num_iters, fast=False)


def _position(image: Tensor, offsets: neighbours.Offsets) -> Tensor:
    return par.W2 * par.position_term(offsets, par.W1).to(image)


def last(steps: Iterator[Tensor]) -> Tensor:
    """The last of them; those before are not held."""
    for step in steps:  # noqa: B007
        pass
    return step


FORMS: dict[str, Callable[..., Tensor]] = {
    "textbook": textbook_par.pixel_adaptive_refinement,
    "afa_viz": par.pixel_adaptive_refinement,
    "whole shifts": whole_shifts,
    "blocked shifts": blocked_shifts,
    "sparse rows": sparse_rows,
    "pixel bags": pixel_bags,
}
GPU_FORMS: dict[str, Callable[..., Tensor]] = {"plain on the GPU": plain, "Triton on the GPU": on_gpu}


def forms_here() -> dict[str, Callable[..., Tensor]]:
    """Those that can run here: `GPU_FORMS` where torch finds a GPU, Triton's where it is installed, too."""
    if not torch.cuda.is_available():
        return FORMS
    without = set() if find_spec("triton") else {"Triton on the GPU"}
    return FORMS | {form: run for form, run in GPU_FORMS.items() if form not in without}
