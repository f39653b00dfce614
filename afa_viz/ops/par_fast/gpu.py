"""PAR on a GPU, in Triton: one launch makes the kernel, one more each iteration. See `par` for the formulas.

Nothing is padded and no partial sum goes back to memory: a launch keeps the sums of its pixels in registers while it
walks over the n neighbours, and finds a neighbour beyond the border by clamping its row and column. An iteration reads
the maps in one buffer and writes another.

Only `par_fast` imports this module, and only for tensors on a GPU: Triton comes with torch's wheels for CUDA, not with
every torch. The forms for a CPU are its oracle.

Symbols: B images, C maps (classes), H x W pixels, n neighbours.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator

import torch
import triton
import triton.language as tl
from torch import Tensor

from afa_viz.ops.par_fast import cpu_iterations, cpu_kernel
from afa_viz.ops.par_fast.neighbours import EPS, Offsets, offset_pairs

KERNEL_PIXELS = 32  # of one program; each holds its n neighbours in registers
PIXELS = 128  # of one program of an iteration
MAPS = 8  # at most, of one program of an iteration: more take so many registers that few programs run at once
TRIAL_DIFFERENCE = 1e-4  # of values below 2 after a few iterations; a wrong neighbour is far above it


def compute_kernel(image: Tensor, offsets: Offsets, w1: float, position: Tensor) -> Tensor:
    """(B, n, H, W) kernel of (B, channels, H, W) images, float32 or float64: what `cpu_kernel.compute_kernel` gives."""
    batch, channels, height, width = image.shape
    n = len(offsets)
    kernel = image.new_empty(batch, n, height, width)
    numbers = image.new_tensor([w1, EPS])  # a float argument would be rounded to float32
    with torch.cuda.device_of(image):
        _kernel[triton.cdiv(height * width, KERNEL_PIXELS), batch](
            image.contiguous(), kernel, _table(offsets, image), position, numbers,
            channels, height, width, n, NEIGHBOURS=triton.next_power_of_2(n), PIXELS=KERNEL_PIXELS,
        )  # fmt: skip
    return kernel


@torch.no_grad()
def by_pixels(maps: Tensor, kernel: Tensor, offsets: Offsets, num_iters: int) -> Iterator[Tensor]:
    """Yields the maps after 0, 1, …, `num_iters` iterations, in turn in the memory of two buffers.

    Args:
        maps: (B, C, H, W), float32 or float64.
        kernel: (B, n, H, W), the maps' dtype and device.
    """
    maps = maps.clone(memory_format=torch.contiguous_format)
    batch, num_maps, height, width = maps.shape
    kernel, table = kernel.contiguous(), _table(offsets, maps)
    group = min(triton.next_power_of_2(num_maps), MAPS)
    groups = triton.cdiv(num_maps, group)
    old, new = maps, torch.empty_like(maps) if num_iters else maps
    yield old
    for _ in range(num_iters):
        with torch.cuda.device_of(maps):
            _iteration[triton.cdiv(height * width, PIXELS) * groups, batch](
                old, new, kernel, table, num_maps, height, width, len(offsets), groups, MAPS=group, PIXELS=PIXELS
            )
        old, new = new, old
        yield old


@functools.cache
def is_supported(device: torch.device) -> bool:
    """Whether Triton compiles for this device and gives what a CPU gives on a small scene; asked once.

    Triton needs a C compiler and a GPU that is not too old, and says so only when it is used.
    """
    offsets = offset_pairs((1, 3))
    random = torch.Generator().manual_seed(0)
    image, maps = (torch.rand(2, 3, 13, 19, generator=random) for _ in range(2))
    position = torch.full((len(offsets),), 0.01 / len(offsets))
    *_, expected = cpu_iterations.by_shifts(maps, cpu_kernel.compute_kernel(image, offsets, 0.3, position), offsets, 3)
    try:
        kernel = compute_kernel(image.to(device), offsets, 0.3, position.to(device))
        *_, got = by_pixels(maps.to(device), kernel, offsets, 3)
        difference = (got.cpu() - expected).abs().max().item()
    except Exception as fault:  # of a compiler, of a driver: whatever it is, the plain form is there
        reason = f"{type(fault).__name__}: {fault}".splitlines()[0]
    else:
        if difference <= TRIAL_DIFFERENCE:  # not so for NaN
            return True
        reason = f"its result differs by {difference:.1e}"
    warnings.warn(
        f"PAR does not use Triton on {device} ({reason}) but its slower plain form, with the same results.",
        stacklevel=2,
    )
    return False


def _table(offsets: Offsets, like: Tensor) -> Tensor:
    """(n, 2), int32, on the device of `like`."""
    return torch.tensor(offsets, dtype=torch.int32, device=like.device)


@triton.jit
def _place(row, col, height, width):
    """Where a plane stores its value at (row, col), which may lie beyond the border."""
    return tl.minimum(tl.maximum(row, 0), height - 1) * width + tl.minimum(tl.maximum(col, 0), width - 1)


@triton.jit
def _kernel(
    image, kernel, offsets, position, numbers,
    channels, height, width, n, NEIGHBOURS: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """Writes the n weights of PIXELS pixels of one image; NEIGHBOURS is n, rounded up to a power of 2."""
    pixels = height * width
    one = tl.program_id(1).to(tl.int64)
    image += one * channels * pixels
    kernel += one * n * pixels
    at = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    k = tl.arange(0, NEIGHBOURS)
    there = k < n
    row_offset = tl.load(offsets + 2 * k, mask=there, other=0)
    col_offset = tl.load(offsets + 2 * k + 1, mask=there, other=0)
    rows, cols = (at // width)[None, :] + row_offset[:, None], (at % width)[None, :] + col_offset[:, None]
    place = _place(rows, cols, height, width)
    inside = at < pixels
    both = there[:, None] & inside[None, :]
    w1, eps = tl.load(numbers), tl.load(numbers + 1)

    exponents = tl.zeros((NEIGHBOURS, PIXELS), dtype=image.dtype.element_ty)
    for _ in range(channels):
        centre = tl.load(image + at, mask=inside, other=0.0)
        values = tl.load(image + place, mask=both, other=0.0)
        mean = tl.sum(values, axis=0) / n
        deviations = tl.where(both, values - mean[None, :], 0.0)
        sigma = tl.sqrt(tl.sum(deviations * deviations, axis=0) / (n - 1))
        differences = (values - centre[None, :]) / ((sigma + eps) * w1)[None, :]
        exponents -= differences * differences / channels
        image += pixels
    exponents = tl.where(there[:, None], exponents, float("-inf"))
    shares = tl.exp(exponents - tl.max(exponents, axis=0)[None, :])
    shares = shares / tl.sum(shares, axis=0)[None, :]
    weights = shares + tl.load(position + k, mask=there, other=0.0)[:, None]
    tl.store(kernel + k.to(tl.int64)[:, None] * pixels + at[None, :], weights, mask=both)


@triton.jit
def _iteration(
    old, new, kernel, offsets,
    num_maps, height, width, n, groups, MAPS: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """Writes MAPS maps at PIXELS pixels of one image: sum_n kernel_n old_n, in the order of the other forms.

    Programs for the same pixels and other maps are neighbours, so that they find the weights in the cache.
    """
    pixels = height * width
    one = tl.program_id(1).to(tl.int64)
    first = tl.program_id(0) % groups * MAPS
    at = tl.program_id(0) // groups * PIXELS + tl.arange(0, PIXELS)
    row, col = at // width, at % width
    planes = first + tl.arange(0, MAPS)
    inside = at < pixels
    both = (planes < num_maps)[:, None] & inside[None, :]
    plane = (one * num_maps + planes)[:, None] * pixels
    weights = kernel + one * n * pixels + at

    sums = tl.zeros((MAPS, PIXELS), dtype=old.dtype.element_ty)
    for k in range(n):
        place = _place(row + tl.load(offsets + 2 * k), col + tl.load(offsets + 2 * k + 1), height, width)
        weight = tl.load(weights, mask=inside, other=0.0)
        sums += tl.load(old + plane + place[None, :], mask=both, other=0.0) * weight[None, :]
        weights += pixels
    tl.store(new + plane + at[None, :], sums, mask=both)
