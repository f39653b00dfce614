"""Labels counted scene by scene, so that differences between them get intervals over the scenes.

Symbols: K classes with background, n scenes, R resamplings, P present classes, h w cells, H W pixels.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch
from torch import Tensor

from afa_viz.ops import cam as cams
from afa_viz.ops import pseudo_label

RESAMPLINGS = 1000


class Tally:
    """Confusion matrices (K, K + 1) of every scene by name, the last column uncertain; and sums of other counts."""

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.scenes: dict[str, list[np.ndarray]] = defaultdict(list)
        self.sums: dict[str, list[np.ndarray]] = defaultdict(list)

    def add(self, name: str, target: Tensor, label: Tensor) -> None:
        known = target != pseudo_label.IGNORE
        guess = torch.where(label == pseudo_label.IGNORE, self.num_classes, label.long())[known]
        joint = target[known].long() * (self.num_classes + 1) + guess
        counts = torch.bincount(joint, minlength=self.num_classes * (self.num_classes + 1))
        self.scenes[name].append(counts.reshape(self.num_classes, -1).numpy())

    def miou(self, name: str, weights: np.ndarray) -> np.ndarray:
        """Percent for each of R weightings of the scenes (R, n); over classes of the ground truth, certain pixels."""
        sums = np.tensordot(weights, np.stack(self.scenes[name]).astype(float), axes=1)[:, :, :-1]
        hits, truth = np.diagonal(sums, axis1=1, axis2=2), sums.sum(axis=2)
        present = truth > 0
        union = np.where(present, truth + sums.sum(axis=1) - hits, 1)
        with np.errstate(invalid="ignore"):  # NaN where nothing is certain
            return 100 * (np.where(present, hits, 0) / union).sum(axis=1) / present.sum(axis=1)

    def coverage(self, name: str) -> tuple[float, float]:
        """Percent of the pixels that are certain, and of those that are right."""
        sums = np.sum(self.scenes[name], axis=0)
        certain = sums[:, :-1]
        right = 100 * np.trace(certain) / certain.sum() if certain.any() else float("nan")
        return 100 * certain.sum() / sums.sum(), right


def label_of(scores: Tensor, used: Tensor, size: tuple[int, int]) -> Tensor:
    """(P, h, w) scores -> (H, W) strongest class after bilinear enlargement."""
    return pseudo_label.argmax_label(cams.resize(scores[None], size)[0], used)


def interval(values: np.ndarray) -> list[float]:
    """The 95 % of resampled values."""
    return [round(float(v), 2) for v in np.nanpercentile(values, [2.5, 97.5])]


def percent(part: float, whole: float) -> float:
    """Two decimals; 0 of nothing."""
    return round(100 * float(part) / max(1.0, float(whole)), 2)
