"""A cached trace that needs less memory: scores that PAR computes quickly are computed again when they are read."""

from __future__ import annotations

from typing import Any

import torch

from afa_viz.stages.one_image import cam_par_stage, lazy_zeros
from afa_viz.trace import Trace

RECOMPUTED = (
    "cam_par_high",
    "cam_refined",
    "cam_refined_high",
)  # outputs of `cam_par_stage`, except `cam_par`, which is read most


class CompactTrace(Trace):
    """A trace whose fields `RECOMPUTED` are computed whenever they are read: the same numbers, from the same stage."""

    def __getattr__(self, name: str) -> Any:
        """Compute a field of `RECOMPUTED`. Raises: AttributeError: for any other name."""
        if name not in RECOMPUTED or "config" not in vars(self):  # no config: `copy` is creating the instance
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        with torch.inference_mode(False), torch.no_grad():
            return cam_par_stage(vars(self), self.config, None)[name]


def compact(trace: Trace) -> Trace:
    """A compact copy of a trace that shares all other tensors with it; the input is not changed."""
    if not set(RECOMPUTED) & set(vars(trace)):
        return trace
    kept = {name: value for name, value in vars(trace).items() if name not in RECOMPUTED}
    kept["cam_par"] = lazy_zeros(*trace.cam_par.shape)  # a copy: the original shares its storage with `cam_par_high`
    used = [0, *trace.present]
    kept["cam_par"][used] = trace.cam_par[used]
    made = object.__new__(CompactTrace)
    vars(made).update(kept)
    return made
