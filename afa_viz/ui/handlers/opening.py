"""What the page asks about an example by itself: when it is opened, and when each tab is opened for the first time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from afa_viz.figures import maps
from afa_viz.ui.handlers import payload, payload_attention
from afa_viz.ui.handlers.answer_texts import answer_name
from afa_viz.ui.handlers.explorer import ExplorerHandlers
from afa_viz.ui.handlers.train import devices
from afa_viz.ui.sessions.prepared_answers import PreparedExample
from afa_viz.ui.sessions.session import Request, Session

WITHOUT_WALK = {"model": None, "switched": ["random walk"], "crf": False, "setting": None, "value": None}  # side_b.js


def prepare_example(session: Session, answers: ExplorerHandlers, request: Request) -> PreparedExample:
    """The answers to all questions of `opening_questions`, as a server makes them."""
    trace = session.trace(request)
    functions = {function.__name__: function for function in answers.server_functions()}
    texts = {answer_name("stages", {"key": request.key}): answers.stages(request)}
    for name, asked in opening_questions(session, request):
        texts[answer_name(name, asked)] = functions[name](asked)
    return PreparedExample(
        key=request.key,
        model=session.registry.facts(request.model),
        present=tuple(trace.class_names[label] for label in trace.present),
        memory=session.memory_with_all_attention(request.image_id, request.model, request.config),
        devices=devices(),
        answers=texts,
    )


def opening_questions(session: Session, request: Request) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names of server functions with the parameters that the page sends, whose answers depend on nothing else.

    The training run and the data set may change while a server runs: they are read when they are asked for.
    """
    trace, key = session.trace(request), {"key": request.key}
    lacks = trace.parts.lacks
    parts = {"overview": "attention", "affinity": "affinity", "heads": "learned_affinity"}
    yield from (
        (name, key) for name in ("scene", "overview", "affinity", "heads", "lab") if parts.get(name) not in lacks
    )
    cells = trace.grid[0] * trace.grid[1]
    if cells > payload.MAX_CELLS:
        yield "par", key
    yield "compare", {**key, "b": WITHOUT_WALK}
    if "attention" in lacks:
        return
    block = trace.kept_blocks[-1]
    heads, keys = len(trace.logits(block)), trace.key_grids[block][0] * trace.key_grids[block][1]
    attention = {**key, "block": block, "logits": False}
    if heads * cells * keys <= payload_attention.WHOLE_BYTES:
        yield "attention", attention
    else:
        cell = list(maps.strongest_cell(trace, maps.main_label(trace)))
        if cells * keys <= payload_attention.WHOLE_BYTES:
            yield "attention", {**attention, "head": payload_attention.MEAN}
        yield "attention", {**attention, "cell": cell}
        if cells > payload.MAX_CELLS and "affinity" not in lacks:
            yield "affinity", {**key, "cell": cell}
