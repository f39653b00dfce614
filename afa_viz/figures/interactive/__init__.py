"""Figures to hold: values under the pointer, zoom, a legend of switches; made with plotly.

    from afa_viz.figures import interactive
    interactive.before_after_figure(images, "walk_start", "cam_rw")      # a plotly.graph_objects.Figure
    interactive.write_page(interactive.evaluation_figures(json.load(open("scores.json"))), "scores.html")

Each is defined once, here: the app draws the same figures. Names are loaded on first use, and plotly with the first
figure. Every figure takes `theme`: "light" or "dark".
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

_HOME = {
    "base": ("plotly_js", "plotly_version"),
    "training": ("training_figures", "score_figure", "merge_scores"),
    "dataset": (
        "ImageScore", "ClassScore", "before_after_figure", "change_histogram", "class_change_figure", "class_means",
    ),
    "evaluation": (
        "evaluation_figures", "stage_figure", "class_figure", "step_figure", "confusion_figure", "part_figure",
        "context_figure", "cam_threshold_figure", "threshold_map",
    ),
    "page": ("write_page",),
}  # fmt: skip
_FILES = {name: file for file, names in _HOME.items() for name in names}
__all__ = [
    "ClassScore", "ImageScore", "before_after_figure", "cam_threshold_figure", "change_histogram",
    "class_change_figure", "class_figure", "class_means", "confusion_figure", "context_figure", "evaluation_figures",
    "merge_scores", "part_figure", "plotly_js", "plotly_version", "score_figure", "stage_figure", "step_figure",
    "threshold_map", "training_figures", "write_page",
]  # fmt: skip

if TYPE_CHECKING:
    from afa_viz.figures.interactive.base import plotly_js, plotly_version
    from afa_viz.figures.interactive.dataset import (
        ClassScore,
        ImageScore,
        before_after_figure,
        change_histogram,
        class_change_figure,
        class_means,
    )
    from afa_viz.figures.interactive.evaluation import (
        cam_threshold_figure,
        class_figure,
        confusion_figure,
        context_figure,
        evaluation_figures,
        part_figure,
        stage_figure,
        step_figure,
        threshold_map,
    )
    from afa_viz.figures.interactive.page import write_page
    from afa_viz.figures.interactive.training import merge_scores, score_figure, training_figures


def __getattr__(name: str):
    if name not in _FILES:
        raise AttributeError(f"module 'afa_viz.figures.interactive' has no attribute {name!r}")
    return getattr(import_module(f"afa_viz.figures.interactive.{_FILES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
