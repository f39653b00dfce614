"""Class activation maps: the classifier applied to every cell, fused over flips and scales, normalised.

Symbols: B batch, C foreground classes, D channels, h w grid cells, H W pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from afa_viz.ops.checks import require_bool, require_dims, require_finite, require_size

EPS = 1e-5  # docs/spec.md section 5, step 2: added to the maximum before the division


def class_activation(features: Tensor, weight: Tensor) -> Tensor:
    """Score of every class at every cell: the class weights times the feature vector of the cell.

    Args:
        features: (B, D, h, w), features before pooling.
        weight: (C, D) or (C, D, 1, 1), classifier weights without bias.
    Returns: (B, C, h, w), unbounded; negative values are kept.
    Raises: ValueError: if the channel counts differ or a value is not finite.
    Source: Zhou et al. 2016; Ru et al. 2022, section 3.2; docs/spec.md section 3.
    """
    require_dims("features", features, 4, "(B, D, h, w)")
    kernel = weight.reshape(weight.shape[0], -1)
    if kernel.shape[1] != features.shape[1]:
        raise ValueError(
            f"weight takes {kernel.shape[1]} channels but features have {features.shape[1]}; "
            "use the classifier that was trained on these features."
        )
    require_finite("features", features)
    require_finite("weight", weight)
    return torch.einsum("cd,bdhw->bchw", kernel, features)


def fuse_flip(cam: Tensor, cam_of_flipped: Tensor) -> Tensor:
    """Element-wise maximum of a CAM and the CAM of the mirrored image, which is mirrored back first.

    Args:
        cam: (B, C, H, W), of the image.
        cam_of_flipped: (B, C, H, W), of the left-right mirrored image.
    Returns: (B, C, H, W). No ReLU is applied.
    Raises: ValueError: if the shapes differ.
    Source: docs/spec.md section 5, step 1.
    """
    if cam.shape != cam_of_flipped.shape:
        raise ValueError(
            f"cam has shape {tuple(cam.shape)} and cam_of_flipped {tuple(cam_of_flipped.shape)}; "
            "expected equal shapes: resize both to the image first."
        )
    return torch.maximum(cam, cam_of_flipped.flip(-1))


def fuse_scales(cams: Iterable[Tensor], relu: bool = True) -> Tensor:
    """Sum over scales of CAMs at image size, each after ReLU.

    Args:
        cams: one (B, C, H, W) map a scale, all at image size; made one after the other, only two are in memory.
        relu: True is the published form. False keeps negative evidence, for networks trained with an
            offset on the pooled logit, whose object scores may all lie below zero.
    Returns: (B, C, H, W).
    Raises: ValueError: if the list is empty.
    """
    relu = require_bool("relu", relu)
    total: Tensor | None = None
    for cam in cams:
        one = cam.clamp_min(0) if relu else cam
        total = one.clone() if total is None else total.add_(one)
    if total is None:
        raise ValueError("cams is an empty list; expected one map for each scale.")
    return total


def normalize(cam: Tensor) -> Tensor:
    """Stretch every map of every image to [0, 1]: subtract its minimum, divide by the new maximum + 1e-5.

    Args:
        cam: (B, C, H, W).
    Returns: (B, C, H, W) in [0, 1]; 1 only where rounding hides the 1e-5. A constant map becomes 0.
    Raises: ValueError: if it has another shape or a value is not finite.
    Source: docs/spec.md section 5, step 2.
    """
    require_dims("cam", cam, 4, "(B, C, H, W)")
    require_finite("cam", cam)
    shifted = cam - cam.amin(dim=(-2, -1), keepdim=True)
    return shifted / (shifted.amax(dim=(-2, -1), keepdim=True) + EPS)


def shift_to_thresholds(cam: Tensor, thresholds: Tensor, bkg_score: float) -> Tensor:
    """The CAM moved class by class, so that a class equals the background score where it reaches its own threshold.

    cam - thresholds + bkg_score. In the softmax over background and classes, which walk and PAR start from, only
    differences count; so one threshold t for all classes gives what the background score t gives.

    Args:
        cam: (..., C, h, w). Not changed.
        thresholds: (C,) in [0, 1].
        bkg_score: that the background channel will have.
    Returns: shaped like `cam`; may leave [0, 1].
    Raises: ValueError: if there is not one threshold for each class.
    """
    if thresholds.shape != cam.shape[-3:-2]:
        raise ValueError(
            f"thresholds have shape {tuple(thresholds.shape)} but cam {tuple(cam.shape)}; expected one for each class."
        )
    return cam - (thresholds.to(cam) - bkg_score)[:, None, None]


def resize(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear resize, align_corners=False, no antialiasing: the meaning of "bilinear" everywhere but in PAR.

    Args:
        maps: (B, C, h, w). size: (H, W) in pixels or cells.
    Returns: (B, C, H, W); maps that already have the size as they are, not copied.
    Raises: ValueError: for a size that is not two whole numbers >= 1.
    Source: docs/spec.md section 5.
    """
    size = require_size("size", size)
    if tuple(maps.shape[-2:]) == size:
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
