"""The explorer as one gradio component, assembled from the fragments, texts, scripts and styles of `explorer/`."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import anyio
import gradio as gr

from afa_viz.figures import colour
from afa_viz.figures.interactive.base import plotly_version
from afa_viz.ui import localization
from afa_viz.ui.errors import BusyError
from afa_viz.ui.page.bundle import bundle
from afa_viz.ui.page.config_fields import SLIDERS
from afa_viz.ui.sessions.concurrency import ANSWER_THREADS, SharedCalls

EXPLORER = Path(__file__).parents[1] / "explorer"
TABS = (  # views/<tab>/: the stages in pipeline order, then what goes across them
    "cam", "attention", "affinity", "walk", "par", "regions", "seg", "compare", "training", "data", "train",
    "lab",
)  # fmt: skip
ENTRY = "host/server.js"  # the module that starts the page, given what gradio gives a script
STYLES = ("page.css", "style.css", "components/strip.css", "tabs.css")
UNSENT = re.compile(r"/\*[\s\S]*?\*/\n?|^ +|(?<=[;{:,]) +", re.MULTILINE)  # of style sheets
GIVEN = "element, props, trigger, server, watch"
SIDE_EFFECTS = ("dataset_scoring", "train_start", "train_stop", "train_resume")  # not merged with equal calls
GAINED, LOST = (86, 180, 233), (204, 121, 167)  # Okabe and Ito's sky blue and purple, told apart without red and green

log = logging.getLogger(__name__)


def _fragment(path: str) -> str:
    return (EXPLORER / path).read_text(encoding="utf-8")


def _tab(name: str) -> str:
    """The panel of a tab: what it shows in words, its equation and why, and the body that its script draws into.

    The lab is no step of the method: it has no equation.
    """
    head = f'<p class="afa-intro">{{{{{name}.intro}}}}</p>'
    if name != "lab":
        head += f'<p class="afa-equation">{{{{{name}.equation}}}}</p>'
        head += f'<details class="afa-why"><summary>{{{{why}}}}</summary>{{{{{name}.why_html}}}}</details>'
    return (
        f'<section class="afa-tab" role="tabpanel" id="afa-panel-{name}" aria-labelledby="afa-tab-{name}" '
        f'data-tab="{name}" hidden>{head}{_fragment(f"views/{name}/{name}.html")}</section>'
    )


def explorer_html() -> str:
    """The HTML of the whole explorer before anything is drawn."""
    buttons = "".join(
        f'<button type="button" role="tab" id="afa-tab-{name}" aria-controls="afa-panel-{name}" data-tab="{name}" '
        f'aria-selected="false" tabindex="-1">{{{{tabs.{name}}}}}</button>'
        for name in TABS
    )
    frame = _fragment("frame.html").replace("<!--tabs-->", buttons)
    return localization.fill_template(frame.replace("<!--panels-->", "".join(_tab(name) for name in TABS)))


@cache
def script() -> str:
    """All modules of the explorer as the body of one function, which gradio calls with `GIVEN`."""
    return f"{bundle(EXPLORER, ENTRY)}.start({{{GIVEN}}});"


def style() -> str:
    """The style sheet of the app, without comments and indentation."""
    files = [EXPLORER / path for path in (*STYLES, *(f"views/{name}/{name}.css" for name in TABS))]
    return UNSENT.sub("", "\n".join(file.read_text(encoding="utf-8") for file in files if file.is_file()))


@cache
def tables() -> str:
    """Constants for the scripts, as JSON: colours, slider limits and texts."""
    lut, difference = (
        base64.b64encode(colour.table(name).tobytes()).decode("ascii") for name in (colour.MAGNITUDE, colour.DIFFERENCE)
    )
    flat = {"foreground": colour.FOREGROUND, "background": colour.BACKGROUND, "gained": GAINED, "lost": LOST}
    limits = {slider.field: [slider.low, slider.high, slider.step] for slider in SLIDERS}
    said = {"texts": localization.script_texts(), "languages": localization.translations()}
    sent = {"lut": lut, "difference": difference, **flat, "sliders": limits, **said}
    return json.dumps(sent, ensure_ascii=False, separators=(",", ":"))


def plotly_address() -> str:
    """Where plotly.js is below the root of the app, which serves it when the first chart is opened."""
    return f"charts/plotly-{plotly_version()}.min.js"


def errors_as_null(function: Callable[[dict], str]) -> Callable[[dict], str]:
    """Wrap a server function: on an error it logs the cause and returns "null", which the explorer reports.

    If too many requests are waiting it returns {"refused": sentence, "busy": true}.
    """

    def ask(params: dict) -> str:
        try:
            return function(params)
        except BusyError as busy:
            return json.dumps({"refused": str(busy), "busy": True})
        except (KeyError, TypeError, ValueError) as error:
            log.info("the page asked for %s and got nothing: %s", function.__name__, type(error).__name__)
        except Exception:
            log.exception("%s failed", function.__name__)
        return "null"

    ask.__name__ = function.__name__
    return ask


def run_in_threads(answers: Sequence[Callable[[dict], str]]) -> list[Callable[[dict], Awaitable[str]]]:
    """Server functions as gradio calls them, run in a separate thread pool, so that files are always served.

    Equal calls at the same time are run once.
    """
    shared, threads = SharedCalls(), None

    def serve(function: Callable[[dict], str]) -> Callable[[dict], Awaitable[str]]:
        name, ask = function.__name__, errors_as_null(function)

        async def run(params: dict) -> str:
            nonlocal threads
            threads = threads or anyio.CapacityLimiter(ANSWER_THREADS)
            return await anyio.to_thread.run_sync(ask, params, limiter=threads)

        async def respond(params: dict) -> str:
            return await (run(params) if name in SIDE_EFFECTS else shared.call(name, params, partial(run, params)))

        respond.__name__ = name
        return respond

    return [serve(function) for function in answers]


def explorer_component(answers: Sequence[Callable[[dict], str]], value: str, offers: Mapping[str, Any]) -> gr.HTML:
    """The explorer component.

    Args:
        answers: the server functions, which validate their parameters.
        value: see `ExplorerHandlers.stages`.
        offers: see `TrainHandlers.offers`.
    """

    return gr.HTML(
        value,
        html_template="",  # gradio compiles a template anew for every value: the script puts it there once
        js_on_load=script(),
        server_functions=run_in_threads(answers),
        apply_default_css=False,
        elem_id="afa-explorer",
        markup=explorer_html(),
        tables=tables(),
        offers=json.dumps(offers, ensure_ascii=False),
        plotly=plotly_address(),
    )
