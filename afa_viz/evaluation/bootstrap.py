"""How sure a mean IoU is, and a difference between two stages or models: a bootstrap over images in bounded memory.

Every replicate draws each image a Poisson(1) number of times, the same for all stages, and keeps the sums that a mean
IoU needs. How often an image is drawn comes from its own pixels, so neither order nor processes change the result, and
two models that are scored on the same images are drawn alike: their difference is paired.

Symbols: K classes with background, R replicates, S stages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

REPLICATES = 1000
LEVEL = 0.95


Interval = tuple[float, float]


class Change(NamedTuple):
    """A mIoU, or a difference of two, after minus before, as a fraction, and the ends of its interval; NaN where
    unknown."""

    value: float
    low: float
    high: float


class PairedBootstrap:
    """Weighted counts of all stages over the same images.

    Args:
        stages: S names. Only the mIoU of stages whose labels decide every pixel may be compared.
        num_classes: K.
    Attributes:
        counts: (K, R, S, 3) int64: pixels that are right, true and predicted.
        totals: (K, S, 3), of the images as they are.
        images: how many there were.
    """

    def __init__(self, stages: Sequence[str], num_classes: int, replicates: int = REPLICATES) -> None:
        self.stages, self.images = tuple(stages), 0
        self.counts = torch.zeros(num_classes, replicates, len(self.stages), 3, dtype=torch.int64)
        self.totals = torch.zeros(num_classes, len(self.stages), 3, dtype=torch.int64)

    def update(self, matrices: Mapping[str, Tensor], image: np.ndarray) -> None:
        """Count the (K, K) confusion matrices of one image by stage; its pixels say how often it is drawn."""
        found = torch.stack([_sums(matrices[stage]) for stage in self.stages], dim=1)
        used = found.flatten(1).any(dim=1).nonzero().flatten()
        drawn = torch.from_numpy(_draws(image, self.counts.shape[1]))
        self.counts[used] += found[used][:, None] * drawn[None, :, None, None]
        self.totals += found
        self.images += 1

    def add(self, other: PairedBootstrap) -> None:
        """Count what another process counted over the same stages."""
        self.counts += other.counts
        self.totals += other.totals
        self.images += other.images

    def change(self, before: str, after: str) -> Change:
        """Difference of mIoU between two stages, with the interval that holds `LEVEL` of the replicates."""
        old, new = self.stages.index(before), self.stages.index(after)
        value = float(_miou(self.totals[:, new]) - _miou(self.totals[:, old]))
        return Change(value, *_ends(_miou(self.counts[:, :, new]) - _miou(self.counts[:, :, old]), self.images))

    def interval(self, stage: str) -> Change:
        """mIoU of a stage with the interval that holds `LEVEL` of the replicates."""
        place = self.stages.index(stage)
        return Change(float(_miou(self.totals[:, place])), *_ends(_miou(self.counts[:, :, place]), self.images))

    def iou_intervals(self, stage: str) -> list[Interval]:
        """K intervals of the IoU of each class after a stage, as fractions; NaN where unknown."""
        replicates = _iou(self.counts[:, :, self.stages.index(stage)])
        return [_ends(values, self.images) for values in replicates]

    def difference(self, other: PairedBootstrap, stage: str) -> Change:
        """mIoU of a stage minus that of another model on the same images, with the interval of the paired replicates.

        Raises: ValueError: if the other one counted another number of images or replicates, or other classes.
        """
        if self.images != other.images or self.counts.shape[:2] != other.counts.shape[:2]:
            raise ValueError(
                f"got {other.images} images of {len(other.counts)} classes beside {self.images} of {len(self.counts)}; "
                "expected both models on the same images and classes."
            )
        mine, theirs = self.stages.index(stage), other.stages.index(stage)
        value = float(_miou(self.totals[:, mine]) - _miou(other.totals[:, theirs]))
        return Change(value, *_ends(_miou(self.counts[:, :, mine]) - _miou(other.counts[:, :, theirs]), self.images))


def _ends(replicates: Tensor, images: int) -> Interval:
    """The interval that holds `LEVEL` of (R,) values; NaN where they say nothing."""
    known = replicates[~replicates.isnan()].numpy()
    if images < 2 or not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _sums(matrix: Tensor) -> Tensor:
    """(K, K) -> (K, 3): right, true, predicted."""
    return torch.stack([matrix.diag(), matrix.sum(dim=1), matrix.sum(dim=0)], dim=1)


def _miou(sums: Tensor) -> Tensor:
    """(K, …, 3) -> (…): mean IoU over the classes present in the ground truth, NaN where none is."""
    return _iou(sums).nanmean(dim=0)


def _iou(sums: Tensor) -> Tensor:
    """(K, …, 3) -> (K, …): IoU of the classes, NaN for those that are not in the ground truth."""
    right, true, predicted = sums.double().unbind(dim=-1)
    return torch.where(true > 0, right / (true + predicted - right), torch.nan)


def _draws(image: np.ndarray, replicates: int) -> np.ndarray:
    """(R,) how often each replicate draws an image."""
    digest = hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=8).digest()
    return np.random.Generator(np.random.Philox(int.from_bytes(digest, "little"))).poisson(1.0, replicates)
