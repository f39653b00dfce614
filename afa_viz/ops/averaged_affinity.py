"""An affinity that was not learned: the mean of attention heads, symmetrised, scaled for the walk.

A = min(1, M_ij / max_{k != i} M_ik) with M = (P + P^T) / 2 and P the mean softmaxed attention of the heads.
Symbols: B batch, N cells in row-major order, X extra tokens before them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from afa_viz.ops.checks import require_bool, require_finite, require_int


def averaged_affinity(attn_probs: Sequence[Tensor], extra_tokens: int = 0, symmetric: bool = True) -> Tensor:
    """Affinity from the attention of some blocks: each row scaled by its largest value off the diagonal.

    A row of softmaxed attention sums to 1 over N cells: squared by the walk it is about 1 / N^2 and vanishes beside the
    walk's eps of 0.1. Scaled, the strongest link of every cell is 1, as of a learned affinity, so that power and eps
    keep their meaning. On the diagonal, where attention of a cell to itself may exceed that, 1 is the most.

    Args:
        attn_probs: list of (B, heads, X + N, X + N), each query sums to 1; all heads weigh the same.
        extra_tokens: X, such as a class token; what they get and give is left out.
        symmetric: False takes P in place of M.
    Returns: (B, N, N) in [0, 1].
    Raises: ValueError: for no map, maps that are not square or of different sizes, or values that are not finite.
    Source: docs/decisions/035-an-affinity-that-was-not-learned.md, which compares scalings.
    """
    symmetric, extra = require_bool("symmetric", symmetric), require_int("extra_tokens", extra_tokens, 0, 0)
    if not attn_probs:
        raise ValueError("got no attention; expected the maps of at least one block.")
    size = (attn_probs[-1].shape[0], *attn_probs[-1].shape[2:])
    for probs in attn_probs:
        if probs.dim() != 4 or probs.shape[-1] != probs.shape[-2] or (probs.shape[0], *probs.shape[2:]) != size:
            raise ValueError(
                f"attention has shape {tuple(probs.shape)}; expected (B, heads, N, N), equal in all blocks but for the "
                "heads: take blocks of the last stage."
            )
        require_finite("attn_probs", probs)
    if not 0 <= extra < size[-1]:
        raise ValueError(f"got {extra} extra tokens for maps of {size[-1]}; expected fewer tokens than that.")
    mean = sum(probs.sum(dim=1) for probs in attn_probs) / sum(probs.shape[1] for probs in attn_probs)
    assert isinstance(mean, Tensor)
    mean = mean[:, extra:, extra:]
    return scale_rows((mean + mean.transpose(1, 2)) / 2 if symmetric else mean)


def scale_rows(affinity: Tensor) -> Tensor:
    """(B, N, N) >= 0 -> each row divided by its largest value off the diagonal, at most 1; rows of 0 stay 0."""
    apart = affinity.masked_fill(torch.eye(affinity.shape[-1], dtype=torch.bool, device=affinity.device), 0)
    largest = apart.amax(dim=-1, keepdim=True)
    if affinity.shape[-1] == 1:  # a single cell is linked to itself alone
        largest = affinity
    return torch.where(largest > 0, affinity / largest.clamp_min(torch.finfo(affinity.dtype).tiny), affinity).clamp_max(
        1
    )
