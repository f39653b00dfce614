"""The affinity with pairs of regions set by hand: joined ones to 1, separated ones to 0, in both directions.

Symbols: B batch, N = h * w cells in row-major order.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from afa_viz.ops.checks import require_square
from afa_viz.scalars import preview
from afa_viz.setting_checks import EXPLAIN_CHECKS

VALUES = {"join": 1.0, "separate": 0.0}


def edit_affinity(affinity: Tensor, edits: Sequence[tuple[str, Sequence[int], Sequence[int] | None]]) -> Tensor:
    """The affinity with A_ij = A_ji = 1 ("join") or 0 ("separate") for every cell i of one region and j of the other.

    A cell's affinity with itself stays, also where the regions share cells.

    Args:
        affinity: (B, N, N) in [0, 1]. Not changed.
        edits: (what, cells, others) each, in order: a later one wins. others None: all cells that are not in `cells`.
    Returns: (B, N, N), symmetric where `affinity` is.
    Raises: ValueError: for a cell that the grid does not have, or what is no list of edits.
    """
    require_square("affinity", affinity)
    count = affinity.shape[-1]
    check, expected = EXPLAIN_CHECKS["affinity_edits"]
    valid = check(edits)
    if valid is None:
        raise ValueError(f"edits are {preview(edits)}; expected {expected}.")
    edited = affinity.clone()
    for what, cells, others in valid:
        require_cells(cells, count)
        require_cells(others or (), count)
        rows = torch.tensor(cells, device=affinity.device)
        columns = torch.tensor(sorted(set(range(count)) - set(cells)) if others is None else others, device=rows.device)
        edited[:, rows[:, None], columns] = VALUES[what]
        edited[:, columns[:, None], rows] = VALUES[what]
    edited.diagonal(dim1=1, dim2=2).copy_(affinity.diagonal(dim1=1, dim2=2))
    return edited


def edited_value(
    edits: Sequence[tuple[str, Sequence[int], Sequence[int] | None]] | None, cell: int, other: int
) -> float | None:
    """What `edit_affinity` sets the affinity of a pair of cells to: 1, 0, or None where it stays."""

    def holds(first: int, second: int, cells: Sequence[int], others: Sequence[int] | None) -> bool:
        return first in cells and (second not in cells if others is None else second in others)

    found = [
        VALUES[what]
        for what, cells, others in edits or ()
        if cell != other and (holds(cell, other, cells, others) or holds(other, cell, cells, others))
    ]
    return found[-1] if found else None


def require_cells(cells: Sequence[int], count: int) -> None:
    """Raises: ValueError: for a cell that a grid of `count` cells does not have."""
    beyond = [cell for cell in cells if not 0 <= cell < count]
    if beyond:
        raise ValueError(f"affinity_edits names cell {beyond[0]}; expected cells from 0 to {count - 1}, row by row.")
