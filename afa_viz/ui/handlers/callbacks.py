"""What happens when somebody does something: validate, one call, what to show."""

from __future__ import annotations

import functools
import html
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from afa_viz.config import ExplainConfig
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.answers import Answers
from afa_viz.ui.handlers.train import Training
from afa_viz.ui.handlers.turns import Turns
from afa_viz.ui.page import permalinks as link
from afa_viz.ui.page.controls import NONE_SELECTED
from afa_viz.ui.page.settings import SLIDERS, config_from
from afa_viz.ui.sessions.session import Session
from afa_viz.ui.words import english

FAILED = english("refused.failed")

log = logging.getLogger(__name__)


def polite(count: int) -> Callable:
    """A callback with `count` outputs whose refusals are shown as one sentence and change nothing."""

    def wrap(call: Callable) -> Callable:
        @functools.wraps(call)
        def safe(*args, **named):
            try:
                return call(*args, **named)
            except Exception as error:
                return _excuse(error, call, count)

        return safe

    return wrap


def polite_steps(count: int) -> Callable:
    """The same for a callback that gives its outputs more than once, each time better ones, or not at all."""

    def wrap(call: Callable) -> Callable:
        @functools.wraps(call)
        def safe(*args, **named):
            given = False
            try:
                for outputs in call(*args, **named):
                    yield outputs
                    given = True
            except Exception as error:
                yield _excuse(error, call, count)
                given = True
            if not given:  # gradio clears what a generator without a step should fill
                yield nothing(count)

        return safe

    return wrap


def only(count: int) -> Callable:
    """A callback that gives its outputs in steps, as one that gives the last; where there are none, nothing changes."""

    def wrap(call: Callable) -> Callable:
        @functools.wraps(call)
        def last(*args, **named):
            found = list(call(*args, **named))
            return found[-1] if found else nothing(count)

        return last

    return wrap


def warn_user(sentence: str) -> None:
    """Show a sentence beside the page, letter by letter: gradio would take names in it for markup."""
    gr.Warning(html.escape(sentence, quote=False))


def _excuse(error: Exception, call: Callable, count: int) -> Any:
    """Say what went wrong; outputs that change nothing."""
    if isinstance(error, UserError):
        warn_user(str(error))
    else:
        log.error("%s failed", call.__name__, exc_info=error)
        warn_user(FAILED)
    return nothing(count)


def nothing(count: int) -> Any:
    """So many outputs that change nothing."""
    return gr.skip() if count == 1 else tuple(gr.skip() for _ in range(count))


