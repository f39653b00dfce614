"""The affinity with pairs of regions set by hand: joined ones to 1, separated ones to 0, in both directions.

Symbols: B batch, N = h * w cells in row-major order.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from afa_viz.ops.checks import require_square

VALUES = {"join": 1.0, "separate": 0.0}


def edit_affinity(affinity: Tensor, edits: Sequence[tuple[str, Sequence[int], Sequence[int] | None]]) -> Tensor:
    """The affinity with A_ij = A_ji = 1 ("join") or 0 ("separate") for every cell i of one region and j of the other.

    A cell's affinity with itself stays, also where the regions share cells.

    Args:
        affinity: (B, N, N) in [0, 1]. Not changed.
        edits: (what, cells, others) each, in order: a later one wins. others None: all cells that are not in `cells`.
    Returns: (B, N, N), symmetric where `affinity` is.
    Raises: ValueError: for a cell that the grid does not have, or another word than "join" and "separate".
    """
    require_square("affinity", affinity)
    count = affinity.shape[-1]
    edited = affinity.clone()
    for what, cells, others in edits:
        if what not in VALUES:
            raise ValueError(f"got the edit {what!r}; expected {' or '.join(map(repr, VALUES))}.")
        require_cells(cells, count)
        require_cells(others or (), count)
        chosen = torch.zeros(2, count, dtype=torch.bool, device=affinity.device)
        chosen[0, list(cells)] = True
        chosen[1] = ~chosen[0]
        if others is not None:
            chosen[1] = False
            chosen[1, list(others)] = True
        pairs = chosen[0][:, None] & chosen[1][None, :]
        pairs = (pairs | pairs.T) & ~torch.eye(count, dtype=torch.bool, device=affinity.device)
        edited.masked_fill_(pairs, VALUES[what])
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
