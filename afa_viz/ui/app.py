"""Build the page and serve it."""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio is imported: nothing is sent anywhere
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is: threads without work leave the cores to others

import gradio as gr
from gradio.routes import App, ORJSONResponse

from afa_viz.ui.answers import Answers
from afa_viz.ui.api import Api
from afa_viz.ui.callbacks import FAILED, Callbacks, polite, polite_steps
from afa_viz.ui.controls import Controls, Picker, build_controls, build_picker
from afa_viz.ui.cores import VISITORS
from afa_viz.ui.dataset.answers import DataSetAnswers
from afa_viz.ui.dataset.images import DataSet
from afa_viz.ui.dataset.scoring import Scorer
from afa_viz.ui.dataset.sources import cache_folder, open_source
from afa_viz.ui.guard import Guard, ServerApp
from afa_viz.ui.hosts import Host, Names, read_host
from afa_viz.ui.options import TITLE, Options
from afa_viz.ui.page import component, style
from afa_viz.ui.pictures import MAX_BYTES, Refusal
from afa_viz.ui.questions import Questions
from afa_viz.ui.registry import Registry, discover, named
from afa_viz.ui.session import Session
from afa_viz.ui.trainer import Trainer
from afa_viz.ui.training import Training
from afa_viz.ui.words import fill_in

log = logging.getLogger(__name__)

SESSIONS = 1000  # visitors whose last values gradio keeps
REST = 3.0  # seconds without an explanation for a visitor, before the next example is explained ahead
HEAD = fill_in('<div id="afa-head"><h1>AFA Viz</h1><p>{{head_html}}</p></div>')


@dataclass(frozen=True)
class Page:
    """What `serve` needs: the page, and the folder of files to download."""

    demo: gr.Blocks
    exports: Path


def build(options: Options | None = None) -> Page:
    """The page, with the first example already explained.

    Raises: Refusal: if there is no model or no example.
    """
    options = options or Options()
    registry = Registry(named(options.checkpoints) or discover(options.checkpoint_folder), options.device)
    model = registry.names[0]
    dataset = _dataset(options, registry)
    session = Session(registry, options.examples, dataset=dataset)
    answers = Answers(session)
    training = Training(_trainer(options))
    callbacks = Callbacks(session, answers, training)
    browser = DataSetAnswers(session, dataset, Scorer(session, dataset))
    if not session.examples:
        raise Refusal(f"There are no examples: {options.examples.name}/examples.json is missing or empty.")
    first = session.request(f"example:{session.examples[0].name}", model)
    answers.warm(first)
    value = answers.stages(first)
    present = [session.trace(first).class_names[label] for label in session.trace(first).present]

    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 7200), fill_width=True) as demo:
        picture = gr.State(first.picture)
        with gr.Column(elem_id="afa-page"):
            with gr.Column(elem_id="afa-pick"):
                gr.HTML(HEAD)
                picker = build_picker(session.examples)
            with gr.Column(elem_id="afa-main"):
                asked = [*answers.public(), *browser.public(), *training.public()]
                explorer = component(asked, value, training.offers())
            with gr.Column(elem_id="afa-settings"):
                controls = build_controls(registry, present)
        _bind(callbacks, picture, picker, controls, explorer)
        _bind_link(demo, callbacks, picture, picker, controls, explorer)
        _bind_api(Api(session, answers))
    demo.queue(max_size=128, default_concurrency_limit=VISITORS, api_open=False)  # nothing runs beside the queue
    if options.warm:
        threading.Thread(target=_warm, args=(session, answers, model), daemon=True).start()
    return Page(demo, answers.exports)