class Callbacks:
    """Bound to the events in `app.py`. `settings` is what is left out, then every slider of `SLIDERS`."""

    def __init__(self, session: Session, answers: Answers, training: Training | None = None) -> None:
        self.session = session
        self.answers = answers
        self.training = training or Training(None)
        self.turns = Turns()

    def _open(self, picture: str, model: str, settings: tuple, labels: list[str] | None = None) -> tuple:
        """A newly chosen picture with its own labels: value of the explorer, labels, name of the picture."""
        request = self.session.request(picture, model, labels, self._config(model, settings))
        value = self.answers.stages(request)
        return value, self._present(request), picture

    def _open_in_steps(
        self, picture: str, model: str, settings: tuple, labels: list[str] | None = None
    ) -> Iterator[tuple]:
        """The same, for a picture that may be new: before it a first look, with the labels left as they are."""
        request = self.session.request(picture, model, labels, self._config(model, settings))
        first = self.answers.first_look(request)
        if first is not None:
            yield first, gr.skip(), picture
        yield self._open(picture, model, settings, labels)

    def _open_beside_gallery(
        self, picture: str, model: str, settings: tuple, labels: list[str] | None = None
    ) -> Iterator[tuple]:
        for outputs in self._open_in_steps(picture, model, settings, labels):
            yield *outputs, gr.update(selected_index=NONE_SELECTED)

    def _present(self, request) -> list[str]:
        trace = self.session.trace(request)
        return [trace.class_names[label] for label in trace.present]

    def _config(self, model: str, settings: tuple) -> ExplainConfig:
        left_out, *values = settings
        named = dict(zip([s.field for s in SLIDERS], values, strict=True))
        return config_from(named, left_out, self.session.registry.config(model))

    def open_link(self, asked: dict[str, str]) -> tuple:
        """What an address names: value, picture, place in the gallery, model, its line, labels, settings."""
        found = link.restore(asked, self.session)
        if found is None:
            return tuple(gr.skip() for _ in range(7 + len(SLIDERS)))
        if found.complaint:
            warn_user(found.complaint)
        request, registry = found.request, self.session.registry
        value, choices = self.answers.linked(request), list(registry.class_names(request.model)[1:])
        place = NONE_SELECTED if found.place is None else found.place
        return (
            value, request.picture, gr.update(selected_index=place), request.model,
            registry.describe(request.model), gr.update(choices=choices, value=self._present(request)),
            *found.settings,
        )  # fmt: skip

    def open_example(self, index: int, model: str, *settings) -> tuple:
        """An example of the gallery by its place."""
        if type(index) is not int or not 0 <= index < len(self.session.examples):
            raise UserError(english("refused.no_example"))
        return self._open(f"example:{self.session.examples[index].name}", model, settings)

    def open_data(self, asked: object, model: str, *settings) -> Iterator[tuple]:
        """An image of the data set, `{"data": id}`: as an example, and no place in the gallery."""
        name = asked.get("data") if isinstance(asked, dict) else None
        yield from self._open_beside_gallery(f"data:{name}", model, settings)

    def open_upload(self, path: str, model: str, *settings, labels: list[str] | None = None) -> Iterator[tuple]:
        """A photograph that somebody brings: as `open_data`. labels: that it had before; None: predicted ones."""
        if not isinstance(path, (str, os.PathLike)):
            raise UserError(english("refused.no_photograph"))
        yield from self._open_beside_gallery(self.session.keep_upload(path), model, settings, labels)

    def change_model(self, picture: str, model: str, *settings) -> Iterator[tuple]:
        """Another model: value, labels to choose from, the line about it, the radius that it is meant for."""
        choices = list(self.session.registry.class_names(model)[1:])
        line = self.session.registry.describe(model)
        radius = self.session.registry.config(model).radius
        fields = ["left_out", *(s.field for s in SLIDERS)]
        values = dict(zip(fields, settings, strict=True)) | {"radius": radius}
        for value, present, _ in self._open_in_steps(picture, model, tuple(values.values())):
            labels = gr.update(choices=choices, value=present) if isinstance(present, list) else gr.skip()
            yield value, labels, line, radius

    def open_checkpoint(self, asked: Any, picture: str, *settings) -> tuple:
        """The picture by a network that is being trained: value, labels, all models with this one chosen, line, radius.

        Args:
            asked: {"run": its name, "iteration": of one of its moments}.
        """
        if not isinstance(asked, dict):
            raise UserError(english("refused.no_question"))
        path, registry = self.training.trainer.weights(asked.get("run"), asked.get("iteration")), self.session.registry
        name = f"{asked['run']}@{asked['iteration']}"
        registry.add(name, str(path))
        *_, (value, labels, line, radius) = self.change_model(picture, name, *settings)
        return value, labels, gr.update(choices=registry.names, value=name, visible=True), line, radius

    def reset(self, model: str) -> list:
        """The settings that a model is meant for: nothing left out, then every slider."""
        own = self.session.registry.config(model)
        return [[], *(slider.value(own) for slider in SLIDERS)]

    def change_labels(self, picture: str, model: str, labels: list[str], *settings) -> tuple:
        """Other image labels; none: predicted ones, which are then shown."""
        labels = [] if labels is None else labels
        request = self.session.request(picture, model, labels, self._config(model, settings))
        return self.answers.stages(request), gr.skip() if labels else self._present(request)

    def change_settings(
        self, moved: str, picture: str, model: str, labels: list[str], *settings, shown: str | None = None
    ) -> tuple:
        """A setting: value, and both background scores, as one pushes the other.

        Args:
            moved: the setting's field.
            shown: key of what the page shows; labels that were predicted there stay predicted.
        """
        values = dict(zip(["left_out", *(s.field for s in SLIDERS)], settings, strict=True))
        low, high = values["bkg_score_low"], values["bkg_score_high"]
        scores = [slider for slider in SLIDERS if slider.field in ("bkg_score_low", "bkg_score_high")]
        fit = all(slider.fits(values[slider.field]) for slider in scores)  # anything else is refused below
        if fit and low > high:
            other = "bkg_score_high" if moved == "bkg_score_low" else "bkg_score_low"
            values[other] = values.get(moved, high)
        before = self.session.request_of(shown)
        if before and before.labels is None and before.picture == picture and labels == self._present(before):
            labels = []
        request = self.session.request(picture, model, labels, self._config(model, tuple(values.values())))
        pushed = [
            values[name] if values[name] != old else gr.skip()
            for name, old in (("bkg_score_low", low), ("bkg_score_high", high))
        ]
        return self.answers.stages(request), *pushed
