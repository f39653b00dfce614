"""How far the learned affinity can be taken at its word: reliability over pairs of cells, and ROC AUC by distance.

A pair is two different cells within the walk's window whose true labels are known. The affinity is the predicted
probability that they have the same class.

Symbols: N cells, R radius of the window, V bins of the affinity, U finer bins of its logit.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from afa_viz.evaluation.tables import percent
from afa_viz.inspection import label_cells
from afa_viz.ops.pseudo_label import IGNORE
from afa_viz.trace import Trace

BINS = 10  # of the reliability curve
LOGIT_BINS, LOGIT_LIMIT = 4096, 20.0  # affinities closer than 40 / 4096 in their logit count as equal


class AffinityCalibration:
    """Counts over the pairs of many images.

    Attributes:
        reliability: (V, 3) float64: pairs, sum of their affinities, pairs of the same class.
        histograms: (R, 2, U) int64 by chessboard distance in cells from 1: pairs of different and of the same class.
    """

    def __init__(self, radius: int) -> None:
        self.reliability = torch.zeros(BINS, 3, dtype=torch.float64)
        self.histograms = torch.zeros(max(1, radius), 2, LOGIT_BINS, dtype=torch.int64)

    def update(self, trace: Trace) -> None:
        """Count the pairs of one image with known ground truth."""
        assert trace.target is not None
        cells = label_cells(trace, trace.target).flatten().long()
        if trace.affinity is None:  # of a method that has none
            return
        self.count(trace.affinity, cells, trace.grid)

    def count(self, affinity: Tensor, cells: Tensor, grid: tuple[int, int]) -> None:
        """Count every pair once: (N, N) affinity in [0, 1], (N,) labels with 255 unknown, grid (rows, columns)."""
        height, width = grid
        numbers = torch.arange(height * width).reshape(height, width)
        radius = len(self.histograms)
        for down in range(min(radius, height - 1) + 1):
            for right in range(-radius if down else 1, radius + 1):
                if abs(right) < width:
                    left, top = max(0, -right), numbers[: height - down]
                    one = top[:, left : width - max(0, right)].flatten()
                    self._count_pairs(affinity, cells, one, one + down * width + right, max(down, abs(right)))

    def _count_pairs(self, affinity: Tensor, cells: Tensor, one: Tensor, other: Tensor, distance: int) -> None:
        """Count the pairs of cells `one` and `other`, all at one distance."""
        known = (cells[one] != IGNORE) & (cells[other] != IGNORE)
        one, other = one[known], other[known]
        values = affinity[one, other].double()
        same = (cells[one] == cells[other]).long()
        bins = (values * BINS).long().clamp(0, BINS - 1)
        for column, weights in enumerate((torch.ones_like(values), values, same.double())):
            self.reliability[:, column] += torch.bincount(bins, weights, minlength=BINS)
        place = (values.logit().clamp(-LOGIT_LIMIT, LOGIT_LIMIT) / LOGIT_LIMIT + 1) / 2 * LOGIT_BINS
        index = same * LOGIT_BINS + place.long().clamp(0, LOGIT_BINS - 1)
        self.histograms[distance - 1] += torch.bincount(index, minlength=2 * LOGIT_BINS).reshape(2, LOGIT_BINS)

    def add(self, other: AffinityCalibration) -> None:
        """Count what another process counted with the same radius."""
        self.reliability += other.reliability
        self.histograms += other.histograms

    def expected_calibration_error(self) -> float:
        """Mean over the pairs of |mean affinity - share of the same class| of their bin; NaN without pairs."""
        pairs, sums, same = self.reliability.unbind(dim=-1)
        return float((sums - same).abs().sum() / pairs.sum()) if pairs.sum() else float("nan")

    def auc(self, distance: int | None = None) -> float:
        """ROC AUC of the pairs at a distance in cells, of all for None; ties count one half. NaN if one kind of pair
        is missing."""
        counts = self.histograms.sum(dim=0) if distance is None else self.histograms[distance - 1]
        different, same = counts.double()
        below = different.cumsum(dim=0) - different / 2
        total = different.sum() * same.sum()
        return float((same * below).sum() / total) if total else float("nan")

    def data(self) -> dict[str, Any]:
        """The curve, its error and the AUCs as fractions, ready for JSON; None where nothing was counted."""
        found = []
        for i, (pairs, total, same) in enumerate(self.reliability.tolist()):
            found.append({
                "from": i / BINS, "to": (i + 1) / BINS, "pairs": round(pairs),
                "mean_affinity": round(total / pairs, 4) if pairs else None,
                "same_class_share": round(same / pairs, 4) if pairs else None,
            })  # fmt: skip
        by_distance = [
            {"cells": d, "pairs": int(self.histograms[d - 1].sum()), "auc": _rounded(self.auc(d)),
             "same_class_share": _share(self.histograms[d - 1])}
            for d in range(1, len(self.histograms) + 1)
        ]  # fmt: skip
        return {
            "expected_calibration_error": _rounded(self.expected_calibration_error()),
            "auc": _rounded(self.auc()),
            "reliability": found,
            "by_distance": by_distance,
        }


def _share(counts: Tensor) -> float | None:
    different, same = counts.sum(dim=-1).tolist()
    return round(same / (same + different), 4) if same + different else None


def _rounded(value: float) -> float | None:
    return None if percent(value) is None else round(value, 4)
