"""The stage cam_par: pixel-adaptive refinement of the classes that are there.

Symbols: C foreground classes, K = C + 1, P present classes with background, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from afa_viz.config import ExplainConfig
from afa_viz.ops import pseudo_label
from afa_viz.ops.cam import shift_to_thresholds


def present_channels(image_labels: Tensor) -> Tensor:
    """(C,) multi-hot -> labels of the channels in use: 0 and the present classes."""
    return torch.cat([image_labels.new_zeros(1), image_labels.nonzero().flatten() + 1]).long()


def refine(
    image: Tensor,
    cam: Tensor,
    walked: tuple[Tensor, Tensor],
    labels: Tensor,
    config: ExplainConfig,
    thresholds: Tensor | None = None,
) -> Tensor:
    """Scores of one image after PAR, for the low and the high background score.

    Args:
        image: (3, H, W) in [0, 1], cropped to its real pixels.
        cam: (C, H, W), the same crop; read only without the walk.
        walked: two (K, H, W), the walked scores at image size, the same crop.
        labels: (P,) channels in use, from the image labels; 0 first.
        thresholds: (C,) of the classes, see `walk`.
    Returns: (2, P, H, W).
    Source: docs/spec.md section 8, `refine_with_cls_label`; without the walk `refine_with_bkg`.
    """
    if not config.use_walk:
        return refine_cam(image, cam, labels, config, thresholds)
    return pseudo_label.refine_walk(image, torch.stack([scores[labels] for scores in walked]), **_options(config))


def refine_cam(
    image: Tensor, cam: Tensor, labels: Tensor, config: ExplainConfig, thresholds: Tensor | None = None
) -> Tensor:
    """`refine` without the walk, whatever the settings say: (2, P, H, W). Args: as `refine`."""
    maps = present_cams(cam, labels, config, thresholds)
    return pseudo_label.refine_cam(image, maps, _betas(config), **_options(config))


def refine_both(
    image: Tensor,
    cam: Tensor,
    walked: tuple[Tensor, Tensor],
    labels: Tensor,
    config: ExplainConfig,
    thresholds: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`refine` without the walk and with it, by one PAR: two (2, P, H, W). Args: as `refine`."""
    scores = torch.stack([scores[labels] for scores in walked])
    maps = present_cams(cam, labels, config, thresholds)
    return pseudo_label.refine_cam_and_walk(image, maps, _betas(config), scores, **_options(config))


def present_cams(cam: Tensor, labels: Tensor, config: ExplainConfig, thresholds: Tensor | None = None) -> Tensor:
    """The CAMs of the present classes: (P - 1, H, W), or where classes have thresholds of their own (2, P - 1, H, W):
    for the low background score, and moved to the thresholds for the high one. Args: as `refine`."""
    maps = cam[labels[1:] - 1]
    if thresholds is None:
        return maps
    own = thresholds.to(cam.device)[labels[1:] - 1]
    return torch.stack([maps, shift_to_thresholds(maps, own, config.bkg_score_high)])


def par_size(size: Sequence[int], config: ExplainConfig) -> tuple[int, int]:
    """(rows, columns) of the smaller image that PAR runs on."""
    return max(1, size[0] // config.par_downscale), max(1, size[1] // config.par_downscale)


def _betas(config: ExplainConfig) -> tuple[float, float]:
    return config.bkg_score_low, config.bkg_score_high


def _options(config: ExplainConfig) -> dict[str, Any]:
    return {
        "num_iters": config.num_iters if config.use_par else 0,
        "dilations": config.dilations,
        "downscale": config.par_downscale,
    }
