"""The learned affinity between the cells of two images.

A_ij = sigmoid(sum_k w_k (q_ki . k'_kj + q'_kj . k_ki) + b): the affinity of `ops.affinity`, with cell i in one image
and cell j, with its query q' and key k', in another one.
Symbols: B batch, N and M cells of the two images in row-major order, d width of a head.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from afa_viz.ops.checks import require_bool, require_dims, require_finite


def cross_affinity(
    queries: Sequence[Tensor],
    keys: Sequence[Tensor],
    other_queries: Sequence[Tensor],
    other_keys: Sequence[Tensor],
    weight: Tensor,
    bias: Tensor,
    symmetric: bool = True,
) -> Tensor:
    """Affinity of every cell of one image with every cell of another.

    Args:
        queries, keys: lists of (B, heads, N, d), one entry a block, in block order: of the image of the rows.
        other_queries, other_keys: lists of (B, heads, M, d): of the image of the columns.
        weight: one value for each head of all blocks, in the same order. bias: one value.
        symmetric: of q k' + q' k; else of 2 q k'.
    Returns: (B, N, M), in (0, 1). Of an image with itself: `ops.affinity.affinity_from_logits`, up to rounding.
    Raises: ValueError: if the number of weights is not the number of heads, the heads of the two images differ in
        number or width, or a value is not finite.
    Source: `ops.affinity`, extended to tokens of two images; nothing is published about it.
    """
    symmetric = require_bool("symmetric", symmetric)
    given = {"queries": queries, "keys": keys, "other_queries": other_queries, "other_keys": other_keys}
    joined: dict[str, Tensor] = {}
    for name, blocks in given.items():
        if not blocks:
            raise ValueError(f"{name} has no block; expected (B, heads, cells, d) for each block of the affinity.")
        for block in blocks:
            require_dims(name, block, 4, "(B, heads, cells, d)")
            if block.shape[2] != blocks[0].shape[2]:
                raise ValueError(
                    f"{name} has blocks of {blocks[0].shape[2]} and {block.shape[2]} cells; expected one grid."
                )
        joined[name] = torch.cat(list(blocks), dim=1)
        require_finite(name, joined[name])
    forms = {name: (part.shape[0], part.shape[1], part.shape[3]) for name, part in joined.items()}
    if len(set(forms.values())) > 1:
        named = ", ".join(f"{name} {form}" for name, form in forms.items())
        raise ValueError(f"got (images, heads, width) {named}; expected the same four times: heads of one network.")
    for first, second in (("queries", "keys"), ("other_queries", "other_keys")):
        counts = joined[first].shape[2], joined[second].shape[2]
        if counts[0] != counts[1]:
            raise ValueError(
                f"{first} have {counts[0]} cells but {second} have {counts[1]}; expected those of one image."
            )
    weight, bias = torch.as_tensor(weight).to(joined["queries"]), torch.as_tensor(bias).to(joined["queries"])
    require_finite("weight", weight)
    require_finite("bias", bias)
    if bias.numel() != 1:
        raise ValueError(f"bias has shape {tuple(bias.shape)}; expected one value.")
    if weight.numel() != joined["queries"].shape[1]:
        heads = joined["queries"].shape[1]
        raise ValueError(f"weight has {weight.numel()} entries but queries have {heads} heads; expected equal counts.")
    scale = weight.reshape(1, -1, 1, 1)
    query, key, other_query, other_key = (
        part.transpose(1, 2).flatten(2)
        for part in (joined["queries"] * scale, joined["keys"], joined["other_queries"] * scale, joined["other_keys"])
    )
    there = query @ other_key.transpose(1, 2)
    back = key @ other_query.transpose(1, 2) if symmetric else there
    return torch.sigmoid(there + back + bias.reshape(()))
