"""What happens when somebody does something: validate, one call, what to show."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

import gradio as gr

from afa_viz.ui import link
from afa_viz.ui.answers import Answers
from afa_viz.ui.controls import NONE_SELECTED
from afa_viz.ui.pictures import Refusal, read_upload
from afa_viz.ui.session import Session
from afa_viz.ui.settings import SLIDERS, config_from
from afa_viz.ui.training import Training

log = logging.getLogger(__name__)


def polite(count: int) -> Callable:
    """A callback with `count` outputs whose refusals are shown as one sentence and change nothing."""

    def wrap(call: Callable) -> Callable:
        @functools.wraps(call)
        def safe(*args):
            try:
                return call(*args)
            except Refusal as refusal:
                gr.Warning(str(refusal), title="Not possible")
            except Exception:
                log.exception("%s failed", call.__name__)
                gr.Warning("Something went wrong on the server; nothing was changed.", title="Not possible")
            return gr.skip() if count == 1 else tuple(gr.skip() for _ in range(count))

        return safe

    return wrap


class Callbacks:
    """Bound to the events in `app.py`. `settings` is what is left out, then every slider of `SLIDERS`."""

    def __init__(self, session: Session, answers: Answers, training: Training | None = None) -> None:
        self.session = session
        self.answers = answers
        self.training = training or Training(None)

    def _open(self, picture: str, model: str, settings: tuple) -> tuple:
        """A newly chosen picture with its own labels: value of the explorer, labels, name of the picture."""
        request = self.session.request(picture, model, None, self._config(settings))
        value = self.answers.stages(request)
        return value, self._present(request), picture

    def _present(self, request) -> list[str]:
        trace = self.session.trace(request)
        return [trace.class_names[label] for label in trace.present]

    @staticmethod
    def _config(settings: tuple):
        left_out, *values = settings
        return config_from(dict(zip([s.field for s in SLIDERS], values, strict=True)), left_out or [])

    def open_link(self, asked: dict[str, str]) -> tuple:
        """What an address names: value, picture, place in the gallery, model, its line, labels, settings."""
        found = link.restore(asked, self.session)
        if found is None:
            return tuple(gr.skip() for _ in range(7 + len(SLIDERS)))
        if found.complaint:
            gr.Warning(found.complaint, title="About this link")
        request, registry = found.request, self.session.registry
        value, choices = self.answers.stages(request), list(registry.class_names(request.model)[1:])
        place = NONE_SELECTED if found.place is None else found.place
        return (
            value, request.picture, gr.update(selected_index=place), request.model,
            registry.describe(request.model), gr.update(choices=choices, value=self._present(request)),
            *found.settings,
        )  # fmt: skip

    def open_example(self, index: int, model: str, *settings) -> tuple:
        """An example of the gallery by its place."""
        if not 0 <= index < len(self.session.examples):
            raise Refusal("There is no such example; choose one of the gallery.")
        return self._open(f"example:{self.session.examples[index].name}", model, settings)

    def open_data(self, asked: object, model: str, *settings) -> tuple:
        """An image of the data set, `{"data": id}`: as an example, and no place in the gallery."""
        name = asked.get("data") if isinstance(asked, dict) else None
        return *self._open(f"data:{name}", model, settings), gr.update(selected_index=NONE_SELECTED)

    def open_upload(self, path: str, model: str, *settings) -> tuple:
        """A photograph that somebody brings."""
        return self._open(self.session.keep(read_upload(path)), model, settings)

    def change_model(self, picture: str, model: str, *settings) -> tuple:
        """Another model: value, labels to choose from, the line about it."""
        value, present, _ = self._open(picture, model, settings)
        choices = list(self.session.registry.class_names(model)[1:])
        return value, gr.update(choices=choices, value=present), self.session.registry.describe(model)

    def open_checkpoint(self, asked: Any, picture: str, *settings) -> tuple:
        """The picture by a network that is being trained: value, labels, all models with this one chosen, its line.

        Args:
            asked: {"run": its name, "iteration": of one of its moments}.
        """
        if not isinstance(asked, dict):
            raise Refusal("The page named no training; reload it.")
        path, registry = self.training.trainer.weights(asked.get("run"), asked.get("iteration")), self.session.registry
        name = f"{asked['run']}@{asked['iteration']}"
        registry.add(name, str(path))
        value, labels, line = self.change_model(picture, name, *settings)
        return value, labels, gr.update(choices=registry.names, value=name, visible=True), line

    def change_labels(self, picture: str, model: str, labels: list[str], *settings) -> tuple:
        """Other image labels; none: predicted ones, which are then shown."""
        request = self.session.request(picture, model, labels, self._config(settings))
        return self.answers.stages(request), gr.skip() if labels else self._present(request)

    def change_settings(self, moved: str, picture: str, model: str, labels: list[str], *settings) -> tuple:
        """A setting: value, and both background scores, as one pushes the other.

        Args:
            moved: the setting's field.
        """
        values = dict(zip(["left_out", *(s.field for s in SLIDERS)], settings, strict=True))
        low, high = values["bkg_score_low"], values["bkg_score_high"]
        if low > high:
            other = "bkg_score_high" if moved == "bkg_score_low" else "bkg_score_low"
            values[other] = values.get(moved, high)
        request = self.session.request(picture, model, labels, self._config(tuple(values.values())))
        pushed = [
            values[name] if values[name] != old else gr.skip()
            for name, old in (("bkg_score_low", low), ("bkg_score_high", high))
        ]
        return self.answers.stages(request), *pushed
