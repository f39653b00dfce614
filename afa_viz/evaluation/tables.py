"""Scores as text for reading and as numbers for JSON, in percent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from afa_viz.ops.metrics import Scores


def text_table(rows: Mapping[str, Sequence[float]], columns: Sequence[str]) -> str:
    """Fractions as percent in columns under their names; "–" for NaN."""
    first = max([14, *(len(name) + 1 for name in rows)])
    lines = [" " * first + "".join(f"{name:>16s}" for name in columns)]
    for name, values in rows.items():
        lines.append(f"{name:{first}s}" + "".join(f"{'–' if v != v else f'{100 * v:.1f}':>16s}" for v in values))
    return "\n".join(lines)


def iou_table(class_names: Sequence[str], scores: Mapping[str, Scores]) -> str:
    """IoU in percent, a row a class and a column an entry of `scores`; mIoU is the last row."""
    rows = {name: [float(s.iou[i]) for s in scores.values()] for i, name in enumerate(class_names)}
    rows["mIoU"] = [s.miou for s in scores.values()]
    return text_table(rows, list(scores))


def percent(value: float) -> float | None:
    """A fraction in percent, two decimals; None for NaN, where nothing was counted."""
    return None if value != value else round(100 * value, 2)
