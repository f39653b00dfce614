"""Build the app and serve it."""

from __future__ import annotations

import functools
import gc
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio is imported: no telemetry
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")  # kept in memory for a page of gradio's that is not served
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is: threads without work leave the cores to others

import gradio as gr
from gradio.routes import App, ORJSONResponse

from afa_viz.image_files import MAX_BYTES
from afa_viz.model import timm_source
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.api import Api
from afa_viz.ui.handlers.callbacks import UNEXPECTED_ERROR, Callbacks
from afa_viz.ui.handlers.dataset.handlers import DataSetHandlers
from afa_viz.ui.handlers.dataset.images import DataSet
from afa_viz.ui.handlers.dataset.scoring import Scorer
from afa_viz.ui.handlers.dataset.sources import open_source
from afa_viz.ui.handlers.events import bind_events, bind_permalink
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.handlers.train import TrainHandlers
from afa_viz.ui.jobs.trainer import Trainer
from afa_viz.ui.localization import fill_template
from afa_viz.ui.page.assets import style
from afa_viz.ui.page.component import explorer_component
from afa_viz.ui.page.controls import build_controls, build_image_picker
from afa_viz.ui.server.class_report_page import ClassReportPage
from afa_viz.ui.server.device_networks import DeviceNetworks, NetworkFiles
from afa_viz.ui.server.guard import Guard, ServerApp
from afa_viz.ui.server.hosts import AllowedHosts, Host, parse_host
from afa_viz.ui.server.later_scripts import LaterScripts
from afa_viz.ui.server.options import TITLE, Options
from afa_viz.ui.server.page_blocks import PageBlocks
from afa_viz.ui.server.payload_validation import PayloadValidator
from afa_viz.ui.server.prepare import first_prepared
from afa_viz.ui.server.upload_route import UploadRoute
from afa_viz.ui.server.uploads import Uploads
from afa_viz.ui.sessions.class_report import ClassReport
from afa_viz.ui.sessions.concurrency import API_EVENTS, EVENT_THREADS, PAGE_EVENTS
from afa_viz.ui.sessions.folders import cache_folder
from afa_viz.ui.sessions.model_registry import ModelRegistry, checkpoint_sources
from afa_viz.ui.sessions.prepared_answers import PreparedAnswers
from afa_viz.ui.sessions.session import Request, Session
from afa_viz.ui.sessions.temporary import process_folder, sweep_regularly

log = logging.getLogger(__name__)

MAX_SESSIONS = 1000  # visitors whose state gradio keeps
IDLE_SECONDS = 3.0  # without an explanation for a visitor, before the next example is explained in the background
HEAD = fill_template('<div id="afa-head"><h1>AFA Viz</h1><p>{{head_html}}</p></div>')


@dataclass(frozen=True)
class BuiltApp:
    """The blocks of the app, the store of its uploads, what they are explained by, what visitors' browsers explain
    theirs by, and what a class answers, for `serve`."""

    demo: gr.Blocks
    uploads: Uploads
    session: Session
    networks: DeviceNetworks | None = None
    report: ClassReport | None = None


