"""Estimates the memory of an explanation from grid and map sizes, before anything runs.

Attention and affinity are counted exactly. Maps and the network's activations are rules of thumb that were measured
with MiT-B0, MiT-B1 and PVT-v2-B1 at 512 to 1536 pixels: within a quarter of what the process takes.

Symbols: C foreground classes, H W pixels, N cells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from afa_viz.config import ExplainConfig

if TYPE_CHECKING:
    from afa_viz.model.interface import Network

FLOAT = 4  # bytes
LARGE = 2**30  # bytes: larger explanations are logged
ACTIVATIONS = 4.4  # of the widest layer of the first stage, as many are held at a time
MAPS = 4  # class maps at image size that are held while one is made
NEIGHBOURS = 64  # floats a pixel of the image that PAR runs on: its kernel and what it is made from


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes: `attention` of the blocks that are kept, `trace` in all once it is made, `peak` while it is made."""

    attention: int
    trace: int
    peak: int

    def __str__(self) -> str:
        return f"{self.peak / 2**30:.1f} GB"


def estimate_memory(model: Network, size: tuple[int, int], config: ExplainConfig) -> MemoryEstimate:
    """Memory of `explain` for an image.

    Args:
        model: which says how many heads, queries and keys there are.
        size: (H, W) in pixels, as it is explained: see `inputs.fit_size`.
    """
    from afa_viz.ops.banded_walk import uses_band  # here: the app knows the limit `LARGE` before it has loaded torch

    height, width = size
    pixels, cells = height * width, model.token_grid(height, width)
    shapes = model.attention_shapes(height, width)
    last = shapes[-1][0] if shapes else 0
    kept = [shape for shape in shapes if config.keep_attention == "all" or shape[0] == last]
    attention = FLOAT * sum(heads * queries * keys for _, heads, queries, keys in kept)
    affinity = FLOAT * (cells[0] * cells[1]) ** 2 if model.parts.affinity else 0
    maps = FLOAT * pixels * min(model.num_fg_classes, model.max_kept_classes)
    largest = max((1.0, *config.scales)) ** 2
    stages = (
        FLOAT * ACTIVATIONS * model.widest_activations(height, width) * largest + MAPS * maps,  # the CAM
        affinity * (1 if uses_band(cells, config.radius) else 3),  # the affinity, and the walk's transitions
        FLOAT * NEIGHBOURS * pixels / config.par_downscale**2 + MAPS * maps,  # PAR
    )
    trace = attention + affinity + maps
    return MemoryEstimate(attention, trace, round(trace + max(stages)))


def memory_warning(model: Network, size: tuple[int, int], config: ExplainConfig) -> str:
    """Message about the memory of a large explanation and cheaper settings; "" below `LARGE`."""
    needed = estimate_memory(model, size, config)
    if needed.peak < LARGE:
        return ""
    others = {}
    if config.keep_attention == "all":
        others["keep_attention=last_stage"] = estimate_memory(model, size, replace(config, keep_attention="last_stage"))
    if max(size) > 512:
        small = (max(16, size[0] * 512 // max(size)), max(16, size[1] * 512 // max(size)))
        others["long_side=512"] = estimate_memory(model, small, config)
    less = ", ".join(f"{other} with {setting}" for setting, other in others.items())
    free = free_memory()
    short = f", but only {free / 2**30:.1f} GB are free" if free is not None and free < needed.peak else ""
    return f"{size[1]} x {size[0]} pixels take about {needed} of memory{short}" + (f"; {less}." if less else ".")


def free_memory() -> int | None:
    """Bytes that this process may still take; None if unknown."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        values = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
        free = values["MemAvailable"] + values["SwapFree"]
    except (OSError, ValueError, KeyError, IndexError):
        return None
    container = Path("/sys/fs/cgroup")
    try:
        most, used = (int((container / name).read_text(encoding="ascii")) for name in ("memory.max", "memory.current"))
        return min(free, max(0, most - used))
    except (OSError, ValueError):  # "max", or none
        return free
