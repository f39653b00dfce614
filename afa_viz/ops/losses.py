"""The three losses of AFA: image classification, segmentation on pseudo labels, affinity on label pairs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from afa_viz.ops.checks import require_dims, require_finite, require_multi_hot


def classification_loss(logits: Tensor, image_labels: Tensor) -> Tensor:
    """Multi-label soft margin: mean over images and classes of binary cross-entropy with logits.

    Args:
        logits: (B, C) class logits.
        image_labels: (B, C) multi-hot, 0 to 1.
    Returns: scalar >= 0.
    Raises: ValueError: if the shapes differ, a value is not finite or a label is none, such as 255.
    Source: docs/spec.md section 9, `cls_loss`.
    """
    if logits.shape != image_labels.shape:
        raise ValueError(
            f"logits have shape {tuple(logits.shape)} but image_labels "
            f"{tuple(image_labels.shape)}; expected both (B, C)."
        )
    require_finite("logits", logits)
    require_multi_hot(image_labels)
    return F.binary_cross_entropy_with_logits(logits, image_labels.to(logits))


def segmentation_counts(target: Tensor, ignore_index: int = 255) -> tuple[Tensor, ...]:
    """What the segmentation loss divides by.

    Args:
        target: (B, H, W) integers; see `segmentation_loss`.
    Returns: number of background pixels and of foreground pixels, scalars; `ignore_index` is neither.
    Source: docs/spec.md section 9, `seg_loss`.
    """
    return (target == 0).sum(), ((target != 0) & (target != ignore_index)).sum()


def segmentation_loss(
    logits: Tensor, target: Tensor, ignore_index: int = 255, counts: Sequence[Tensor] | None = None
) -> Tensor:
    """Half the cross-entropy over background pixels plus half that over foreground pixels, each a mean.

    Args:
        logits: (B, K, H, W).
        target: (B, H, W) integers: 0 background, 1..C classes, `ignore_index` left out.
        counts: what the two sums are divided by; None: `segmentation_counts` of the target. Processes that share a
            batch pass the mean of theirs.
    Returns: scalar >= 0, at least float32. A half without any pixel counts 0 (the reference gives NaN there;
        gradients agree).
    Raises: ValueError: if the shapes do not fit, a value is not finite or a class is outside 0..K-1.
    Source: docs/spec.md section 9, `seg_loss`.
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
    divisors = segmentation_counts(target, ignore_index) if counts is None else counts

    def mean_over(pixels: Tensor, count: Tensor) -> Tensor:
        return (loss * pixels).sum(dtype=_wide(loss)) / torch.where(count > 0, count, 1)

    return 0.5 * (mean_over(background, divisors[0]) + mean_over(foreground, divisors[1]))


def affinity_counts(target: Tensor, foreground: Tensor | None = None) -> tuple[Tensor, ...]:
    """What the affinity loss divides by: the number of pairs in each group, each plus one.

    Args:
        target, foreground: see `affinity_loss`.
    Returns: scalars: same-class and different-class pairs; with `foreground` same-class pairs of foreground cells,
        other same-class pairs, different-class pairs.
    """
    return tuple(pairs.sum() + 1 for pairs in _pair_groups(target, foreground))


def _pair_groups(target: Tensor, foreground: Tensor | None) -> tuple[Tensor, ...]:
    same, different = target == 1, target == 0
    if foreground is None:
        return same, different
    inside = same & foreground[:, :, None] & foreground[:, None, :]
    return inside, same & ~inside, different


def affinity_loss(
    affinity: Tensor,
    target: Tensor,
    foreground: Tensor | None = None,
    counts: Sequence[Tensor] | None = None,
    different_share: float = 0.5,
) -> Tensor:
    """Push same-class pairs to 1 and different-class pairs to 0, each group with equal weight.

    loss = (1/2) sum_{target=1} (1 - A) / P + (1/2) sum_{target=0} A / N, P and N from `affinity_counts`.

    Args:
        affinity: (B, N, N) in (0, 1).
        target: (B, N, N) integers 1, 0 or anything else for "ignore", from `affinity.affinity_labels`.
        foreground: (B, N) bool, cells of a class. Where given, the first half is the mean of two: over same-class
            pairs of foreground and over pairs of background, which are many times as many and easier (Ahn and Kwak
            2018, equation 8). None: all same-class pairs count alike, as published for AFA.
        counts: what the sums are divided by; None: `affinity_counts` of the target. Processes that share a batch
            pass the mean of theirs.
        different_share: of the loss, on pairs of different classes: the second 1/2 of the formula. More of it joins
            fewer pairs wrongly and fewer rightly.
    Returns: scalar in [0, 1), at least float32.
    Raises: ValueError: if the shapes differ or a value is not finite; for a share outside 0 to 1.
    Source: Ru et al. 2022, section 3.3; docs/spec.md section 9.
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
    if not 0 <= different_share <= 1:
        raise ValueError(f"different_share is {different_share}; expected 0 to 1.")
    groups = _pair_groups(target, foreground)
    divisors = [pairs.sum() + 1 for pairs in groups] if counts is None else counts
    *pulls, push = (
        ((affinity if pairs is groups[-1] else 1 - affinity) * pairs.to(affinity)).sum(dtype=_wide(affinity)) / count
        for pairs, count in zip(groups, divisors, strict=True)
    )
    return (1 - different_share) * sum(pulls) / len(pulls) + different_share * push


def _wide(tensor: Tensor) -> torch.dtype:
    """The type to sum in: a sum over an image or over pairs leaves the range of float16."""
    return torch.promote_types(tensor.dtype, torch.float32)
