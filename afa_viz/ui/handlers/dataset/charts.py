"""The charts of the Data set tab: every scored image before and after a stage, the changes, and the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from afa_viz.figures.interactive.dataset import (
    ImageScore,
    before_after_figure,
    change_histogram,
    class_change_figure,
    class_means,
)
from afa_viz.ui.handlers.dataset.browse import ListingQuery, sorted_indices
from afa_viz.ui.handlers.dataset.images import DataSet
from afa_viz.ui.handlers.dataset.scoring import Score, Table

if TYPE_CHECKING:
    from afa_viz.figures.interactive.base import Figure

GIVEN_LABELS = "walk_start"  # a stage that labels with the image labels alone: its classes are those of the image


def dataset_figures(
    dataset: DataSet, table: Table, query: ListingQuery, palette: Mapping[str, tuple[int, int, int]], theme: str
) -> Mapping[str, Figure]:
    """`images`, `changes` and `classes` of the images that a query matches; {} where none of them has two scores.

    Args:
        palette: colours of classes.
    """
    known = [(i, score) for i in sorted_indices(dataset, table, query) if (score := table.get(dataset.ids[i]))]
    images = [image for i, score in known if (image := _image(dataset, i, score, query)) is not None]
    if not images:
        return {}
    before, after = query.before, query.stage
    shown = {
        "images": before_after_figure(images, before, after, palette, theme),
        "changes": change_histogram(images, before, after, theme),
    }
    means = class_means([(_of_classes(score, before), _of_classes(score, after)) for _, score in known])
    return {**shown, "classes": class_change_figure(means, before, after, theme)} if means else shown


def _image(dataset: DataSet, index: int, score: Score, query: ListingQuery) -> ImageScore | None:
    before, after = score.of(query.before, query.class_name), score.of(query.stage, query.class_name)
    if before is None or after is None:
        return None
    classes = dataset.labels(index) or tuple(score.iou.get(GIVEN_LABELS, ()))
    return ImageScore(dataset.ids[index], dataset.title(index), classes, before, after)


def _of_classes(score: Score, stage: str) -> dict[str, float]:
    """IoU of a stage by the classes of the image; the prediction may see others, which are left out."""
    own = score.iou.get(GIVEN_LABELS, {})
    return {name: value for name, value in score.iou.get(stage, {}).items() if name in own}
