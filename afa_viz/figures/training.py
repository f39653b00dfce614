"""Chart of a training run: losses, learning rate and scores by stage over iterations, phases shaded and named."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afa_viz.figures.chart_style import BLUE, GREEN, INK, ORANGE, RED
from afa_viz.figures.charts import STAGE_LINES, STAGE_TITLES, new_figure, save_figure, style_axes
from afa_viz.figures.phases import phases_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Lines = Sequence[Mapping[str, Any]]
LOSSES = {
    "loss_cls": ("classification", BLUE, "-"),
    "loss_seg": ("segmentation", ORANGE, "-"),
    "loss_aff": ("affinity", GREEN, "-"),
}
ENERGY = {"loss_energy": ("", RED, "-")}  # at most 0, and far smaller than the others: an axis for itself
SCORE_LINES = {
    f"miou_{stage}": (STAGE_TITLES[stage] + (" (another rule)" if stage == "cam" else ""), *STAGE_LINES[stage])
    for stage in ("cam", "walk_start", "cam_rw", "cam_refined", "cam_par", "seg")
}
IMAGE_LABELS = {"map": ("mAP", INK, "-"), "f1": ("F1", RED, "--")}
SHADES = ("#ffffff", "#f0f0f0")


def write_training_plot(lines: Lines, path: str | os.PathLike[str]) -> Path:
    """Draw the lines of a run's `metrics.jsonl` as a PNG, whole or not at all; returns its path."""
    return save_figure(training_chart(lines), path)


def training_chart(lines: Lines) -> Figure:
    """Losses, the dense energy loss of a run that has it, learning rate, mIoU of the stages, and scores of the image
    labels, below each other.

    Args:
        lines: of `metrics.jsonl`: losses with "iteration", "phase" and "lr"; evaluations with "miou_<stage>" and "map".
    Raises: ValueError: if no line has an iteration.
    """
    if not any("iteration" in line for line in lines):
        raise ValueError("the run has no numbers yet; expected lines of metrics.jsonl with iterations: train first.")
    energy = [1.4] if any(line.get("loss_energy") is not None for line in lines) else []
    heights = (3, *energy, 1.4, 3, 2)
    figure = new_figure(9.5, 9.5 + sum(energy))
    rows = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    losses, (rate, scores, labels) = rows[0], rows[-3:]
    if energy:
        _draw(rows[1], lines, ENERGY, "Dense energy loss, before its weight")
    _draw(losses, lines, LOSSES, "Losses (mean of the steps between two lines)")
    if any((line.get("loss_cls") or 0) > 0 for line in lines):
        losses.set_yscale("log")
    _draw(rate, lines, {"lr": ("", INK, "-")}, "Learning rate")
    rate.set_ylim(bottom=0)
    rate.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    _draw(scores, lines, SCORE_LINES, "mIoU (%) of all pixels of validation images")
    _draw(labels, lines, IMAGE_LABELS, "Image labels (%) on validation images")
    for axes in (scores, labels):
        axes.set_ylim(0, 100)
    last = max(line["iteration"] for line in lines if "iteration" in line)
    begin = 0
    for number, phase in enumerate(phases_of(lines)):
        end = phase["until"]
        for axes in rows:
            axes.axvspan(begin, end, color=SHADES[number % 2], zorder=0, linewidth=0)
        middle = (begin + end) / 2
        fits = (end - begin) / max(1, last) > 0.012 * len(phase["name"])
        name = phase["name"] if fits else ""
        losses.annotate(name, (middle, 1), xycoords=("data", "axes fraction"), xytext=(0, -4), ha="center",
                        va="top", textcoords="offset points", fontsize=9, color="#666666")  # fmt: skip
        begin = end
    labels.set_xlim(0, max(1, last))
    labels.set_xlabel("iteration", color=INK)
    return figure


def _draw(axes: Axes, lines: Lines, series: Mapping[str, tuple[str, str, str]], title: str) -> None:
    """Draw every series that the lines contain; with markers if there are few points."""
    for key, (name, colour, style) in series.items():
        points = [(line["iteration"], line[key]) for line in lines if line.get(key) is not None]
        if points:
            marker = "o" if len(points) <= 60 and key != "lr" else None
            x, y = zip(*points, strict=True)
            axes.plot(x, y, style, color=colour, label=name, linewidth=1.5, marker=marker, markersize=3.5)
    style_axes(axes, title)
    if len(series) > 1 and axes.lines:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
