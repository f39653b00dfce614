"""The Compare tab: side B of a comparison, described by its changes against side A, the displayed explanation.

B may differ in the model, in parts of the method that are switched on or off, in a dense CRF in PAR's place, and in
one slider value. The changes come from a browser and are validated here.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from afa_viz.ui.errors import BusyError, UserError, quote_value
from afa_viz.ui.handlers.answer_texts import prepared_first
from afa_viz.ui.localization import error_message
from afa_viz.ui.page import edit_settings, head_settings
from afa_viz.ui.page.config_fields import ABLATIONS, SCALES, SLIDERS, active_ablations, config_from
from afa_viz.ui.sessions.cache import SingleFlightCache
from afa_viz.ui.sessions.model_registry import FETCH_SECONDS
from afa_viz.ui.sessions.session import Request, Session

if TYPE_CHECKING:  # what compares loads torch, which prepared answers do without
    import torch

    from afa_viz.trace import Trace

Find: TypeAlias = "Callable[[dict], tuple[Request, Trace]]"


@dataclass(frozen=True)
class Changes:
    """What differs in B; the field names are those of the payload.

    Attributes:
        model: its name; None: the model of A.
        switched: names of `ABLATIONS` that are toggled against A.
        crf: a dense CRF in PAR's place.
        setting, value: field of a slider of `SLIDERS` and its value; None: as in A.
    """

    model: str | None = None
    switched: tuple[str, ...] = ()
    crf: bool = False
    setting: str | None = None
    value: float | None = None


class CompareHandlers:
    """Server functions of the Compare tab; each text is computed once and shared by all visitors.

    Args:
        session: computes the traces.
        texts: cache of JSON texts.
        find: returns the displayed request and its trace for the parameters of a call; KeyError for an unknown one.
    """

    def __init__(self, session: Session, texts: SingleFlightCache[tuple, str], find: Find) -> None:
        self._session, self._texts, self._find = session, texts, find

    def server_functions(self) -> tuple[Callable[[dict], str], ...]:
        """The functions that a browser may call by name."""
        return (self.compare,)

    @prepared_first
    def compare(self, params: dict) -> str:
        """Every stage of B; `params["b"]` holds the `Changes`. {"refused": sentence} where B is impossible; with
        `"waiting": true` while its model is fetched from the hub: ask again."""
        request, trace = self._find(params)
        try:
            changes = parse_changes(params["b"])
            if changes.model and (line := self._session.registry.fetch(changes.model, FETCH_SECONDS)):
                return json.dumps({"refused": line, "waiting": True})
            other = comparison_request(self._session, request, trace, changes)
            name = ("compare", other.key, changes.crf, trace.class_names)
            cached = self._texts.peek(name)
            if cached is not None:
                return cached
            with self._session.expensive.slot():
                return self._texts.get(name, lambda: self._compute(other, changes.crf, trace))
        except UserError as error:
            return error_payload(error)

    def _compute(self, request: Request, crf: bool, reference: Trace) -> str:
        from afa_viz.ui.handlers import payload

        trace = self._session.trace(request)
        times: dict[str, float] = {}
        if crf:
            trace, times = replace_par_by_crf(trace)
        stages = payload.comparison(remap_classes(trace, reference))
        return payload.to_json({**stages, **times, "resized": request.config.long_side is not None})


def error_payload(error: UserError) -> str:
    """JSON with the sentence of an error. Raises: BusyError: as it is, since its answer must not be kept."""
    if isinstance(error, BusyError):
        raise error
    return json.dumps({"refused": str(error)})


def parse_changes(sent: Any) -> Changes:
    """Validate the changes that a browser sent.

    Raises: TypeError: if they do not have the form of `Changes`. UserError: if they cannot be applied.
    """
    if not isinstance(sent, dict) or not set(sent) <= {field.name for field in dataclasses.fields(Changes)}:
        raise TypeError("changes")
    switched = sent.get("switched", [])
    model, setting, crf = sent.get("model"), sent.get("setting"), sent.get("crf", False)
    if not isinstance(switched, list) or not all(isinstance(name, str) for name in switched):
        raise TypeError("switched")
    if not all(value is None or isinstance(value, str) for value in (model, setting)) or not isinstance(crf, bool):
        raise TypeError("model, setting or crf")
    for name in switched:
        if name not in ABLATIONS:
            raise UserError(error_message("refused.no_switch", name=quote_value(name), names=", ".join(ABLATIONS)))
    fields = [slider.field for slider in SLIDERS]
    if setting is not None and setting not in fields:
        raise UserError(error_message("refused.no_setting", name=quote_value(setting), names=", ".join(fields)))
    if crf and "PAR" in switched:
        raise UserError(error_message("refused.crf_or_par"))
    return Changes(model, tuple(sorted(set(switched))), crf, setting, sent.get("value"))


def comparison_request(session: Session, request: Request, trace: Trace, changes: Changes) -> Request:
    """The request for B, before a dense CRF. Raises: UserError: for an unknown model, or an invalid setting."""
    values = {slider.field: getattr(request.config, slider.field) for slider in SLIDERS}
    if changes.setting is not None:
        values[changes.setting] = changes.value
    ablations = set(active_ablations(request.config)) ^ set(changes.switched)
    kept = {name: getattr(request.config, name) for name in ("long_side", "keep_attention")}
    defaults = dataclasses.replace(session.registry.config(request.model), **kept)
    own = {name: getattr(request.config, name) for name in (*head_settings.FIELDS, *edit_settings.FIELDS)}
    if SCALES in active_ablations(request.config):  # where they are not left out, B has all
        own.pop("scales")
    if changes.model not in (None, request.model):  # another model has other heads and another grid
        own = {}
    config = config_from(values, [name for name in ABLATIONS if name in ablations], defaults, own)
    request = dataclasses.replace(request, config=config)
    return request_for_model(session, request, trace, changes.model or request.model)


def request_for_model(session: Session, request: Request, trace: Trace, model: str) -> Request:
    """The request for another model, with the same image labels and the same image at the same size.

    Args:
        trace: of the request, by its own model.
    Raises: UserError: for an unknown model, or one that knows none of the labels.
    """
    if model == request.model:
        return request
    known = session.registry.class_names(model)[1:]
    present = [trace.class_names[label] for label in trace.present]
    labels = [name for name in present if name in known]
    if not labels:
        expected = " or ".join(present) or "any class"
        raise UserError(error_message("refused.model_knows_none", name=model, names=expected))
    config = request.config
    if config.long_side is None and session.registry.input_size(model) != session.registry.input_size(request.model):
        config = dataclasses.replace(config, long_side=max(trace.image.shape[:2]))
    return session.request(request.image_id, model, labels, config)


def remap_classes(trace: Trace, reference: Trace) -> Trace:
    """The trace with the class indices, colours and ground truth of `reference`; classes that it lacks come last."""
    if trace.class_names == reference.class_names:
        return trace
    import torch

    names = (*reference.class_names, *(name for name in trace.class_names if name not in reference.class_names))
    colours = dict(zip(trace.class_names, trace.palette, strict=True)) | dict(
        zip(reference.class_names, reference.palette, strict=True)
    )
    index = torch.tensor([names.index(name) for name in trace.class_names])
    lookup = torch.arange(256, dtype=torch.uint8)
    lookup[: len(index)] = index.to(torch.uint8)

    def scatter_rows(name: str, rows: torch.Tensor, count: int) -> torch.Tensor:
        values = getattr(trace, name)
        return values.new_zeros(count, *values.shape[1:]).index_copy_(0, rows, values)

    without_background = ["image_labels", "cam", "class_logits"]
    if trace.class_probs is not None:
        without_background.append("class_probs")
    scores = ("cam_rw", "cam_par", "cam_refined")
    with_background = [*scores, *(f"{name}_high" for name in scores)]
    if trace.seg_logits is not None:
        with_background.append("seg_logits")
    arrays: dict[str, Any] = {name: scatter_rows(name, index[1:] - 1, len(names) - 1) for name in without_background}
    arrays |= {name: scatter_rows(name, index, len(names)) for name in with_background}
    return dataclasses.replace(
        trace,
        class_names=names,
        palette=tuple(colours[name] for name in names),
        target=reference.target,
        pseudo_label=lookup[trace.pseudo_label.long()],
        affinity_label=lookup[trace.affinity_label.long()],
        seg=None if trace.seg is None else lookup[trace.seg.long()],
        **arrays,
    )


def replace_par_by_crf(trace: Trace) -> tuple[Trace, dict[str, float]]:
    """The trace with a dense CRF in PAR's place, and the seconds that each takes on the same walked scores.

    PAR is run again even if the trace holds its result, so that both times are measured under the same load.
    """
    from afa_viz.inspection import with_crf
    from afa_viz.pipeline import recompute

    with_par = dataclasses.replace(trace.config, use_par=True)
    without_par = recompute(trace, dataclasses.replace(trace.config, use_par=False))
    began = time.perf_counter()
    recompute(without_par, with_par)
    between = time.perf_counter()
    refined = with_crf(trace)
    return refined, {"par_seconds": between - began, "crf_seconds": time.perf_counter() - between}
