"""From one number down to single multiplications: a pair of cells of the affinity, and a cell of the walk.

Symbols: h w cells, N = h * w in row-major order, d width of a head.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from afa_viz.inspection import walk_steps
from afa_viz.ops import random_walk
from afa_viz.ops.affinity_edits import edited_value
from afa_viz.trace import Trace

Cell = tuple[int, int]


@dataclass(frozen=True)
class AffinityPath:
    """How the affinity of a pair of cells comes about; every field with one entry a head has the order of
    `Trace.affinity_weight`, block by block.

    Attributes:
        cell, other: (row, column); the affinity is the entry of row `cell` and column `other`.
        blocks: (heads,) int64, the block of each head.
        query, key: (heads, d): q of `cell` and k of `other`; None where the trace has none.
        other_query, other_key: (heads, d): q of `other` and k of `cell`, whose product is the transposed logit.
        logits, transposed: (heads,): S = q k^T of the pair, and S^T: that of the pair the other way round.
        weight: (heads,), that made the affinity. bias: likewise.
        symmetric: whether S + S^T is weighted; False: 2 S.
        contributions: (heads,): weight times S + S^T.
        logit: the sum of the contributions and the bias. affinity: its sigmoid.
        edited: what `config.affinity_edits` sets the affinity to in its place, 1 or 0; None: nothing.
    """

    cell: Cell
    other: Cell
    blocks: Tensor
    query: Tensor | None
    key: Tensor | None
    other_query: Tensor | None
    other_key: Tensor | None
    logits: Tensor
    transposed: Tensor
    weight: Tensor
    bias: float
    symmetric: bool
    contributions: Tensor
    logit: float
    affinity: float
    edited: float | None = None


@dataclass(frozen=True)
class WalkPath:
    """What one step of the walk brings to a cell: value = sum over its neighbours of score times transition.

    Attributes:
        cell: (row, column). label: whose scores are walked. step: from 1.
        scores: (h, w), before the step. transition: (h, w), T_ij from each cell i to `cell`; 0 beyond the window.
        contributions: (h, w), their product. value: its sum, the score of `cell` after the step.
        column_sum: of the sharpened affinities of the window, to which eps is added before T_ij is divided by it.
    """

    cell: Cell
    label: int
    step: int
    scores: Tensor
    transition: Tensor
    contributions: Tensor
    value: float
    column_sum: float


def affinity_blocks(trace: Trace) -> list[int]:
    """Numbers of the blocks whose heads the learned affinity combines, in their order.

    Raises: ValueError: if the affinity is not learned.
    """
    weight, _ = trace.used_affinity_head
    heads = 0
    blocks: list[int] = []
    for block in reversed(trace.kept_blocks):
        if heads == len(weight):
            break
        blocks.insert(0, block)
        heads += len(trace.logits(block))
    return blocks


def affinity_path(trace: Trace, cell: Cell, other: Cell) -> AffinityPath:
    """The path of the learned affinity of a pair of cells.

    Raises: ValueError: for a cell beyond the grid, or a method whose affinity is not learned.
    """
    weight, bias = trace.used_affinity_head
    first, second = (_index(trace, place) for place in (cell, other))
    blocks = affinity_blocks(trace)
    logits = torch.cat([trace.logits(block)[:, first, second] for block in blocks])
    transposed = torch.cat([trace.logits(block)[:, second, first] for block in blocks])
    symmetric = trace.config.symmetric
    contributions = weight * (logits + transposed if symmetric else 2 * logits)
    logit = contributions.sum() + bias[0]
    found = [trace.query_key(block) for block in blocks]
    known = [pair for pair in found if pair is not None]
    factors: list[Tensor | None] = [None] * 4
    if len(known) == len(found):
        queries, keys = (torch.cat([pair[i] for pair in known]) for i in (0, 1))
        factors = [queries[:, first], keys[:, second], queries[:, second], keys[:, first]]
    return AffinityPath(
        cell=cell, other=other,
        blocks=torch.tensor([block for block in blocks for _ in range(len(trace.logits(block)))]),
        query=factors[0], key=factors[1], other_query=factors[2], other_key=factors[3],
        logits=logits, transposed=transposed, weight=weight, bias=float(bias[0]), symmetric=symmetric,
        contributions=contributions, logit=float(logit), affinity=float(logit.sigmoid()),
        edited=edited_value(trace.config.affinity_edits, first, second),
    )  # fmt: skip


def walk_path(trace: Trace, cell: Cell, label: int, step: int = 1, bkg_score: float | None = None) -> WalkPath:
    """The path of one score of the walk.

    Args:
        label: 0 or one of `trace.present`.
        step: from 1; may exceed the number of steps of the trace.
        bkg_score: background score at the start; None: the low one of the trace.
    Raises: ValueError: for a cell beyond the grid, a label without scores, a step below 1, or a method without an
        affinity.
    """
    trace.parts.require("affinity")
    assert trace.affinity is not None
    at = _index(trace, cell)
    if label not in (0, *trace.present):
        known = ", ".join(map(str, (0, *trace.present)))
        raise ValueError(f"got label {label}; expected one of {known}: 0 and the image labels.")
    if isinstance(step, bool) or not isinstance(step, int) or step < 1:
        raise ValueError(f"got step {step!r}; expected a whole number of at least 1.")
    *_, before = walk_steps(trace, step - 1, bkg_score)
    rows, cols = trace.grid
    row, col = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    near = torch.maximum((row - cell[0]).abs(), (col - cell[1]).abs()) <= trace.config.radius
    sharp = trace.affinity[:, at].reshape(rows, cols).pow(trace.config.power) * near
    column_sum = float(sharp.sum())
    transition = sharp / (column_sum + random_walk.EPS)
    contributions = before[label] * transition
    return WalkPath(cell, label, step, before[label], transition, contributions, float(contributions.sum()), column_sum)


def _index(trace: Trace, cell: Cell) -> int:
    rows, cols = trace.grid
    if not (0 <= cell[0] < rows and 0 <= cell[1] < cols):
        raise ValueError(f"got cell {tuple(cell)}; expected a row from 0 to {rows - 1} and a column to {cols - 1}.")
    return int(cell[0]) * cols + int(cell[1])
