"""What the page asks the server for beside what it shows: the other side of a comparison, and a run's snapshots."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable
from typing import Any

from afa_viz.config import ExplainConfig
from afa_viz.trace import Trace
from afa_viz.ui.errors import BusyError, UserError
from afa_viz.ui.handlers import payload
from afa_viz.ui.handlers.compare import by_model, other_request, read_changes, renumbered, timed_crf
from afa_viz.ui.sessions.cache import SingleFlightCache
from afa_viz.ui.sessions.registry import SNAPSHOT_MARK
from afa_viz.ui.sessions.session import Request, Session
from afa_viz.ui.sessions.snapshots import phases, read_history

PATIENCE = 0.3  # seconds that a snapshot waits for another one before the browser is told to ask again

Find = Callable[[dict], tuple[Request, Trace]]


class OtherAnswers:
    """JSON for the browser, each text made once for all pages. What can not be gives {"refused": a sentence}.

    Args:
        session: makes the traces.
        texts: where answers are kept.
        find: the request and trace that the page shows, from what it asks with; KeyError for an unknown one.
    """

    def __init__(self, session: Session, texts: SingleFlightCache[tuple, str], find: Find) -> None:
        self._session, self._texts, self._find = session, texts, find
        self._turn = threading.Lock()  # one snapshot at a time: whoever moves a setting must not wait for them

    def public(self) -> tuple[Callable[[dict], str], ...]:
        """What a browser may ask for, each by its name."""
        return self.compare, self.training_run, self.snapshot

    def compare(self, asked: dict) -> str:
        """Every stage of B; `asked["b"]` says what differs there, see `compare.Changes`."""
        request, trace = self._find(asked)
        try:
            changes = read_changes(asked["b"])
            other = other_request(self._session, request, trace, changes)
            name = ("compare", other.key, changes.crf, trace.class_names)
            held = self._texts.peek(name)
            if held is not None:
                return held
            with self._session.dear.slot():
                return self._texts.get(name, lambda: self._compared(other, changes.crf, trace))
        except UserError as error:
            return _refused(error)

    def _compared(self, request: Request, crf: bool, like: Trace) -> str:
        trace = self._session.trace(request)
        times: dict[str, float] = {}
        if crf:
            trace, times = timed_crf(trace)
        found = payload.compared(renumbered(trace, like))
        return payload.to_json({**found, **times, "resized": request.config.long_side is not None})

    def training_run(self, asked: dict) -> str:
        """The run of the shown model: its snapshots, all its ladders, its phases; and the models there are.

        `series` names what all snapshots are explained with; equal names have equal pictures.
        """
        request, _ = self._find(asked)
        registry = self._session.registry
        card = registry.get(request.model).card
        training = card.training if card else {}
        snapshots = registry.snapshots(request.model)
        found: list[dict[str, Any]] = [
            {"model": f"{request.model}{SNAPSHOT_MARK}{s.iteration}", "iteration": s.iteration, "scores": s.scores}
            for s in snapshots
        ]
        last = training.get("iterations")
        if snapshots and isinstance(last, int) and last > snapshots[-1].iteration:
            found.append({"model": request.model, "iteration": last, "scores": {}})
        history = read_history(registry.snapshot_folder(request.model))
        facts = {"model": request.model, "models": registry.names, "series": _above_the_walk(request).key}
        return payload.to_json(
            {**facts, "snapshots": found, "history": history, "phases": phases(training) if found else []}
        )

    def snapshot(self, asked: dict) -> str:
        """What one snapshot makes of the picture; {"waiting": true} while the server is at another one."""
        request, trace = self._find(asked)
        model = asked["model"]
        if not isinstance(model, str) or model.rpartition(SNAPSHOT_MARK)[0] != request.model != model:
            raise KeyError("model")
        try:
            other = by_model(self._session, _above_the_walk(request), trace, model)
        except UserError as error:
            return _refused(error)
        name = ("snapshot", other.key, trace.class_names)
        held = self._texts.peek(name)
        if held is not None:
            return held
        if not self._turn.acquire(timeout=PATIENCE):
            return json.dumps({"waiting": True})
        try:
            return self._texts.get(
                name, lambda: payload.to_json(payload.frame(renumbered(self._session.look(other), trace)))
            )
        except UserError as error:
            return _refused(error)
        finally:
            self._turn.release()


def _refused(error: UserError) -> str:
    if isinstance(error, BusyError):  # to be asked again: no answer to keep
        raise error
    return json.dumps({"refused": str(error)})


def _above_the_walk(request: Request) -> Request:
    """The request with the published walk and without PAR: the browser makes these itself from what it gets."""
    own = {
        name: getattr(request.config, name) for name in ("long_side", "scales", "flip", "symmetric", "keep_attention")
    }
    return dataclasses.replace(request, config=ExplainConfig(use_par=False, **own))
