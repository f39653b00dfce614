"""Whether a served process grows: its memory, open files and threads while it is used. Linux only.

Each is a straight line through its means over short spans after a warm-up, with the standard error of its slope; single
readings jump with every explanation, so their errors would not be independent. Caches fill for some minutes: a shorter
time sees that as growth.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measurements import Measurement

EVERY = 2.0  # seconds between two readings
WARM_UP = 1 / 3  # of the time: caches fill
SPANS = 20  # means that the line goes through
NOISE = 2.0  # standard errors within which a slope is none


def resident_mb(pid: int) -> float:
    """Resident memory of a process. Linux only."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def child_processes(pid: int) -> list[str]:
    """Ids of the processes that a server has started and that have not ended. Linux only."""
    return [child for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]


def reading(pid: int) -> dict[str, float]:
    """Memory in MB, open files and threads of a process. Linux only."""
    place = Path(f"/proc/{pid}")
    return {
        "time": time.monotonic(), "memory": resident_mb(pid), "files": float(sum(1 for _ in (place / "fd").iterdir())),
        "threads": float(sum(1 for _ in (place / "task").iterdir())),
    }  # fmt: skip


def slope(times: np.ndarray, values: np.ndarray, spans: int = SPANS) -> tuple[float, float]:
    """(change a minute, its standard error) of the least-squares line through means over equal spans.

    Args:
        times: seconds, ascending. values: one a time.
    """
    parts = np.array_split(np.arange(len(times)), min(spans, len(times)))
    x = np.array([times[part].mean() for part in parts]) / 60
    y = np.array([values[part].mean() for part in parts])
    if len(x) < 3:
        raise ValueError(f"there are {len(times)} readings after the warm-up; expected at least 3: soak longer.")
    x, y = x - x.mean(), y - y.mean()  # of values that are all the same, nothing is left: not even rounding
    rate = float((x * y).sum() / (x * x).sum())
    left = y - rate * x
    return rate, float(np.sqrt((left**2).sum() / (len(x) - 2) / (x * x).sum()))


def growth(readings: list[dict[str, float]]) -> list[dict[str, Any]]:
    """What the process held after the warm-up, and how that changed."""
    times = np.array([one["time"] for one in readings])
    late = times >= times[0] + WARM_UP * (times[-1] - times[0])
    found = []
    for name, unit in (("memory", "MB"), ("files", "open files"), ("threads", "threads")):
        values = np.array([one[name] for one in readings])
        rate, error = slope(times[late], values[late])
        found.append({
            "name": name, "unit": unit, "start": values[0], "mean": values[late].mean(), "highest": values.max(),
            "a_minute": rate, "standard_error": error, "met": rate <= NOISE * error,
        })  # fmt: skip
    return found


def growth_figures(where: str, grown: Sequence[dict[str, Any]]) -> list[Measurement]:
    """Growth of each quantity compared with its standard error."""
    return [
        Measurement(f"{where}: growth of {one['name']}", one["a_minute"], NOISE * one["standard_error"],
               f"{one['unit']} a minute")
        for one in grown
    ]  # fmt: skip


def growth_lines(grown: Sequence[dict[str, Any]]) -> list[str]:
    """The growth table as text."""
    lines = [
        f"after the first {WARM_UP:.0%} of the time:", "",
        f"| what | at the start | mean | highest | change a minute | within {NOISE:g} standard errors |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for one in grown:
        change = f"{one['a_minute']:+.3f} ± {one['standard_error']:.3f}"
        lines.append(
            f"| {one['unit']} | {one['start']:.0f} | {one['mean']:.0f} | {one['highest']:.0f} | {change} | "
            f"{'yes' if one['met'] else 'no'} |"
        )
    return lines
