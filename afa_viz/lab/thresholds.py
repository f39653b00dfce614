"""The best single threshold of a CAM, among all possible ones.

Symbols: C foreground classes, H W pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from afa_viz.ops import pseudo_label

MIN_DECIMALS, MAX_DECIMALS = 2, 9  # decimals of a threshold


def class_iou(label: Tensor, target: Tensor, number: int) -> float:
    """IoU of one class over the pixels with known ground truth; 0 if the class is in neither map."""
    known = target != pseudo_label.IGNORE
    here, there = known & (label == number), known & (target == number)
    return float((here & there).sum() / (here | there).sum().clamp_min(1))


def best_threshold(cam: Tensor, image_labels: Tensor, target: Tensor, label: int) -> tuple[str, float]:
    """The threshold from 0 to 1 at which `pseudo_label.from_cam` gives a class its highest IoU, and that IoU.

    The label only changes at the scores themselves: with these sorted, every threshold corresponds to one position in
    a running sum. Of the thresholds with the highest IoU the one with the fewest decimals is returned, at least two.

    Args:
        cam: (C, H, W). image_labels: (C,). target: (H, W) ground truth. label: 1..C, a class of the image.
    """
    drawn = pseudo_label.from_cam(cam[None], image_labels[None], 0.0)[0] == label
    known = target != pseudo_label.IGNORE
    scores, order = cam[label - 1][drawn & known].double().sort(descending=True)
    hits = (target[drawn & known][order] == label).cumsum(0)
    marked = torch.arange(1, len(scores) + 1)
    iou = hits / (marked + int((known & (target == label)).sum()) - hits)
    ends = torch.cat([scores, scores.new_zeros(1)])  # marked are those above the next lower score
    iou[ends[:-1] == ends[1:]] = -1  # no cut lies between equal scores
    place = int(iou.argmax()) if len(iou) and float(iou.max()) > 0 else -1
    if place < 0:
        return f"{1:.{MIN_DECIMALS}f}", 0.0
    low, high, best = float(ends[place + 1]), float(ends[place]), float(iou[place])
    rounded = (
        (round(value, digits), digits)
        for digits in range(MIN_DECIMALS, MAX_DECIMALS + 1)
        for value in (low, (low + high) / 2)
    )
    value, digits = next((v, n) for v, n in rounded if low <= float(cam.new_tensor(v)) < high)
    return f"{value:.{digits}f}", best