def build(options: Options | None = None, prepared: PreparedAnswers | None = None) -> BuiltApp:
    """Build the app, with the first example already explained.

    Args:
        prepared: answers about the examples, see `prepare.open_prepared`; None: all are computed here.
    Raises: UserError: if there is no model or no example.
    """
    options = options or Options()
    uploads = Uploads(process_folder())
    registry = ModelRegistry(checkpoint_sources(options.checkpoints, options.checkpoint_folder), options.device)
    if options.offered is not None:
        registry.offer(options.offered, timm_source.DEFAULT_SIZE)
    model = registry.names[0]
    known = first_prepared(prepared, options)
    if known is not None:
        registry.assume(model, known.model)
    dataset = _dataset(options, registry)
    session = Session(registry, options.examples, dataset=dataset, prepared=prepared)
    report = ClassReport() if options.class_report else None
    answers = ExplorerHandlers(session, report=report)
    training = TrainHandlers(_trainer(options), None if known is None else known.devices)
    callbacks = Callbacks(session, answers, training)
    browser = DataSetHandlers(session, dataset, Scorer(session, dataset))
    if not session.examples:
        raise UserError(f"There are no examples: {options.examples.name}/examples.json is missing or names none.")
    networks = None
    if options.onnxruntime_web is not None:
        networks = DeviceNetworks(registry, options.onnxruntime_web, cache_folder(options.cache))
    first = _first(session, answers, model)
    value = answers.stages(first)
    present = session.present_labels(first)

    with PageBlocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 7200), fill_width=True) as demo:
        image_id = gr.State(first.image_id)
        with gr.Column(elem_id="afa-page"):
            with gr.Column(elem_id="afa-pick"):
                gr.HTML(HEAD)
                shown = first.image_id.partition(":")[2]
                picker = build_image_picker(session.examples, shown, on_device=networks is not None)
            with gr.Column(elem_id="afa-main"):
                asked = [*answers.server_functions(), *browser.server_functions(), *training.server_functions()]
                asked += networks.server_functions() if networks else []
                explorer = explorer_component(
                    asked, value, training.offers(), [example.name for example in session.examples]
                )
            with gr.Column(elem_id="afa-settings"):
                controls = build_controls(registry, present)
        bind_events(callbacks, image_id, picker, controls, explorer)
        bind_permalink(demo, callbacks, image_id, picker, controls, explorer)
        _bind_api(Api(session, answers), answers.exports.files.folder)
    demo.queue(max_size=128, default_concurrency_limit=PAGE_EVENTS, api_open=False)  # everything goes through the queue
    if options.warm:
        threading.Thread(target=_warm_once_loaded, args=(session, answers, model), daemon=True).start()
    sweep_regularly(uploads.remove_expired, answers.exports.files.remove_expired)
    return BuiltApp(demo, uploads, session, networks, report)


def _first(session: Session, answers: ExplorerHandlers, model: str) -> Request:
    """The first example that can be opened, explained. Raises: UserError: if there is none."""
    for example in session.examples:
        try:
            session.images.find(f"example:{example.name}")  # first: a request needs the model if nothing was prepared
            request = session.request(f"example:{example.name}", model)
            if session.prepared(request) is None:
                answers.warm(request)
            return request
        except UserError as error:
            log.warning("%s", error)
    raise UserError("There are no examples that can be read; expected examples.json and the images that it names.")


