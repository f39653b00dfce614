"""Chart of the effect of each pathology of the sandbox, from the data of docs/data/pathologies.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from afa_viz.figures.chart_style import INK
from afa_viz.figures.charts import STAGE_LINES, new_figure, style_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SERIES = {
    "miou_cam": ("CAM, one threshold", STAGE_LINES["cam"][0], "o"),
    "miou_cam_par": ("walk and PAR", STAGE_LINES["cam_par"][0], "s"),
    "miou_seg": ("prediction", STAGE_LINES["seg"][0], "D"),
}
APART = 0.22  # between the series of one row, in rows


def change_chart(data: Mapping[str, Any]) -> Figure:
    """Paired change of mIoU from the default setting, with its interval: one row per setting, one marker per stage."""
    settings = {name: row for name, row in data["settings"].items() if name != "default"}
    figure = new_figure(8.5, 1.6 + 0.42 * len(settings))
    axes = figure.subplots()
    axes.axvline(0, color=INK, linewidth=1)
    for number, (key, (title, colour, marker)) in enumerate(SERIES.items()):
        places = [i + (number - 1) * APART for i in range(len(settings))]
        changes = [row["changes"][key] for row in settings.values()]
        ends = [row["change_intervals"][key] for row in settings.values()]
        reach = [[value - low for value, (low, _) in zip(changes, ends, strict=True)],
                 [high - value for value, (_, high) in zip(changes, ends, strict=True)]]  # fmt: skip
        reach = [[max(0.0, length) for length in side] for side in reach]
        axes.errorbar(changes, places, xerr=reach, fmt=marker, color=colour, label=title, markersize=5, capsize=2,
                      linewidth=1.3)  # fmt: skip
    style_axes(
        axes, f"Change of mIoU from the default sandbox, {data['scenes']} scenes, 95 % intervals", "points", grid=False
    )
    axes.set_yticks(range(len(settings)), list(settings))
    axes.set_ylim(len(settings) - 0.5, -0.5)
    for i in range(0, len(settings), 2):
        axes.axhspan(i - 0.5, i + 0.5, color="#f3f3f3", zorder=0, linewidth=0)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
    return figure
