"""Every stage at its own best threshold: a diagnosis, since choosing it looks at the masks.

A stage's scores are cut without running it again: a pixel is foreground where its strongest class beats the background
by more than the threshold asks, told as the background score that would ask it of the walk's start. At the background
score in use this is the stage's own label.

Symbols: K classes with background, P present classes with background, S thresholds, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from afa_viz.ops import pseudo_label
from afa_viz.ops.metrics import ConfusionMatrix
from afa_viz.stage_scores import stage_maps
from afa_viz.stages.refine import present_channels
from afa_viz.trace import Trace

THRESHOLDS = tuple(i / 20 for i in range(1, 20))  # .05 to .95; the published ones are among them


class ThresholdScore(NamedTuple):
    """The threshold with the highest mIoU, a fraction; NaN where nothing was counted."""

    threshold: float
    miou: float


class BestThresholds:
    """Counts of (true class, label) of every stage at every threshold.

    Args:
        stages: "cam", which is cut by its own scores, and stages of `stage_maps`.
        num_classes: K.
        thresholds: S background scores, rising.
    Attributes:
        counts: (S, K, K) int64 by stage.
    """

    def __init__(self, stages: Sequence[str], num_classes: int, thresholds: Sequence[float] = THRESHOLDS) -> None:
        self.thresholds = tuple(thresholds)
        shape = (len(self.thresholds), num_classes, num_classes)
        self.counts = {stage: torch.zeros(shape, dtype=torch.int64) for stage in stages}

    def update(self, trace: Trace) -> None:
        """Count one image with known truth."""
        assert trace.target is not None
        known = trace.target != pseudo_label.IGNORE
        true = trace.target[known].long()
        maps = stage_maps(trace)
        labels = present_channels(trace.image_labels)
        for stage, counts in self.counts.items():
            score, best = cam_scores(trace) if stage == "cam" else margins(trace, maps[stage], labels)
            counts += threshold_counts(true, score[known], best[known], self.thresholds, counts.shape[-1])

    def add(self, other: BestThresholds) -> None:
        """Count what another process counted."""
        for stage, counts in self.counts.items():
            counts += other.counts[stage]

    def curve(self, stage: str) -> list[float]:
        """mIoU of a stage at every threshold."""
        return [_miou(counts) for counts in self.counts[stage]]

    def best(self, stage: str) -> ThresholdScore:
        """The best threshold of a stage; of equal ones the lowest."""
        known = [
            ThresholdScore(t, miou) for t, miou in zip(self.thresholds, self.curve(stage), strict=True) if miou == miou
        ]
        return max(known, key=lambda found: found.miou, default=ThresholdScore(float("nan"), float("nan")))


def cam_scores(trace: Trace) -> tuple[Tensor, Tensor]:
    """(H, W) CAM of the strongest present class, and its label."""
    score, best = pseudo_label.present_cam(trace.cam[None], trace.image_labels[None])[0].max(dim=0)
    return score, best + 1


def margins(trace: Trace, scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """(H, W) background score below which a pixel is foreground, and the label that it then has.

    The start of the walk is a softmax over [beta, CAM]: its classes beat the background by exp(CAM - beta), so what
    they beat it by at another beta needs no second softmax. After walk and PAR the same cut is made.

    Args:
        scores: (P, H, W), background first. labels: (P,) of the channels.
    """
    if len(labels) == 1:  # no class: background everywhere
        return scores.new_full(scores.shape[1:], -torch.inf), labels.new_zeros(scores.shape[1:])
    strongest, best = scores[1:].max(dim=0)
    tiny = torch.finfo(scores.dtype).tiny
    ratio = strongest.clamp_min(tiny).log() - scores[0].clamp_min(tiny).log()
    return trace.config.bkg_score_low + ratio, labels[1:][best]


def threshold_counts(true: Tensor, score: Tensor, best: Tensor, thresholds: Sequence[float], classes: int) -> Tensor:
    """(S, K, K) counts: a pixel is of its best class at every threshold below its score, else background.

    Args:
        true, score, best: (pixels,): true class, score, and class above the threshold.
    """
    # Counted by how many thresholds each pixel passes; the sum from the right says how many pass more than s of them.
    passed = torch.searchsorted(torch.tensor(thresholds).to(score), score.contiguous())
    steps = len(thresholds)
    counts = torch.bincount((true * classes + best) * (steps + 1) + passed, minlength=classes * classes * (steps + 1))
    histogram = counts.reshape(classes, classes, steps + 1)
    found = histogram.flip(-1).cumsum(dim=-1).flip(-1)[..., 1:].permute(2, 0, 1).contiguous()
    found[:, :, 0] += torch.bincount(true, minlength=classes) - found.sum(dim=2)
    return found


def _miou(counts: Tensor) -> float:
    matrix = ConfusionMatrix(len(counts))
    matrix.matrix = counts
    return matrix.scores().miou
