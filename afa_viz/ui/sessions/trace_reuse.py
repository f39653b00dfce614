"""Which cached trace a new explanation may begin from, and how much memory traces take."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import torch

from afa_viz.config import ExplainConfig
from afa_viz.pipeline import STAGE_SETTINGS
from afa_viz.trace import Trace
from afa_viz.ui.sessions.request import Request


def trace_bytes(traces: Sequence[Trace]) -> int:
    """Memory of some traces in bytes; shared stages count once, untouched memory of absent classes does not count."""
    storages = {}
    for trace in traces:
        used = (len(trace.present) + 1) / len(trace.class_names)
        for name, value in vars(trace).items():  # not getattr, which would compute the fields of a `CompactTrace`
            for tensor in value if isinstance(value, tuple) else (value,):
                if isinstance(tensor, torch.Tensor):
                    storage = tensor.untyped_storage()
                    share = used if name.startswith(("cam_par", "cam_refined")) else 1
                    storages[storage.data_ptr()] = round(share * storage.nbytes())
    return sum(storages.values())


def first_stage(old: ExplainConfig, new: ExplainConfig) -> int:
    """Index of the first stage that must run again after a change of settings; `len(STAGE_SETTINGS)` for no change."""
    fields = [f.name for f in dataclasses.fields(new) if getattr(old, f.name) != getattr(new, f.name)]
    stages = [number for number, reads in enumerate(STAGE_SETTINGS.values()) if set(reads) & set(fields)]
    return min(stages, default=len(STAGE_SETTINGS))


def nearest(request: Request, cached: Iterable[tuple[Request, Trace]]) -> tuple[Request, Trace] | None:
    """The cached trace of the same image and model after which the fewest stages must run again."""
    best, best_stage = None, 0
    labels_read_at = list(STAGE_SETTINGS).index("cam_rw")
    for other, trace in cached:
        if (other.image_id, other.model) != (request.image_id, request.model):
            continue
        stage = first_stage(other.config, request.config)
        if other.labels != request.labels:
            if request.labels is None:
                continue  # predicted labels cannot be derived from a trace with given ones
            if not set(request.labels) <= set(trace.class_names):
                continue  # of very many classes a trace keeps some
            stage = min(stage, labels_read_at)
        if stage > best_stage:
            best, best_stage = (other, trace), stage
    return best
