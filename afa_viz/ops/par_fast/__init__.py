"""The fast forms of PAR, behind one door: the same numbers as the plain form in `par`, sooner and in less memory.

On a CPU blocks of rows that stay in the cache (`cpu_kernel`, `cpu_iterations`), on a GPU Triton (`gpu`) where it works.
Anywhere else there is none, and `par` takes its plain form. Measured: docs/decisions/021 and 023.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from torch import Tensor

from afa_viz.ops.par_fast import cpu_iterations, cpu_kernel
from afa_viz.ops.par_fast.neighbours import Offsets


def compute_kernel(image: Tensor, offsets: Offsets, w1: float, position: Tensor, num_maps: int = 1) -> Tensor | None:
    """(B, n, H, W) kernel of (B, channels, H, W) images; None where no fast form is there.

    Args:
        position: (n,), the position term, weight included.
        num_maps: how many maps it is for; only how it is stored follows from it.
    """
    if image.device.type == "cpu":
        return cpu_kernel.compute_kernel(image, offsets, w1, position, cpu_iterations.uses_bags(image, num_maps))
    gpu = gpu_form(image)
    return gpu.compute_kernel(image, offsets, w1, position) if gpu else None


def iterate(maps: Tensor, kernel: Tensor, offsets: Offsets, num_iters: int) -> Iterator[Tensor] | None:
    """Yields the maps after 0, 1, …, `num_iters` iterations, in memory that the next iteration writes to (never that of
    `maps`); None where no fast form is there."""
    if cpu_iterations.uses_bags(maps, maps.shape[1]):
        return cpu_iterations.by_bags(maps, kernel, offsets, num_iters)
    if {maps.device.type, kernel.device.type} == {"cpu"}:
        return cpu_iterations.by_shifts(maps, kernel, offsets, num_iters)
    gpu = gpu_form(maps, kernel)
    return gpu.by_pixels(maps, kernel, offsets, num_iters) if gpu else None


def gpu_form(*tensors: Tensor) -> ModuleType | None:
    """`par_fast.gpu` if these tensors are on one GPU where Triton works."""
    (device, *others) = {tensor.device for tensor in tensors}
    if device.type != "cuda" or others:
        return None
    try:
        from afa_viz.ops.par_fast import gpu  # here, so that nothing on a CPU waits for Triton or needs it
    except ImportError:
        return None
    return gpu if gpu.is_supported(device) else None


__all__ = ["gpu_form", "iterate", "compute_kernel"]
