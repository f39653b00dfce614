"""The phases of a training run, as charts over its iterations shade and name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

PHASE_NAMES = {
    "single": "single objects",
    "classification": "classification",
    "affinity": "+ affinity, decoder",
    "joint": "+ random-walk labels",
}


def phases_of(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """[{"name", "until" this iteration}] of each phase that lines of `metrics.jsonl` name, without gaps."""
    named = [(line["phase"], line["iteration"]) for line in lines if line.get("phase") and "iteration" in line]
    return [
        {"name": name, "until": max(iteration for _, iteration in group)}
        for name, group in groupby(named, key=lambda item: item[0])
    ]
