"""What the Data set tab asks the server for: JSON texts. Everything in a question is checked: it may be anybody's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.dataset.browse import PAGE, listing, progress, view_from
from afa_viz.ui.handlers.dataset.images import DataSet
from afa_viz.ui.handlers.dataset.scoring import Scorer, Table
from afa_viz.ui.sessions.session import Request, Session


class DataSetAnswers:
    """Pages of images, thumbnails, and the worker that scores them.

    Args:
        session: knows what is explained; the scores are those of its model and settings.
        dataset: what is browsed.
        scorer: the worker.
    """

    def __init__(self, session: Session, dataset: DataSet, scorer: Scorer) -> None:
        self._session = session
        self._dataset = dataset
        self._scorer = scorer

    def public(self) -> tuple[Callable[[dict], str], ...]:
        """What a browser may ask for, each by its name."""
        return self.dataset_page, self.dataset_thumbnails, self.dataset_scoring

    def dataset_page(self, asked: dict) -> str:
        """Images in an order: `View` of browse.py, and `key` of the explanation whose model and settings count."""
        _, table = self._table(asked)
        view = view_from(asked, self._dataset)
        return json.dumps(listing(self._dataset, table, view, self._scorer.running()), allow_nan=False)

    def dataset_thumbnails(self, asked: dict) -> str:
        """Small pictures and labels by id, of at most `PAGE` ids."""
        ids = asked["ids"]
        if not isinstance(ids, list) or len(ids) > PAGE:
            raise KeyError("ids")
        found = {}
        for name in ids:
            place = self._dataset.place(name)
            found[name] = {"image": self._dataset.thumbnail(place), "labels": self._dataset.labels(place)}
        return json.dumps(found)

    def dataset_scoring(self, asked: dict) -> str:
        """Start or stop the worker, or only look: how far it is, and a sentence where it does not start."""
        request, table = self._table(asked)
        answer: dict[str, Any] = {"complaint": ""}
        if asked["do"] == "start":
            try:
                self._scorer.start(request.model, request.config)
            except UserError as error:
                answer["complaint"] = str(error)
        elif asked["do"] == "stop":
            self._scorer.stop(wait=True)
        elif asked["do"] != "look":
            raise KeyError("do")
        return json.dumps({**answer, **progress(self._dataset, table, self._scorer.running())}, allow_nan=False)

    def _table(self, asked: dict) -> tuple[Request, Table]:
        request = self._session.request_of(asked["key"])
        if request is None:
            raise KeyError("key")
        return request, self._scorer.table(request.model, request.config)
