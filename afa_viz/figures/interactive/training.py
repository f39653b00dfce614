"""Figures over the iterations of a training run: losses, learning rates, scores by stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from afa_viz.figures.chart_style import STAGE_NAMES, STAGE_STYLES
from afa_viz.figures.interactive.base import HEIGHT, colour, finish, label, number, table_of_lines
from afa_viz.figures.phases import PHASE_NAMES, phases_of
from afa_viz.figures.translation import translate

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Lines = Sequence[Mapping[str, Any]]
Phases = Sequence[Mapping[str, Any]]
Style = tuple[str, str, str]  # name, colour, kind of line
LOSSES: dict[str, Style] = {
    "loss_cls": ("classification", "accent", "solid"),
    "loss_seg": ("segmentation", "warm", "dash"),
    "loss_aff": ("affinity", "good", "dot"),
}
ENERGY: dict[str, Style] = {"loss_energy": ("dense energy", "accent", "solid")}  # far smaller than the other losses
RATES: dict[str, Style] = {
    "lr": ("encoder", "accent", "solid"),
    "heads": ("classifier, affinity, decoder", "warm", "dash"),
}
SCORED = ("seg", "cam_par", "cam_refined", "cam_rw", "walk_start", "cam", "pseudo_label")
SCORES: dict[str, Style] = {
    **{f"miou_{stage}": (STAGE_NAMES[stage], *STAGE_STYLES[stage]) for stage in SCORED},
    "map": ("image labels, mAP", "ink", "dot"),
}
OFF_AT_FIRST = ("miou_cam_refined", "miou_pseudo_label")  # their switches turn them on
MAX_MARKED = 40  # points of a curve that are marked
SHADES = (0.03, 0.09)  # opacity of the phases in turn


def training_figures(
    lines: Lines,
    phases: Phases | None = None,
    head_multiplier: float = 10.0,
    end: int | None = None,
    theme: str = "light",
) -> dict[str, Figure]:
    """`losses`, `energy` (the dense energy loss), `rates` and `scores` of a run; one without numbers is left out.

    Args:
        lines: of `metrics.jsonl`, as `afa_viz.training.records.read_metrics` reads them.
        phases: [{"name", "until" this iteration}]; None: those that the lines name.
        head_multiplier: learning rate of classifier, affinity and decoder as a multiple of the encoder's.
        end: last iteration of the run; None: the last one that has a line.
    """
    heads = [{**line, "heads": line["lr"] * head_multiplier} for line in lines if line.get("lr") is not None]
    known = phases_of(lines) if phases is None else phases
    found = {
        "losses": _curves("Losses by iteration", lines, LOSSES, known, end, {"rangemode": "tozero"}, theme),
        "energy": _curves(
            "Dense energy loss by iteration, before its weight", lines, ENERGY, known, end, {"rangemode": "tozero"},
            theme,
        ),
        "rates": _curves(
            "Learning rates by iteration", heads, RATES, known, end,
            {"rangemode": "tozero", "exponentformat": "power", "nticks": 5}, theme,
        ),
        "scores": score_figure(lines, known, end=end, theme=theme),
    }  # fmt: skip
    return {name: figure for name, figure in found.items() if figure is not None}


def score_figure(
    lines: Lines,
    phases: Phases | None = None,
    snapshots: Iterable[int] = (),
    end: int | None = None,
    theme: str = "light",
) -> Figure | None:
    """Scores by stage on validation images over the iterations, in percent; None where there are none.

    Args:
        lines: with "iteration", "miou_<stage>" and "map"; others are ignored.
        phases, end: see `training_figures`.
        snapshots: iterations whose weights are kept, as triangles on the axis.
    """
    known = phases_of(lines) if phases is None else phases
    marks = list(snapshots)
    triangles = {
        "type": "scatter", "x": marks, "y": [2.2] * len(marks), "mode": "markers", "name": label("snapshots"),
        "hoverinfo": "skip", "showlegend": False,
        "marker": {"symbol": "triangle-up", "size": 11, "color": colour("muted")},
    }  # fmt: skip
    return _curves(
        "Scores by stage during training (%)", lines, SCORES, known, max([end or 0, *marks]),
        {"range": [0, 100], "ticksuffix": " %"}, theme, [triangles] if marks else [],
    )  # fmt: skip


def merge_scores(history: Lines, snapshots: Iterable[tuple[int, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """All scores that are known, by iteration: those of the history, and those of the snapshots over them."""
    found = {row["iteration"]: dict(row) for row in history if _is_scored(row)}
    for iteration, scores in snapshots:
        if _is_scored(scores):
            found[iteration] = {**found.get(iteration, {}), **scores, "iteration": iteration}
    return [found[iteration] for iteration in sorted(found)]


def _is_scored(row: Mapping[str, Any]) -> bool:
    return any(row.get(key) is not None for key in SCORES)


def _curves(
    title: str,
    lines: Lines,
    styles: Mapping[str, Style],
    phases: Phases,
    end: int | None,
    axis: Mapping[str, Any],
    theme: str,
    more: Sequence[Mapping[str, Any]] = (),
) -> Figure | None:
    """One curve for each key of `styles` that has numbers, and `more`, over shaded phases; None where none has."""
    curves = []
    for key, style in styles.items():
        points = [(line["iteration"], line[key]) for line in lines if line.get(key) is not None]
        if points:
            curves.append((key, style, *zip(*sorted(points), strict=True)))
    if not curves:
        return None
    last = max([end or 1, *(x[-1] for _, _, x, _ in curves), *(phase["until"] for phase in phases)])
    data = [
        {
            "type": "scatter", "name": label(name), "x": list(x), "y": [float(f"{value:.5g}") for value in y],
            "mode": "lines+markers" if len(x) <= MAX_MARKED else "lines",
            "line": {"color": colour(token), "dash": dash, "width": 2}, "marker": {"size": 5},
            "hovertemplate": "%{y:.3g}", "visible": "legendonly" if key in OFF_AT_FIRST else True,
        }
        for key, (name, token, dash), x, y in curves
    ]  # fmt: skip
    shapes, annotations = _phases(phases, last)
    layout = {
        "height": HEIGHT,
        "hovermode": "x unified",
        "hoverdistance": -1,  # the nearest iteration, from anywhere
        "xaxis": {"title": {"text": label("iteration")}, "range": [0, last], "tickformat": ",d", "hoverformat": ",d",
                  "nticks": 6},
        "yaxis": axis,
        "shapes": shapes,
        "annotations": annotations,
    }  # fmt: skip
    shown = [
        translate(f"{name} from {number(y[0], 3)} to {number(y[-1], 3)}")
        for key, (name, _, _), _, y in curves
        if key not in OFF_AT_FIRST
    ]
    table = table_of_lines("iteration", ((name, x, y) for _, (name, _, _), x, y in curves))
    return finish(title, [*data, *more], layout, table, f"{translate(title)}: {'; '.join(shown)}", theme)


def _phases(phases: Phases, last: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Shades, and their names above them: the number alone where a phase is short."""
    shapes: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    begin = 0
    for index, phase in enumerate(phases):
        end = min(phase["until"], last)
        name = label(PHASE_NAMES.get(phase["name"], phase["name"]))
        fits = (end - begin) / last > 0.014 * (len(name) + 3)
        shapes.append({"type": "rect", "yref": "paper", "x0": begin, "x1": end, "y0": 0, "y1": 1, "layer": "below",
                       "line": {"width": 0}, "fillcolor": colour("ink"), "opacity": SHADES[index % 2]})  # fmt: skip
        annotations.append({
            "x": (begin + end) / 2, "y": 1, "yref": "paper", "yanchor": "bottom", "showarrow": False,
            "text": f"{index + 1} {name}" if fits else f"{index + 1}", "hovertext": f"{index + 1} {name}",
            "font": {"size": 11, "color": colour("muted")},
        })  # fmt: skip
        begin = end
    return shapes, annotations
