"""Classes on the grid of cells, where CAM, affinity and walk are.

Symbols: h w cells, N = h * w.
"""

from __future__ import annotations

import torch
from torch import Tensor

from afa_viz.lab.failures import ground_truth
from afa_viz.lab.once import once_a_trace
from afa_viz.trace import Trace

MOST = 0.5  # share of a cell from which it counts as one of the class


@once_a_trace
def cell_cam(trace: Trace, label: int) -> Tensor:
    """(h, w) CAM of a class, averaged over each cell, its largest value 1."""
    pooled = torch.nn.functional.adaptive_avg_pool2d(trace.cam[label - 1][None], trace.grid)[0]
    return pooled / pooled.max().clamp_min(1e-6)


@once_a_trace
def covered(trace: Trace, label: int) -> Tensor:
    """(h, w) share of each cell that a class covers in the ground truth."""
    there = (ground_truth(trace) == label).float()
    return torch.nn.functional.adaptive_avg_pool2d(there[None], trace.grid)[0]


def object_cells(trace: Trace, label: int) -> Tensor:
    """(h, w) bool: cells that a class covers by half; of a smaller object the cell with most of it."""
    share = covered(trace, label)
    cells = share >= MOST
    return cells if cells.any() else share == share.max()
