"""Permalinks: image, model, labels and settings as query parameters of the app's URL, written and read.

Parameters that come from a URL are untrusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from afa_viz.config import ExplainConfig
from afa_viz.ui.errors import UserError
from afa_viz.ui.localization import error_message
from afa_viz.ui.page import head_settings
from afa_viz.ui.page.config_fields import ABLATIONS, SLIDERS, Slider, active_ablations, config_from
from afa_viz.ui.sessions.session import Request, Session

UPLOAD = "photo"  # the parameter of a photograph that only its own browser keeps, see host/server/photograph.js
PARAMETERS = (
    "example",
    "data",
    UPLOAD,
    "model",
    "labels",
    "left_out",
    *head_settings.FIELDS,
    *(slider.field for slider in SLIDERS),
)


@dataclass(frozen=True)
class RestoredLink:
    """The content of a link; every part of it is valid.

    Attributes:
        request: to be explained.
        gallery_index: of the example; None for an image of the data set.
        settings: the ablations, every slider of `SLIDERS`, then `heads_of` the request.
        complaint: one sentence about what did not fit and was replaced by the default; "" where all of it fitted.
    """

    request: Request
    gallery_index: int | None
    settings: list[Any] = field(default_factory=list)
    warning: str = ""


def query_parameters(request: Request, session: Session) -> dict[str, str]:
    """The query parameters that lead back to a request; defaults are left out.

    The image is `example` or `data`. An upload has neither, since no link can lead to it; its own browser, which keeps
    the file and adds `photo` to the URL, needs the other parameters.
    """
    kind, _, name = request.image_id.partition(":")
    result: dict[str, str] = {}
    own_labels = None
    if kind in ("example", "data"):
        result[kind] = name
        own_labels = session.request(request.image_id, request.model).labels
    if request.labels != own_labels:
        result["labels"] = ",".join(request.labels or ())
    if request.model != session.registry.names[0]:
        result["model"] = request.model
    defaults = session.registry.config(request.model)
    for slider in SLIDERS:
        value = slider.value(request.config)
        if value != slider.value(defaults):
            result[slider.field] = f"{value:g}"
    ablations = active_ablations(request.config)
    if ablations:
        result["left_out"] = ",".join(ablations)
    return result | head_settings.to_texts(request.config)


def heads_of(request: Request) -> dict[str, str]:
    """What a page keeps of the weights of heads: their texts, with the model that they belong to; {}: as learned."""
    texts = head_settings.to_texts(request.config)
    return {"model": request.model, **texts} if texts else {}


def restore(params: Mapping[str, str], session: Session) -> RestoredLink | None:
    """The request of a link; None if it has none of the `PARAMETERS`."""
    if not any(name in params for name in PARAMETERS):
        return None
    invalid: list[str] = []
    image_id, gallery_index = _image_id(params, session, invalid)
    model = params.get("model", session.registry.names[0])
    if model not in session.registry.names:
        invalid.append("model")
        model = session.registry.names[0]
    defaults = session.registry.config(model)
    sliders = {slider.field: _slider_value(params, slider, defaults, invalid) for slider in SLIDERS}
    ablations = [name for name in params.get("left_out", "").split(",") if name]
    if not set(ablations) <= set(ABLATIONS):
        invalid.append("left_out")
        ablations = []
    heads: dict[str, Any] = {}
    for name in head_settings.FIELDS:  # one by one: what fits is kept
        try:
            heads |= head_settings.from_texts({name: params.get(name)}, lambda: session.registry.affinity_heads(model))
        except UserError:
            invalid.append(name)
    try:
        config = config_from(sliders, ablations, defaults, heads)
    except UserError:
        invalid.append("settings")
        sliders, ablations = {slider.field: slider.value(defaults) for slider in SLIDERS}, []
        config = config_from(sliders, ablations, defaults, heads)
    given = "labels" in params and UPLOAD not in params  # labels of a photograph do not apply to the fallback example
    labels = [name for name in params["labels"].split(",") if name] if given else None
    try:
        request = session.request(image_id, model, labels, config)
    except UserError:
        invalid.append("labels")
        request = session.request(image_id, model, None, config)
    warning = error_message("refused.link", names=", ".join(invalid)) if invalid else ""
    return RestoredLink(request, gallery_index, [ablations, *sliders.values(), heads_of(request)], warning)


def _image_id(params: Mapping[str, str], session: Session, invalid: list[str]) -> tuple[str, int | None]:
    """The image id in a link, and its index in the gallery if it has one; the first example if it is invalid."""
    if "data" in params:
        image_id = f"data:{params['data']}"
        try:
            session.images.find(image_id)
            return image_id, None
        except UserError:
            invalid.append("data")
    indices = {example.name: gallery_index for gallery_index, example in enumerate(session.examples)}
    name = params.get("example", session.examples[0].name)
    if name not in indices:
        invalid.append("example")
    gallery_index = indices.get(name, 0)
    return f"example:{session.examples[gallery_index].name}", gallery_index


def _slider_value(params: Mapping[str, str], slider: Slider, defaults: ExplainConfig, invalid: list[str]) -> float:
    """The value of a slider in a link, or the model's default."""
    if slider.field not in params:
        return slider.value(defaults)
    try:
        return slider.parse(float(params[slider.field]))
    except ValueError:  # not a number, or a UserError, which is a ValueError
        pass
    invalid.append(slider.field)
    return slider.value(defaults)
