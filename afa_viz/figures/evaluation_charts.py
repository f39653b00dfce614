"""Charts of an evaluation: scores by stage, object parts, contexts and thresholds, from the data of its JSON file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from afa_viz.figures.chart_style import BLUE, GREEN, GREY, INK, LIGHT_GREY, ORANGE, RED
from afa_viz.figures.charts import (
    STAGE_LINES,
    STAGE_TITLES,
    annotated_heatmap,
    new_figure,
    save_figure,
    style_axes,
)
from afa_viz.figures.report_checks import require_report
from afa_viz.stage_scores import distinct_stages

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Data = Mapping[str, Any]
HATCH = "//"  # of stages that do not use the image labels
SPREAD = 0.28  # half-width over which the points of the classes are spread


def write_plots(data: Data, folder: str | os.PathLike[str]) -> list[Path]:
    """Write every chart that the data of an evaluation allows as a PNG file; returns the paths."""
    charts = {"stages": stage_score_chart(data)}
    if "parts" in data:
        charts["parts"] = part_chart(data)
    if "contexts" in data:
        charts["contexts"] = context_chart(data)
    if "sweep" in data:
        charts["sweep"] = threshold_sweep_chart(data["sweep"])
    return [save_figure(chart, Path(folder) / f"{name}.png") for name, chart in charts.items()]


def stage_score_chart(data: Data) -> Figure:
    """mIoU of every stage under one rule as a bar, and every class as a point; the lowest class is named.

    The CAM with one threshold and the labels have no bars: they use another rule, or cover only some of the pixels.
    Raises: ValueError: for the data of another report.
    """
    require_report(data)
    stages = distinct_stages(data["rule"]["whole"], data["rule"]["left_out"])
    figure = new_figure(1.9 + 1.5 * len(stages), 4.6)
    title = f"Stages under one rule, background score {data['rule']['bkg_score_low']:g}, {data['images']} images"
    axes = style_axes(figure.subplots(), title, y="IoU (%)")
    names = []
    for x, stage in enumerate(stages):
        iou = {name: value for name, value in data["iou"][stage].items() if value is not None}
        mean = data["summary"][f"miou_{stage}"]
        knows_labels = not stage.startswith("seg")
        colour, hatch = STAGE_LINES[stage][0], "" if knows_labels else HATCH
        axes.bar(x, mean or 0, 0.8, color=colour, edgecolor="white", hatch=hatch, alpha=0.45, zorder=2)
        shifts = np.linspace(-SPREAD, SPREAD, len(iou)) if len(iou) > 1 else np.zeros(len(iou))
        hollow = ["white" if name == "background" else INK for name in iou]
        axes.scatter(x + shifts, list(iou.values()), s=18, c=hollow, edgecolors=INK, linewidths=0.9, zorder=3)
        names.append(f"{STAGE_TITLES.get(stage, stage)}\n{'–' if mean is None else f'{mean:.1f}'}")
        ranked = sorted((value, shift, name) for (name, value), shift in zip(iou.items(), shifts, strict=True))
        for value, shift, name in ranked[:1]:
            axes.annotate(name, (x + shift, value), (0, -4), textcoords="offset points", ha="center", va="top",
                          fontsize=8, color=INK, zorder=5)  # fmt: skip
    axes.set_xticks(range(len(stages)), names)
    axes.set_ylim(-7, 104)
    axes.set_yticks(range(0, 101, 20))
    bars = [("uses the image labels", ""), ("does not", HATCH)]
    handles = [_patch(hatch) for _, hatch in bars]
    axes.legend(
        handles, [text for text, _ in bars], loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9,
        title="bar, number: mean\npoint: a class (the\nlowest with its name)\nring: background", title_fontsize=9,
        alignment="left",
    )  # fmt: skip
    return figure


def _patch(hatch: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(facecolor=GREY, edgecolor="white", hatch=hatch, alpha=0.45)


def part_chart(data: Data) -> Figure:
    """Share of each part that has the correct class: one row per part, one column per stage."""
    stages = distinct_stages(list(data["parts"]), data["rule"]["left_out"])
    parts = [part for part, value in data["parts"][stages[0]].items() if value is not None]
    rows = {part: [data["parts"][stage][part] for stage in stages] + [data["uncertain_parts"][part]] for part in parts}
    compared = data["parts_of_quadrupeds"]
    rows |= {
        f"quadruped {part}": [compared[stage][part] for stage in stages] + [None]
        for part in ("head", "body")
        if compared[stages[0]].get(part) is not None
    }
    title = f"Share of each part with the correct class, {data['images']} images"
    return _map_of_shares(rows, [*stages, "uncertain"], title, rules=(len(parts), len(stages)))


def context_chart(data: Data) -> Figure:
    """mIoU by context and stage."""
    contexts, stages = data["contexts"], distinct_stages(list(data["iou"]), data["rule"]["left_out"])
    rows = {f"{name} ({c['images']})": [c["miou"][stage] for stage in stages] for name, c in contexts.items()}
    return _map_of_shares(rows, stages, "mIoU by context (number of images)")


def _map_of_shares(
    rows: Mapping[str, Sequence[float | None]], columns: Sequence[str], title: str, rules: tuple[int, int] | None = None
) -> Figure:
    """Rows of shares as a heatmap; `rules`: a white line above that row and left of that column."""
    figure = new_figure(2.4 + 1.05 * len(columns), 1.3 + 0.34 * len(rows))
    axes = figure.subplots()
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    values = np.array([[np.nan if value is None else value for value in row] for row in rows.values()], dtype=float)
    image = annotated_heatmap(axes, list(rows), [STAGE_TITLES.get(name, name) for name in columns], values)
    if rules is not None:
        axes.axhline(rules[0] - 0.5, color="white", linewidth=5)
        axes.axvline(rules[1] - 0.5, color="white", linewidth=5)
    figure.colorbar(image, ax=axes, label="%", fraction=0.04, pad=0.02)
    return figure


def threshold_sweep_chart(sweep: Data) -> Figure:
    """CAM label and pseudo label over background scores; dashed and framed: the scores in use."""
    figure = new_figure(13, 9)
    (cam, label), (quality, coverage) = figure.subplots(2, 2)
    in_use = sweep["in_use"]
    _curves(cam, sweep["cam"], "bkg_score", {"miou": ("mIoU", INK), "precision": ("precision", ORANGE),
            "recall": ("recall", BLUE)}, [in_use["bkg_score"]])  # fmt: skip
    style_axes(cam, "CAM at one threshold; precision and recall of the foreground", "background score", "%")
    alone = [row for row in sweep["pseudo_label"] if row["low"] == row["high"]]
    _curves(label, alone, "low", {
        "precision": ("foreground precision (score as $\\beta_h$)", ORANGE),
        "recall": ("foreground recall (score as $\\beta_h$)", BLUE),
        "background_precision": ("background precision (score as $\\beta_l$)", GREEN),
    }, [in_use["bkg_score_low"], in_use["bkg_score_high"]])  # fmt: skip
    style_axes(label, "Certain pixels of the pseudo label", "background score", "%")
    scores = sorted({row["low"] for row in sweep["pseudo_label"]})
    names = [f"{score:.2f}" for score in scores]
    for axes, key, title in (
        (quality, "miou", "Pseudo label: mIoU of the certain pixels (%)"),
        (coverage, "coverage", "Pseudo label: share of the pixels that is certain (%)"),
    ):
        values = np.full((len(scores), len(scores)), np.nan)
        for row in sweep["pseudo_label"]:
            if row[key] is not None:
                values[scores.index(row["low"]), scores.index(row["high"])] = row[key]
        annotated_heatmap(axes, names, names, values)
        axes.set_title(title, loc="left", fontsize=11, color=INK)
        axes.set_xlabel("$\\beta_h$", color=INK)
        axes.set_ylabel("$\\beta_l$", color=INK)
        if in_use["bkg_score_low"] in scores and in_use["bkg_score_high"] in scores:
            place = scores.index(in_use["bkg_score_high"]), scores.index(in_use["bkg_score_low"])
            axes.add_patch(_frame(place))
    figure.suptitle(
        f"Background scores, {sweep['images']} images; dashed and framed: in use. "
        "Choosing them by these numbers uses masks: that is not weakly supervised any more.",
        fontsize=11, x=0.01, ha="left", color=INK,
    )  # fmt: skip
    return figure


def _curves(axes: Axes, rows: Sequence[Data], x: str, lines: Data, marks: Sequence[float]) -> None:
    for mark in marks:
        axes.axvline(mark, color=INK, linewidth=1, linestyle="--", zorder=1)
    for (key, (name, colour)), style in zip(lines.items(), ("-", "--", "-."), strict=False):
        values = [np.nan if row[key] is None else row[key] for row in rows]
        axes.plot([row[x] for row in rows], values, style, marker="o", markersize=3, color=colour, label=name)
    axes.set_ylim(0, 102)
    axes.set_xlim(0, 1)
    axes.legend(frameon=True, framealpha=0.9, edgecolor=LIGHT_GREY, fontsize=9, loc="lower left")


def _frame(place: tuple[int, int]) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((place[0] - 0.5, place[1] - 0.5), 1, 1, fill=False, edgecolor=RED, linewidth=2.2)