def _dataset(options: Options, registry: ModelRegistry) -> DataSet:
    """The images of the Data set tab; sandbox scenes are rendered at the input size of the first model."""
    cache = cache_folder(options.cache)
    card = registry.facts(registry.names[0]).card
    size = min(512, max(64, card.input_size // 2 * 2)) if card is not None else 256
    return DataSet(open_source(options.data, cache, size, options.split), cache)


def _trainer(options: Options) -> Trainer | None:
    """The trainer; None if training is off. Runs may start from the bundled weights if these exist."""
    if not options.train:
        return None
    bundled = options.checkpoint_folder / "sandbox"
    cache = cache_folder(options.cache)
    return Trainer(options.runs, cache, bundled if bundled.is_dir() else None, options.train_arguments)


def _bind_api(api: Api, exports: Path) -> None:
    """Register the public endpoints, see docs/api.md; all other events are private.

    Args:
        exports: folder of the files to download.
    """

    def endpoint(call: Callable, inputs: list, output: gr.components.Component) -> None:
        @functools.wraps(call)
        def answer(*args, **kwargs):
            try:
                return call(*args, **kwargs)
            except UserError as error:
                raise gr.Error(str(error), print_exception=False) from None
            except Exception:  # the visitor gets a sentence, the log the traceback
                log.exception("/%s failed", call.__name__)
                raise gr.Error(UNEXPECTED_ERROR, print_exception=False) from None

        button.click(answer, inputs, output, api_name=call.__name__, concurrency_id="api", concurrency_limit=API_EVENTS)

    button = gr.Button(visible=False)  # invisible: an endpoint needs components for its types
    value, file = gr.JSON(label="numbers", visible=False), gr.File(label="file", type="filepath", visible=False)
    download = gr.File(label="file", visible=False)
    download.GRADIO_CACHE = str(exports)  # exports are already stored where gradio would copy them to
    endpoint(api.explain, [file, *4 * [value]], value)
    endpoint(api.explain_with_mask, [file, file, *3 * [value]], value)
    endpoint(api.query, 4 * [value], value)
    endpoint(api.export, 5 * [value], download)


def _warm_once_loaded(session: Session, answers: ExplorerHandlers, model: str) -> None:
    """As long as all answers were prepared, nothing is explained."""
    session.loaded.wait()
    _warm(session, answers, model)


def _warm(session: Session, answers: ExplorerHandlers, model: str) -> None:
    """Explain the examples in the background, so that they open and change at once; visitors have priority.

    Stops if the cache has no room for all of them, as with a large network.
    """
    for example in session.examples:
        while not session.is_idle(IDLE_SECONDS):
            time.sleep(0.1)
        try:
            request = session.request(f"example:{example.name}", model)
            answers.warm(request)
        except UserError as error:
            log.warning("%s", error)
            continue
        session.memory.trim_when_idle()
        if not session.fits_in_cache(len(session.examples), request):
            break
    gc.collect()
    session.memory.trim()


def theme() -> gr.themes.Base:
    """Gradio's default theme in blue, with the fonts that gradio ships, so that nothing is loaded from other hosts."""
    font = gr.themes.utils.fonts.LocalFont("Source Sans Pro", weights=(400, 700))
    base = gr.themes.Default(primary_hue="blue", font=[font, "ui-sans-serif", "system-ui", "sans-serif"])
    return base.set(  # grey text with a contrast of 7 : 1 to its background
        body_text_color_subdued="#52525b", body_text_color_subdued_dark="#b4b4bd",
        block_info_text_color="#52525b", block_info_text_color_dark="#b4b4bd",
    )  # fmt: skip


class GuardedApp(App):
    """Gradio's server behind a `Guard`, which is the outermost middleware, outside of gradio's CORS middleware.

    `LaterScripts` and `NetworkFiles` serve what pages load later, `ClassReportPage` the teacher's view, and
    `UploadRoute` handles uploads instead of gradio.
    """

    def __init__(self, guard: Callable[[ServerApp], Guard], page: BuiltApp) -> None:
        super().__init__(default_response_class=ORJSONResponse, openapi_url=None)
        self._guard, self._page = guard, page

    def build_middleware_stack(self) -> ServerApp:
        """The middleware that every request passes first."""
        page = self._page
        app = UploadRoute(super().build_middleware_stack(), page.uploads, page.session.load)
        return self._guard(LaterScripts(NetworkFiles(ClassReportPage(app, page.report), page.networks)))


def serve(page: BuiltApp, allowed_hosts: AllowedHosts | None = None, frames: tuple[str, ...] = (), **options) -> tuple:
    """`demo.launch` with the options of this app, whatever gradio's environment variables say.

    Args:
        allowed_hosts: of the server; None: those of the address that it is bound to.
        frames: origins that may embed the app in a frame.
    """
    bound = parse_host(options.get("server_name") or "127.0.0.1") or Host("localhost")
    return page.demo.launch(
        theme=theme(),
        head=f"<style>{style()}</style>",  # `css=` would lose the container queries
        max_file_size=MAX_BYTES,
        show_error=False,
        strict_cors=True,
        enable_monitoring=False,
        run_history=False,
        footer_links=["api"],
        max_threads=EVENT_THREADS,
        ssr_mode=False,  # Node.js would answer before the guard
        num_workers=0,  # and so would separate processes for files
        mcp_server=False,
        pwa=False,
        state_session_capacity=MAX_SESSIONS,
        _app=GuardedApp(
            functools.partial(
                Guard,
                allowed_hosts=allowed_hosts or AllowedHosts(bound),
                frames=frames,
                check=PayloadValidator(page.demo).check,
            ),
            page,
        ),
        **options,
    )
