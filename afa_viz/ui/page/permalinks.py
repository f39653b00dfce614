"""The page's address: what it says of picture, model, labels and settings, both ways. What comes in is untrusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from afa_viz.config import ExplainConfig
from afa_viz.ui.errors import UserError
from afa_viz.ui.page.settings import ABLATIONS, SLIDERS, Slider, config_from, left_out
from afa_viz.ui.sessions.session import Request, Session
from afa_viz.ui.words import english

UPLOAD = "photo"  # part of an address: of a photograph that its browser keeps, explorer/photo.js
NAMES = ("example", "data", UPLOAD, "model", "labels", "left_out", *(slider.field for slider in SLIDERS))


@dataclass(frozen=True)
class Restored:
    """What a link asks for, every part of it valid.

    Attributes:
        request: to be explained. place: of the example in the gallery; None for an image of the data set.
        settings: what is left out, then every slider of `SLIDERS`.
        complaint: one sentence about what did not fit and was replaced by the default; "" where all of it fitted.
    """

    request: Request
    place: int | None
    settings: list[Any] = field(default_factory=list)
    complaint: str = ""


def words(request: Request, session: Session) -> dict[str, str]:
    """What an address must say to lead back to a request; nothing that is as the page opens.

    The picture is `example` or `data`; an upload has neither, since no address can lead to it. Its browser, which keeps
    it and says so in the address, needs the rest.
    """
    kind, _, name = request.picture.partition(":")
    result: dict[str, str] = {}
    own_labels = None
    if kind in ("example", "data"):
        result[kind] = name
        own_labels = session.request(request.picture, request.model).labels
    if request.labels != own_labels:
        result["labels"] = ",".join(request.labels or ())
    if request.model != session.registry.names[0]:
        result["model"] = request.model
    own = session.registry.config(request.model)
    for slider in SLIDERS:
        value = slider.value(request.config)
        if value != slider.value(own):
            result[slider.field] = f"{value:g}"
    without = left_out(request.config)
    if without:
        result["left_out"] = ",".join(without)
    return result


def restore(asked: Mapping[str, str], session: Session) -> Restored | None:
    """The request of an address; None where it names nothing of ours."""
    if not any(name in asked for name in NAMES):
        return None
    wrong: list[str] = []
    picture, place = _picture(asked, session, wrong)
    model = asked.get("model", session.registry.names[0])
    if model not in session.registry.names:
        wrong.append("model")
        model = session.registry.names[0]
    own = session.registry.config(model)
    sliders = {slider.field: _number(asked, slider, own, wrong) for slider in SLIDERS}
    without = [name for name in asked.get("left_out", "").split(",") if name]
    if not set(without) <= set(ABLATIONS):
        wrong.append("left_out")
        without = []
    try:
        config = config_from(sliders, without, own)
    except UserError:
        wrong.append("settings")
        sliders, without = {slider.field: slider.value(own) for slider in SLIDERS}, []
        config = config_from(sliders, without, own)
    given = "labels" in asked and UPLOAD not in asked  # those of a photograph are not the example's in its place
    labels = [name for name in asked["labels"].split(",") if name] if given else None
    try:
        request = session.request(picture, model, labels, config)
    except UserError:
        wrong.append("labels")
        request = session.request(picture, model, None, config)
    complaint = english("refused.link", names=", ".join(wrong)) if wrong else ""
    return Restored(request, place, [without, *sliders.values()], complaint)


def _picture(asked: Mapping[str, str], session: Session, wrong: list[str]) -> tuple[str, int | None]:
    """The name of the picture in an address, and its place in the gallery if it has one; else the first example."""
    if "data" in asked:
        picture = f"data:{asked['data']}"
        try:
            session.picture(picture)
            return picture, None
        except UserError:
            wrong.append("data")
    places = {example.name: place for place, example in enumerate(session.examples)}
    name = asked.get("example", session.examples[0].name)
    if name not in places:
        wrong.append("example")
    place = places.get(name, 0)
    return f"example:{session.examples[place].name}", place


def _number(asked: Mapping[str, str], slider: Slider, own: ExplainConfig, wrong: list[str]) -> float:
    """The value of a slider in an address, or the model's own."""
    if slider.field not in asked:
        return slider.value(own)
    try:
        return slider.read(float(asked[slider.field]))
    except ValueError:  # no number, or a UserError, which is one
        pass
    wrong.append(slider.field)
    return slider.value(own)
