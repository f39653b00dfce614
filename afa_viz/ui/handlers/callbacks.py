"""Event callbacks: validate the inputs, make one call, return what to display."""

from __future__ import annotations

import dataclasses
import functools
import html
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from afa_viz.config import ExplainConfig
from afa_viz.inputs import MANY_CLASSES
from afa_viz.ui.errors import BusyError, UserError
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.handlers.last_request_wins import LastRequestWins
from afa_viz.ui.handlers.train import TrainHandlers
from afa_viz.ui.localization import error_message
from afa_viz.ui.page import edit_settings, head_settings, permalinks
from afa_viz.ui.page.config_fields import SCALES, SLIDERS, SYMMETRY, active_ablations, config_from
from afa_viz.ui.page.controls import NONE_SELECTED
from afa_viz.ui.sessions.model_registry import FETCH_SECONDS
from afa_viz.ui.sessions.session import Request, Session

UNEXPECTED_ERROR = error_message("refused.failed")

log = logging.getLogger(__name__)


def errors_as_warnings(count: int) -> Callable:
    """Decorator for a callback with `count` outputs: an error is shown as one sentence and updates nothing."""

    def wrap(call: Callable) -> Callable:
        @functools.wraps(call)
        def safe(*args, **kwargs):
            try:
                return call(*args, **kwargs)
            except Exception as error:
                return _report_error(error, call, count)

        return safe

    return wrap


def stream_errors_as_warnings(count: int) -> Callable:
    """The same for a callback that yields its outputs several times, each time improved, or not at all."""

    def wrap(call: Callable) -> Callable:
        @functools.wraps(call)
        def safe(*args, **kwargs):
            yielded = False
            try:
                for outputs in call(*args, **kwargs):
                    yield outputs
                    yielded = True
            except Exception as error:
                yield _report_error(error, call, count)
                yielded = True
            if not yielded:  # gradio clears the outputs of a generator that yields nothing
                yield no_updates(count)

        return safe

    return wrap


def last_output(count: int) -> Callable:
    """Decorator that turns a generator callback into one that returns its last outputs, or no updates."""

    def wrap(call: Callable) -> Callable:
        @functools.wraps(call)
        def last(*args, **kwargs):
            outputs = list(call(*args, **kwargs))
            return outputs[-1] if outputs else no_updates(count)

        return last

    return wrap


def warn_user(sentence: str) -> None:
    """Show a sentence as a warning, escaped: gradio would interpret names in it as markup."""
    gr.Warning(html.escape(sentence, quote=False))


def _report_error(error: Exception, call: Callable, count: int) -> Any:
    """Show what went wrong; returns outputs that update nothing."""
    if isinstance(error, UserError):
        warn_user(str(error))
    else:
        log.error("%s failed", call.__name__, exc_info=error)
        warn_user(UNEXPECTED_ERROR)
    return no_updates(count)


def no_updates(count: int) -> Any:
    """`count` outputs that update nothing."""
    return gr.skip() if count == 1 else tuple(gr.skip() for _ in range(count))


