"""Trace -> JSON for the attention and affinity tabs, as in `payload`, sent on demand.

Symbols: h w cells, N = h * w, K keys of a block.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from afa_viz.figures import affinity as affinity_figures
from afa_viz.figures import attention as attention_figures
from afa_viz.figures import maps
from afa_viz.inspection import affinity_label_source, target_cells
from afa_viz.trace import Trace
from afa_viz.ui.handlers.payload import MAX_CELLS, WHOLE_CELLS, deflate_base64, finite, pack_labels, pack_scores

MEAN = -1  # head index that stands for the mean of all heads
WHOLE_BYTES = 2**20  # of the maps of a block that a page takes at once, as in explorer/views/attention/head_maps.js


def cell_maps(trace: Trace, block: int, logits: bool = False, cell: maps.Cell | None = None) -> Tensor:
    """Attention or its logits of every cell in every head: (heads, N, K). Fine stages: mean of a cell's queries.

    Args:
        logits: q k^T before scale and softmax instead of the attention.
        cell: only this cell: (heads, 1, K).
    """
    if cell is not None:
        chosen = trace.logits(block)[:, maps.queries_in(trace, block, cell)]
        values = chosen if logits else (chosen * trace.attn_scales[block]).softmax(dim=-1)
        return values.mean(dim=1, keepdim=True)[:, :, trace.parts.extra_tokens :]
    values = trace.cell_logits(block) if logits else trace.cell_probs(block)
    rows, cols = trace.grid
    height, width = trace.query_grids[block]
    if (height, width) == (rows, cols):
        return values
    row = torch.arange(height) * rows // height
    col = torch.arange(width) * cols // width
    owner = (row[:, None] * cols + col[None, :]).flatten()
    count = torch.bincount(owner, minlength=rows * cols).clamp_min(1)
    total = values.new_zeros(values.shape[0], rows * cols, values.shape[2]).index_add_(1, owner, values)
    return total / count[None, :, None]


def attention(
    trace: Trace, block: int, logits: bool = False, head: int | None = None, cell: maps.Cell | None = None
) -> dict[str, Any]:
    """Maps of one block in uint8: for each (head, cell) 0 stands for `lows` and 255 for `peaks`.

    Args:
        logits: q k^T before scale and softmax instead of the attention, whose lows are 0.
        head: only this head, or the mean of all heads (`MEAN`); None: all heads.
        cell: only this cell; None: all cells.
    Raises: ValueError: for a block, head or cell that the trace does not have, or logits that the method does not.
    """
    block = maps.check_block(trace, block)
    if logits:
        trace.parts.require("attention_logits")
    values = cell_maps(trace, block, logits, None if cell is None else maps.check_cell(trace, cell))
    if head is not None:
        if not MEAN <= head < len(values):
            raise ValueError(f"got head {head}; expected {MEAN} to {len(values) - 1}.")
        values = values.mean(dim=0, keepdim=True) if head == MEAN else values[head : head + 1]
    peaks = values.amax(dim=2)
    lows = values.amin(dim=2) if logits else torch.zeros_like(peaks)
    span = (peaks - lows).clamp_min(torch.finfo(torch.float32).tiny)
    quantised = ((values - lows[:, :, None]) / span[:, :, None] * 255).round().to(torch.uint8)
    return {
        "block": block,
        "logits": logits,
        "data": deflate_base64(quantised.numpy()),
        "shape": list(quantised.shape),
        "lows": deflate_base64(lows.numpy().astype("<f4")),
        "peaks": deflate_base64(peaks.numpy().astype("<f4")),
    }


def overview(trace: Trace) -> dict[str, Any]:
    """Statistics of every head, see `figures.attention`, and its share of attention inside each class.

    The classes are those of the ground truth, or else of the label that the affinity is trained on.
    None for a block whose attention was not kept.
    """
    label_map = getattr(trace, affinity_label_source(trace)) if trace.target is None else trace.target
    regions = torch.stack([label_map == label for label in trace.present])
    blocks: list[dict[str, Any] | None] = [None] * trace.kept_blocks.start
    for block in trace.kept_blocks:
        numbers = dataclasses.asdict(attention_figures.block_statistics(trace, block))
        numbers["even_distance"] = numbers.pop("uniform_distance")  # the name in the payload
        inside, even = attention_figures.region_shares(trace, block, regions)
        of_class = {
            str(label): {"heads": [finite(share) for share in shares], "even": finite(float(mean))}
            for label, shares, mean in zip(trace.present, inside.tolist(), even, strict=True)
        }
        rounded = {name: [finite(v) for v in value] if isinstance(value, tuple) else finite(value)
                   for name, value in numbers.items()}  # fmt: skip
        blocks.append(rounded | {"inside": of_class})
    return {"by_truth": trace.target is not None, "blocks": blocks}


def affinity(trace: Trace, cell: maps.Cell | None = None, raw: Tensor | None = None) -> dict[str, Any]:
    """Mean attention logits, the labels that the affinity is trained on, and numbers of both.

    `raw` (N, N): mean logits. `learned` (N, N): only if `payload.stages` sends a band. `cells` (h, w): the label from
    which affinity labels are made, sampled as in training; `cells_of`: its name; `at_centre`: where in a cell it is
    sampled. Grids of more than `MAX_CELLS` cells: no matrices; with a cell `raw_row`, `raw_column` and `learned`, each
    (1, N).

    Args:
        cell: the query cell, only used on such grids.
        raw: the mean logits, where somebody has them already.
    Raises: ValueError: if the method has no affinity.
    """
    matrix = maps.affinity_matrix(trace)
    if raw is None and "attention_logits" not in trace.parts.lacks:
        raw = maps.raw_matrix(trace)
    low, high = (0.0, 0.0) if raw is None else (float(raw.min()), float(raw.max()))
    result: dict[str, Any] = {}
    if len(matrix) <= MAX_CELLS:
        if raw is not None:
            result["raw"] = pack_scores(raw, low, high)
        if len(matrix) > WHOLE_CELLS:
            result["learned"] = pack_scores(matrix, 0.0, 1.0)
    elif cell is not None:
        row, col = maps.check_cell(trace, cell)
        at = row * trace.grid[1] + col
        if raw is not None:
            result["raw_row"] = pack_scores(raw[at : at + 1], low, high)
            result["raw_column"] = pack_scores(raw[:, at : at + 1].T, low, high)
        result["learned"] = pack_scores(matrix[at : at + 1], 0.0, 1.0)
        return result
    return result | {
        "cells": pack_labels(target_cells(trace)),
        "cells_of": affinity_label_source(trace),
        "at_centre": bool(trace.affinity_at_centre),
        "bias": None if trace.affinity_bias is None else finite(float(trace.affinity_bias)),
        "numbers": affinity_numbers(trace),
    }


def affinity_numbers(trace: Trace) -> dict[str, Any]:
    """`figures.affinity.AffinityNumbers` by their names in the payload."""
    numbers = dataclasses.asdict(affinity_figures.affinity_numbers(trace))
    for kind in ("raw", "symmetric", "learned"):
        numbers[f"order_{kind}"] = numbers.pop(f"auc_{kind}")
    return finite(numbers)
