"""Figures of the images of a data set: each before and after a stage, how much it changes, and which classes gain."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from afa_viz.figures.chart_style import STAGE_NAMES, STAGE_STYLES
from afa_viz.figures.interactive.base import colour, finish, label, percent, shorten
from afa_viz.figures.report_checks import require_one_of
from afa_viz.figures.translation import translate

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SEVERAL, OTHERS = "several classes", "other classes"
MAX_CLASSES = 20  # with a colour each, the most frequent ones
MAX_ROWS = 500  # of a table, those that change most
FEW = 3000  # points that are drawn as elements of the page; more of them as pixels
WIDTHS = (1, 2, 5, 10)  # of the histogram's bins, in points
ROW_HEIGHT = 24  # pixels of a class
RGB = Sequence[int]


class ImageScore(NamedTuple):
    """One image before and after a stage: IoU as fractions, of all its classes or of one; id as in a link."""

    id: str
    title: str
    classes: tuple[str, ...]
    before: float
    after: float


class ClassScore(NamedTuple):
    """Mean IoU of a class before and after a stage, as fractions, over a number of images."""

    before: float
    after: float
    images: int


def before_after_figure(
    images: Sequence[ImageScore],
    before: str,
    after: str,
    palette: Mapping[str, RGB] | None = None,
    theme: str = "light",
) -> Figure:
    """Each image as a point: IoU after a stage over IoU before it; on the diagonal nothing has changed.

    Args:
        images: any number; above `FEW` they are drawn by WebGL.
        before, after: stages of `chart_style.STAGE_STYLES`.
        palette: colours of classes, for images of one class; None: plotly's own.
    Raises: ValueError: for an unknown stage, and for an image without a score.
    """
    _require_stages(before, after)
    _require_scores(images)
    kind = "scatter" if len(images) <= FEW else "scattergl"
    data = []
    for name, group in _by_class(images):
        marker: dict[str, Any] = {"size": 8, "opacity": 0.85, "line": {"width": 0.8, "color": colour("ink")}}
        if name in (SEVERAL, OTHERS):
            marker |= {"color": colour("muted"), "opacity": 0.6, "symbol": "diamond" if name == SEVERAL else "square"}
        elif palette is not None and name in palette:
            marker["color"] = f"rgb({', '.join(str(int(part)) for part in palette[name])})"
        data.append({
            "type": kind, "mode": "markers", "name": label(name), "marker": marker,
            "x": [round(100 * image.before, 1) for image in group],
            "y": [round(100 * image.after, 1) for image in group],
            "customdata": [image.id for image in group], "text": [label(image.title) for image in group],
            "hovertemplate": "%{text}<br>%{x:.1f} → %{y:.1f} %<extra>%{fullData.name}</extra>",
        })  # fmt: skip
    layout = {
        "height": 460,
        "hovermode": "closest",
        "dragmode": "select",
        "xaxis": {"title": {"text": _percent_of(before)}, "range": [-3, 103], "constrain": "domain"},
        "yaxis": {"title": {"text": _percent_of(after)}, "range": [-3, 103], "scaleanchor": "x", "constrain": "domain"},
        "shapes": [{"type": "line", "x0": 0, "y0": 0, "x1": 100, "y1": 100, "layer": "below",
                    "line": {"color": colour("muted"), "width": 1.5, "dash": "dash"}}],
    }  # fmt: skip
    listed = sorted(images, key=lambda image: -abs(image.after - image.before))[:MAX_ROWS]
    rows = [
        [shorten(image.title), ", ".join(shorten(translate(name)) for name in image.classes),
         percent(100 * image.before), percent(100 * image.after), percent(100 * (image.after - image.before))]
        for image in listed
    ]  # fmt: skip
    columns = [translate("image"), translate("classes"), *_stages(before, after), translate("change")]
    return finish(
        "Each image: IoU before and after (%)", data, layout, (columns, rows),
        f"{translate('Each image: IoU before and after (%)')}: {_counts(images)}", theme,
        ids=[image.id for image in listed],
    )  # fmt: skip


def change_histogram(images: Sequence[ImageScore], before: str, after: str, theme: str = "light") -> Figure:
    """How many images gain and lose how many points of IoU; each bar knows the ends of its bin."""
    _require_stages(before, after)
    _require_scores(images)
    changes = [100 * (image.after - image.before) for image in images]
    spread = max([abs(change) for change in changes] or [1.0])
    width = next((width for width in WIDTHS if spread / width <= 25), WIDTHS[-1])
    counts = Counter(math.floor(change / width + 0.5) for change in changes)  # the middle bin holds no change
    bins = range(min(counts, default=0), max(counts, default=0) + 1)
    parts = {
        "worse": ("bad", [b for b in bins if b < 0]),
        "about the same": ("muted", [0] if 0 in bins else []),
        "better": ("good", [b for b in bins if b > 0]),
    }
    data = [
        {
            "type": "bar", "name": label(name), "x": [b * width for b in mine], "y": [counts.get(b, 0) for b in mine],
            "width": width, "customdata": [[(b - 0.5) * width, (b + 0.5) * width] for b in mine],
            "marker": {"color": colour(token), "line": {"width": 0.5, "color": colour("paper")}},
            "hovertemplate": "%{customdata[0]:+.1f} … %{customdata[1]:+.1f}: %{y}<extra></extra>",
        }
        for name, (token, mine) in parts.items() if mine
    ]  # fmt: skip
    layout = {
        "hovermode": "closest",
        "bargap": 0,
        "barmode": "overlay",
        "xaxis": {"title": {"text": label("change of IoU in points")}, "tickformat": "+d", "nticks": 9},
        "yaxis": {"title": {"text": label("images")}, "rangemode": "tozero", "tickformat": "d",
                  "dtick": 1 if max(counts.values(), default=0) <= 8 else None},
        "shapes": [{"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1,
                    "line": {"color": colour("ink"), "width": 1.5}}],
    }  # fmt: skip
    ends = [f"{(b - 0.5) * width:+.1f} … {(b + 0.5) * width:+.1f}".replace("-", "−") for b in bins]
    rows = [[end, str(counts.get(b, 0))] for end, b in zip(ends, bins, strict=True)]
    title = "Change of IoU: number of images"
    columns = [translate("change of IoU in points"), translate("images")]
    return finish(title, data, layout, (columns, rows), f"{translate(title)}: {_counts(images)}", theme)


def class_change_figure(classes: Mapping[str, ClassScore], before: str, after: str, theme: str = "light") -> Figure:
    """Mean IoU of each class before and after a stage, the largest loss on top; each row is a class."""
    _require_stages(before, after)
    order = sorted(classes, key=lambda name: classes[name].after - classes[name].before, reverse=True)  # from below
    found = [classes[name] for name in order]
    places = list(range(len(order)))
    lines: dict[str, list[Any]] = {"x": [], "y": []}
    for place, score in zip(places, found, strict=True):
        lines["x"] += [round(100 * score.before, 1), round(100 * score.after, 1), None]
        lines["y"] += [place, place, None]
    data: list[dict[str, Any]] = [
        {"type": "scatter", **lines, "mode": "lines", "showlegend": False, "hoverinfo": "skip",
         "line": {"color": colour("muted"), "width": 2}}
    ]  # fmt: skip
    for stage, values, symbol in (
        (before, [score.before for score in found], "circle-open"),
        (after, [score.after for score in found], "circle"),
    ):
        data.append({
            "type": "scatter", "mode": "markers", "name": label(STAGE_NAMES[stage]), "y": places,
            "x": [round(100 * value, 1) for value in values], "customdata": order,
            "text": [f"{label(name)}, {score.images}" for name, score in zip(order, found, strict=True)],
            "marker": {"size": 11, "symbol": symbol, "color": colour(STAGE_STYLES[after][0]), "line": {"width": 2}},
            "hovertemplate": "%{text}<br>%{x:.1f} %<extra>%{fullData.name}</extra>",
        })  # fmt: skip
    layout = {
        "height": 130 + ROW_HEIGHT * len(order),
        "hovermode": "closest",
        "xaxis": {"title": {"text": label("mean IoU (%)")}, "range": [-2, 102]},
        "yaxis": {
            "tickvals": places,
            "ticktext": [label(name, 18) for name in order],
            "range": [-0.7, len(order) - 0.3],
        },
    }
    rows = [
        [shorten(translate(name)), str(score.images), percent(100 * score.before), percent(100 * score.after),
         percent(100 * (score.after - score.before))]
        for name, score in zip(reversed(order), reversed(found), strict=True)
    ]  # fmt: skip
    columns = [translate("class"), translate("images"), *_stages(before, after), translate("change")]
    return finish("Each class: mean IoU before and after (%)", data, layout, (columns, rows), theme=theme)


def class_means(images: Sequence[tuple[Mapping[str, float], Mapping[str, float]]]) -> dict[str, ClassScore]:
    """Means over images of (IoU by class before, IoU by class after); a class counts where both know it."""
    sums: dict[str, list[float]] = {}
    for before, after in images:
        for name in before.keys() & after.keys():
            total = sums.setdefault(name, [0.0, 0.0, 0])
            total[0] += before[name]
            total[1] += after[name]
            total[2] += 1
    return {name: ClassScore(old / count, new / count, int(count)) for name, (old, new, count) in sorted(sums.items())}


def _by_class(images: Sequence[ImageScore]) -> list[tuple[str, list[ImageScore]]]:
    """Images with several classes, of other classes, and of each frequent class, the most frequent one first."""
    frequent = Counter(image.classes[0] for image in images if len(image.classes) == 1).most_common(MAX_CLASSES)
    groups: dict[str, list[ImageScore]] = {name: [] for name in (SEVERAL, OTHERS, *(name for name, _ in frequent))}
    for image in images:
        name = SEVERAL if len(image.classes) > 1 else (image.classes or (OTHERS,))[0]
        groups.get(name, groups[OTHERS]).append(image)
    return [(name, group) for name, group in groups.items() if group]


def _require_stages(*stages: str) -> None:
    for stage in stages:
        require_one_of("stage", stage, STAGE_STYLES)


def _require_scores(images: Sequence[ImageScore]) -> None:
    for image in images:
        if not (math.isfinite(image.before) and math.isfinite(image.after)):
            raise ValueError(
                f"{image.id} has the IoU {image.before:g} before and {image.after:g} after; expected numbers from 0 to "
                "1: leave out images without a score."
            )


def _stages(*stages: str) -> list[str]:
    return [f"{translate(STAGE_NAMES[stage])} (%)" for stage in stages]


def _percent_of(stage: str) -> str:
    return f"{label(STAGE_NAMES[stage])} (%)"


def _counts(images: Sequence[ImageScore]) -> str:
    """In words, for how many images the score rises and falls."""
    better = sum(image.after > image.before for image in images)
    worse = sum(image.after < image.before for image in images)
    return translate(f"better in {better} of {len(images)} images, worse in {worse}")
