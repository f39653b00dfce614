"""Means of what the steps between two lines of the log gave."""

from __future__ import annotations

from collections.abc import Mapping


class Means:
    """The mean by name, each over the steps that had it: a loss that joins between two lines is not thinned out."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def add(self, values: Mapping[str, float]) -> None:
        """Count one step."""
        for name, value in values.items():
            self._values.setdefault(name, []).append(value)

    def take(self) -> dict[str, float]:
        """The means, five decimals; counting begins anew."""
        means = {name: round(sum(values) / len(values), 5) for name, values in self._values.items()}
        self._values = {}
        return means
