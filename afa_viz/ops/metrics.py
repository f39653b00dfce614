"""Scores: one confusion matrix over all pixels, intersection over union from it, F1 of the image labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from afa_viz.ops.checks import require_finite
from afa_viz.scalars import as_int, preview


@dataclass(frozen=True)
class Scores:
    """What a confusion matrix says. Fractions in [0, 1]; NaN where nothing was counted.

    Attributes:
        miou: mean of `iou` over the classes present in the ground truth.
        iou: (K,) float64, TP / (ground truth + predicted - TP); 0 for a class predicted but never present,
            NaN for a class in neither.
        pixel_accuracy: share of counted pixels that are right.
        mean_accuracy: mean of TP / ground truth over the classes present.
        precision, recall: (K,) float64, TP / predicted and TP / ground truth, NaN where the divisor is 0.
    """

    miou: float
    iou: Tensor
    pixel_accuracy: float
    mean_accuracy: float
    precision: Tensor
    recall: Tensor


class ConfusionMatrix:
    """Counts of (true class, predicted class) over pixels; matrices of several processes may be added.

    Args:
        num_classes: K, background included.
        ignore_index: pixels with this value in the target are dropped, and so are pixels predicted with it
            (a pseudo label's uncertain pixels).
    Source: docs/spec.md section 13, `scores` and `pseudo_scores`.
    """

    def __init__(self, num_classes: int, ignore_index: int = 255) -> None:
        whole = as_int(num_classes)
        if whole is None or whole < 2:
            raise ValueError(f"got num_classes {preview(num_classes)}; expected at least 2 (background and one class).")
        self.num_classes = num_classes = whole
        self.ignore_index = ignore_index
        self.matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)

    def update(self, target: Tensor, prediction: Tensor) -> ConfusionMatrix:
        """Count one or more label maps of equal shape; returns itself.

        Raises: ValueError: if the shapes differ or a class is outside 0..K-1 (and not the ignore index).
        """
        target, prediction = torch.as_tensor(target), torch.as_tensor(prediction)
        if target.shape != prediction.shape:
            raise ValueError(
                f"target has shape {tuple(target.shape)} but prediction {tuple(prediction.shape)}; "
                "expected equal shapes: resize the prediction to the label."
            )
        true, guess = target.reshape(-1).long(), prediction.reshape(-1).long().to(target.device)
        keep = (true != self.ignore_index) & (guess != self.ignore_index)
        true, guess = true[keep], guess[keep]
        for name, labels in (("target", true), ("prediction", guess)):
            foreign = labels[(labels < 0) | (labels >= self.num_classes)]
            if foreign.numel():
                raise ValueError(
                    f"{name} holds class {int(foreign[0])}; expected 0..{self.num_classes - 1} or "
                    f"{self.ignore_index}: the model and the data have different class lists."
                )
        counts = torch.bincount(true * self.num_classes + guess, minlength=self.num_classes**2)
        self.matrix += counts.reshape(self.num_classes, self.num_classes).cpu()
        return self

    def normalised(self) -> Tensor:
        """(K, K) float64: which share of the pixels of each true class has each label; NaN rows for absent classes."""
        matrix = self.matrix.double()
        return matrix / matrix.sum(dim=1, keepdim=True)

    def scores(self) -> Scores:
        """All scores of what was counted so far."""
        matrix = self.matrix.double()
        hits, truth, predicted = matrix.diag(), matrix.sum(dim=1), matrix.sum(dim=0)
        union = truth + predicted - hits
        present = truth > 0
        iou, recall, precision = hits / union, hits / truth, hits / predicted
        return Scores(
            miou=float(iou[present].mean()),
            iou=iou,
            pixel_accuracy=float(hits.sum() / truth.sum()),
            mean_accuracy=float(recall[present].mean()),
            precision=precision,
            recall=recall,
        )


def f1_per_image(logits: Tensor, image_labels: Tensor, threshold: float = 0.0) -> Tensor:
    """F1 of "logit > threshold" against the image labels; 0 when nothing is true and nothing predicted.

    Args:
        logits, image_labels: (B, C).
    Returns: (B,) float64.
    Raises: ValueError: if a value is not finite.
    Source: docs/spec.md section 13, `cls_f1`.
    """
    require_finite("logits", logits)
    predicted, actual = logits > threshold, image_labels > 0
    hits = (predicted & actual).sum(dim=1).double()
    total = predicted.sum(dim=1).double() + actual.sum(dim=1).double()
    return torch.where(total > 0, 2 * hits / total.clamp_min(1), torch.zeros_like(hits))


def average_precision(logits: Tensor, image_labels: Tensor) -> Tensor:
    """Average precision of every class over a set of images, NaN for a class that no image has.

    AP = sum over the distinct scores s, falling, of precision(s) * (recall(s) - recall(before)): images with the same
    score are found together, so that their order does not matter.

    Args:
        logits, image_labels: (num_images, C).
    Returns: (C,) float64 in [0, 1].
    Raises: ValueError: if the shapes differ or a value is not finite.
    """
    if logits.dim() != 2 or logits.shape != image_labels.shape:
        raise ValueError(
            f"logits have shape {tuple(logits.shape)} but image_labels {tuple(image_labels.shape)}; expected both "
            "(num_images, C)."
        )
    require_finite("logits", logits)
    require_finite("image_labels", image_labels)
    scores, order = logits.sort(dim=0, descending=True)
    hits = (image_labels > 0).gather(0, order).double()
    places = torch.arange(len(scores), device=scores.device)[:, None].expand_as(scores)
    ends = torch.ones_like(scores, dtype=torch.bool)  # of a group of equal scores
    ends[:-1] = scores[:-1] != scores[1:]
    last = torch.where(ends, places, len(scores)).flip(0).cummin(dim=0).values.flip(0)  # of the group of each image
    precision = (hits.cumsum(dim=0) / (places + 1)).gather(0, last)
    return (precision * hits).sum(dim=0) / hits.sum(dim=0)
