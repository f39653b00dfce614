"""The other side of a comparison: what a browser asks for as "B", checked; the same picture by another model.

A is what the page shows. B is A with some changes: another model, parts of the method switched on or off, a dense CRF
in PAR's place, one slider at another value.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import Any

import torch

from afa_viz.inspection import with_crf
from afa_viz.ops import dense_crf
from afa_viz.pipeline import recompute
from afa_viz.trace import Trace
from afa_viz.ui.errors import UserError, quote_value
from afa_viz.ui.page.settings import ABLATIONS, SLIDERS, config_from, left_out
from afa_viz.ui.sessions.session import Request, Session
from afa_viz.ui.words import english


@dataclass(frozen=True)
class Changes:
    """What differs in B.

    Attributes:
        model: its name; None: as A.
        switched: names of `ABLATIONS`: what A leaves out B does not, and the other way round.
        crf: a dense CRF in PAR's place.
        setting, value: field of a slider of `SLIDERS` and its value; None: as A.
    """

    model: str | None = None
    switched: tuple[str, ...] = ()
    crf: bool = False
    setting: str | None = None
    value: float | None = None


def read_changes(asked: Any) -> Changes:
    """Changes out of what a browser sent.

    Raises: TypeError: for another form than that of `Changes`. UserError: in one sentence, for what can not be.
    """
    if not isinstance(asked, dict) or not set(asked) <= {field.name for field in dataclasses.fields(Changes)}:
        raise TypeError("changes")
    switched = asked.get("switched", [])
    model, setting, crf = asked.get("model"), asked.get("setting"), asked.get("crf", False)
    if not isinstance(switched, list) or not all(isinstance(name, str) for name in switched):
        raise TypeError("switched")
    if not all(value is None or isinstance(value, str) for value in (model, setting)) or not isinstance(crf, bool):
        raise TypeError("model, setting or crf")
    for name in switched:
        if name not in ABLATIONS:
            raise UserError(english("refused.no_switch", name=quote_value(name), names=", ".join(ABLATIONS)))
    fields = [slider.field for slider in SLIDERS]
    if setting is not None and setting not in fields:
        raise UserError(english("refused.no_setting", name=quote_value(setting), names=", ".join(fields)))
    if crf and "PAR" in switched:
        raise UserError(english("refused.crf_or_par"))
    if crf and not dense_crf.available():
        raise UserError(english("refused.crf_missing"))
    return Changes(model, tuple(sorted(set(switched))), crf, setting, asked.get("value"))


def other_request(session: Session, request: Request, trace: Trace, changes: Changes) -> Request:
    """The request for B (before a dense CRF). Raises: UserError: for a model, setting or value that can not be."""
    values = {slider.field: getattr(request.config, slider.field) for slider in SLIDERS}
    if changes.setting is not None:
        values[changes.setting] = changes.value
    without = set(left_out(request.config)) ^ set(changes.switched)
    kept = {name: getattr(request.config, name) for name in ("long_side", "keep_attention")}
    own = dataclasses.replace(session.registry.config(request.model), **kept)
    config = config_from(values, [name for name in ABLATIONS if name in without], own)
    return by_model(session, dataclasses.replace(request, config=config), trace, changes.model or request.model)


def by_model(session: Session, request: Request, trace: Trace, model: str) -> Request:
    """A request for another model: the same image labels, and pixels for pixels the same picture.

    Args:
        trace: of the request's picture by its own model.
    Raises: UserError: for an unknown model, or one that knows none of the labels.
    """
    if model == request.model:
        return request
    known = session.registry.class_names(model)[1:]
    present = [trace.class_names[label] for label in trace.present]
    labels = [name for name in present if name in known]
    if not labels:
        raise UserError(english("refused.model_knows_none", name=model, names=" or ".join(present) or "any class"))
    config = request.config
    if config.long_side is None and session.registry.input_size(model) != session.registry.input_size(request.model):
        config = dataclasses.replace(config, long_side=max(trace.image.shape[:2]))
    return session.request(request.picture, model, labels, config)


def renumbered(trace: Trace, like: Trace) -> Trace:
    """The trace with the class numbers, colours and truth of another one; classes that are new there come last."""
    if trace.class_names == like.class_names:
        return trace
    names = (*like.class_names, *(name for name in trace.class_names if name not in like.class_names))
    colours = dict(zip(trace.class_names, trace.palette, strict=True)) | dict(
        zip(like.class_names, like.palette, strict=True)
    )
    to = torch.tensor([names.index(name) for name in trace.class_names])
    numbers = torch.arange(256, dtype=torch.uint8)
    numbers[: len(to)] = to.to(torch.uint8)

    def spread(name: str, rows: torch.Tensor, count: int) -> torch.Tensor:
        values = getattr(trace, name)
        return values.new_zeros(count, *values.shape[1:]).index_copy_(0, rows, values)

    of_classes = ("image_labels", "cam", "class_logits")
    scores = ("cam_rw", "cam_par", "cam_refined")
    with_background = (*scores, *(f"{name}_high" for name in scores), "seg_logits")
    arrays: dict[str, Any] = {name: spread(name, to[1:] - 1, len(names) - 1) for name in of_classes}
    arrays |= {name: spread(name, to, len(names)) for name in with_background}
    return dataclasses.replace(
        trace,
        class_names=names,
        palette=tuple(colours[name] for name in names),
        target=like.target,
        pseudo_label=numbers[trace.pseudo_label.long()],
        affinity_label=numbers[trace.affinity_label.long()],
        seg=numbers[trace.seg.long()],
        **arrays,
    )


def timed_crf(trace: Trace) -> tuple[Trace, dict[str, float]]:
    """The trace with a dense CRF in PAR's place, and the seconds of both on the same walked scores.

    PAR runs once more for this, whether or not the trace holds its result: only so are both times of one moment.
    """
    with_par = dataclasses.replace(trace.config, use_par=True)
    plain = recompute(trace, dataclasses.replace(trace.config, use_par=False))
    began = time.perf_counter()
    recompute(plain, with_par)
    between = time.perf_counter()
    refined = with_crf(trace)
    return refined, {"par_seconds": between - began, "crf_seconds": time.perf_counter() - between}
