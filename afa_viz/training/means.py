"""Means of the losses over the steps between two log lines."""

from __future__ import annotations

from collections.abc import Mapping


class Means:
    """The mean by name, each over the steps that had it: a loss that starts between two lines is not diluted."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def add(self, values: Mapping[str, float]) -> None:
        """Count one step."""
        for name, value in values.items():
            self._values.setdefault(name, []).append(value)

    def take(self) -> dict[str, float]:
        """The means, rounded to five decimals; resets the counts."""
        means = {name: round(sum(values) / len(values), 5) for name, values in self._values.items()}
        self._values = {}
        return means
