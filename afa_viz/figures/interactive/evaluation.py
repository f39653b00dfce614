"""Figures of an evaluation, from the data of its JSON file (`evaluate --json`): stages, classes, steps, thresholds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afa_viz.figures.chart_style import STAGE_NAMES, STAGE_STYLES
from afa_viz.figures.interactive.base import colour, finish, label, percent, shorten, table_of_lines
from afa_viz.figures.interactive.heatmaps import (
    LABEL_MAPS,
    confusion_figure,
    context_figure,
    part_figure,
    threshold_map,
)
from afa_viz.figures.interactive.page import write_page
from afa_viz.figures.report_checks import require_parts, require_report, require_sweep
from afa_viz.figures.translation import translate
from afa_viz.stage_scores import distinct_stages

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Data = Mapping[str, Any]
ROW_HEIGHT = 40  # pixels of a class
SPREAD = 0.3  # half the height of a bar, over which the points of the classes are spread
ON_AT_FIRST = ("walk_start", "cam_par", "seg")  # of the classes' scores; the other stages have switches
CONFUSED = ("seg", "cam_par")  # stages whose confusion is drawn


def evaluation_figures(data: Data, theme: str = "light") -> dict[str, Figure]:
    """Every figure that the data of an evaluation allows, by name. Raises: ValueError: for another report."""
    require_report(data)
    found = {"stages": stage_figure(data, theme), "classes": class_figure(data, theme)}
    if data.get("changes"):
        found["steps"] = step_figure(data, theme)
    found |= {f"confusion_{s}": confusion_figure(data, s, theme) for s in CONFUSED if s in data.get("confusion", {})}
    if "parts" in data:
        found["parts"] = part_figure(data, theme)
    if "contexts" in data:
        found["contexts"] = context_figure(data, theme)
    if "sweep" in data:
        found["cam_thresholds"] = cam_threshold_figure(data["sweep"], theme)
        found |= {f"label_{key}": threshold_map(data["sweep"], key, theme) for key in LABEL_MAPS}
    return found


def write_evaluation_page(data: Data, folder: str | os.PathLike[str]) -> Path:
    """Every figure of an evaluation as `scores.html` in a folder: one file that opens offline; returns its path."""
    facts = [f"{data['images']} images", *(str(data[key]) for key in ("data", "split", "recipe") if data.get(key))]
    figures = evaluation_figures(data, theme="page")
    return write_page(figures, Path(folder) / "scores.html", "Scores by stage", ", ".join(facts))


def stage_figure(data: Data, theme: str = "light") -> Figure:
    """mIoU of every stage under one rule as a bar with its interval, and every class as a point on it."""
    require_report(data)
    stages = _stages(data)[::-1]  # the first one on top
    means = [data["summary"][f"miou_{stage}"] for stage in stages]
    intervals = [data.get("intervals", {}).get(stage, {}).get("miou") for stage in stages]
    points = [
        (place + SPREAD * (2 * i / max(1, len(data["iou"][stage]) - 1) - 1), value, name)
        for place, stage in enumerate(stages)
        for i, (name, value) in enumerate(data["iou"][stage].items())
        if value is not None
    ]
    traces: list[dict[str, Any]] = [
        {
            "type": "bar", "orientation": "h", "y": list(range(len(stages))), "x": means, "width": 0.75,
            "showlegend": False,
            "marker": {"color": [colour(STAGE_STYLES[stage][0]) for stage in stages], "opacity": 0.5,
                       "pattern": {"shape": ["/" if stage.startswith("seg") else "" for stage in stages]}},
            "error_x": _error_bars(means, intervals), "text": [label(STAGE_NAMES[stage]) for stage in stages],
            "textposition": "none", "hovertemplate": "%{text}: %{x:.1f} %<extra></extra>",
        },
        {
            "type": "scatter", "mode": "markers", "name": label("a class"), "x": [value for _, value, _ in points],
            "y": [place for place, _, _ in points], "text": [label(name) for _, _, name in points],
            "marker": {"size": 7, "color": colour("paper"), "line": {"width": 1.5, "color": colour("ink")}},
            "hovertemplate": "%{text}: %{x:.1f} %<extra></extra>",
        },
    ]  # fmt: skip
    layout = _rows_layout([label(STAGE_NAMES[stage]) for stage in stages], 46)
    rows = [
        [translate(STAGE_NAMES[stage]), percent(mean), _ends(interval)]
        for stage, mean, interval in zip(reversed(stages), reversed(means), reversed(intervals), strict=True)
    ]
    title = "Stages under one rule: mIoU, its 95 % interval, and the classes; hatched: without image labels"
    columns = [translate(name) for name in ("stage", "mIoU (%)", "95 % interval")]
    return finish(title, traces, layout, (columns, rows), theme=theme)


def class_figure(data: Data, theme: str = "light") -> Figure:
    """IoU of every class after each stage, with its interval; the classes by the last stage's score."""
    require_report(data)
    stages = _stages(data)
    last = data["iou"]["seg" if "seg" in stages else stages[-1]]
    names = [name for name, value in last.items() if value is not None]
    names.sort(key=lambda name: last[name])  # from below
    traces = []
    for i, stage in enumerate(stages):
        values = [data["iou"][stage].get(name) for name in names]
        ends = data.get("intervals", {}).get(stage, {}).get("iou", {})
        shift = 0.7 * (0.5 - (i + 0.5) / len(stages))
        traces.append({
            "type": "scatter", "mode": "markers", "name": label(STAGE_NAMES[stage]), "x": values,
            "y": [place + shift for place in range(len(names))], "text": [label(name) for name in names],
            "marker": {"size": 9, "color": colour(STAGE_STYLES[stage][0]), "symbol": _symbol(stage)},
            "error_x": _error_bars(values, [ends.get(name) for name in names], STAGE_STYLES[stage][0]),
            "visible": True if stage in ON_AT_FIRST else "legendonly",
            "hovertemplate": "%{text}: %{x:.1f} %<extra>%{fullData.name}</extra>",
        })  # fmt: skip
    rows = [
        [shorten(translate(name)), *(percent(data["iou"][stage].get(name)) for stage in stages)]
        for name in reversed(names)
    ]
    columns = [translate("class"), *(translate(STAGE_NAMES[stage]) for stage in stages)]
    layout = _rows_layout([label(name, 18) for name in names], ROW_HEIGHT)
    return finish("IoU of every class (%), with 95 % intervals", traces, layout, (columns, rows), theme=theme)


