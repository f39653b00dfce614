"""The three losses of AFA: image classification, segmentation on pseudo labels, affinity on label pairs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from afa_viz.ops.checks import require_dims, require_finite


def classification_loss(logits: Tensor, image_labels: Tensor) -> Tensor:
    """Multi-label soft margin: mean over images and classes of binary cross-entropy with logits.

    Args:
        logits: (B, C) class logits.
        image_labels: (B, C) multi-hot.
    Returns: scalar >= 0.
    Raises: ValueError: if the shapes differ or a value is not finite.
    Source: SPEC.md section 9, `cls_loss`.
    """
    if logits.shape != image_labels.shape:
        raise ValueError(
            f"logits have shape {tuple(logits.shape)} but image_labels "
            f"{tuple(image_labels.shape)}; expected both (B, C)."
        )
    require_finite("logits", logits)
    require_finite("image_labels", image_labels)
    return F.binary_cross_entropy_with_logits(logits, image_labels.to(logits))


def segmentation_loss(logits: Tensor, target: Tensor, ignore_index: int = 255) -> Tensor:
    """Half the cross-entropy over background pixels plus half that over foreground pixels, each a mean.

    Args:
        logits: (B, K, H, W).
        target: (B, H, W) integers: 0 background, 1..C classes, `ignore_index` left out.
    Returns: scalar >= 0, at least float32. A half without any pixel counts 0 (the reference gives NaN there;
        gradients agree).
    Raises: ValueError: if the shapes do not fit, a value is not finite or a class is outside 0..K-1.
    Source: SPEC.md section 9, `seg_loss`.
    """
    require_dims("logits", logits, 4, "(B, K, H, W)")
    if target.shape != (logits.shape[0], *logits.shape[-2:]):
        raise ValueError(
            f"target has shape {tuple(target.shape)} but logits {tuple(logits.shape)}; "
            "expected (B, H, W) of the logits: resize them to the label first."
        )
    require_finite("logits", logits)
    target = target.long()
    if ((target < 0) | (target >= logits.shape[1])).logical_and(target != ignore_index).any():
        raise ValueError(
            f"target holds classes {int(target.min())} to {int(target.max())}; expected 0..{logits.shape[1] - 1} or "
            f"{ignore_index}: the model and the labels have different class lists."
        )
    loss = F.cross_entropy(logits, target, ignore_index=ignore_index, reduction="none")
    background = target == 0
    foreground = (target != 0) & (target != ignore_index)

    def mean_over(pixels: Tensor) -> Tensor:
        return (loss * pixels).sum(dtype=_wide(loss)) / pixels.sum().clamp_min(1)

    return 0.5 * (mean_over(background) + mean_over(foreground))


def affinity_counts(target: Tensor) -> tuple[Tensor, Tensor]:
    """Number of positive and of negative pairs, each plus one, as the affinity loss divides by them."""
    return (target == 1).sum() + 1, (target == 0).sum() + 1


def affinity_loss(affinity: Tensor, target: Tensor, foreground: Tensor | None = None) -> Tensor:
    """Push same-class pairs to 1 and different-class pairs to 0, each group with equal weight.

    loss = (1/2) sum_{target=1} (1 - A) / P + (1/2) sum_{target=0} A / N, P and N from `affinity_counts`.

    Args:
        affinity: (B, N, N) in (0, 1).
        target: (B, N, N) integers 1, 0 or anything else for "ignore", from `affinity.affinity_labels`.
        foreground: (B, N) bool, cells of a class. Where given, the first half is the mean of two: over same-class
            pairs of foreground and over pairs of background, which are many times as many and easier (Ahn and Kwak
            2018, equation 8). None: all same-class pairs count alike, as published for AFA.
    Returns: scalar in [0, 1), at least float32.
    Raises: ValueError: if the shapes differ or a value is not finite.
    Source: Ru et al. 2022, equation 4; SPEC.md section 9.
    """
    if affinity.shape != target.shape:
        raise ValueError(
            f"affinity has shape {tuple(affinity.shape)} but target {tuple(target.shape)}; "
            "expected equal shapes: take the labels of the same grid."
        )
    if foreground is not None and foreground.shape != affinity.shape[:2]:
        raise ValueError(
            f"foreground has shape {tuple(foreground.shape)} but affinity {tuple(affinity.shape)}; "
            "expected (B, N): one value for each cell."
        )
    require_finite("affinity", affinity)

    def total(values: Tensor, pairs: Tensor) -> Tensor:
        return (values * pairs.to(values)).sum(dtype=_wide(values))

    same = target == 1
    num_same, num_different = affinity_counts(target)
    push = total(affinity, target == 0) / num_different
    if foreground is None:
        return 0.5 * total(1 - affinity, same) / num_same + 0.5 * push
    inside = same & foreground[:, :, None] & foreground[:, None, :]
    num_inside = inside.sum() + 1
    pull_inside = total(1 - affinity, inside) / num_inside
    pull_outside = total(1 - affinity, same & ~inside) / (num_same - num_inside + 1)
    return 0.25 * pull_inside + 0.25 * pull_outside + 0.5 * push


def _wide(tensor: Tensor) -> torch.dtype:
    """The type to sum in: a sum over an image or over pairs leaves the range of float16."""
    return torch.promote_types(tensor.dtype, torch.float32)
