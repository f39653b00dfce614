"""The numbers behind the images: maps of a trace at their native resolution, and the geometry of cells.

A cell is (row, column) on the grid of the trace, everywhere. A label is 0 for background, 1..C for classes.
Symbols: H W pixels, h w cells, C foreground classes, K = C + 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from afa_viz.ops.affinity import AFFINITY_BLOCKS, symmetrize
from afa_viz.trace import Trace

Cell = tuple[int, int]
Limits = tuple[float, float]

UNREACHED = 0.02  # share of the scores below the colour scale


def cell_box(size: tuple[int, int], grid: tuple[int, int], cell: Cell) -> tuple[int, int, int, int]:
    """Pixels (top, bottom, left, right) of a cell; ends are exclusive. Inverse of `cell_at`."""
    (top, bottom), (left, right) = (
        (-(-index * pixels // cells), -(-(index + 1) * pixels // cells))
        for index, pixels, cells in zip(cell, size, grid, strict=True)
    )
    return top, bottom, left, right


def cell_at(size: tuple[int, int], grid: tuple[int, int], row: int, col: int) -> Cell:
    """The cell that contains a pixel; pixels outside are clamped."""
    y, x = (
        min(max(pixel, 0), pixels - 1) * cells // pixels
        for pixel, pixels, cells in zip((row, col), size, grid, strict=True)
    )
    return y, x


def check_label(trace: Trace, label: int, background: bool = False) -> int:
    """The validated label. Raises: ValueError: if the trace has no such label."""
    first, last = (0 if background else 1), len(trace.class_names) - 1
    if not first <= label <= last:
        raise ValueError(f"got label {label}; expected {first} to {last}: {', '.join(trace.class_names[first:])}.")
    return int(label)


def check_cell(trace: Trace, cell: Cell) -> Cell:
    """The validated cell. Raises: ValueError: if it is outside the grid."""
    rows, cols = trace.grid
    if not (0 <= cell[0] < rows and 0 <= cell[1] < cols):
        raise ValueError(f"got cell {tuple(cell)}; expected a row from 0 to {rows - 1} and a column to {cols - 1}.")
    return int(cell[0]), int(cell[1])


def check_block(trace: Trace, block: int) -> int:
    """The block's number from 0; negative ones count from the end. Raises: ValueError: for a missing block."""
    trace.parts.require("attention")
    blocks = len(trace.attn_logits)
    if not -blocks <= block < blocks:
        raise ValueError(f"got block {block}; expected 0 to {blocks - 1}: this network has {blocks} blocks.")
    return block % blocks


def main_label(trace: Trace) -> int:
    """The class (1..C) with the highest logit among the image labels, or among all classes if there are none."""
    labels = trace.present or tuple(range(1, len(trace.class_names)))
    return max(labels, key=lambda label: float(trace.class_logits[label - 1]))


def strongest_cell(trace: Trace, label: int | None = None) -> Cell:
    """The cell where the CAM of a class (None: the main one), averaged over the cell, is strongest."""
    label = main_label(trace) if label is None else check_label(trace, label)
    pooled = torch.nn.functional.adaptive_avg_pool2d(trace.cam[label - 1][None], trace.grid)[0]
    row, col = divmod(int(pooled.argmax()), trace.grid[1])
    return row, col


def _index(trace: Trace, cell: Cell) -> int:
    row, col = check_cell(trace, cell)
    return row * trace.grid[1] + col


