"""The first example with changed settings, as the page asks for it and as the program does that the page copies."""

from __future__ import annotations

import dataclasses
from typing import Any

import afa_viz
from afa_viz import ExplainConfig, Trace
from afa_viz.ui.page.config_fields import SLIDERS
from afa_viz.ui.page.python_export import TabView, snippet
from afa_viz.ui.sessions.session import Request, Session

EXAMPLE, MODEL = "example:scene0", "tiny"
DEFAULTS = ([], *(slider.value(ExplainConfig(radius=8)) for slider in SLIDERS))  # what the page's controls hold


def request(session: Session, **changes: Any) -> Request:
    """By field of `ExplainConfig`."""
    config = dataclasses.replace(session.registry.config(MODEL), **changes)
    return session.request(EXAMPLE, MODEL, None, config)


def copied_program(session: Session, asked: Request) -> tuple[str, Trace]:
    """The program that the page copies for a request, and the trace that its line with `explain` gives."""
    trace = session.trace(asked)
    code = snippet(asked, trace, session, TabView("affinity", trace.present[0], (1, 2), 7, None))
    (line,) = [line for line in code.splitlines() if line.startswith("trace = ")]
    image = session.images.find(EXAMPLE).image
    given = {"afa_viz": afa_viz, "model": session.registry.get(MODEL), "image": image, "target": None}
    return code, eval(line.removeprefix("trace = "), given)
