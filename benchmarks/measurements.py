"""A measured value with its target."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """What was measured, its unit, and the value that it should not exceed (or, with `at_least`, not fall below)."""

    what: str
    measured: float
    target: float
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return self.measured >= self.target if self.at_least else self.measured <= self.target

    def cells(self) -> str:
        """What, measured, target and met as cells of a Markdown table."""
        sign = "≥" if self.at_least else "≤"
        measured, target = (f"{number(value)} {self.unit}".rstrip() for value in (self.measured, self.target))
        return f"{self.what} | {measured} | {sign} {target} | {'met' if self.met else '**missed**'}"


def number(value: float) -> str:
    """A number with three significant digits: 1289, 17.3, 0.048, 2.4e-07."""
    if value and abs(value) < 1e-3:
        return f"{value:.1e}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(figures: Iterable[Measurement]) -> list[str]:
    """Lines of a Markdown table; none without measurements."""
    lines = [f"| {figure.cells()} |" for figure in figures]
    return ["| what | measured | target | |", "|---|---|---|---|", *lines] if lines else []
