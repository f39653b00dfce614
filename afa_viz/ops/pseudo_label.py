"""Pseudo labels: thresholds cut scores into background, classes and uncertain; PAR refines scores before.

Labels: 0 background, 1..C classes, 255 uncertain. Boxes: (B, 4) integers top, bottom, left, right in pixels: the
region of real pixels in a padded crop; None means the whole image.
Symbols: B batch, C foreground classes, K = C + 1, P present classes, T thresholds, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from afa_viz.ops import par
from afa_viz.ops.cam import resize
from afa_viz.ops.checks import require_dims, require_finite, require_float, require_int, require_labels

IGNORE = 255
DOWNSCALE = 2  # PAR runs at half resolution; docs/spec.md section 8


def _check_cam(cam: Tensor, image_labels: Tensor) -> None:
    require_dims("cam", cam, 4, "(B, C, H, W)")
    require_labels(image_labels, cam.shape[:2])
    require_finite("cam", cam)


def present_cam(cam: Tensor, image_labels: Tensor) -> Tensor:
    """The CAM with the maps of absent classes set to 0: (B, C, H, W)."""
    _check_cam(cam, image_labels)
    return cam * image_labels.to(cam)[:, :, None, None]


def from_cam(cam: Tensor, image_labels: Tensor, bkg_score: float) -> Tensor:
    """Label of the strongest present class, background where its score does not exceed `bkg_score`.

    Args:
        cam: (B, C, H, W) in [0, 1].
        image_labels: (B, C) multi-hot.
        bkg_score: scores <= this are background.
    Returns: (B, H, W) int64 in 0..C. With no class present: all background.
    Raises: ValueError: if the shapes do not fit or a value is not finite.
    Source: docs/spec.md section 8, `cam_to_label`.
    """
    bkg_score = require_float("bkg_score", bkg_score)
    score, best = present_cam(cam, image_labels).max(dim=1)
    return torch.where(score <= bkg_score, torch.zeros_like(best), best + 1)


def with_uncertain(
    cam: Tensor,
    image_labels: Tensor,
    bkg_score: float,
    low: float,
    high: float,
    box: Tensor | None = None,
    ignore_index: int = IGNORE,
) -> Tensor:
    """Label of the strongest present class with a band of uncertain scores between two thresholds.

    Scores <= low are background, scores in (low, high] uncertain, scores above both high and bkg_score the class.
    With bkg_score > high, scores in (high, bkg_score] are background.

    Args:
        cam: (B, C, H, W) in [0, 1].
        image_labels: (B, C) multi-hot.
        bkg_score, low, high: thresholds; 0.45, 0.35 and 0.55 are published.
        box: (B, 4) or None; everything outside is uncertain.
        ignore_index: label of uncertain pixels.
    Returns: (B, H, W) int64.
    Raises: ValueError: if the shapes do not fit, a value is not finite, or low > high.
    Source: docs/spec.md section 8, `cam_to_label` with `ignore_mid`.
    """
    bkg_score = require_float("bkg_score", bkg_score)
    low, high = require_float("low", low), require_float("high", high)
    if low > high:
        raise ValueError(f"got low {low} and high {high}; expected low <= high: swap the two thresholds.")
    score, best = present_cam(cam, image_labels).max(dim=1)
    label = torch.where(score <= bkg_score, torch.zeros_like(best), best + 1)
    label = label.masked_fill(score <= high, ignore_index).masked_fill(score <= low, 0)
    return ignore_outside_box(label, box, ignore_index)


def ignore_outside_box(label: Tensor, box: Tensor | None, ignore_index: int = IGNORE) -> Tensor:
    """(B, H, W) label map with everything outside each image's box uncertain. Box ends beyond the map are clipped."""
    if box is None:
        return label.clone()
    require_dims("label", label, 3, "(B, H, W)")
    box = torch.as_tensor(box, device=label.device).long()
    if box.shape != (label.shape[0], 4):
        raise ValueError(f"box has shape {tuple(box.shape)}; expected ({label.shape[0]}, 4): top, bottom, left, right.")
    rows = torch.arange(label.shape[-2], device=label.device)[None, :]
    cols = torch.arange(label.shape[-1], device=label.device)[None, :]
    in_rows = (rows >= box[:, :1]) & (rows < box[:, 1:2])
    in_cols = (cols >= box[:, 2:3]) & (cols < box[:, 3:])
    inside = in_rows[:, :, None] & in_cols[:, None, :]
    return label.masked_fill(~inside, ignore_index)


def merge_low_high(low: Tensor, high: Tensor, box: Tensor | None = None, ignore_index: int = IGNORE) -> Tensor:
    """Sure foreground from the high background score, sure background where both agree, the rest uncertain.

    Args:
        low: (B, H, W) labels found with the low background score (generous foreground).
        high: (B, H, W) labels found with the high one (strict foreground). Its class wins where both are
            foreground and differ.
        box: (B, 4) or None; everything outside is uncertain.
        ignore_index: label of uncertain pixels.
    Returns: (B, H, W), dtype of `high`.
    Raises: ValueError: if the shapes differ.
    Source: Ru et al. 2022, section 3.3; docs/spec.md section 8.
    """
    if low.shape != high.shape:
        raise ValueError(f"low has shape {tuple(low.shape)} but high {tuple(high.shape)}; expected equal shapes.")
    label = high.masked_fill(high == 0, ignore_index).masked_fill((high == 0) & (low == 0), 0)
    return ignore_outside_box(label, box, ignore_index)


BACKGROUND, FOREGROUND, UNCERTAIN = 0, 1, 2


