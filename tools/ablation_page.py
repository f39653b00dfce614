"""The page, its figure and the interactive chart of `ablate_method.py`, from the numbers that it measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afa_viz.figures import chart_style, charts
from afa_viz.figures.interactive import base

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

STAGES = {"miou_cam_rw": "after the walk", "miou_cam_par": "PAR", "miou_seg": "decoder"}  # of the charts
MARKERS = {  # colour of `chart_style`, marker in plotly and in matplotlib
    "miou_cam_rw": ("muted", "diamond", "D"),
    "miou_cam_par": ("good", "circle", "o"),
    "miou_seg": ("warm", "square", "s"),
}
TEXT = """# What each part of AFA is worth

Runs that differ from the recipe of the bundled model in one part of the method. Each begins with the same classifier,
the snapshot of iteration 3600 ({init}), whose CAM covers parts of the objects, and goes through the two
stages of the recipe in which affinity and decoder learn, shortened: {iterations} steps in place of 730, of
{batch_size} crops of {crop_size} pixels (in the second stage now and then 16 of 96), the joint phase in the last
{joint}, the decoder at full size alone, float32. The scores are therefore lower than those of the bundled model. Runs
of one seed see the same batches.

mIoU in percent over {scenes} validation scenes of 256 pixels, published thresholds, one rule for all pixels but in the
columns "CAM", which has one threshold, and "label", the pseudo label on its certain pixels (in brackets their share).
"Gain" is the score after the walk minus that of its start, "gain, PAR" the same with PAR behind both; square brackets:
95 % of a paired bootstrap over the scenes. Where a part has several seeds, a cell has their mean, and the smallest and
the largest in brackets. Without the affinity loss nothing has trained the weights of the affinity's head: what the
walk along it loses is what that loss is worth.

{table}

![Change of three stages by each part](pictures/ablation.png)

{chance}

The figure has the change of each run from the recipe's run of the same seed, and of the recipe's runs from their mean.

Where an affinity is learned, it learns from the label of the CAM after PAR, in "labels without PAR" of the CAM alone.
Without the joint phase the decoder learns from that label to the end; "no affinity loss" has no joint phase either, so
its decoder is to be compared with that of "no joint phase". "Not symmetrised" makes the affinity from 2 S in place of
S + S^T. "Mean attention" takes the mean of the softmaxed heads of the last two blocks, made symmetric and each row
divided by its largest weight, in training as in the scores: no affinity loss shapes it, and in the joint phase the
decoder learns from labels that were walked along it. The radius is in cells; the recipe has 4. Max pooling is the
published one. Under max and average pooling the network, which learned at last with the strongest 1.5 % of the cells,
has these few steps to get used to another pooling: they show where the CAM goes, not what a whole run of theirs would
reach.

Measured and written by `PYTHONPATH=. python tools/ablate_method.py run`; `… page` writes this page from
`docs/data/ablation.json`, `… chart --out F` the figure as an interactive chart.
"""


def of_part(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The rows of a part, a seed each."""
    return [row for row in data["rows"] if row["name"] == name]


def several(values: Sequence[float], sign: str = "") -> str:
    """A number, or the mean of several with the smallest and the largest."""
    if len(values) == 1:
        return f"{values[0]:{sign}.1f}"
    return f"{sum(values) / len(values):{sign}.1f} ({min(values):{sign}.1f} to {max(values):{sign}.1f})"


def gain(rows: Sequence[dict[str, Any]], name: str) -> str:
    """What the walk is worth; of one run with its interval."""
    found = [row["walk"][name] for row in rows]
    if len(found) > 1:
        return several([one["change"] for one in found], "+")
    low, high = found[0]["interval"]
    return f"{found[0]['change']:+.1f} [{low:+.1f}, {high:+.1f}]"


