"""The stages of `explain` over a training batch of padded crops: only the labels are kept.

Symbols: B batch, C foreground classes, H W pixels, S side of a square crop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from afa_viz.config import ExplainConfig
from afa_viz.ops import affinity as aff
from afa_viz.ops import cam as cams
from afa_viz.ops import pseudo_label
from afa_viz.ops.image import denormalize_image
from afa_viz.stages.multi_scale_cam import multi_scale_cam
from afa_viz.stages.refine import present_channels, refine, refine_both, refine_cam
from afa_viz.stages.walk import walk

if TYPE_CHECKING:
    from afa_viz.model.afa import AFA


@dataclass(frozen=True)
class PseudoLabels:
    """Labels (B, H, W) int64 of one training batch: 0 background, 1..C classes, 255 uncertain.

    cam (B, C, H, W) of the present classes; from_cam: the CAM cut by two thresholds, unrefined; refined_cam: the CAM
    after PAR; low, high, refined_walk: the walked CAM after PAR for both background scores, and merged. The last
    three are None where they were not asked for.
    """

    cam: Tensor
    from_cam: Tensor
    refined_cam: Tensor
    low: Tensor | None
    high: Tensor | None
    refined_walk: Tensor | None


def make_pseudo_labels(
    model: AFA, image: Tensor, image_labels: Tensor, box: Tensor, config: ExplainConfig, *, with_walk: bool,
    relu: bool = True, run_decoder: bool = False,
) -> PseudoLabels:  # fmt: skip
    """The pseudo labels of a training batch; the same stages as `explain`, over padded crops.

    Args:
        model: in the mode in which the CAM passes should run.
        image: (B, 3, S, S) normalised, padded outside the box.
        image_labels: (B, C) multi-hot.
        box: (B, 4) integers: top, bottom, left, right of the real pixels.
        with_walk: also make the walked label.
        relu, run_decoder: see `multi_scale_cam`.
    Source: docs/spec.md section 11, steps 2 to 6.
    """
    size = (image.shape[-2], image.shape[-1])
    full_cam, affinity = multi_scale_cam(model, image, config.scales, config.flip, relu, run_decoder)
    with torch.no_grad():
        cam = pseudo_label.present_cam(full_cam, image_labels)
        cut = pseudo_label.with_uncertain(
            full_cam, image_labels, config.bkg_score, config.bkg_score_low, config.bkg_score_high, box
        )
        image01 = denormalize_image(image) / 255
        low_cam, high_cam = (torch.full_like(cut, pseudo_label.IGNORE) for _ in range(2))
        low, high = (torch.zeros_like(cut) for _ in range(2))
        walked: tuple[Tensor, Tensor] | None = None
        if with_walk:
            side = max(1.0, *config.scales)
            grid = aff.token_grid(int(size[0] * side), int(size[1] * side))
            low_grid, high_grid = walk(cam, affinity, image_labels, grid, config)
            walked = cams.resize(low_grid, size), cams.resize(high_grid, size)
        for i, (top, bottom, left, right) in enumerate(box.tolist()):
            labels = present_channels(image_labels[i])
            inside = (slice(top, min(bottom, size[0])), slice(left, min(right, size[1])))
            crop = (slice(None), *inside)
            pair = None if walked is None else (walked[0][i][crop], walked[1][i][crop])
            of_walk: Tensor | None = None
            if pair is not None and config.use_walk and pair[0].shape[-2:] == size:  # no padding: one image for both
                of_cam, of_walk = refine_both(image01[i], cam[i], pair, labels, config)
            else:
                of_cam = refine_cam(image01[i], cam[i], labels, config)  # sees the padding, docs/spec.md 8
                if pair is not None:
                    of_walk = refine(image01[i][crop], cam[i][crop], pair, labels, config)
            for target, score in zip((low_cam, high_cam), of_cam, strict=True):
                target[i][inside] = pseudo_label.argmax_label(score, labels)[inside]
            if of_walk is not None:
                for target, score in zip((low, high), of_walk, strict=True):
                    target[i][inside] = pseudo_label.argmax_label(score, labels)
        refined_cam = pseudo_label.merge_low_high(low_cam, high_cam, box)
        if walked is None:
            return PseudoLabels(cam, cut, refined_cam, None, None, None)
        return PseudoLabels(cam, cut, refined_cam, low, high, pseudo_label.merge_low_high(low, high, box))
