"""Two explained images side by side: which cells of one belong with which cells of the other.

Symbols: N and M cells of the two images in row-major order.
"""

from __future__ import annotations

import torch
from torch import Tensor

from afa_viz.ops.cross_affinity import cross_affinity
from afa_viz.scalars import preview
from afa_viz.trace import Trace
from afa_viz.value_paths import affinity_blocks


def affinity_between(trace: Trace, other: Trace) -> Tensor:
    """Learned affinity of every cell of one image with every cell of another.

    The network never attended across images, and the weights were learned from pairs of cells of one image: this
    applies them to the queries of one image and the keys of the other, and the other way round.

    Args:
        trace: the image of the rows; its head weights, bias and symmetry count.
        other: the image of the columns, explained by the same model.
    Returns: (N, M) float32, in (0, 1). With itself: `trace.affinity` without `affinity_edits`, up to rounding (2e-5).
    Raises: ValueError: if the affinity is not learned, a trace has no queries and keys, or the models differ.
        TypeError: for what is no trace.
    """
    for given in (trace, other):
        if not isinstance(given, Trace):
            raise TypeError(f"got {preview(given)}; expected two traces: what afa_viz.explain returns.")
    weight, bias = trace.used_affinity_head
    learned, others = trace.affinity_weight, other.affinity_weight
    same = learned is not None and others is not None and torch.equal(learned, others)
    if trace.checkpoint_id != other.checkpoint_id or not same:
        raise ValueError(
            f"got traces of the models {trace.checkpoint_id[:12]!r} and {other.checkpoint_id[:12]!r}; expected both of "
            "one model, since queries and keys of two models cannot be compared: explain one of the images again."
        )
    first, second = _factors(trace), _factors(other)
    return cross_affinity(*first, *second, weight, bias, trace.config.symmetric)[0]


def _factors(trace: Trace) -> tuple[list[Tensor], list[Tensor]]:
    """Queries and keys of the cells, (1, heads, cells, d) for each block of the affinity."""
    found = [trace.query_key(block) for block in affinity_blocks(trace)]
    pairs = [pair for pair in found if pair is not None]
    if len(pairs) < len(found):
        raise ValueError(
            "got a trace without queries and keys, as in files of an earlier version; expected one that has them: "
            "explain the image again."
        )
    extra = trace.parts.extra_tokens
    queries, keys = ([pair[i][None, :, extra:] for pair in pairs] for i in (0, 1))
    return queries, keys