class Callbacks:
    """Bound to the components in `events.py`. `settings` are the ablations, every slider of `SLIDERS`, and
    `permalinks.kept_changes`; without these all is as learned and as computed."""

    def __init__(self, session: Session, answers: ExplorerHandlers, training: TrainHandlers | None = None) -> None:
        self.session = session
        self.answers = answers
        self.training = training or TrainHandlers(None)
        self.last_request_wins = LastRequestWins()

    def _open(self, image_id: str, model: str, settings: tuple, labels: list[str] | None = None) -> tuple:
        """A newly chosen image with its own labels: value of the explorer, labels, image id."""
        request = self.session.request(image_id, model, labels, self._config(image_id, model, settings))
        value = self.answers.stages(request)
        return value, self.session.present_labels(request), image_id

    def _open_with_preview(
        self, image_id: str, model: str, settings: tuple, labels: list[str] | None = None
    ) -> Iterator[tuple]:
        """The same for an image that may be new: a preview first, without a change of the labels."""
        request = self.session.request(image_id, model, labels, self._config(image_id, model, settings))
        preview = self.answers.preview(request)
        if preview is not None:
            yield preview, gr.skip(), image_id
        yield self._open(image_id, model, settings, labels)

    def _open_outside_gallery(
        self, image_id: str, model: str, settings: tuple, labels: list[str] | None = None
    ) -> Iterator[tuple]:
        for outputs in self._open_with_preview(image_id, model, settings, labels):
            yield *outputs, gr.update(selected_index=NONE_SELECTED)

    def _config(self, image_id: str, model: str, settings: tuple) -> ExplainConfig:
        ablations, *values = settings
        own = permalinks.changes_for(values.pop() if len(values) > len(SLIDERS) else {}, image_id, model)
        by_field = dict(zip([s.field for s in SLIDERS], values, strict=True))
        registry = self.session.registry
        fields = head_settings.from_texts(own, lambda: registry.affinity_heads(model))
        plain = config_from(by_field, ablations, registry.config(model), fields)
        try:
            edits = edit_settings.from_texts(own, permalinks.image_facts(self.session, image_id, model, plain))
        except UserError as error:
            if isinstance(error, BusyError) or own.get("image") == image_id:
                raise
            warn_user(str(error))  # of a photograph that an address names: it is shown without them
            edits = {}
        return config_from(by_field, ablations, registry.config(model), {**fields, **edits}) if edits else plain

    def open_link(self, params: dict[str, str]) -> tuple:
        """A permalink: value, image id, index in the gallery, model, its description, labels, settings with heads."""
        restored = permalinks.restore(params, self.session)
        if restored is None:
            return tuple(gr.skip() for _ in range(8 + len(SLIDERS)))
        request, registry = restored.request, self.session.registry
        value, present = self.answers.linked(request, restored.unfit), self.session.present_labels(request)
        choices = self._label_choices(request.image_id, request.model, present)
        index = NONE_SELECTED if restored.gallery_index is None else restored.gallery_index
        return (
            value, request.image_id, gr.update(selected_index=index), request.model,
            registry.describe(request.model), gr.update(choices=choices, value=present),
            *restored.settings,
        )  # fmt: skip

    def open_example(self, index: int, model: str, *settings) -> tuple:
        """An example by its index in the gallery."""
        if type(index) is not int or not 0 <= index < len(self.session.examples):
            raise UserError(error_message("refused.no_example"))
        return self._open(f"example:{self.session.examples[index].name}", model, settings)

    def open_data(self, params: object, model: str, *settings) -> Iterator[tuple]:
        """An image of the data set, `{"data": id}`: as an example, with nothing selected in the gallery."""
        name = params.get("data") if isinstance(params, dict) else None
        yield from self._open_outside_gallery(f"data:{name}", model, settings)

    def open_upload(
        self, path: str, model: str, *settings, labels: list[str] | None = None, mask: str | None = None
    ) -> Iterator[tuple]:
        """An uploaded photograph: as `open_data`.

        Args:
            labels: that it had before; None: those of its mask, else predicted ones.
            mask: path of its uploaded mask of class indices, if it has one.
        """
        if not isinstance(path, (str, os.PathLike)) or not isinstance(mask, (str, os.PathLike, type(None))):
            raise UserError(error_message("refused.no_photograph"))
        names = () if mask is None else self.session.registry.class_names(model)
        image_id = self.session.images.store_upload(path, mask, names)
        yield from self._open_outside_gallery(image_id, model, settings, labels)

    def change_model(self, image_id: str, model: str, *settings) -> Iterator[tuple]:
        """Another model: value, choices of labels, the description of the model, its default radius."""
        yield from self._fetch(model)
        description = self.session.registry.describe(model)
        radius = self.session.registry.config(model).radius
        values = _by_name(settings) | {"radius": radius}
        for value, present, _ in self._open_with_preview(image_id, model, tuple(values.values())):
            choices = self._label_choices(image_id, model, present)
            labels = gr.update(choices=choices, value=present) if isinstance(present, list) else gr.skip()
            yield value, labels, description, radius

    def _label_choices(self, image_id: str, model: str, present: object) -> list:
        """Classes for the list of image labels; of very many the predicted ones come first."""
        registry = self.session.registry
        if not isinstance(present, list) or len(registry.class_names(model)) <= MANY_CLASSES:
            return registry.label_choices(model)
        return registry.label_choices(model, self.session.predictions(image_id, model))

    def _fetch(self, model: str) -> Iterator[tuple]:
        """Load a model that may have to be fetched; meanwhile its line says how far that is."""
        while (line := self.session.registry.fetch(model, FETCH_SECONDS)) is not None:
            yield gr.skip(), gr.skip(), html.escape(line), gr.skip()

    def open_checkpoint(self, params: Any, image_id: str, *settings) -> tuple:
        """The image explained by a snapshot of a training run: value, labels, models, description, radius.

        Args:
            params: {"run": name, "iteration": one of its snapshot iterations}.
        """
        if not isinstance(params, dict):
            raise UserError(error_message("refused.no_question"))
        path = self.training.trainer.weights(params.get("run"), params.get("iteration"))
        registry, name = self.session.registry, f"{params['run']}@{params['iteration']}"
        registry.add(name, str(path))
        *_, (value, labels, description, radius) = self.change_model(image_id, name, *settings)
        return value, labels, gr.update(choices=registry.choices, value=name, visible=True), description, radius

    def reset(self, model: str) -> list:
        """The default settings of a model: no ablation, every slider, nothing changed by hand."""
        defaults = self.session.registry.config(model)
        return [[], *(slider.value(defaults) for slider in SLIDERS), {}]

    def change_heads(
        self, sent: object, image_id: str, model: str, labels: list[str] | None, *settings, shown: str | None = None
    ) -> tuple:
        """Other weights of heads, bias or symmetry: value, the ablations, and the heads to keep.

        Args:
            sent: {"head_weights": text, "affinity_bias": number or None, "symmetric": bool}, see `head_settings`.
            shown: as of `change_settings`.
        """
        if not isinstance(sent, dict) or not isinstance(sent.get("symmetric"), bool):
            raise UserError(error_message("refused.no_question"))
        values = _by_name(settings)
        left_out = values["left_out"]
        if isinstance(left_out, list) or left_out is None:  # other values raise an error below
            others = [name for name in left_out or () if name != SYMMETRY]
            values["left_out"] = others if sent["symmetric"] else [*others, SYMMETRY]
        own = {name: sent.get(name) for name in head_settings.FIELDS}
        values["changes"] = {
            **permalinks.changes_for(values.get("changes"), image_id, model),
            **own,
            "model": model,
            "image": image_id,
        }
        request = self._request(image_id, model, labels, tuple(values.values()), shown)
        return self.answers.stages(request), values["left_out"], permalinks.kept_changes(request)

    def change_edits(
        self, sent: object, image_id: str, model: str, labels: list[str], *settings, shown: str | None = None
    ) -> tuple:
        """Something changed by hand in the image on display: value, the ablations, and the changes to keep.

        While a part of the image is hidden, image labels that were predicted stay those of the whole image, so that
        the CAM of a class can be followed.

        Args:
            sent: texts by some of `edit_settings.FIELDS`, "" for as computed; the others stay.
            shown: as of `change_settings`.
        """
        if not isinstance(sent, dict) or not sent or not set(sent) <= set(edit_settings.FIELDS):
            raise UserError(error_message("refused.no_question"))
        values = _by_name(settings)
        if "scales" in sent and isinstance(values["left_out"], list | None):  # other values raise an error below
            values["left_out"] = [name for name in values["left_out"] or () if name != SCALES]
        values["changes"] = {
            **permalinks.changes_for(values.get("changes"), image_id, model),
            **sent,
            "model": model,
            "image": image_id,
        }
        request = self._request(image_id, model, labels, tuple(values.values()), shown)
        request = self._with_labels_of_whole_image(request)
        value = self.answers.stages(request)
        left_out = values["left_out"] or []
        if SCALES in active_ablations(request.config) and SCALES not in left_out:
            left_out = [*left_out, SCALES]
        return value, left_out, permalinks.kept_changes(request)

    def _with_labels_of_whole_image(self, request: Request) -> Request:
        """Of an image without labels of its own: while a part is hidden the labels that are predicted for the whole
        image, and predicted ones again once nothing is hidden."""
        if self.session.request(request.image_id, request.model).labels is not None:
            return request
        shown = dataclasses.replace(request.config, occlude=None)
        whole = dataclasses.replace(request, labels=None, config=shown)
        if request.config.occlude is None:
            return whole if list(request.labels or ()) == self.session.present_labels(whole) else request
        if request.labels is not None:
            return request
        labels = self.session.present_labels(whole)
        return self.session.request(request.image_id, request.model, labels, request.config)

    def change_labels(self, image_id: str, model: str, labels: list[str], *settings) -> tuple:
        """Other image labels; with none of them, predicted labels, which are then displayed."""
        labels = [] if labels is None else labels
        request = self.session.request(image_id, model, labels, self._config(image_id, model, settings))
        return self.answers.stages(request), gr.skip() if labels else self.session.present_labels(request)

    def change_settings(
        self, moved: str, image_id: str, model: str, labels: list[str] | None, *settings, shown: str | None = None
    ) -> tuple:
        """A changed setting: value, and both background scores, since low must not exceed high.

        Args:
            moved: field of the setting.
            labels: None: those that came with the image.
            shown: key of the explanation on display; labels that were predicted there stay predicted.
        """
        values = _by_name(settings)
        low, high = values["bkg_score_low"], values["bkg_score_high"]
        scores = [slider for slider in SLIDERS if slider.field in ("bkg_score_low", "bkg_score_high")]
        valid = all(slider.accepts(values[slider.field]) for slider in scores)  # other values raise an error below
        if valid and low > high:
            other = "bkg_score_high" if moved == "bkg_score_low" else "bkg_score_low"
            values[other] = values.get(moved, high)
        request = self._request(image_id, model, labels, tuple(values.values()), shown)
        adjusted = [
            values[name] if values[name] != old else gr.skip()
            for name, old in (("bkg_score_low", low), ("bkg_score_high", high))
        ]
        return self.answers.stages(request), *adjusted

    def labels_sent(self, sent: object, image_id: str, shown: str | None) -> tuple[Any, bool]:
        """Image labels for a change of an image, and whether the page that sent them shows that image.

        A page on which another image is still shown, since the answer of the opening is on its way, sends the labels of
        that one. In their place come those of the explanation on display, or None: those that came with the image.

        Args:
            sent: what a page sends for labels: {"labels": names, "of": key of the explanation that it shows}, or names.
            shown: key of the explanation on display.
        """
        if not isinstance(sent, dict) or set(sent) != {"labels", "of"}:
            return sent, True
        of, request = self.session.request_of(sent["of"]), self.session.request_of(shown)
        if of is None or of.image_id == image_id:
            return sent["labels"], True
        return None if request is None or request.image_id != image_id else list(request.labels or ()), False

    def _request(
        self, image_id: str, model: str, labels: list[str] | None, settings: tuple, shown: str | None
    ) -> Request:
        """A request for the image on display; labels that were predicted there stay predicted."""
        before = self.session.request_of(shown)
        predicted = before is not None and before.labels is None and before.image_id == image_id
        if before is not None and predicted and labels == self.session.present_labels(before):
            labels = []
        return self.session.request(image_id, model, labels, self._config(image_id, model, settings))


def _by_name(settings: tuple) -> dict[str, Any]:
    """Settings by name: left_out, the fields of `SLIDERS`, and changes where they are given."""
    names = ["left_out", *(slider.field for slider in SLIDERS), "changes"]
    return dict(zip(names[: len(settings)], settings, strict=True))
