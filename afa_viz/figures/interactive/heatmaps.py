"""Figures of an evaluation as maps of coloured cells: confusion, parts, contexts, and both background scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from afa_viz.figures.chart_style import STAGE_NAMES
from afa_viz.figures.interactive.base import colour, finish, label, percent, shorten
from afa_viz.figures.report_checks import require_one_of, require_parts, require_sweep
from afa_viz.figures.translation import translate
from afa_viz.stage_scores import distinct_stages

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Data = Mapping[str, Any]
Numbers = Sequence[Sequence[float | None]]
ROW_HEIGHT = 28  # pixels of a row
MAX_WRITTEN = 24  # columns whose cells hold their numbers
LABEL_MAPS = {
    "miou": "Pseudo label: mIoU of the certain pixels (%)",
    "precision": "Pseudo label: precision of the certain foreground (%)",
    "coverage": "Pseudo label: certain pixels (%)",
}
BETA_LOW, BETA_HIGH = "β<sub>l</sub>", "β<sub>h</sub>"


def confusion_figure(data: Data, stage: str = "seg", theme: str = "light") -> Figure:
    """Where the pixels of each true class go: a row adds up to 100 %.

    Args:
        stage: one of `data["confusion"]`, which holds counts of pixels (true class, predicted class).
    Raises: ValueError: for another stage, and for the data of another report.
    """
    require_parts(data, "confusion", "iou")
    known = [s for s in data["confusion"] if s in STAGE_NAMES and isinstance(data["iou"].get(s), Mapping)]
    require_one_of("confusion matrix of the stage", stage, known)
    counts = data["confusion"][stage]
    names = list(data["iou"][stage])
    kept = [i for i, row in enumerate(counts) if sum(row) or any(other[i] for other in counts)]
    values = [[round(100 * counts[i][j] / total, 1) if (total := sum(counts[i])) else None for j in kept] for i in kept]
    chosen = [names[i] for i in kept]
    title = f"{STAGE_NAMES[stage]}: share of each true class by what it is labelled (%)"
    return _heatmap(title, chosen, chosen, values, "true class", "labelled", theme)


def part_figure(data: Data, theme: str = "light") -> Figure:
    """Share of each part of an object that has the correct class: one row per part, one column per stage."""
    require_parts(data, "rule", "parts", "uncertain_parts")
    stages = distinct_stages(list(data["parts"]), data["rule"]["left_out"])
    parts = [part for part, value in data["parts"][stages[0]].items() if value is not None]
    values = [[*(data["parts"][stage][part] for stage in stages), data["uncertain_parts"][part]] for part in parts]
    columns = [_short(stage) for stage in (*stages, "uncertain")]
    return _heatmap("Share of each part with the correct class (%)", parts, columns, values, "part", "stage", theme)


def context_figure(data: Data, theme: str = "light") -> Figure:
    """mIoU by the context of the scene and stage."""
    require_parts(data, "rule", "iou", "contexts")
    stages = distinct_stages(list(data["iou"]), data["rule"]["left_out"])
    names = [f"{translate(name)} ({context['images']})" for name, context in data["contexts"].items()]
    values = [[context["miou"][stage] for stage in stages] for context in data["contexts"].values()]
    columns = [_short(stage) for stage in stages]
    return _heatmap("mIoU by context (number of images), in %", names, columns, values, "context", "stage", theme)


def threshold_map(sweep: Data, key: str = "miou", theme: str = "light") -> Figure:
    """A score of the pseudo label over both background scores, β_l × β_h; framed: in use, star: the highest mIoU.

    Args:
        key: one of `LABEL_MAPS`.
    Raises: ValueError: for another key or another part of a report.
    """
    require_sweep(sweep, "pseudo_label")
    require_one_of("score", key, LABEL_MAPS)
    scores = sorted({row["low"] for row in sweep["pseudo_label"]})
    cells = {(row["low"], row["high"]): row[key] for row in sweep["pseudo_label"]}
    values = [[cells.get((low, high)) for high in scores] for low in scores]
    used = sweep["in_use"]["bkg_score_high"], sweep["in_use"]["bkg_score_low"]
    marks = [("in use", used, "square-open", "bad", 20)]
    known = {place: value for place, value in cells.items() if value is not None}
    if key == "miou" and known:  # the others have no best pair: one end of them is trivial
        low, high = max(known, key=lambda place: known[place])
        marks.append(("highest: chosen with masks", (high, low), "star", "ink", 11))
    traces: list[dict[str, Any]] = [
        {"type": "heatmap", "x": scores, "y": scores, "z": values, "zmin": 0, "zmax": 100, "colorscale": "Viridis",
         "hovertemplate": f"{BETA_LOW} %{{y:.2f}}, {BETA_HIGH} %{{x:.2f}}: %{{z:.1f}} %<extra></extra>",
         "hoverongaps": False, "texttemplate": "%{z:.0f}",
         "colorbar": {"title": {"text": "%"}, "thickness": 12}}
    ]  # fmt: skip
    for name, (x, y), symbol, token, size in marks:
        line = {"width": 3 if symbol == "square-open" else 1, "color": colour(token)}
        traces.append({
            "type": "scatter", "mode": "markers", "name": label(name), "x": [x], "y": [y], "hoverinfo": "skip",
            "marker": {"symbol": symbol, "size": size, "color": colour(token), "line": line},
        })  # fmt: skip
    layout = {
        "height": 440,
        "hovermode": "closest",
        "xaxis": {"title": {"text": BETA_HIGH}, "tickvals": scores, "showgrid": False, "constrain": "domain"},
        "yaxis": {"title": {"text": BETA_LOW}, "tickvals": scores, "showgrid": False},
    }
    columns = ["β_l \\ β_h", *(f"{score:.2f}" for score in scores)]
    rows = [[f"{low:.2f}", *("" if value is None else percent(value) for value in row)]
            for low, row in zip(scores, values, strict=True)]  # fmt: skip
    return finish(LABEL_MAPS[key], traces, layout, (columns, rows), theme=theme)


def _short(stage: str) -> str:
    """The name of a stage without what stands in parentheses."""
    return STAGE_NAMES[stage].partition(" (")[0]


def _written(value: float | None) -> str:
    """A percentage in its cell; nothing for one that rounds to 0."""
    return "" if value is None or value <= 0.5 else f"{value:.0f}"


def _heatmap(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Numbers,
    row_title: str,
    column_title: str,
    theme: str,
) -> Figure:
    """Percentages as coloured cells, the first row on top; the numbers in the cells where these are large enough."""
    across, down = list(range(len(columns))), list(range(len(rows)))
    trace = {
        "type": "heatmap", "x": across, "y": down, "z": [list(row) for row in values], "zmin": 0, "zmax": 100,
        "colorscale": "Viridis", "hoverongaps": False, "colorbar": {"title": {"text": "%"}, "thickness": 12},
        "customdata": [[f"{label(row)} → {label(column)}" for column in columns] for row in rows],
        "hovertemplate": "%{customdata}: %{z:.1f} %<extra></extra>",
        "text": [[_written(value) for value in row] for row in values],
        "texttemplate": "%{text}" if len(columns) <= MAX_WRITTEN else "",
    }  # fmt: skip
    layout = {
        "height": 200 + ROW_HEIGHT * len(rows),
        "hovermode": "closest",
        "xaxis": {"tickvals": across, "ticktext": [label(name, 22) for name in columns], "tickangle": -45,
                  "title": {"text": label(column_title)}, "showgrid": False},
        "yaxis": {"tickvals": down, "ticktext": [label(name, 18) for name in rows], "autorange": "reversed",
                  "title": {"text": label(row_title)}, "showgrid": False},
    }  # fmt: skip
    shown = [[shorten(translate(name)), *map(percent, row)] for name, row in zip(rows, values, strict=True)]
    names = [f"{translate(row_title)} \\ {translate(column_title)}", *(shorten(translate(name)) for name in columns)]
    return finish(title, [trace], layout, (names, shown), theme=theme)
