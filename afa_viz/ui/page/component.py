"""The explorer as one gradio component: its assets, and the functions of the server that it may call."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import anyio
import gradio as gr

from afa_viz.ui.errors import BusyError
from afa_viz.ui.page.assets import explorer_html, later_addresses, plotly_address, script, tables
from afa_viz.ui.sessions.concurrency import ANSWER_THREADS, SharedCalls

GIVEN = "element, props, trigger, server, watch"  # what gradio gives a script
SIDE_EFFECTS = (  # not merged with equal calls
    "dataset_scoring", "train_start", "train_stop", "train_resume", "lab_check",
)  # fmt: skip

log = logging.getLogger(__name__)


class UnsearchedScript(str):
    """JavaScript that names no events of its own, so that gradio need not search it for them.

    For each attribute that it lacks, some dozens at the start and where an event updates it, `gr.HTML` searches the
    whole of a script that is not empty. This one counts as empty.
    """

    def __bool__(self) -> bool:
        return False


def load_script() -> str:
    """The explorer as the body of a function that gradio calls with `GIVEN`."""
    return UnsearchedScript(f"{script()}.start({{{GIVEN}}});")


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


def explorer_component(
    answers: Sequence[Callable[[dict], str]], value: str, offers: Mapping[str, Any], examples: Sequence[str]
) -> gr.HTML:
    """The explorer component.

    Args:
        answers: the server functions, which validate their parameters.
        value: see `ExplorerHandlers.stages`.
        offers: see `TrainHandlers.offers`.
        examples: names of the images of the gallery, as links have them.
    """

    return gr.HTML(
        value,
        html_template="",  # gradio compiles a template anew for every value: the script puts it there once
        js_on_load=load_script(),
        server_functions=run_in_threads(answers),
        apply_default_css=False,
        elem_id="afa-explorer",
        markup=explorer_html(),
        tables=tables(),
        offers=json.dumps(offers, ensure_ascii=False),
        examples=list(examples),
        plotly=plotly_address(),
        later=list(later_addresses().values()),
    )
