"""Calibration of the affinity as a chart: the reliability curve, and the ROC AUC of pairs by distance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from afa_viz.figures.chart_style import BLUE, GREY, INK, LIGHT_GREY
from afa_viz.figures.charts import new_figure, style_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST = 260  # area of the marker of the fullest bin, in points squared


def calibration_chart(data: Mapping[str, Any], title: str) -> Figure:
    """On the diagonal the affinity is the probability that two cells have the same class.

    Args:
        data: of `AffinityCalibration.data`.
        title: data set, split and number of images.
    """
    figure = new_figure(9.0, 4.2)
    curve, auc = figure.subplots(1, 2)
    rows = [row for row in data["reliability"] if row["pairs"]]
    error = data["expected_calibration_error"]
    shown = "–" if error is None else f"{error:.3f}"
    style_axes(curve, f"Affinity, {title}\nexpected calibration error {shown}", "affinity (mean of the bin)",
               "share of pairs of the same class")  # fmt: skip
    curve.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
    most = max((row["pairs"] for row in rows), default=1)
    means, shares = ([row[name] for row in rows] for name in ("mean_affinity", "same_class_share"))
    curve.plot(means, shares, color=BLUE, linewidth=1.5)
    curve.scatter(means, shares, s=[12 + LARGEST * row["pairs"] / most for row in rows], color=BLUE, alpha=0.5)
    curve.set_xlim(-0.04, 1.04)
    curve.set_ylim(-0.04, 1.04)
    curve.annotate("area: number of pairs", (0.98, 0.03), xycoords="axes fraction", ha="right", fontsize=8, color=INK)
    distances = [row for row in data["by_distance"] if row["auc"] is not None]
    style_axes(auc, "Does it rank pairs of the same class higher?", "distance in cells", "ROC AUC")
    auc.axhline(0.5, color=LIGHT_GREY, linewidth=1)
    auc.plot([row["cells"] for row in distances], [row["auc"] for row in distances], color=BLUE, marker="o")
    auc.set_ylim(0.4, 1.02)
    auc.set_xticks([row["cells"] for row in distances])
    return figure
