"""Basics of all charts: figures without a window, axis style, colours for colour-blind readers, writing files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from afa_viz.atomic_files import atomic_write
from afa_viz.figures.chart_style import INK, LIGHT_GREY, PRINTED, STAGE_STYLES
from afa_viz.figures.colour import MAGNITUDE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 120
MATPLOTLIB_LINES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}
STAGE_LINES = {  # colour and line style of each stage in line charts
    stage: (PRINTED[colour], MATPLOTLIB_LINES[line]) for stage, (colour, line) in STAGE_STYLES.items()
}
STAGE_TITLES = {
    "cam": "CAM, one threshold",
    "walk_start": "walk's start",
    "cam_rw": "walk",
    "par_start": "PAR's start",
    "cam_refined": "PAR, no walk",
    "cam_par": "PAR",
    "affinity_label": "affinity label",
    "pseudo_label": "pseudo label",
    "seg": "prediction",
    "seg_multi_scale": "multi-scale",
    "uncertain": "uncertain",
}


def new_figure(width: float, height: float) -> Figure:
    """A figure with a size in inches, without a window or global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")


def style_axes(axes: Axes, title: str = "", x: str = "", y: str = "", grid: bool = True) -> Axes:
    """Set titles and hide lines that carry no numbers; returns the axes."""
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=9)
    if grid:
        axes.grid(axis="y", color=LIGHT_GREY, linewidth=0.7)
        axes.set_axisbelow(True)
    return axes


def annotated_heatmap(
    axes: Axes, rows: Sequence[str], columns: Sequence[str], values: Any, low: float = 0.0, high: float = 100.0
) -> Any:
    """Numbers as coloured cells with the values in them; NaN stays white. Returns the image for a colour bar."""
    numbers = np.asarray(values, dtype=float)
    image = axes.imshow(np.ma.masked_invalid(numbers), cmap=MAGNITUDE, vmin=low, vmax=high, aspect="auto")
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0, labelsize=9, colors=INK)
    axes.spines[:].set_visible(False)
    for (i, j), value in np.ndenumerate(numbers):
        if not np.isnan(value):
            light = (value - low) / (high - low) > 0.6
            axes.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=8.5, color="black" if light else "white")
    return image


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a PNG, whole or not at all; returns its path."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    with atomic_write(path) as partial:  # with 256 colours: a third of the bytes
        image.quantize(256, dither=Image.Dither.NONE).save(partial, format="PNG", optimize=True)
    return path
