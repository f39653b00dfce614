"""Server functions of the Snapshots tab: the training run of the displayed model, and what each snapshot predicts."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from afa_viz.config import ExplainConfig
from afa_viz.figures.interactive.training import merge_scores, score_figure
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.answer_texts import to_json
from afa_viz.ui.handlers.charts import render
from afa_viz.ui.handlers.compare import Find, error_payload, remap_classes, request_for_model
from afa_viz.ui.sessions.cache import SingleFlightCache
from afa_viz.ui.sessions.model_registry import SNAPSHOT_MARK
from afa_viz.ui.sessions.session import Request, Session
from afa_viz.ui.sessions.snapshots import read_history, training_phases

if TYPE_CHECKING:
    from afa_viz.figures.interactive.base import Figure

LOCK_TIMEOUT = 0.3  # seconds to wait for another snapshot before the browser is asked to try again


class SnapshotHandlers:
    """JSON for the browser; each text is computed once and shared by all visitors.

    A request that cannot be fulfilled yields {"refused": sentence}.

    Args:
        session: computes the traces.
        texts: cache of JSON texts.
        find: returns the displayed request and its trace for the parameters of a call; KeyError for an unknown one.
    """

    def __init__(self, session: Session, texts: SingleFlightCache[tuple, str], find: Find) -> None:
        self._session, self._texts, self._find = session, texts, find
        self._lock = threading.Lock()  # one snapshot at a time, so that slider events do not queue behind them

    def server_functions(self) -> tuple[Callable[[dict], str], ...]:
        """The functions that a browser may call by name."""
        return self.training_run, self.training_charts, self.snapshot

    def training_run(self, params: dict) -> str:
        """The run of the displayed model: its snapshots, all scores (`points`), its phases; and the models: their
        names, and by name what is said of those that would be fetched.

        `series` identifies the settings that all snapshots are explained with; equal values mean equal results.
        """
        request = self._session.request_of(params["key"])
        if request is None:
            raise KeyError("key")
        registry = self._session.registry
        card = registry.facts(request.model).card
        training = card.training if card else {}
        snapshots = registry.snapshots(request.model)
        entries: list[dict[str, Any]] = [
            {"model": f"{request.model}{SNAPSHOT_MARK}{s.iteration}", "iteration": s.iteration, "scores": s.scores}
            for s in snapshots
        ]
        last = training.get("iterations")
        if snapshots and isinstance(last, int) and last > snapshots[-1].iteration:
            entries.append({"model": request.model, "iteration": last, "scores": {}})
        history = read_history(registry.snapshot_folder(request.model))
        series = _published_walk_request(request).key
        facts = {"model": request.model, "models": registry.names, "offered": registry.offered(), "series": series}
        phases = training_phases(training) if entries else []
        points = merge_scores(history, ((s.iteration, s.scores) for s in snapshots))
        return to_json({**facts, "snapshots": entries, "points": points, "phases": phases})

    def training_charts(self, params: dict) -> str:
        """The scores over the run of the displayed model as a chart in `language`; {} where none were measured."""
        run = json.loads(self.training_run(params))
        iterations = [snapshot["iteration"] for snapshot in run["snapshots"]]

        def figures(theme: str) -> dict[str, Figure | None]:
            return {"scores": score_figure(run["points"], run["phases"], iterations, theme=theme)}

        return to_json(render(params, figures))

    def snapshot(self, params: dict) -> str:
        """The prediction of one snapshot; {"waiting": true} while another one is being computed."""
        from afa_viz.ui.handlers import payload

        request, trace = self._find(params)
        model = params["model"]
        if not isinstance(model, str) or model.rpartition(SNAPSHOT_MARK)[0] != request.model != model:
            raise KeyError("model")
        try:
            other = request_for_model(self._session, _published_walk_request(request), trace, model)
        except UserError as error:
            return error_payload(error)
        name = ("snapshot", other.key, trace.class_names)
        cached = self._texts.peek(name)
        if cached is not None:
            return cached
        if not self._lock.acquire(timeout=LOCK_TIMEOUT):
            return json.dumps({"waiting": True})
        try:
            return self._texts.get(
                name, lambda: to_json(payload.frame(remap_classes(self._session.uncached_trace(other), trace)))
            )
        except UserError as error:
            return error_payload(error)
        finally:
            self._lock.release()


def _published_walk_request(request: Request) -> Request:
    """The request with the published walk and without PAR: the browser computes its own from what it receives."""
    kept = {
        name: getattr(request.config, name) for name in ("long_side", "scales", "flip", "symmetric", "keep_attention")
    }
    return dataclasses.replace(request, config=ExplainConfig(use_par=False, **kept))
