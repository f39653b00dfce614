"""The content of the Data set tab: filter, order and page of the images, and a summary of their scores.

Queries come from a browser and are validated here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from afa_viz.ui.handlers.dataset.images import DataSet
from afa_viz.ui.handlers.dataset.scoring import COMPARABLE_STAGES, Job, Score, Table

PAGE_SIZE = 24  # images
ORDERS = ("set", "worst", "best", "lost", "gained")


@dataclass(frozen=True)
class ListingQuery:
    """A validated query.

    Attributes:
        order: "set": as in the data set; "worst", "best": by the score of `stage`; "lost", "gained": by its change
            since `before`. Images without a score come last.
        stage, before: of `COMPARABLE_STAGES`.
        class_name: only images with this label, by its IoU; "": all images, by the mean over their classes.
        page: from 0; past the end: the last one.
        ids: only these images; None: all.
    """

    order: str = "set"
    stage: str = "seg"
    before: str = "walk_start"
    class_name: str = ""
    page: int = 0
    ids: frozenset[str] | None = None


def parse_listing_query(params: dict[str, Any], dataset: DataSet) -> ListingQuery:
    """Validate a query. Raises: KeyError: for an invalid one."""
    order, stage, before = params["order"], params["stage"], params["before"]
    class_name, page = params["class_name"], params["page"]
    if order not in ORDERS or stage not in COMPARABLE_STAGES or before not in COMPARABLE_STAGES:
        raise KeyError("order")
    if not isinstance(class_name, str) or class_name not in ("", *dataset.source.class_names[1:]):
        raise KeyError("class_name")
    if not isinstance(page, int) or isinstance(page, bool) or page < 0:
        raise KeyError("page")
    ids = params.get("ids")
    if ids is not None and not (isinstance(ids, list) and all(isinstance(name, str) for name in ids)):
        raise KeyError("ids")
    return ListingQuery(order, stage, before, class_name, page, None if ids is None else frozenset(ids))


def _sort_value(score: Score | None, query: ListingQuery) -> float | None:
    """The value that images are sorted by."""
    if score is None:
        return None
    now = score.of(query.stage, query.class_name)
    if query.order not in ("lost", "gained"):
        return now
    before = score.of(query.before, query.class_name)
    return None if now is None or before is None else now - before


def sorted_indices(dataset: DataSet, table: Table, query: ListingQuery) -> list[int]:
    """Indices of the images that match, in order; ties as in the data set."""
    indices = [
        index
        for index in range(len(dataset))
        if (query.ids is None or dataset.ids[index] in query.ids)
        and (not query.class_name or query.class_name in (dataset.labels(index) or ()))
    ]
    if query.order == "set":
        return indices
    descending = query.order in ("best", "gained")

    def rank(index: int) -> tuple[bool, float]:
        value = _sort_value(table.get(dataset.ids[index]), query)
        return value is None, 0.0 if value is None else (-value if descending else value)

    return sorted(indices, key=rank)


def listing(dataset: DataSet, table: Table, query: ListingQuery, job: Job | None) -> dict[str, Any]:
    """One page of images, and the summary above it."""
    indices = sorted_indices(dataset, table, query)
    pages = max(1, -(-len(indices) // PAGE_SIZE))
    page = min(query.page, pages - 1)
    return {
        "title": dataset.source.title,
        "classes": list(dataset.source.class_names[1:]),
        "matching": len(indices),
        "page": page,
        "pages": pages,
        "first": page * PAGE_SIZE,
        "cards": [_card(dataset, table, index) for index in indices[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]],
        "overview": _overview(dataset, table, indices, query),
        "progress": progress(dataset, table, job),
    }


def _card(dataset: DataSet, table: Table, index: int) -> dict[str, Any]:
    score = table.get(dataset.ids[index])
    return {
        "id": dataset.ids[index],
        "title": dataset.title(index),
        "labels": dataset.labels(index),
        "miou": score.miou if score else None,
        "iou": score.iou if score else None,
        "broken": bool(score and score.broken),
    }


def _overview(dataset: DataSet, table: Table, indices: list[int], query: ListingQuery) -> dict[str, Any]:
    """Means of every stage over the scored images, and for how many images the score rose or fell."""
    scored = [score for index in indices if (score := table.get(dataset.ids[index])) is not None and score.miou]
    means = {}
    for stage in COMPARABLE_STAGES:
        values = [value for score in scored if (value := score.of(stage, query.class_name)) is not None]
        means[stage] = round(sum(values) / len(values), 4) if values else None
    changes = [
        now - old
        for score in scored
        if (now := score.of(query.stage, query.class_name)) is not None
        and (old := score.of(query.before, query.class_name)) is not None
    ]
    same = 0.0005  # shown as 0.0 points
    return {
        "scored": len(scored),
        "means": means,
        "better": sum(change > same for change in changes),
        "worse": sum(change < -same for change in changes),
        "compared": len(changes),
    }


def progress(dataset: DataSet, table: Table, job: Job | None) -> dict[str, Any]:
    """Progress of the worker on this table, whether it is busy with another one, and why its last run failed."""
    mine = job is not None and job.table is table
    left = len(dataset) - len(table)
    seconds = job.seconds / job.done * left if job is not None and mine and job.done else None
    if mine:
        state = "paused" if job is not None and job.paused else "running"
    else:
        state = "other" if job is not None else "done" if not left else "idle"
    failure = {"failure": table.failure} if table.failure else {}
    return failure | {
        "state": state,
        "known": len(table),
        "total": len(dataset),
        "broken": table.broken(),
        "seconds": None if seconds is None else round(seconds),
    }
