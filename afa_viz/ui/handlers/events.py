"""The events of the page: what is called when somebody does something, and what its outputs fill."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from afa_viz.ui.handlers.callbacks import Callbacks, nothing, only, polite, polite_steps
from afa_viz.ui.page.controls import Controls, Picker
from afa_viz.ui.sessions.concurrency import PAGE_EVENTS, PHOTOGRAPH_EVENTS

# of host/server/photograph.js: the inputs of an opening; the first is null where another one came before it was sent
OPENED = "(...inputs) => window.afaOpened?.(inputs) ?? inputs"
UPLOADED = "(...inputs) => window.afaUploaded?.(inputs) ?? inputs"


def bind(callbacks: Callbacks, picture: gr.State, picker: Picker, controls: Controls, explorer: gr.HTML) -> None:
    """Bind them all, but for the address. What they compute is limited by the session; uploads wait for each other."""
    options: dict = {  # values come as they were sent: the callbacks check them
        "concurrency_id": "page", "concurrency_limit": PAGE_EVENTS, "api_visibility": "private", "preprocess": False
    }  # fmt: skip
    photographs = {**options, "concurrency_id": "photographs", "concurrency_limit": PHOTOGRAPH_EVENTS}
    turns = callbacks.turns
    settings = [controls.left_out, *controls.sliders.values()]
    opened = [explorer, controls.labels, picture]
    now = {**options, "trigger_mode": "always_last", "show_progress": "hidden"}

    def open_example(request: gr.Request, event: gr.EventData, *args):
        def call(index, *args):  # with its place in the gallery, which a photograph may have emptied since the press
            yield *callbacks.open_example(index, *args), gr.update(selected_index=index)

        if args[0] is None:
            return nothing(4)
        return polite(4)(only(4)(turns.opening))(request.session_hash, call, _part(event._data, "index"), *args)

    # A press that comes while another is answered is answered too, and with its own event: gradio keeps the first one's
    # for what it defers.
    picker.gallery.select(
        open_example, [controls.model, *settings], [*opened, picker.gallery], show_progress="minimal",
        show_progress_on=explorer, trigger_mode="multiple", js=OPENED, **options,
    )  # fmt: skip

    def open_data(request: gr.Request, event: gr.EventData, *args):
        if args[0] is None:
            yield nothing(4)
            return
        yield from polite_steps(4)(turns.opening)(request.session_hash, callbacks.open_data, event._data, *args)

    explorer.select(
        open_data, [controls.model, *settings], [*opened, picker.gallery], show_progress="minimal",
        show_progress_on=explorer, trigger_mode="multiple", js=OPENED, **options,
    )  # fmt: skip

    def open_upload(request: gr.Request, file, labels, *args):
        if file is None:
            yield nothing(4)
            return
        call = partial(callbacks.open_upload, labels=labels)
        yield from polite_steps(4)(turns.opening)(request.session_hash, call, _part(file, "path"), *args)

    picker.upload.upload(
        open_upload, [picker.upload, controls.labels, controls.model, *settings], [*opened, picker.gallery],
        show_progress="minimal", show_progress_on=explorer, trigger_mode="multiple", js=UPLOADED, **photographs,
    )  # fmt: skip

    def change_model(request: gr.Request, picture, model, *settings):
        def call(picture):
            shown = callbacks.session.request_of(turns.of(str(request.session_hash)).key)
            if shown is None or (shown.model, shown.picture) != (model, picture):  # gradio also tells of a list closed
                yield from callbacks.change_model(picture, model, *settings)

        steps = polite_steps(4)(turns.change)
        yield from steps(request.session_hash, call, picture, model=model, settings=settings)

    controls.model.input(
        change_model, [picture, controls.model, *settings],
        [explorer, controls.labels, controls.model_line, controls.sliders["radius"]], show_progress="minimal",
        show_progress_on=explorer, trigger_mode="always_last", **options,
    )  # fmt: skip

    def open_checkpoint(request: gr.Request, event: gr.EventData, picture, *args):
        def call(picture):
            yield callbacks.open_checkpoint(event._data, picture, *args)

        return polite(5)(only(5)(turns.change))(request.session_hash, call, picture)

    explorer.apply(
        open_checkpoint, [picture, *settings],
        [explorer, controls.labels, controls.model, controls.model_line, controls.sliders["radius"]],
        show_progress="minimal", show_progress_on=explorer, **options,
    )  # fmt: skip

    def change_labels(request: gr.Request, picture, *args):
        def call(picture):
            yield callbacks.change_labels(picture, *args)

        return polite(2)(only(2)(turns.change))(request.session_hash, call, picture)

    for told in (controls.labels.input, explorer.clear):  # gradio tells of no label that goes by the cross or Backspace
        told(change_labels, [picture, *controls.inputs], [explorer, controls.labels], **now)
    scores = [controls.sliders["bkg_score_low"], controls.sliders["bkg_score_high"]]
    movable: dict[str, Any] = {"left_out": controls.left_out, **controls.sliders}

    def change_settings(moved: str, request: gr.Request, picture, model, labels, *settings):
        def call(picture):
            shown = turns.of(str(request.session_hash)).key
            yield callbacks.change_settings(moved, picture, model, labels, *settings, shown=shown)

        return polite(3)(only(3)(turns.change))(request.session_hash, call, picture, settings=settings)

    for name, item in movable.items():

        def change(request: gr.Request, *args, moved=name):
            return change_settings(moved, request, *args)

        change.__name__ = f"change_{name}"
        item.input(change, [picture, *controls.inputs], [explorer, *scores], **now)

    def after_reset(request: gr.Request, *args):
        return change_settings("all", request, *args)

    controls.reset.click(
        polite(len(settings))(callbacks.reset), controls.model, settings, api_visibility="private",
        show_progress="hidden", preprocess=False,
    ).then(after_reset, [picture, *controls.inputs], [explorer, *scores], **now)  # fmt: skip


def _part(sent: object, name: str) -> object:
    """One entry of what a browser sends; None where there is none."""
    return sent.get(name) if isinstance(sent, dict) else None


def bind_link(
    demo: gr.Blocks, callbacks: Callbacks, picture: gr.State, picker: Picker, controls: Controls, explorer: gr.HTML
) -> None:
    """Restore what the address of the page names."""
    outputs = [explorer, picture, picker.gallery, controls.model, controls.model_line, controls.labels]
    outputs += [controls.left_out, *controls.sliders.values()]

    def restore(request: gr.Request):
        callbacks.turns.of(str(request.session_hash)).note((explorer.value, None, picture.value), opened=True)
        found = polite(len(outputs))(callbacks.open_link)(dict(request.query_params))
        callbacks.turns.of(str(request.session_hash)).note((found[0], None, found[1]), opened=isinstance(found[1], str))
        return found

    demo.load(
        restore, None, outputs, concurrency_id="page", concurrency_limit=PAGE_EVENTS, api_visibility="private",
        show_progress="hidden",
    )  # fmt: skip
