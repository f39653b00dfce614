"""Semantic affinity: how likely two cells belong to the same class, learned from attention logits.

A = sigmoid(sum_k w_k (S_k + S_k^T) + b) over the 16 heads of the last two blocks; see `affinity_from_logits`.
Symbols: B batch, N = h * w cells in row-major order, d width of a head.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from afa_viz.ops.checks import (
    require_bool,
    require_dims,
    require_finite,
    require_int,
    require_size,
    require_square,
)

STRIDE = 16  # pixels a cell of the last stage spans
RADIUS = 8  # cells; docs/spec.md section 6
AFFINITY_BLOCKS = 2  # the last two blocks of the encoder, whose heads the affinity combines; section 4


def token_grid(height: int, width: int, stride: int = STRIDE) -> tuple[int, int]:
    """Cells that an image has at a stride: ceil divisions.

    Args:
        height, width: of the image, in pixels. stride: pixels of a cell along each side.
    Returns: (rows, columns).
    Raises: ValueError: unless all are whole numbers >= 1.
    Source: docs/spec.md section 6.
    """
    height, width = require_size("size", (height, width))
    stride = require_int("stride", stride, 1, STRIDE)
    return -(-height // stride), -(-width // stride)


def symmetrize(logits: Tensor) -> Tensor:
    """S + S^T over the last two dimensions; the sum is not halved.

    Args:
        logits: (..., N, N).
    Returns: (..., N, N), symmetric.
    Raises: ValueError: for another number of keys than of queries.
    Source: docs/spec.md section 4.
    """
    if logits.shape[-1] != logits.shape[-2]:
        raise ValueError(
            f"logits have {logits.shape[-2]} queries and {logits.shape[-1]} keys; "
            "expected equal numbers: only maps without key reduction (the last stage) can be symmetrised."
        )
    return logits + logits.transpose(-1, -2)


def replace_head(
    weight: Tensor, bias: Tensor, head_weights: Sequence[float | None] | None, affinity_bias: float | None
) -> tuple[Tensor, Tensor]:
    """A learned weight and bias with numbers in the place of some of them; the inputs are not changed.

    Args:
        weight: (heads,). bias: (1,).
        head_weights: one for each head, None where the learned one stays; None: all stay.
        affinity_bias: None: the learned one.
    Raises: ValueError: for another number of heads.
    """
    if head_weights is not None:
        if len(head_weights) != weight.numel():
            raise ValueError(
                f"head_weights has {len(head_weights)} numbers; expected {weight.numel()}, one for each head of the "
                "last two blocks, with None for a learned weight."
            )
        pairs = zip(weight.flatten().tolist(), head_weights, strict=True)
        weight = weight.new_tensor([old if new is None else new for old, new in pairs]).reshape(weight.shape)
    return weight, bias if affinity_bias is None else torch.full_like(bias, affinity_bias)


def affinity_logits(attn_logits: Sequence[Tensor], weight: Tensor, bias: Tensor, symmetric: bool = True) -> Tensor:
    """The affinity before its sigmoid.

    Args, Raises and Source: as `affinity_from_logits`.
    Returns: (B, N, N), row-major query x key.
    """
    symmetric = require_bool("symmetric", symmetric)
    heads = weight.numel()
    blocks: list[Tensor] = []
    for logits in reversed(attn_logits):
        if sum(b.shape[1] for b in blocks) >= heads:
            break
        require_dims("attn_logits", logits, 4, "(B, heads, N, N)")
        if blocks and (logits.shape[0], *logits.shape[2:]) != (blocks[0].shape[0], *blocks[0].shape[2:]):
            raise ValueError(
                f"attn_logits of the last blocks have shapes {tuple(logits.shape)} and {tuple(blocks[0].shape)}; "
                "expected one batch and one grid: take blocks of the last stage."
            )
        blocks.insert(0, logits)
    given = [block.shape[1] for block in blocks]
    if not blocks or sum(given) != heads:
        raise ValueError(
            f"weight has {heads} entries but the last blocks give {sum(given)} heads; "
            "expected one weight for each head of the last blocks (16 = 2 blocks of 8)."
        )
    bias = torch.as_tensor(bias)
    if bias.numel() != 1:
        raise ValueError(f"bias has shape {tuple(bias.shape)}; expected one value.")
    for name, tensor in (*(("attn_logits", block) for block in blocks), ("weight", weight), ("bias", bias)):
        require_finite(name, tensor)
    dtype = torch.promote_types(blocks[0].dtype, weight.dtype)
    # Block by block: all heads side by side would be one more copy of what may be gigabytes. Symmetrising after the
    # combination is the same sum with 16 times fewer additions.
    weights = weight.reshape(-1).to(dtype).split(given)
    parts = (torch.einsum("k,bknm->bnm", w, block.to(dtype)) for w, block in zip(weights, blocks, strict=True))
    combined = functools.reduce(torch.add, parts)
    if symmetric:
        return symmetrize(combined) + bias.reshape(())
    return 2 * combined + bias.reshape(())  # the same magnitude without the transposed half


def affinity_from_logits(attn_logits: Sequence[Tensor], weight: Tensor, bias: Tensor) -> Tensor:
    """Learned affinity: one weight per head of the symmetrised logits, a bias, a sigmoid.

    Args:
        attn_logits: list of (B, heads, N, N), block order. Unscaled q k^T, before softmax. As many of the last
            blocks are used as the weight has heads (two blocks of 8 for 16 weights).
        weight: 16 values in any shape, e.g. (1, 16, 1, 1).
        bias: one value in any shape.
    Returns: (B, N, N), symmetric, in (0, 1).
    Raises: ValueError: if the head counts or shapes do not fit, a map is not square or a value is not finite.
    Source: Ru et al. 2022, section 3.3; docs/spec.md section 4.
    """
    return torch.sigmoid(affinity_logits(attn_logits, weight, bias))


def affinity_from_qk(queries: Sequence[Tensor], keys: Sequence[Tensor], weight: Tensor, bias: Tensor) -> Tensor:
    """The same affinity as one matrix product, which never stores a map for each head.

    With heads and blocks side by side in the channels and each query scaled by the weight of its head,
    sum_k w_k q_k k_k^T = Q K^T, and S + S^T is that product plus its transpose.

    Args:
        queries, keys: lists of (B, heads, N, d), one entry a block, in block order.
        weight: one value for each head of all blocks, in the same order.
        bias: one value.
    Returns: (B, N, N), symmetric, in (0, 1); equal to `affinity_from_logits` up to rounding (1e-6).
    Raises: ValueError: if the number of weights is not the number of heads.
    Source: docs/weight_layouts.md, "the learned affinity as one product".
    """
    heads = sum(q.shape[1] for q in queries)
    if weight.numel() != heads:
        raise ValueError(f"weight has {weight.numel()} entries but queries have {heads} heads; expected equal counts.")
    scaled = torch.cat(list(queries), dim=1) * weight.reshape(1, -1, 1, 1)
    query = scaled.transpose(1, 2).flatten(2)
    key = torch.cat(list(keys), dim=1).transpose(1, 2).flatten(2)
    product = query @ key.transpose(1, 2)
    return torch.sigmoid(product + product.transpose(1, 2) + bias)


def pool_queries(logits: Tensor, query_grid: tuple[int, int], reduction: int) -> Tensor:
    """Average the query axis over the blocks of cells that each key summarises, which makes the map square.

    Args:
        logits: (B, heads, Nq, Nk) of a stage with reduced keys.
        query_grid: (rows, columns) of the queries.
        reduction: cells a key spans along each side; trailing rows and columns are dropped, as for the keys. On a
            grid smaller than that, one key spans the whole side.
    Returns: (B, heads, Nk, Nk).
    Raises: ValueError: for a reduction or a grid that is no whole number >= 1.
    Source: docs/spec.md section 3, "attention returned for each block".
    """
    reduction, query_grid = require_int("reduction", reduction, 1), require_size("query_grid", query_grid)
    if reduction == 1:
        return logits
    batch, heads, _, num_keys = logits.shape
    maps = logits.transpose(2, 3).reshape(batch * heads, num_keys, *query_grid)
    pooled = F.avg_pool2d(maps, (min(reduction, query_grid[0]), min(reduction, query_grid[1]))).flatten(2)
    return pooled.transpose(1, 2).reshape(batch, heads, -1, num_keys)


def radius_mask(height: int, width: int, radius: int = RADIUS, device: torch.device | str | None = None) -> Tensor:
    """Which pairs of cells are near: |d row| <= radius and |d column| <= radius, a square window.

    Args:
        height, width: the grid, in cells. Cells are numbered row by row.
        radius: in cells, >= 0. Default: as published.
    Returns: (N, N) bool, N = height * width.
    Raises: ValueError: if a size is not a whole number of at least 1, or the radius none of at least 0.
    Source: docs/spec.md section 6.
    """
    (height, width), radius = require_size("grid", (height, width)), require_int("radius", radius, 0, RADIUS)

    def near(size: int) -> Tensor:
        index = torch.arange(size, device=device)
        return (index[:, None] - index[None, :]).abs() <= radius

    # Whole rows of N values at a time: far faster than blocks of `width` values.
    rows = near(height).repeat_interleave(width, dim=1)  # (height, N)
    cols = near(width).repeat(1, height)  # (width, N)
    return (rows[:, None] & cols[None, :]).reshape(height * width, height * width)


def cell_labels(
    label: Tensor,
    stride: int = STRIDE,
    at_centre: bool = False,
    grid: tuple[int, int] | None = None,
    ignore_index: int = 255,
) -> Tensor:
    """(B, H, W) label map -> (B, N) int64: the label of one pixel of every cell.

    Args:
        at_centre: read the pixel in the middle of the cell. False reads its top left pixel, as published (nearest
            neighbour with the floor rule), which moves the labels by half a cell against the features.
        grid: (rows, columns). None: whole cells alone, H // stride and W // stride, as published. Of a network's grid,
            `token_grid`, the last cells may reach beyond the map, which goes on as `ignore_index`, as the padding of a
            training crop does.
    Raises: ValueError: if the map is smaller than one cell, or the grid is not one of the two.
    Source: docs/spec.md section 8; docs/decisions/005.
    """
    require_dims("label", label, 3, "(B, H, W)")
    stride, at_centre = require_int("stride", stride, 1, STRIDE), require_bool("at_centre", at_centre)
    whole = label.shape[-2] // stride, label.shape[-1] // stride
    if grid is not None and tuple(grid) != whole:
        if tuple(grid) != token_grid(label.shape[-2], label.shape[-1], stride):
            raise ValueError(
                f"got a grid of {grid[0]} x {grid[1]} cells for a label of {tuple(label.shape[-2:])} pixels; expected "
                f"that of `token_grid`: {' x '.join(map(str, token_grid(label.shape[-2], label.shape[-1], stride)))}."
            )
        beyond = (0, grid[1] * stride - label.shape[-1], 0, grid[0] * stride - label.shape[-2])
        label = F.pad(label.long(), beyond, value=ignore_index)
    height, width = label.shape[-2] // stride, label.shape[-1] // stride
    if height < 1 or width < 1:
        raise ValueError(f"label is {tuple(label.shape[-2:])} pixels; expected sides of at least {stride}.")

    def pixels(count: int, length: int) -> Tensor:
        doubled = 2 * torch.arange(count, device=label.device) + at_centre
        return torch.div(doubled * length, 2 * count, rounding_mode="floor")

    rows, cols = pixels(height, label.shape[-2]), pixels(width, label.shape[-1])
    return label[:, rows][:, :, cols].flatten(1).long()


def foreground_cells(label: Tensor, ignore_index: int = 255, stride: int = STRIDE, at_centre: bool = False) -> Tensor:
    """(B, H, W) label map -> (B, N) bool: cells that carry a class; arguments as `affinity_labels`."""
    cells = cell_labels(label, stride, at_centre)
    return (cells != 0) & (cells != ignore_index)


def affinity_labels(
    label: Tensor,
    mask: Tensor | None = None,
    ignore_index: int = 255,
    stride: int = STRIDE,
    at_centre: bool = False,
) -> Tensor:
    """Supervision of the affinity from a label map: 1 same class, 0 different classes, 255 unknown.

    Args:
        label: (B, H, W) integers at pixel resolution; background pairs and the diagonal count as equal.
        mask: (N, N) bool or 0/1, from `radius_mask` of the grid: whole cells, H // stride and W // stride, as
            published, or those of a network, `token_grid`; see `cell_labels`. None: all pairs of whole cells.
        ignore_index: label of uncertain pixels.
        stride: pixels a cell.
        at_centre: see `cell_labels`; False is published.
    Returns: (B, N, N) int64 with values 0, 1 and `ignore_index`.
    Raises: ValueError: if the mask fits neither grid.
    Source: Ru et al. 2022, section 3.3; docs/spec.md section 8.
    """
    require_dims("label", label, 3, "(B, H, W)")
    stride = require_int("stride", stride, 1, STRIDE)
    height, width = label.shape[-2] // stride, label.shape[-1] // stride
    network = token_grid(label.shape[-2], label.shape[-1], stride)
    if mask is not None and mask.shape == (math.prod(network), math.prod(network)):
        height, width = network
    cells = cell_labels(label, stride, at_centre, (height, width), ignore_index)
    known = cells != ignore_index
    valid = known[:, :, None] & known[:, None, :]
    if mask is not None:
        if mask.shape != (height * width, height * width):
            raise ValueError(
                f"mask has shape {tuple(mask.shape)} but the label gives a {height} x {width} grid; "
                f"expected (N, N) of that grid or of {network[0]} x {network[1]}, the network's."
            )
        valid = valid & mask.to(valid.device).bool()
    same = (cells[:, :, None] == cells[:, None, :]).long()
    return torch.where(valid, same, torch.full_like(same, ignore_index))


def asymmetry(logits: Tensor) -> Tensor:
    """How far a square map is from symmetric: |S - S^T| / |S + S^T| (Frobenius norms), 0 for symmetric.

    Args:
        logits: (..., N, N).
    Returns: (...), >= 0; 1 means that the antisymmetric part is as large as the symmetric one.
    Raises: ValueError: for maps that are not square.
    """
    require_square("logits", logits.reshape(-1, *logits.shape[-2:]))
    transposed = logits.transpose(-1, -2)
    return (logits - transposed).flatten(-2).norm(dim=-1) / (logits + transposed).flatten(-2).norm(dim=-1).clamp_min(
        1e-12
    )
