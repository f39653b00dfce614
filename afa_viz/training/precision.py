"""Whether the type that a run computes in pays off on its device."""

from __future__ import annotations

import time

import torch
import torch.nn.functional as F

from afa_viz.config import TrainConfig

SLOWER = 2.0  # times as long as float32, from which it is said
SIZE = 512  # rows and columns of the matrices that are timed: a hundredth of a second where bfloat16 is slow


def bfloat16_time(repeats: int = 3) -> float:
    """How many times as long as in float32 a matrix product takes in bfloat16 on this CPU: the best of some runs."""

    def seconds(dtype: torch.dtype) -> float:
        matrix, found = torch.ones(SIZE, SIZE, dtype=dtype), []
        for _ in range(repeats + 1):  # the first one prepares the kernel
            began = time.perf_counter()
            F.linear(matrix, matrix)
            found.append(time.perf_counter() - began)
        return min(found[1:])

    return seconds(torch.bfloat16) / max(seconds(torch.float32), 1e-9)


def precision_warning(config: TrainConfig, device: str) -> str | None:
    """A sentence where a run computes in bfloat16 on a CPU that has no instructions for it; None elsewhere."""
    if config.amp != "bf16" or device.split(":")[0] != "cpu":
        return None
    times = bfloat16_time()
    if times < SLOWER:
        return None
    return (
        f"a matrix product in bfloat16 (amp=bf16) takes {times:.0f} times as long on this CPU as in float32: "
        "--set amp=off trains in float32, also together with --resume."
    )