def queries_in(trace: Trace, block: int, cell: Cell) -> list[int]:
    """Query tokens of a block that lie in a cell: one in the last two stages, 2 x 2 or 4 x 4 in the finer ones.

    Counted with the extra tokens before them.
    """
    row, col = check_cell(trace, cell)
    block = check_block(trace, block)
    height, width = trace.query_grids[block]
    rows, cols = (
        [i for i in range(n) if i * m // n == at]
        for n, m, at in zip((height, width), trace.grid, (row, col), strict=True)
    )
    return [trace.parts.extra_tokens + i * width + j for i in rows for j in cols]


def attention(trace: Trace, block: int, head: int | None, cell: Cell) -> Tensor:
    """Softmaxed attention of one query cell: (key rows, key columns); with what extra tokens get it sums to 1.

    Args:
        block: from 0, or from the end with negative numbers.
        head: from 0; None for the mean of the heads. Fine stages: the mean over the queries in the cell.
    Raises: ValueError: for a block, head or cell that the trace does not have.
    """
    block = check_block(trace, block)
    heads = trace.logits(block).shape[0]
    if head is not None and not 0 <= head < heads:
        raise ValueError(f"got head {head}; expected 0 to {heads - 1}: block {block} has {heads} heads.")
    chosen = slice(None) if head is None else slice(head, head + 1)
    logits = trace.logits(block)[chosen][:, queries_in(trace, block, cell)]
    probs = (logits * trace.attn_scales[block]).softmax(dim=-1)
    return probs.mean(dim=(0, 1))[trace.parts.extra_tokens :].reshape(trace.key_grids[block])


def key_ratio(trace: Trace, block: int) -> int:
    """Queries a side that one key of a block summarises: 8, 4, 2, 1 by stage; on a side with fewer, all of them."""
    grid, small = trace.query_grids[block], trace.key_grids[block]
    fits = (r for r in (1, 2, 4, 8) if (max(1, grid[0] // r), max(1, grid[1] // r)) == small)
    return next(fits, max(1, grid[0] // small[0]))


def on_query_grid(trace: Trace, block: int, keys: Tensor) -> Tensor:
    """A map over the keys of a block on the grid of its queries: each key repeated over the cells that it summarises.

    Rows and columns that do not fill a whole key have none: NaN. (R keys a side: reduction 8, 4, 2, 1 by stage.)
    """
    block = check_block(trace, block)
    ratio = key_ratio(trace, block)
    full = torch.full(trace.query_grids[block], float("nan"))
    repeated = keys.repeat_interleave(ratio, dim=0).repeat_interleave(ratio, dim=1)
    full[: repeated.shape[0], : repeated.shape[1]] = repeated[: full.shape[0], : full.shape[1]]
    return full


def affinity(trace: Trace, cell: Cell) -> Tensor:
    """Affinity of one cell to all: (h, w) in [0, 1]. Raises: ValueError: if the method has none."""
    return affinity_matrix(trace)[_index(trace, cell)].reshape(trace.grid)


def affinity_matrix(trace: Trace) -> Tensor:
    """(N, N), learned or averaged. Raises: ValueError: if the method has none."""
    trace.parts.require("affinity")
    assert trace.affinity is not None
    return trace.affinity


def raw_matrix(trace: Trace) -> Tensor:
    """Mean attention logit of the heads of the last two blocks, the unweighted input of the affinity: (N, N).

    Raises: ValueError: if the method has no affinity, or no logits.
    """
    for part in ("affinity", "attention_logits"):
        trace.parts.require(part)
    blocks = [trace.cell_logits(block) for block in range(-AFFINITY_BLOCKS, 0)]
    return torch.stack([block.sum(dim=0) for block in blocks]).sum(dim=0) / sum(map(len, blocks))


def raw_affinity(trace: Trace, cell: Cell, symmetric: bool = False) -> Tensor:
    """The row of one cell in `raw_matrix`: (h, w).

    Args:
        symmetric: of (S + S^T) / 2 in place of S.
    """
    mean = raw_matrix(trace)
    row = (symmetrize(mean) / 2 if symmetric else mean)[_index(trace, cell)]
    return row.reshape(trace.grid)


def head_weights(trace: Trace) -> tuple[Tensor, ...]:
    """The learned weight of each head in the affinity, one (heads,) tensor for each of the last two blocks.

    None at all where the affinity is not learned.
    """
    if trace.affinity_weight is None:
        return ()
    return tuple(trace.affinity_weight.split([len(trace.logits(block)) for block in range(-AFFINITY_BLOCKS, 0)]))


def cam(trace: Trace, label: int) -> Tensor:
    """CAM of a class (1..C): (H, W) in [0, 1)."""
    return trace.cam[check_label(trace, label) - 1]


def cam_rw(trace: Trace, label: int, high: bool = False) -> Tensor:
    """Scores of a label after the walk: (h, w); `high` takes the one with the high background score."""
    return (trace.cam_rw_high if high else trace.cam_rw)[check_label(trace, label, background=True)]


def cam_par(trace: Trace, label: int, high: bool = False) -> Tensor:
    """Scores of a label after PAR: (H, W); `high` as in `cam_rw`."""
    return (trace.cam_par_high if high else trace.cam_par)[check_label(trace, label, background=True)]


def channels(trace: Trace) -> list[int]:
    """Labels with scores after the walk: background and the image labels."""
    return [0, *trace.present]


def shared_limits(trace: Trace, scores: Tensor) -> Limits:
    """Smallest and largest of (K, ., .) scores over background and image labels: one scale for all of them."""
    used = scores[channels(trace)]
    return float(used.min()), float(used.max())


def colour_limits(scores: Tensor) -> Limits:
    """The 2nd percentile and the largest of scores after the walk or PAR, of any shape, for their colours.

    A step of the walk is a weighted mean, so none rises above the others; but a few cells that nothing reaches fall to
    0, and those would take most of the colours.
    """
    values = scores.flatten()
    low, high = float(values.kthvalue(1 + round(UNREACHED * (len(values) - 1))).values), float(values.max())
    return (low, high) if high > low else (float(values.min()), high)


def shared_colour_limits(trace: Trace, scores: Tensor) -> Limits:
    """`colour_limits` of (K, ., .) scores over background and image labels: one scale for all of them."""
    return colour_limits(scores[channels(trace)])
