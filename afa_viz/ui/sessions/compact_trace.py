"""A trace that is held for later: without the scores that PAR makes again in the time of a picture's decoding."""

from __future__ import annotations

from typing import Any

import torch

from afa_viz.stages.one_image import cam_par_stage, zeros_untouched
from afa_viz.trace import Trace

RECOMPUTED = ("cam_par_high", "cam_refined", "cam_refined_high")  # of `cam_par_stage`; the page reads `cam_par` most


class CompactTrace(Trace):
    """A trace whose fields `RECOMPUTED` are computed whenever they are read: the same numbers, from the same stage."""

    def __getattr__(self, name: str) -> Any:
        """A field that is not held. Raises: AttributeError: for any other name."""
        if name not in RECOMPUTED or "config" not in vars(self):  # without: in the making, by `copy`
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        with torch.inference_mode(False), torch.no_grad():
            return cam_par_stage(vars(self), self.config, None)[name]


def compact(trace: Trace) -> Trace:
    """The trace with less memory. It shares everything else with the one that is given, which is not changed."""
    if not set(RECOMPUTED) & set(vars(trace)):
        return trace
    kept = {name: value for name, value in vars(trace).items() if name not in RECOMPUTED}
    kept["cam_par"] = zeros_untouched(*trace.cam_par.shape)  # apart from `cam_par_high`, which lies in the same memory
    used = [0, *trace.present]
    kept["cam_par"][used] = trace.cam_par[used]
    made = object.__new__(CompactTrace)
    vars(made).update(kept)
    return made
