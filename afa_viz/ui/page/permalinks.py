"""Permalinks: image, model, labels and settings as query parameters of the app's URL, written and read.

Parameters that come from a URL are untrusted.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from afa_viz.config import ExplainConfig
from afa_viz.scalars import number_text
from afa_viz.ui.errors import BusyError, UserError
from afa_viz.ui.page import edit_settings, head_settings
from afa_viz.ui.page.config_fields import ABLATIONS, SCALES, SLIDERS, Slider, active_ablations, config_from
from afa_viz.ui.sessions.session import Request, Session

PHOTO = r"[0-9a-f]{8}"  # the beginning of an upload's name, see handlers.explorer.upload_prefix
UPLOAD = "photo"  # the parameter of a photograph that only its own browser keeps, see host/server/photograph.js
PARAMETERS = (
    "example",
    "data",
    UPLOAD,
    "model",
    "labels",
    "left_out",
    *head_settings.FIELDS,
    *edit_settings.FIELDS,
    *(slider.field for slider in SLIDERS),
)


@dataclass(frozen=True)
class RestoredLink:
    """The content of a link; every part of it is valid.

    Attributes:
        request: to be explained.
        gallery_index: of the example; None for an image of the data set.
        settings: the ablations, every slider of `SLIDERS`, then `kept_changes` of the request.
        unfit: names of the parameters that did not fit and were replaced by their defaults.
    """

    request: Request
    gallery_index: int | None
    settings: list[Any] = field(default_factory=list)
    unfit: list[str] = field(default_factory=list)


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
            result[slider.field] = number_text(value)
    ablations = active_ablations(request.config)
    if ablations:
        result["left_out"] = ",".join(ablations)
    return result | head_settings.to_texts(request.config) | _edit_texts(request.config)


def _edit_texts(config: ExplainConfig) -> dict[str, str]:
    """`edit_settings.to_texts`, but for what `left_out` says already."""
    texts = edit_settings.to_texts(config)
    if SCALES in active_ablations(config):
        texts.pop("scales", None)
    return texts


def kept_changes(request: Request) -> dict[str, str]:
    """What a page keeps beside sliders and ablations: texts of `head_settings` and `edit_settings` with the model, and
    the image if there are edits of one, that they belong to; {}: all as learned and as computed."""
    edits = _edit_texts(request.config)
    texts = head_settings.to_texts(request.config) | edits
    image = {"image": request.image_id} if set(edits) & set(edit_settings.IMAGE_FIELDS) else {}
    return {"model": request.model, **image, **texts} if texts else {}


def changes_for(changes: object, image_id: object, model: object) -> dict[str, Any]:
    """Of `kept_changes` as a browser keeps them what belongs to a model, and to an image."""
    if not isinstance(changes, dict) or changes.get("model") != model:
        return {}  # another model has other heads
    image = changes.get("image")
    if isinstance(image, str) and isinstance(image_id, str):
        begins = re.fullmatch(f"upload:{PHOTO}", image, re.ASCII) and image_id.startswith(image)
        if image_id == image or begins:
            return changes
    return {name: value for name, value in changes.items() if name not in edit_settings.IMAGE_FIELDS}


def unedited(request: Request) -> Request:
    """The same request with nothing changed by hand; heads stay."""
    defaults = edit_settings.DEFAULTS
    fields = {name: getattr(defaults, name) for name in edit_settings.FIELDS}
    return dataclasses.replace(request, config=dataclasses.replace(request.config, **fields))


def image_facts(session: Session, image_id: str, model: str, config: ExplainConfig) -> edit_settings.ImageFacts:
    """What edits of an image must fit; config: of its explanation without edits."""

    def request() -> Request:
        return session.request(image_id, model, None, config)  # raises for an unknown image

    def cells() -> int:
        trace = session.trace(request())
        return 0 if trace.affinity is None else len(trace.affinity)

    return edit_settings.ImageFacts(
        lambda: session.registry.class_names(model),
        lambda: session.explained_size(request().image_id, model, config),
        cells,
    )


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
    facts = image_facts(session, image_id, model, defaults)
    own: dict[str, Any] = {}
    for name in (*head_settings.FIELDS, *edit_settings.FIELDS):  # one by one: what fits is kept
        text = {name: params.get(name)}
        if name in edit_settings.IMAGE_FIELDS and UPLOAD in params:  # of the photograph, not of the fallback example
            continue
        try:
            own |= head_settings.from_texts(text, lambda: session.registry.affinity_heads(model))
            own |= edit_settings.from_texts(text, facts)
        except BusyError:
            raise
        except UserError:
            invalid.append(name)
    try:
        config = config_from(sliders, ablations, defaults, own)
    except UserError:
        invalid.append("settings")
        sliders, ablations = {slider.field: slider.value(defaults) for slider in SLIDERS}, []
        config = config_from(sliders, ablations, defaults, own)
    given = "labels" in params and UPLOAD not in params  # labels of a photograph do not apply to the fallback example
    labels = [name for name in params["labels"].split(",") if name] if given else None
    try:
        request = session.request(image_id, model, labels, config)
    except UserError:
        invalid.append("labels")
        request = session.request(image_id, model, None, config)
    changes = kept_changes(request)
    if re.fullmatch(PHOTO, params.get(UPLOAD, ""), re.ASCII):  # its own edits, checked once it is here
        edits = {name: params[name] for name in edit_settings.IMAGE_FIELDS if params.get(name)}
        changes |= {"model": model, "image": f"upload:{params[UPLOAD]}", **edits} if edits else {}
    return RestoredLink(request, gallery_index, [ablations, *sliders.values(), changes], invalid)


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
