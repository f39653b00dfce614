"""A cached trace that needs less memory: what follows quickly from its other fields is computed when it is read."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from afa_viz.stages.one_image import cam_par_stage, lazy_zeros
from afa_viz.trace import Trace

RECOMPUTED = (
    "cam_par_high",
    "cam_refined",
    "cam_refined_high",
)  # outputs of `cam_par_stage`, except `cam_par`, which is read most
LOGITS = "attn_logits"
STORED = "_stored_logits"  # the attention logits of a `CompactTrace` that do not follow from queries and keys


class CompactTrace(Trace):
    """A trace whose fields `RECOMPUTED` are computed whenever they are read: the same numbers, from the same stage.

    So are the attention logits of the blocks whose queries and keys are kept.
    """

    def __getattr__(self, name: str) -> Any:
        """Compute a field of `RECOMPUTED`, or the logits. Raises: AttributeError: for any other name."""
        held = vars(self)
        if name == LOGITS and STORED in held:
            return tuple(
                product(self, block) if stored is None else stored for block, stored in enumerate(held[STORED])
            )
        if name not in RECOMPUTED or "config" not in held:  # no config: `copy` is creating the instance
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        with torch.inference_mode(False), torch.no_grad():
            return cam_par_stage(held, self.config, None)[name]


def product(trace: Trace, block: int) -> Tensor | None:
    """Queries times keys of a block, (heads, X + N, X + N); None where they are not kept."""
    if trace.queries is None or trace.keys is None:
        return None
    query, key = trace.queries[block], trace.keys[block]
    if query is None or key is None:
        return None
    with torch.inference_mode(False), torch.no_grad():
        return (query[None] @ key[None].transpose(-2, -1))[0]  # with a batch axis, as in the network: the same bits


def compact(trace: Trace) -> Trace:
    """A compact copy of a trace that shares all other tensors with it; the input is not changed."""
    held = vars(trace)
    without_scores = not set(RECOMPUTED) & set(held)
    stored = _logits_to_store(trace) if LOGITS in held else None
    if without_scores and stored is None:
        return trace
    kept = {name: value for name, value in held.items() if name not in RECOMPUTED}
    if stored is not None:
        del kept[LOGITS]
        kept[STORED] = stored
    if not without_scores:
        kept["cam_par"] = lazy_zeros(*trace.cam_par.shape)  # a copy: the original shares its storage with the others
        used = [0, *trace.present]
        kept["cam_par"][used] = trace.cam_par[used]
    made = object.__new__(CompactTrace)
    vars(made).update(kept)
    return made


def _logits_to_store(trace: Trace) -> tuple[Tensor | None, ...] | None:
    """The logits without those that `product` gives to the bit; None where it gives none of them."""
    same = [
        logits is not None and (found := product(trace, block)) is not None and torch.equal(logits, found)
        for block, logits in enumerate(trace.attn_logits)
    ]
    if not any(same):
        return None
    return tuple(None if s else logits for s, logits in zip(same, trace.attn_logits, strict=True))