def table(data: dict[str, Any]) -> str:
    """A line for each variant that was measured."""
    titles = ("part", "seeds", "mAP", "CAM", "after the walk", "gain", "PAR", "gain, PAR", "label", "decoder")
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for name, title in data["parts"].items():
        rows = of_part(data, name)
        scores = {key: [row["scores"][key] for row in rows] for key in rows[0]["scores"]}
        share = sum(scores["coverage_pseudo_label"]) / len(rows)
        cells = [
            title, str(len(rows)), several(scores["map"]), several(scores["miou_cam"]), several(scores["miou_cam_rw"]),
            gain(rows, "cam_rw"), several(scores["miou_cam_par"]), gain(rows, "walk_after_par"),
            f"{sum(scores['miou_pseudo_label']) / len(rows):.1f} ({share:.0f} %)", several(scores["miou_seg"]),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def differences(data: dict[str, Any], stage: str) -> list[tuple[str, int, float]]:
    """(part, seed, points): change from the recipe of that seed, of the recipe itself from the mean of its seeds."""
    recipe = {row["seed"]: row["scores"][stage] for row in of_part(data, "recipe")}
    mean = sum(recipe.values()) / len(recipe)
    return [
        (row["name"], row["seed"], row["scores"][stage] - (mean if row["name"] == "recipe" else recipe[row["seed"]]))
        for row in data["rows"]
    ]


def chance(data: dict[str, Any]) -> str:
    """The sentences about what another seed changes."""
    if len(of_part(data, "recipe")) == 1:
        return (
            "Every part has one short run: what another seed would give is not known, and small changes show nothing."
        )
    found = {name: [d for row, _, d in differences(data, stage) if row == "recipe"] for stage, name in STAGES.items()}
    told = ", ".join(f"{max(values) - min(values):.1f} ({name})" for name, values in found.items())
    return (
        f"The seeds of the recipe alone lie as many points apart: {told}. Every run is short, and a change within that "
        "range shows nothing."
    )


def page_text(data: dict[str, Any]) -> str:
    """docs/ablation.md from the numbers."""
    return TEXT.format(
        table=table(data), chance=chance(data), joint=data["iterations"] - data["joint_after"] - 1,
        **{key: data[key] for key in ("init", "iterations", "batch_size", "crop_size", "scenes")},
    )  # fmt: skip


def draw(data: dict[str, Any], path: Path) -> None:
    """The figure of the page."""
    names = list(data["parts"])[::-1]
    figure = charts.new_figure(8.5, 0.42 * len(names) + 1.2)
    axes = charts.style_axes(figure.add_subplot(), "Change of the mIoU by each part", "points, against the recipe")
    axes.axvline(0, color=chart_style.GREY, linewidth=1)
    for place, (stage, title) in enumerate(STAGES.items()):
        name, _, marker = MARKERS[stage]
        found = differences(data, stage)
        axes.scatter(
            [change for _, _, change in found], [names.index(row) + 0.22 * (1 - place) for row, _, _ in found],
            label=title, color=chart_style.PRINTED[name], marker=marker, s=26,
        )  # fmt: skip
    axes.set_yticks(range(len(names)), [data["parts"][name] for name in names])
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=len(STAGES), frameon=False)
    charts.save_figure(figure, path)


def chart(data: dict[str, Any]) -> Figure:
    """The same as a plotly figure, with the table of its numbers."""
    names = list(data["parts"])[::-1]
    traces = []
    for place, (stage, title) in enumerate(STAGES.items()):
        name, symbol, _ = MARKERS[stage]
        found = differences(data, stage)
        traces.append({
            "type": "scatter", "mode": "markers", "name": base.label(title), "x": [change for _, _, change in found],
            "y": [names.index(row) + 0.22 * (1 - place) for row, _, _ in found],
            "text": [f"{base.label(data['parts'][row])}, seed {seed}" for row, seed, _ in found],
            "marker": {"size": 10, "color": base.colour(name), "symbol": symbol},
            "hovertemplate": "%{text}: %{x:+.1f}<extra>%{fullData.name}</extra>",
        })  # fmt: skip
    layout = {
        "height": 60 * len(names) + 140,
        "xaxis": {"title": {"text": base.label("points of mIoU")}, "zeroline": True},
        "yaxis": {"tickvals": list(range(len(names))), "ticktext": [base.label(data["parts"][name]) for name in names],
                  "automargin": True},
    }  # fmt: skip
    changes = {stage: {(row, seed): change for row, seed, change in differences(data, stage)} for stage in STAGES}
    rows = [
        [data["parts"][row["name"]], str(row["seed"]),
         *(f"{changes[stage][row['name'], row['seed']]:+.1f}" for stage in STAGES)]
        for row in data["rows"]
    ]  # fmt: skip
    return base.finish(
        "What each part of AFA is worth: change of the mIoU against the recipe", traces, layout,
        (("part", "seed", *STAGES.values()), rows), theme=base.PAGE,
    )  # fmt: skip
