"""Numbers beside the pictures: IoU of every stage's label with the truth, areas, precision, what a stage changed.

Symbols: H W pixels, K classes with background.
"""

from __future__ import annotations

from typing import Any, TypedDict

import torch
from torch import Tensor

from afa_viz.ops import pseudo_label
from afa_viz.ops.metrics import ConfusionMatrix
from afa_viz.steps import stage_labels
from afa_viz.trace import Trace

REGIONS = {"background": 0, "foreground": 1, "uncertain": 2}


class StageScore(TypedDict):
    """Of one stage and one image. Fractions in [0, 1].

    miou: over the classes present in the truth, background included. iou: of every label in truth or prediction.
    pixel_accuracy: share of the counted pixels that are right. coverage: share of the pixels with known truth that
    the stage decides; the others are left out of the other three.
    """

    miou: float
    iou: dict[int, float]
    pixel_accuracy: float
    coverage: float


def label_score(target: Tensor, label: Tensor, num_classes: int) -> StageScore:
    """One (H, W) label map against the truth; 255 is left out on both sides. NaN where nothing is counted."""
    known = target != pseudo_label.IGNORE
    decided = known & (label != pseudo_label.IGNORE)
    scores = ConfusionMatrix(num_classes).update(target, label).scores()
    return {
        "miou": scores.miou,
        "iou": {i: float(v) for i, v in enumerate(scores.iou) if not v.isnan()},
        "pixel_accuracy": scores.pixel_accuracy,
        "coverage": float(decided.sum()) / max(1, int(known.sum())),
    }


def stage_scores(trace: Trace) -> dict[str, StageScore] | None:
    """Every scored stage of one image against its truth; None where the truth is not known."""
    if trace.target is None:
        return None
    classes = len(trace.class_names)
    return {stage: label_score(trace.target, label, classes) for stage, label in stage_labels(trace).items()}


def region_shares(trace: Trace) -> dict[str, float]:
    """Share of the pixels that are background, foreground and uncertain; they sum to 1."""
    return {name: float((trace.regions == kind).float().mean()) for name, kind in REGIONS.items()}


def certain_precision(trace: Trace) -> dict[str, float] | None:
    """Share of the certain pixels that are right: of the background, of the foreground, of all.

    NaN where a region is empty; None where the truth is not known.
    """
    if trace.target is None:
        return None
    known = trace.target != pseudo_label.IGNORE
    right = trace.pseudo_label == trace.target
    certain = known & (trace.regions != REGIONS["uncertain"])
    places = {"background": known & (trace.regions == 0), "foreground": known & (trace.regions == 1), "all": certain}
    return {name: float(right[where].float().mean()) for name, where in places.items()}


def changes(before: Any, after: Any, target: Any) -> dict[str, int]:
    """Pixels that one stage changed, between two (H, W) label maps.

    gained: right only after. lost: right only before. changed: all that differ. Truth 255 counts in neither of the
    first two; None as target leaves them out.
    """
    before, after = torch.as_tensor(before), torch.as_tensor(after)
    counts = {"changed": int((before != after).sum())}
    if target is None:
        return counts
    target = torch.as_tensor(target)
    gained = (after == target) & (before != target) & (target != pseudo_label.IGNORE)
    lost = (before == target) & (after != target) & (target != pseudo_label.IGNORE)
    return {"gained": int(gained.sum()), "lost": int(lost.sum()), **counts}


def cam_histogram(trace: Trace, bins: int = 40) -> Tensor:
    """(bins,) share of the pixels by the CAM score of their strongest present class, from 0 to 1."""
    if not trace.present:
        strongest = torch.zeros_like(trace.cam[0])
    else:
        strongest = trace.cam[[label - 1 for label in trace.present]].amax(dim=0)
    return torch.histc(strongest, bins=bins, min=0, max=1) / strongest.numel()
