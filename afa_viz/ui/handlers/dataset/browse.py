"""What the Data set tab shows: filter, order and page of the images, and what the scores say about all of them.

What is asked comes from a browser and is checked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from afa_viz.ui.handlers.dataset.images import DataSet
from afa_viz.ui.handlers.dataset.scoring import STAGES, Job, Score, Table

PAGE = 24  # images
ORDERS = ("set", "worst", "best", "lost", "gained")
LONGEST = 64  # letters of a class name that is asked for


@dataclass(frozen=True)
class View:
    """What is asked for.

    Attributes:
        order: "set" as the images come; "worst", "best" by the score of `stage`; "lost", "gained" by its change since
            `before`. Images without a score come last.
        stage, before: of `STAGES`.
        class_name: only images with this label, by its IoU; "": all, by the mean over the classes of an image.
        page: from 0; past the end it is the last one.
    """

    order: str = "set"
    stage: str = "seg"
    before: str = "walk_start"
    class_name: str = ""
    page: int = 0


def view_from(asked: dict[str, Any], dataset: DataSet) -> View:
    """A checked view. Raises: KeyError: for anything that is none."""
    order, stage, before = asked["order"], asked["stage"], asked["before"]
    class_name, page = asked["class_name"], asked["page"]
    if order not in ORDERS or stage not in STAGES or before not in STAGES:
        raise KeyError("order")
    if not isinstance(class_name, str) or class_name not in ("", *dataset.source.class_names[1:]):
        raise KeyError("class_name")
    if not isinstance(page, int) or isinstance(page, bool) or page < 0:
        raise KeyError("page")
    return View(order, stage, before, class_name, page)


def _value(score: Score | None, view: View) -> float | None:
    """What images are ordered by."""
    if score is None:
        return None
    now = score.of(view.stage, view.class_name)
    if view.order not in ("lost", "gained"):
        return now
    before = score.of(view.before, view.class_name)
    return None if now is None or before is None else now - before


def ordered(dataset: DataSet, table: Table, view: View) -> list[int]:
    """Places of the images that are to be seen, in order; equal ones as they come."""
    places = [
        place
        for place in range(len(dataset))
        if not view.class_name or view.class_name in (dataset.labels(place) or ())
    ]
    if view.order == "set":
        return places
    downwards = view.order in ("best", "gained")

    def rank(place: int) -> tuple[bool, float]:
        value = _value(table.get(dataset.ids[place]), view)
        return value is None, 0.0 if value is None else (-value if downwards else value)

    return sorted(places, key=rank)


def listing(dataset: DataSet, table: Table, view: View, job: Job | None) -> dict[str, Any]:
    """One page of the tab, and the overview above it."""
    places = ordered(dataset, table, view)
    pages = max(1, -(-len(places) // PAGE))
    page = min(view.page, pages - 1)
    return {
        "title": dataset.source.title,
        "classes": list(dataset.source.class_names[1:]),
        "matching": len(places),
        "page": page,
        "pages": pages,
        "first": page * PAGE,
        "cards": [_card(dataset, table, place) for place in places[page * PAGE : (page + 1) * PAGE]],
        "overview": _overview(dataset, table, places, view),
        "progress": progress(dataset, table, job),
    }


def _card(dataset: DataSet, table: Table, place: int) -> dict[str, Any]:
    score = table.get(dataset.ids[place])
    return {
        "id": dataset.ids[place],
        "title": dataset.title(place),
        "labels": dataset.labels(place),
        "miou": score.miou if score else None,
        "iou": score.iou if score else None,
        "broken": bool(score and score.broken),
    }


def _overview(dataset: DataSet, table: Table, places: list[int], view: View) -> dict[str, Any]:
    """Means of every stage over the scored images, and in how many the step went up or down."""
    found = [score for place in places if (score := table.get(dataset.ids[place])) is not None and score.miou]
    means = {}
    for stage in STAGES:
        values = [value for score in found if (value := score.of(stage, view.class_name)) is not None]
        means[stage] = round(sum(values) / len(values), 4) if values else None
    changes = [
        now - old
        for score in found
        if (now := score.of(view.stage, view.class_name)) is not None
        and (old := score.of(view.before, view.class_name)) is not None
    ]
    same = 0.0005  # shown as 0.0 points
    return {
        "scored": len(found),
        "means": means,
        "better": sum(change > same for change in changes),
        "worse": sum(change < -same for change in changes),
        "compared": len(changes),
    }


def progress(dataset: DataSet, table: Table, job: Job | None) -> dict[str, Any]:
    """How far the worker is with this table, whether it is at work on another one, and what ended its last run."""
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