def _dataset(options: Options, registry: Registry) -> DataSet:
    """What the Data set tab shows; scenes of the sandbox at the size that the first model sees."""
    cache = cache_folder(options.cache)
    card = registry.get(registry.names[0]).card
    size = min(512, max(64, card.input_size // 2 * 2)) if card is not None else 256
    return DataSet(open_source(options.data, cache, size, options.split), cache)


def _trainer(options: Options) -> Trainer | None:
    """Where training is on; it may begin with the bundled weights if they are there."""
    if not options.train:
        return None
    bundled = options.checkpoint_folder / "sandbox"
    cache = cache_folder(options.cache)
    return Trainer(options.runs, cache, bundled if bundled.is_dir() else None, options.train_arguments)


def _bind(callbacks: Callbacks, picture: gr.State, picker: Picker, controls: Controls, explorer: gr.HTML) -> None:
    """Events of the page; whatever may run the network shares one limit."""
    options: dict = {  # values come as they were sent: the callbacks check them
        "concurrency_id": "model", "concurrency_limit": VISITORS, "api_visibility": "private", "preprocess": False
    }  # fmt: skip
    settings = [controls.left_out, *controls.sliders.values()]
    opened = [explorer, controls.labels, picture]
    now = {**options, "trigger_mode": "always_last", "show_progress": "hidden"}

    def open_example(event: gr.EventData, *args):
        return polite(3)(callbacks.open_example)(_part(event._data, "index"), *args)

    picker.gallery.select(
        open_example, [controls.model, *settings], opened, show_progress="minimal", show_progress_on=explorer, **options
    )

    def open_data(event: gr.EventData, *args):
        yield from polite_steps(4)(callbacks.open_data)(event._data, *args)

    explorer.select(
        open_data, [controls.model, *settings], [*opened, picker.gallery], show_progress="minimal",
        show_progress_on=explorer, trigger_mode="always_last", **options,
    )  # fmt: skip

    def open_upload(file, *args):
        yield from polite_steps(4)(callbacks.open_upload)(_part(file, "path"), *args)

    picker.upload.upload(
        open_upload, [picker.upload, controls.model, *settings], [*opened, picker.gallery],
        show_progress="minimal", show_progress_on=explorer, trigger_mode="always_last", **options,
    )  # fmt: skip
    controls.model.input(
        polite_steps(4)(callbacks.change_model), [picture, controls.model, *settings],
        [explorer, controls.labels, controls.model_line, controls.sliders["radius"]], show_progress="minimal",
        show_progress_on=explorer, trigger_mode="always_last", **options,
    )  # fmt: skip

    def open_checkpoint(event: gr.EventData, *args):
        return polite(5)(callbacks.open_checkpoint)(event._data, *args)

    explorer.apply(
        open_checkpoint, [picture, *settings],
        [explorer, controls.labels, controls.model, controls.model_line, controls.sliders["radius"]],
        show_progress="minimal", show_progress_on=explorer, **options,
    )  # fmt: skip
    controls.labels.input(
        polite(2)(callbacks.change_labels), [picture, *controls.inputs], [explorer, controls.labels], **now
    )
    scores = [controls.sliders["bkg_score_low"], controls.sliders["bkg_score_high"]]
    movable: dict[str, Any] = {"left_out": controls.left_out, **controls.sliders}
    for name, item in movable.items():
        change = partial(callbacks.change_settings, name)
        change.__name__ = f"change_{name}"  # type: ignore[attr-defined]
        item.input(polite(3)(change), [picture, *controls.inputs], [explorer, *scores], **now)

    def after_reset(*args):
        return callbacks.change_settings("all", *args)

    controls.reset.click(
        polite(len(settings))(callbacks.reset), controls.model, settings, api_visibility="private",
        show_progress="hidden", preprocess=False,
    ).then(polite(3)(after_reset), [picture, *controls.inputs], [explorer, *scores], **now)  # fmt: skip


def _part(sent: object, name: str) -> object:
    """One entry of what a browser sends; None where there is none."""
    return sent.get(name) if isinstance(sent, dict) else None


def _bind_link(
    demo: gr.Blocks, callbacks: Callbacks, picture: gr.State, picker: Picker, controls: Controls, explorer: gr.HTML
) -> None:
    """Restore what the address of the page names."""
    outputs = [explorer, picture, picker.gallery, controls.model, controls.model_line, controls.labels]
    outputs += [controls.left_out, *controls.sliders.values()]

    def restore(request: gr.Request):
        return polite(len(outputs))(callbacks.open_link)(dict(request.query_params))

    demo.load(
        restore, None, outputs, concurrency_id="model", concurrency_limit=VISITORS, api_visibility="private",
        show_progress="hidden",
    )  # fmt: skip


def _bind_api(api: Api) -> None:
    """The public endpoints, docs/api.md; every other listener of the page is private."""

    def endpoint(call: Callable, inputs: list, output: gr.components.Component) -> None:
        @functools.wraps(call)
        def answer(*args, **kwargs):
            try:
                return call(*args, **kwargs)
            except Refusal as refusal:
                raise gr.Error(str(refusal), print_exception=False) from None
            except Exception:  # a visitor gets a sentence, the log what happened
                log.exception("/%s failed", call.__name__)
                raise gr.Error(FAILED, print_exception=False) from None

        button.click(answer, inputs, output, api_name=call.__name__, concurrency_id="model", concurrency_limit=VISITORS)

    button = gr.Button(visible=False)  # nobody sees or presses these three: an endpoint needs components for its types
    value, file = gr.JSON(label="numbers", visible=False), gr.File(label="file", type="filepath", visible=False)
    endpoint(api.explain, [file, *4 * [value]], value)
    endpoint(api.query, 4 * [value], value)
    endpoint(api.export, 5 * [value], file)


def _warm(session: Session, answers: Answers, model: str) -> None:
    """Explain the other examples, so that each opens at once; whoever is there goes first.

    Not those of a large network, of which each would put another one out.
    """
    for example in session.examples:
        while not session.is_quiet(REST):
            time.sleep(0.1)
        request = session.request(f"example:{example.name}", model)
        answers.warm(request)
        session.memory.soon()
        if not session.holds(len(session.examples), request):
            break
    session.memory.now()


def theme() -> gr.themes.Base:
    """The default look in blue, with the font weights that gradio ships whole; asks no other host for anything."""
    font = gr.themes.utils.fonts.LocalFont("Source Sans Pro", weights=(400, 700))
    look = gr.themes.Default(primary_hue="blue", font=[font, "ui-sans-serif", "system-ui", "sans-serif"])
    return look.set(  # grey text at a contrast of 7 : 1 to its ground
        body_text_color_subdued="#52525b", body_text_color_subdued_dark="#b4b4bd",
        block_info_text_color="#52525b", block_info_text_color_dark="#b4b4bd",
    )  # fmt: skip


class GuardedApp(App):
    """Gradio's server behind a `Guard`: outside of everything that gradio adds, its answers to CORS included."""

    def __init__(self, guard: Callable[[ServerApp], Guard]) -> None:
        super().__init__(default_response_class=ORJSONResponse, openapi_url=None)
        self._guard = guard

    def build_middleware_stack(self) -> ServerApp:
        """What every request goes through first."""
        return self._guard(super().build_middleware_stack())


def serve(page: Page, names: Names | None = None, frames: tuple[str, ...] = (), **options) -> tuple:
    """`demo.launch` with what this page needs, whatever gradio's own variables of the environment say.

    Args:
        names: of the server; None: those of the address that it is bound to.
        frames: sites that may show the page in a frame.
    """
    bound = read_host(options.get("server_name") or "127.0.0.1") or Host("localhost")
    return page.demo.launch(
        theme=theme(),
        head=f"<style>{style()}</style>",  # `css=` would lose the container queries
        allowed_paths=[str(page.exports)],
        max_file_size=MAX_BYTES,
        show_error=False,
        strict_cors=True,
        enable_monitoring=False,
        run_history=False,
        footer_links=["api"],
        ssr_mode=False,  # Node.js would answer in front of the guard
        num_workers=0,  # and so would processes for files
        mcp_server=False,
        pwa=False,
        state_session_capacity=SESSIONS,
        _app=GuardedApp(partial(Guard, names=names or Names(bound), frames=frames, check=Questions(page.demo).check)),
        **options,
    )
