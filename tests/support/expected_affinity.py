"""The affinity in NumPy and double precision, worked out apart from the package: from logits, and after edits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from afa_viz import Trace


def of_logits(logits: np.ndarray, weights: Sequence[float], bias: float, symmetric: bool = True) -> np.ndarray:
    """(N, N) from (heads, N, N), as docs/spec.md section 4 says it."""
    both = logits + logits.transpose(0, 2, 1) if symmetric else 2 * logits
    return 1 / (1 + np.exp(-(np.tensordot(weights, both, 1) + bias)))


def logits_of(trace: Trace) -> np.ndarray:
    """(heads, N, N) of the last two blocks, which the affinity is learned from."""
    return np.concatenate([trace.logits(-2).double().numpy(), trace.logits(-1).double().numpy()])


def of_trace(
    trace: Trace, weights: Mapping[int, float | None] | None = None, bias: float | None = None, symmetric: bool = True
) -> np.ndarray:
    """(N, N) from the logits of a trace.

    Args:
        weights: of heads, counted from 0, in place of the learned ones; None: the learned one. bias: likewise.
    """
    used = trace.affinity_weight.double().numpy().copy()
    for head, weight in (weights or {}).items():
        used[head] = used[head] if weight is None else weight
    return of_logits(logits_of(trace), used, float(trace.affinity_bias) if bias is None else bias, symmetric)


def after_edits(affinity: np.ndarray, edits: Sequence[tuple]) -> np.ndarray:
    """(N, N) pair by pair, as docs/decisions/040 says it."""
    out, cells = affinity.copy(), range(len(affinity))
    for kind, own, others in edits:
        for i in own:
            for j in [cell for cell in cells if cell not in own] if others is None else others:
                if i != j:
                    out[i, j] = out[j, i] = {"join": 1.0, "separate": 0.0}[kind]
    return out
