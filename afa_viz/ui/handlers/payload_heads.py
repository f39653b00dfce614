"""Trace -> JSON of what the affinity's heads are made of: queries and keys, or their products, with 16 bits a number.

Sent when the Affinity tab is opened. Symbols: N cells, d width of a head.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from afa_viz.ops.affinity import AFFINITY_BLOCKS
from afa_viz.trace import Trace
from afa_viz.ui.handlers.payload import MAX_CELLS, Packed, deflate_base64

LEVELS = 2**16 - 1


def heads(trace: Trace) -> dict[str, Any]:
    """The heads of the last two blocks: {"blocks": […], "weights": […], "bias"}, the learned ones, block by block.

    Of every block either `queries` and `keys`, (heads, d, N), or where the trace has none `logits`, (heads, N, N).

    Raises: ValueError: if the affinity is not learned, or for more than `MAX_CELLS` cells.
    """
    for part in ("affinity", "learned_affinity"):
        trace.parts.require(part)
    assert trace.affinity_weight is not None and trace.affinity_bias is not None
    cells = trace.grid[0] * trace.grid[1]
    if cells > MAX_CELLS:
        raise ValueError(f"the grid has {cells} cells; expected at most {MAX_CELLS}.")
    blocks: list[dict[str, Packed]] = []
    for block in range(-AFFINITY_BLOCKS, 0):
        factors = trace.query_key(block)
        if factors is None:
            blocks.append({"logits": pack_precise(trace.cell_logits(block))})
        else:
            query, key = (part[:, trace.parts.extra_tokens :].transpose(1, 2) for part in factors)
            blocks.append({"queries": pack_precise(query), "keys": pack_precise(key)})
    return {"blocks": blocks, "weights": trace.affinity_weight.tolist(), "bias": float(trace.affinity_bias)}


def pack_precise(values: Tensor) -> Packed:
    """(A, B, N) numbers with 16 bits each: first the upper bytes of all, then the lower ones.

    Every row of N has its own range: 0 stands for its `lows` and 65535 for its `peaks`.
    """
    lows, peaks = values.amin(dim=-1, keepdim=True), values.amax(dim=-1, keepdim=True)
    span = (peaks - lows).double().clamp_min(torch.finfo(torch.float32).tiny)
    levels = ((values - lows).double() / span * LEVELS).round().numpy().astype(np.uint16)
    planes = np.stack([levels >> 8, levels & 255]).astype(np.uint8)
    return {
        "data": deflate_base64(planes),
        "shape": list(planes.shape),
        "lows": deflate_base64(lows.numpy().astype("<f4")),
        "peaks": deflate_base64(peaks.numpy().astype("<f4")),
    }
