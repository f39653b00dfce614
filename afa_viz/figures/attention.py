"""Statistics of every head of every block: entropy, distance, asymmetry, and the share that stays inside a region.

Distances are in cells of the trace's grid, in every block, so that blocks compare. A head's number is the mean over
its queries. Symbols: H W pixels, h w cells, Q queries and K keys of a block.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from afa_viz.figures.maps import check_block, key_ratio
from afa_viz.ops.affinity import asymmetry
from afa_viz.trace import Trace


@dataclass(frozen=True)
class BlockStatistics:
    """Statistics of one block, one number per head.

    Attributes:
        entropy: of a query's attention as a share of the maximum: 0: a single key, 1: uniform.
        distance: mean distance in cells from a query to its keys, weighted by the attention.
        uniform_distance: the same for uniform attention; one number for the block.
        asymmetry: of the logits, see `ops.affinity.asymmetry`; None if queries and keys differ, or without logits.
    """

    entropy: tuple[float, ...]
    distance: tuple[float, ...]
    uniform_distance: float
    asymmetry: tuple[float, ...] | None


def query_stride(trace: Trace, block: int) -> int:
    """Pixels that a query of a block spans: 4, 8, 16 or 32, or the network's own stride."""
    rows, cols = trace.query_grids[check_block(trace, block)]
    height, width = trace.image.shape[:2]
    own = trace.parts.stride
    return next((s for s in (4, 8, 16, 32) if (-(-height // s), -(-width // s)) == (rows, cols)), own)


def cell_centres(grid: tuple[int, int], span: float) -> Tensor:
    """(rows * columns, 2) centres of the squares of a grid, each `span` cells wide."""
    rows, cols = ((torch.arange(count) + 0.5) * span for count in grid)
    return torch.cartesian_prod(rows, cols)


def block_statistics(trace: Trace, block: int) -> BlockStatistics:
    """Entropy, distance and asymmetry of every head of a block. Raises: ValueError: for a missing block."""
    block = check_block(trace, block)
    probs = _to_cells(trace, block)
    keys = probs.shape[-1]
    most = math.log(keys) if keys > 1 else 1.0
    entropy = torch.special.entr(probs).sum(dim=-1).mean(dim=-1) / most
    span = query_stride(trace, block) / trace.parts.stride
    queries = cell_centres(trace.query_grids[block], span)
    apart = torch.cdist(queries, cell_centres(trace.key_grids[block], span * key_ratio(trace, block)))
    distance = torch.einsum("hqk,qk->h", probs, apart) / len(queries)
    has_logits = "attention_logits" not in trace.parts.lacks
    square = trace.query_grids[block] == trace.key_grids[block]
    return BlockStatistics(
        entropy=tuple(entropy.tolist()),
        distance=tuple(distance.tolist()),
        uniform_distance=float(apart.mean()),
        asymmetry=tuple(asymmetry(trace.cell_logits(block)).tolist()) if square and has_logits else None,
    )


def _to_cells(trace: Trace, block: int) -> Tensor:
    """(heads, Q, K) attention from cells to cells: without what extra tokens get; each query sums to 1."""
    probs = trace.cell_probs(block)
    return probs / probs.sum(dim=-1, keepdim=True).clamp_min(1e-12) if trace.parts.extra_tokens else probs


def region_shares(trace: Trace, block: int, regions: Tensor) -> tuple[Tensor, Tensor]:
    """The share of the attention from queries inside a region that falls on keys inside it.

    Queries and keys are weighted by the share of them that is inside.

    Args:
        regions: (R, H, W) bool.
    Returns: (R, heads) shares in [0, 1], and (R,) the shares for uniform attention. NaN for an empty region.
    Raises: ValueError: for a missing block or regions of another size.
    """
    block = check_block(trace, block)
    size = tuple(trace.image.shape[:2])
    if regions.dim() != 3 or tuple(regions.shape[1:]) != size:
        raise ValueError(f"regions have shape {tuple(regions.shape)}; expected (R, {size[0]}, {size[1]}).")
    inside = F.avg_pool2d(regions[:, None].float(), query_stride(trace, block), ceil_mode=True, count_include_pad=False)
    ratio = key_ratio(trace, block)
    keys = F.avg_pool2d(inside, (min(ratio, inside.shape[-2]), min(ratio, inside.shape[-1]))).flatten(1)
    queries = inside.flatten(1)
    total = queries.sum(dim=1)
    ends = torch.einsum("hqk,rk->rhq", _to_cells(trace, block), keys)
    mean_share = torch.where(total > 0, keys.mean(dim=1), torch.nan)
    return torch.einsum("rhq,rq->rh", ends, queries) / total[:, None], mean_share
