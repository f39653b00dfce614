"""Binds the callbacks to the events of the components."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from afa_viz.ui.handlers.callbacks import (
    Callbacks,
    errors_as_warnings,
    last_output,
    no_updates,
    stream_errors_as_warnings,
)
from afa_viz.ui.page.controls import Controls, ImagePicker
from afa_viz.ui.sessions.concurrency import PAGE_EVENTS, UPLOAD_EVENTS

# a function of host/server/photograph.js: it returns the inputs; the first is null if a newer opening has superseded it
JS_OPENED = "(...inputs) => window.afaOpened?.(inputs) ?? inputs"
# image labels, the third input, with the key of the explanation that the page shows; see `Callbacks.labels_sent`
JS_SENT = """(...inputs) => {
  inputs[2] = { labels: inputs[2], of: document.querySelector(".afa")?.dataset.key ?? null };
  return inputs;
}"""


def bind_events(
    callbacks: Callbacks, image_id: gr.State, picker: ImagePicker, controls: Controls, explorer: gr.HTML
) -> None:
    """Bind all events except the permalink. The session limits what they compute; uploads have a limit of their own."""
    options: dict = {  # no preprocessing: the callbacks validate the raw values
        "concurrency_id": "page", "concurrency_limit": PAGE_EVENTS, "api_visibility": "private", "preprocess": False
    }  # fmt: skip
    upload_options = {**options, "concurrency_id": "photographs", "concurrency_limit": UPLOAD_EVENTS}
    latest = callbacks.last_request_wins
    settings = controls.settings
    opened = [explorer, controls.labels, image_id]
    live_options = {**options, "trigger_mode": "always_last", "show_progress": "hidden", "js": JS_SENT}

    def open_example(request: gr.Request, event: gr.EventData, *args):
        def call(index, *args):  # selects the example again: an upload may have cleared the selection since the click
            yield *callbacks.open_example(index, *args), gr.update(selected_index=index)

        if args[0] is None:
            return no_updates(4)
        run = errors_as_warnings(4)(last_output(4)(latest.run_opening))
        return run(request.session_hash, call, _entry(event._data, "index"), *args)

    # "multiple": a click that comes while another one is being answered needs its own event data; for deferred events
    # gradio passes the data of the first one.
    picker.gallery.select(
        open_example, [controls.model, *settings], [*opened, picker.gallery], show_progress="minimal",
        show_progress_on=explorer, trigger_mode="multiple", js=JS_OPENED, **options,
    )  # fmt: skip

    def open_data(request: gr.Request, event: gr.EventData, *args):
        if args[0] is None:
            yield no_updates(4)
            return
        run = stream_errors_as_warnings(4)(latest.run_opening)
        yield from run(request.session_hash, callbacks.open_data, event._data, *args)

    explorer.select(
        open_data, [controls.model, *settings], [*opened, picker.gallery], show_progress="minimal",
        show_progress_on=explorer, trigger_mode="multiple", js=JS_OPENED, **options,
    )  # fmt: skip

    def open_upload(request: gr.Request, event: gr.EventData, *args):
        if args[0] is None:
            yield no_updates(4)
            return
        labels, mask = _entry(event._data, "labels"), _entry(event._data, "mask")
        call = partial(callbacks.open_upload, labels=labels, mask=mask)
        run = stream_errors_as_warnings(4)(latest.run_opening)
        yield from run(request.session_hash, call, _entry(event._data, "path"), *args)

    explorer.upload(
        open_upload, [controls.model, *settings], [*opened, picker.gallery],
        show_progress="minimal", show_progress_on=explorer, trigger_mode="multiple", js=JS_OPENED, **upload_options,
    )  # fmt: skip

    def change_model(request: gr.Request, image_id, model, *settings):
        def call(image_id):
            shown = callbacks.session.request_of(latest.state_of(str(request.session_hash)).key)
            # gradio also sends the event when the list is closed without a change
            if shown is None or (shown.model, shown.image_id) != (model, image_id):
                yield from callbacks.change_model(image_id, model, *settings)

        run = stream_errors_as_warnings(4)(latest.run_change)
        yield from run(request.session_hash, call, image_id, model=model, settings=settings)

    controls.model.input(
        change_model, [image_id, controls.model, *settings],
        [explorer, controls.labels, controls.model_line, controls.sliders["radius"]], show_progress="minimal",
        show_progress_on=explorer, trigger_mode="always_last", **options,
    )  # fmt: skip

    def open_checkpoint(request: gr.Request, event: gr.EventData, image_id, *args):
        def call(image_id):
            yield callbacks.open_checkpoint(event._data, image_id, *args)

        return errors_as_warnings(5)(last_output(5)(latest.run_change))(request.session_hash, call, image_id)

    explorer.apply(
        open_checkpoint, [image_id, *settings],
        [explorer, controls.labels, controls.model, controls.model_line, controls.sliders["radius"]],
        show_progress="minimal", show_progress_on=explorer, **options,
    )  # fmt: skip

    def key_of(request: gr.Request) -> str | None:
        return latest.state_of(str(request.session_hash)).key

    def change_labels(request: gr.Request, image_id, model, sent, *settings):
        def call(image_id):
            labels, is_shown = callbacks.labels_sent(sent, image_id, key_of(request))
            if is_shown:
                yield callbacks.change_labels(image_id, model, labels, *settings)

        return errors_as_warnings(2)(last_output(2)(latest.run_change))(request.session_hash, call, image_id)

    # gradio sends no event for a label that is removed by its cross or by Backspace: the explorer sends `clear`
    for trigger in (controls.labels.input, explorer.clear):
        trigger(change_labels, [image_id, *controls.inputs], [explorer, controls.labels], **live_options)

    def choose_labels(request: gr.Request, event: gr.EventData, image_id, model, sent, *settings):
        def call(image_id):
            if callbacks.labels_sent(sent, image_id, key_of(request))[1]:
                names = _entry(event._data, "labels")
                yield callbacks.change_labels(image_id, model, names, *settings)[0], names

        return errors_as_warnings(2)(last_output(2)(latest.run_change))(request.session_hash, call, image_id)

    explorer.submit(choose_labels, [image_id, *controls.inputs], [explorer, controls.labels], **live_options)
    scores = [controls.sliders["bkg_score_low"], controls.sliders["bkg_score_high"]]
    movable: dict[str, Any] = {"left_out": controls.left_out, **controls.sliders}

    def change_settings(moved: str, request: gr.Request, image_id, model, sent, *settings):
        def call(image_id):
            shown = key_of(request)
            labels, _ = callbacks.labels_sent(sent, image_id, shown)
            yield callbacks.change_settings(moved, image_id, model, labels, *settings, shown=shown)

        run = errors_as_warnings(3)(last_output(3)(latest.run_change))
        return run(request.session_hash, call, image_id, settings=settings)

    for name, item in movable.items():

        def change(request: gr.Request, *args, moved=name):
            return change_settings(moved, request, *args)

        change.__name__ = f"change_{name}"
        item.input(change, [image_id, *controls.inputs], [explorer, *scores], **live_options)

    def change_heads(request: gr.Request, event: gr.EventData, image_id, model, sent, *settings):
        def call(image_id):
            shown = key_of(request)
            labels, _ = callbacks.labels_sent(sent, image_id, shown)
            yield callbacks.change_heads(event._data, image_id, model, labels, *settings, shown=shown)

        return errors_as_warnings(3)(last_output(3)(latest.run_change))(request.session_hash, call, image_id)

    explorer.edit(
        change_heads, [image_id, *controls.inputs], [explorer, controls.left_out, controls.changes], **live_options
    )

    def change_edits(request: gr.Request, event: gr.EventData, image_id, model, sent, *settings):
        def call(image_id):
            shown = key_of(request)
            labels, is_shown = callbacks.labels_sent(sent, image_id, shown)
            if is_shown:  # regions and places are of one image
                yield callbacks.change_edits(event._data, image_id, model, labels, *settings, shown=shown)

        return errors_as_warnings(3)(last_output(3)(latest.run_change))(request.session_hash, call, image_id)

    explorer.release(  # what a hand lets go of
        change_edits, [image_id, *controls.inputs], [explorer, controls.left_out, controls.changes], **live_options
    )

    def after_reset(request: gr.Request, *args):
        return change_settings("all", request, *args)

    controls.reset.click(
        errors_as_warnings(len(settings))(callbacks.reset), controls.model, settings, api_visibility="private",
        show_progress="hidden", preprocess=False,
    ).then(after_reset, [image_id, *controls.inputs], [explorer, *scores], **live_options)  # fmt: skip


def _entry(sent: object, name: str) -> Any:
    """One entry of an object that a browser sent; None if it has none."""
    return sent.get(name) if isinstance(sent, dict) else None


def bind_permalink(
    demo: gr.Blocks,
    callbacks: Callbacks,
    image_id: gr.State,
    picker: ImagePicker,
    controls: Controls,
    explorer: gr.HTML,
) -> None:
    """Restore what the query parameters of the URL describe."""
    outputs = [explorer, image_id, picker.gallery, controls.model, controls.model_line, controls.labels]
    outputs += controls.settings

    def restore(request: gr.Request):
        visitor = callbacks.last_request_wins.state_of(str(request.session_hash))
        visitor.record_outputs((explorer.value, None, image_id.value), opened=True)
        restored = errors_as_warnings(len(outputs))(callbacks.open_link)(dict(request.query_params))
        visitor.record_outputs((restored[0], None, restored[1]), opened=isinstance(restored[1], str))
        return restored

    demo.load(
        restore, None, outputs, concurrency_id="page", concurrency_limit=PAGE_EVENTS, api_visibility="private",
        show_progress="hidden",
    )  # fmt: skip