def regions(label: Tensor, ignore_index: int = IGNORE) -> Tensor:
    """Three kinds of pixels in a label map: 0 reliable background, 1 reliable foreground, 2 uncertain (uint8)."""
    kinds = torch.full_like(label, FOREGROUND, dtype=torch.uint8)
    return kinds.masked_fill(label == 0, BACKGROUND).masked_fill(label == ignore_index, UNCERTAIN)


def _downscaled(image: Tensor, downscale: int) -> Tensor:
    height, width, downscale = *image.shape[-2:], require_int("downscale", downscale, 1, DOWNSCALE)
    return resize(image[None], (max(1, height // downscale), max(1, width // downscale)))


def initial_scores(cam: Tensor, bkg_scores: Sequence[float], size: Sequence[int]) -> Tensor:
    """The scores that `refine_cam` starts from: a softmax over a constant background and the CAMs.

    Args:
        cam: (P, H, W) of the present classes, or (T, P, H, W): one for each background.
        bkg_scores: T constant scores of the background. size: (h, w) of the result.
    Returns: (T, P + 1, h, w), background first, sums to 1 over P + 1.
    Raises: ValueError: for numbers that are not finite, or another number of CAMs than of backgrounds.
    Source: docs/spec.md section 8, `refine_with_bkg`.
    """
    require_finite("cam", cam)
    bkg_scores = [require_float("bkg_scores", score) for score in bkg_scores]
    background = cam.new_empty(1, *cam.shape[-2:])
    maps = cam if cam.dim() == 4 else [cam] * len(bkg_scores)
    starts = [
        resize(torch.cat([background.fill_(score), one])[None], size)[0]
        for score, one in zip(bkg_scores, maps, strict=True)
    ]
    return torch.stack(starts).softmax(dim=1)


def refine_cam(
    image: Tensor,
    cam: Tensor,
    bkg_scores: Sequence[float],
    num_iters: int = par.NUM_ITERS,
    dilations: Sequence[int] = par.DILATIONS,
    downscale: int = DOWNSCALE,
) -> Tensor:
    """Scores of one image from its CAM: constant background, softmax, PAR; all thresholds share one PAR kernel.

    Args:
        image: (3, H, W) in [0, 1].
        cam: (P, H, W), the present classes only, in [0, 1]; P may be 0. Or (T, P, H, W): one for each result.
        bkg_scores: T background scores, one result each.
        num_iters: PAR iterations; 0 leaves PAR out.
        dilations: of PAR.
        downscale: PAR runs on an image this many times smaller.
    Returns: (T, P + 1, H, W), background first.
    Source: docs/spec.md section 8, `refine_with_bkg` step 2.
    """
    size = tuple(cam.shape[-2:])
    small = _downscaled(image, downscale)
    scores = initial_scores(cam, bkg_scores, small.shape[-2:])
    return resize(_par(small, scores, num_iters, dilations), size)


def refine_walk(
    image: Tensor,
    scores: Tensor,
    num_iters: int = par.NUM_ITERS,
    dilations: Sequence[int] = par.DILATIONS,
    downscale: int = DOWNSCALE,
) -> Tensor:
    """Scores of one image from its walked CAMs by PAR, no softmax; all sets of scores share one PAR kernel.

    Args:
        image: (3, H, W) in [0, 1], cropped to its box.
        scores: (T, P, H, W), the same crop, background and present classes only.
        num_iters, dilations, downscale: as `refine_cam`.
    Returns: (T, P, H, W).
    Source: docs/spec.md section 8, `refine_with_cls_label`.
    """
    size = tuple(scores.shape[-2:])
    small = _downscaled(image, downscale)
    return resize(_par(small, _resized_to(scores, small), num_iters, dilations), size)


def refine_cam_and_walk(
    image: Tensor,
    cam: Tensor,
    bkg_scores: Sequence[float],
    walked: Tensor,
    num_iters: int = par.NUM_ITERS,
    dilations: Sequence[int] = par.DILATIONS,
    downscale: int = DOWNSCALE,
) -> tuple[Tensor, Tensor]:
    """`refine_cam` and `refine_walk` of the same image, which share one PAR kernel.

    Args:
        image, cam, bkg_scores, num_iters, dilations, downscale: as `refine_cam`.
        walked: (T, P + 1, H, W), the `scores` of `refine_walk`.
    Returns: two (T, P + 1, H, W): of the CAM, of the walked CAM.
    """
    size = tuple(cam.shape[-2:])
    small = _downscaled(image, downscale)
    starts = torch.cat([initial_scores(cam, bkg_scores, small.shape[-2:]), _resized_to(walked, small)])
    of_cam, of_walk = _par(small, starts, num_iters, dilations).split([len(bkg_scores), len(walked)])
    return resize(of_cam, size), resize(of_walk, size)


def _resized_to(scores: Tensor, image: Tensor) -> Tensor:
    return F.interpolate(scores, size=image.shape[-2:], mode="bilinear", align_corners=True)


def _par(image: Tensor, scores: Tensor, num_iters: int, dilations: Sequence[int]) -> Tensor:
    """(1, 3, h, w) image and (T, P, h, w) scores -> refined scores, one kernel for all of them."""
    if require_int("num_iters", num_iters, 0, par.NUM_ITERS) == 0:
        return scores
    flat = scores.reshape(1, -1, *scores.shape[-2:])
    refined = par.pixel_adaptive_refinement(image, flat, dilations=dilations, num_iters=num_iters)
    return refined.reshape(scores.shape)


def argmax_label(scores: Tensor, classes: Tensor) -> Tensor:
    """(…, P, H, W) scores of some channels -> (…, H, W) label of the strongest; `classes` (P,) are their labels."""
    return classes.to(scores.device)[scores.max(dim=-3).indices]  # max is far faster than argmax here
