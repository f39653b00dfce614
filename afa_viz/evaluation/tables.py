"""Scores as text for reading and as numbers for JSON, in percent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from afa_viz.ops.metrics import Scores


def text_table(rows: Mapping[str, Sequence[float]], columns: Sequence[str]) -> str:
    """Fractions as percent in columns under their names; "–" for NaN."""
    first = max([14, *(len(name) + 1 for name in rows)])
    widths = [max(8, len(name) + 2) for name in columns]
    lines = [" " * first + "".join(f"{name:>{width}s}" for name, width in zip(columns, widths, strict=True))]
    for name, values in rows.items():
        texts = ("–" if v != v else f"{100 * v:.1f}" for v in values)
        lines.append(f"{name:{first}s}" + "".join(f"{t:>{width}s}" for t, width in zip(texts, widths, strict=True)))
    return "\n".join(lines)


def percent_table(columns: Mapping[str, Mapping[str, float | None]]) -> str:
    """Percentages by column and row as `text_table` writes them; rows that no column has a number for are left out."""
    names = dict.fromkeys(name for column in columns.values() for name in column)

    def fraction(value: float | None) -> float:
        return float("nan") if value is None else value / 100

    rows = {name: [column.get(name) for column in columns.values()] for name in names}
    known = {name: list(map(fraction, row)) for name, row in rows.items() if any(value is not None for value in row)}
    return text_table(known, list(columns))


def iou_table(class_names: Sequence[str], scores: Mapping[str, Scores]) -> str:
    """IoU in percent, a row a class and a column an entry of `scores`; mIoU is the last row."""
    rows = {name: [float(s.iou[i]) for s in scores.values()] for i, name in enumerate(class_names)}
    rows["mIoU"] = [s.miou for s in scores.values()]
    return text_table(rows, list(scores))


def percent(value: float) -> float | None:
    """A fraction in percent, two decimals; None for NaN, where nothing was counted."""
    return None if value != value else round(100 * value, 2)