def step_figure(data: Data, theme: str = "light") -> Figure:
    """What each step changes of the mIoU, in points; an interval beside 0: more than chance among these images."""
    require_parts(data, "changes")
    steps = list(data["changes"].values())[::-1]
    values, ends = [step["change"] for step in steps], [step["interval"] for step in steps]
    names = [f"{label(STAGE_NAMES[step['before']])}<br>→ {label(STAGE_NAMES[step['after']])}" for step in steps]
    trace = {
        "type": "scatter", "mode": "markers", "x": values, "y": list(range(len(steps))), "showlegend": False,
        "marker": {"size": 11, "color": [colour(STAGE_STYLES[step["after"]][0]) for step in steps]},
        "error_x": _error_bars(values, ends) | {"thickness": 2, "width": 6}, "text": names,
        "hovertemplate": "%{text}<br>%{x:+.1f}<extra></extra>",
    }  # fmt: skip
    layout = _rows_layout(names, 52, "change of mIoU in points")
    layout["xaxis"] = {**layout["xaxis"], "range": None, "tickformat": "+"}
    layout["shapes"] = [{"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1,
                         "line": {"color": colour("ink"), "width": 1.5}}]  # fmt: skip
    rows = [
        [translate(STAGE_NAMES[step["before"]]), translate(STAGE_NAMES[step["after"]]), percent(step["change"]),
         _ends(step["interval"])]
        for step in reversed(steps)
    ]  # fmt: skip
    columns = [translate(name) for name in ("from", "to", "change", "95 % interval")]
    return finish("What each step changes, with 95 % intervals", [trace], layout, (columns, rows), theme=theme)


def cam_threshold_figure(sweep: Data, theme: str = "light") -> Figure:
    """The CAM cut at every background score; dashed: the score in use."""
    require_sweep(sweep, "cam")
    scores = [row["bkg_score"] for row in sweep["cam"]]
    keys = {"miou": "mIoU", "precision": "precision of the foreground", "recall": "recall of the foreground"}
    lines = [(name, scores, [row[key] for row in sweep["cam"]]) for key, name in keys.items()]
    styles = (("ink", "solid"), ("warm", "dash"), ("accent", "dashdot"))
    traces = [
        {"type": "scatter", "mode": "lines+markers", "name": label(name), "x": x, "y": y, "marker": {"size": 5},
         "hovertemplate": "%{y:.1f} %", "line": {"color": colour(token), "dash": dash, "width": 2}}
        for (name, x, y), (token, dash) in zip(lines, styles, strict=True)
    ]  # fmt: skip
    used = sweep["in_use"]["bkg_score"]
    layout = {
        "hovermode": "x unified",
        "xaxis": {"title": {"text": label("background score")}, "range": [0, 1]},
        "yaxis": {"title": {"text": "%"}, "range": [0, 102]},
        "shapes": [{"type": "line", "x0": used, "x1": used, "yref": "paper", "y0": 0, "y1": 1,
                    "line": {"color": colour("muted"), "width": 1.5, "dash": "dash"}}],
    }  # fmt: skip
    table = table_of_lines("background score", lines)
    return finish("CAM at one threshold; dashed: the one in use", traces, layout, table, theme=theme)


def _stages(data: Data) -> list[str]:
    """Stages that may be compared: one rule over every pixel, each once."""
    return distinct_stages(data["rule"]["whole"], data["rule"]["left_out"])


def _symbol(stage: str) -> str:
    return "diamond" if stage.startswith("seg") else "square" if "par" in stage or "refined" in stage else "circle"


def _error_bars(
    values: Sequence[float | None], intervals: Sequence[Sequence[float | None] | None], token: str = "ink"
) -> dict[str, Any]:
    """From each value to the ends of its interval; none where one is unknown."""

    def gap(i: int, end: int) -> float:
        value, interval = values[i], intervals[i]
        edge = None if interval is None else interval[end]
        return 0.0 if value is None or edge is None else round(max(0.0, (edge - value) * (2 * end - 1)), 2)

    places = range(len(values))
    return {"type": "data", "symmetric": False, "array": [gap(i, 1) for i in places],
            "arrayminus": [gap(i, 0) for i in places], "thickness": 1.5, "width": 4,
            "color": colour(token)}  # fmt: skip


def _ends(interval: Sequence[float | None] | None) -> str:
    return "–" if not interval or interval[0] is None else f"{percent(interval[0])} … {percent(interval[1])}"


def _rows_layout(names: Sequence[str], row_height: int, title: str = "IoU (%)") -> dict[str, Any]:
    """Of a figure whose rows, numbered from below, have these names."""
    return {
        "height": 140 + row_height * len(names),
        "hovermode": "closest",
        "xaxis": {"title": {"text": label(title)}, "range": [-2, 102]},
        "yaxis": {"tickvals": list(range(len(names))), "ticktext": list(names), "range": [-0.6, len(names) - 0.4],
                  "showgrid": False},
    }  # fmt: skip
