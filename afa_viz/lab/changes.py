"""What differs between two label maps, and where pixels lie: the reasons of many questions. And verdicts on choices.

Symbols: H W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from afa_viz.lab.questions import CHANGE_REASONS, PLACE_REASONS, Verdict
from afa_viz.ops.pseudo_label import IGNORE

MIN_CHANGE = 0.01  # of IoU: a smaller change counts as none
LITTLE = 0.002  # share of the pixels: fewer that change count as none
TIE = 0.8  # of the largest count: as good a reason
BORDER = 3  # pixels from the outline of an object


@dataclass(frozen=True)
class Finding:
    """What a trace says to a question with options.

    Attributes:
        accepted: codes of the right options, the best one first.
        reasons: codes of the right reasons, the best one first.
        facts: numbers as text.
        of_option: numbers that only the verdict on this option has.
    """

    accepted: tuple[str, ...]
    reasons: tuple[str, ...]
    facts: Mapping[str, str] = field(default_factory=dict)
    of_option: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def verdict(self, answer: str) -> Verdict:
        """The verdict on an option."""
        facts = {**self.facts, **self.of_option.get(answer, {})}
        return Verdict(answer in self.accepted, self.accepted[0], facts, self.reasons)


def classify_change(before: float, after: float) -> str:
    """One of `questions.CHANGE_OPTIONS`."""
    return "rises" if after > before + MIN_CHANGE else "falls" if after < before - MIN_CHANGE else "same"


def largest(counts: Mapping[str, float]) -> tuple[str, ...]:
    """The names of the largest count and of those that are nearly as large, largest first."""
    most = max(counts.values())
    found = [name for name, count in counts.items() if count >= TIE * most]
    return tuple(sorted(found, key=lambda name: -counts[name]))


def change_counts(before: Tensor, after: Tensor, target: Tensor, label: int | None = None) -> dict[str, int]:
    """Number of pixels that change from one (H, W) label map to another, by what they were and became.

    fills: of the object, right since. loses: of the object, wrong since. cleans: not of the object, right since.
    leaks: not of the object, wrong since.

    Args:
        target: (H, W) ground truth; 255 is ignored.
        label: the object is this class, and every other label counts as one. None: all classes, compared by their own
            labels.
    """
    known = target != IGNORE
    if label is not None:
        before, after, target = (one == label for one in (before, after, target))
    gained, lost = known & (before != target) & (after == target), known & (before == target) & (after != target)
    there = target != 0
    parts = (gained & there, gained & ~there, lost & ~there, lost & there)
    return dict(zip(CHANGE_REASONS, (int(part.sum()) for part in parts), strict=False))


def change_reasons(counts: Mapping[str, int], pixels: int) -> tuple[str, ...]:
    """Codes of `questions.CHANGE_REASONS` that fit the counts of `change_counts`."""
    return largest(counts) if max(counts.values()) >= LITTLE * pixels else ("little",)


def place_counts(where: Tensor, target: Tensor) -> dict[str, int]:
    """Number of the pixels of an (H, W) bool map near an outline, inside an object and on the background."""
    near = _near_outline(target)
    there = (target != 0) & (target != IGNORE)
    parts = (where & near, where & there & ~near, where & ~there & ~near)
    return dict(zip(PLACE_REASONS, (int(part.sum()) for part in parts), strict=True))


def _near_outline(target: Tensor) -> Tensor:
    """(H, W) bool: pixels within `BORDER` of one with another label; 255 has no outline of its own."""
    known = torch.where(target == IGNORE, torch.zeros_like(target), target).float()[None, None]
    size = 2 * BORDER + 1
    highest = torch.nn.functional.max_pool2d(known, size, 1, BORDER)
    lowest = -torch.nn.functional.max_pool2d(-known, size, 1, BORDER)
    return (highest != lowest)[0, 0]
