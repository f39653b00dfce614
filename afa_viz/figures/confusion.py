"""A confusion matrix as a chart: which classes are taken for which, in percent of the pixels of each true class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from afa_viz.figures.chart_style import INK
from afa_viz.figures.charts import annotated_heatmap, new_figure, style_axes
from afa_viz.figures.colour import MAGNITUDE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ANNOTATED = 30  # classes; the cells of larger matrices have no room for numbers


def confusion_chart(counts: Any, class_names: Sequence[str], title: str) -> Figure:
    """Rows ground truth, columns label; every row sums to 100 %, and classes without a pixel stay white.

    Args:
        counts: (K, K) pixels.
        class_names: K names, background first.
    """
    matrix = np.asarray(counts, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = 100 * matrix / matrix.sum(axis=1, keepdims=True)
    side = 0.42 if len(class_names) <= MOST_ANNOTATED else 0.16
    figure = new_figure(2.6 + side * len(class_names), 1.9 + side * len(class_names))
    axes = figure.subplots()
    if len(class_names) <= MOST_ANNOTATED:
        image = annotated_heatmap(axes, class_names, class_names, shares)
    else:
        image = axes.imshow(np.ma.masked_invalid(shares), cmap=MAGNITUDE, vmin=0, vmax=100, aspect="auto")
        axes.set_xticks(range(len(class_names)), class_names)
        axes.set_yticks(range(len(class_names)), class_names)
    style_axes(axes, title, x="label", y="ground truth", grid=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=9 if len(class_names) <= MOST_ANNOTATED else 6, colors=INK)
    axes.tick_params(axis="x", rotation=90)
    bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02)
    bar.set_label("% of the pixels of the true class", color=INK)
    bar.outline.set_visible(False)
    return figure
