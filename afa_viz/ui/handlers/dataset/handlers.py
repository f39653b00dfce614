"""Server functions of the Data set tab: JSON texts. Parameters come from a browser and are validated."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from afa_viz.classes import colours_for
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.charts import render
from afa_viz.ui.handlers.dataset.browse import PAGE_SIZE, listing, parse_listing_query, progress
from afa_viz.ui.handlers.dataset.charts import dataset_figures
from afa_viz.ui.handlers.dataset.images import DataSet
from afa_viz.ui.handlers.dataset.scoring import Scorer, Table
from afa_viz.ui.sessions.session import Request, Session


class DataSetHandlers:
    """Pages of images, their thumbnails, and the worker that scores them.

    Args:
        session: knows the displayed explanation; its model and settings determine the scores.
        dataset: the images.
        scorer: the worker that scores them.
    """

    def __init__(self, session: Session, dataset: DataSet, scorer: Scorer) -> None:
        self._session = session
        self._dataset = dataset
        self._scorer = scorer

    def server_functions(self) -> tuple[Callable[[dict], str], ...]:
        """The functions that a browser may call by name."""
        return self.dataset_page, self.dataset_charts, self.dataset_thumbnails, self.dataset_scoring

    def dataset_page(self, params: dict) -> str:
        """One page of images: the fields of a `ListingQuery`, and `key` of the explanation on display."""
        _, table = self._table(params)
        query = parse_listing_query(params, self._dataset)
        return json.dumps(listing(self._dataset, table, query, self._scorer.running_job()), allow_nan=False)

    def dataset_charts(self, params: dict) -> str:
        """Charts of all images that a query matches: its fields, `key` and `language`; {} where nothing is scored."""
        request, table = self._table(params)
        query = parse_listing_query(params, self._dataset)
        palette = self._palette(request.model)
        charts = render(params, lambda theme: dataset_figures(self._dataset, table, query, palette, theme))
        return json.dumps(charts, allow_nan=False, separators=(",", ":"))

    def dataset_thumbnails(self, params: dict) -> str:
        """Thumbnails and labels by id, for at most `PAGE_SIZE` ids."""
        ids = params["ids"]
        if not isinstance(ids, list) or len(ids) > PAGE_SIZE:
            raise KeyError("ids")
        found = {}
        for name in ids:
            index = self._dataset.index(name)
            found[name] = {"image": self._dataset.thumbnail(index), "labels": self._dataset.labels(index)}
        return json.dumps(found)

    def dataset_scoring(self, params: dict) -> str:
        """Start or stop the worker, or neither (`"do": "look"`); its progress, and a sentence if it does not start."""
        request, table = self._table(params)
        answer: dict[str, Any] = {"complaint": ""}
        if params["do"] == "start":
            try:
                self._scorer.start(request.model, request.config)
            except UserError as error:
                answer["complaint"] = str(error)
        elif params["do"] == "stop":
            self._scorer.stop(wait=True)
        elif params["do"] != "look":
            raise KeyError("do")
        return json.dumps({**answer, **progress(self._dataset, table, self._scorer.running_job())}, allow_nan=False)

    def _palette(self, model: str) -> dict[str, tuple[int, int, int]]:
        """The colours of a model's classes, as the page has them."""
        names, card = self._session.registry.class_names(model), self._session.registry.get(model).card
        return dict(zip(names, card.palette if card else colours_for(len(names)), strict=True))

    def _table(self, params: dict) -> tuple[Request, Table]:
        request = self._session.request_of(params["key"])
        if request is None:
            raise KeyError("key")
        return request, self._scorer.table(request.model, request.config)
