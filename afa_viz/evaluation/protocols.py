"""The published evaluation passes: the decoder over scales and flips, and the pass that runs during training.

Symbols: B batch, C foreground classes, K = C + 1, H W pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from afa_viz.config import ExplainConfig
from afa_viz.model.afa import AFA
from afa_viz.ops import affinity as aff
from afa_viz.ops import pseudo_label, random_walk
from afa_viz.ops.cam import resize
from afa_viz.stages.multi_scale_cam import multi_scale_cam
from afa_viz.stages.one_image import network_input

SEG_SCALES = (1.0, 0.5, 0.75)  # docs/spec.md section 13, `msc_flip_test`
VALIDATION_BETA = 0.35  # background score of the walk in `validate`, always; docs/spec.md section 13


def multi_scale_label(model: AFA, image: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 -> (H, W) int64 label of the decoder over scales and flips."""
    pixels = network_input(model, torch.tensor(image))
    return resize(multi_scale_seg(model, pixels), image.shape[:2]).max(dim=1).indices[0].cpu()


@torch.no_grad()
def multi_scale_seg(model: AFA, image: Tensor, scales: tuple[float, ...] = SEG_SCALES) -> Tensor:
    """Segmentation logits over scales and flips: mean of the two flips, maximum of the scales.

    Args:
        model: in evaluation mode.
        image: (B, 3, H, W) normalised.
        scales: of the input; the first gives the size of the result. Coordinates are mapped with the scale itself.
    Returns: (B, K, H / 4, W / 4) at the first scale.
    Source: docs/spec.md section 13, `msc_flip_test`.
    """
    best: Tensor | None = None
    for scale in scales:
        scaled = image
        if scale != 1:
            scaled = torch.nn.functional.interpolate(
                image, scale_factor=scale, mode="bilinear", align_corners=False, recompute_scale_factor=False
            )
        logits = model.forward_seg(torch.cat([scaled, scaled.flip(-1)]))
        if best is not None:
            logits = resize(logits, (best.shape[-2], best.shape[-1]))
        straight, mirrored = logits.chunk(2)
        mean = (straight + mirrored.flip(-1)) / 2
        best = mean if best is None else torch.maximum(best, mean)
    assert best is not None
    return best


@torch.no_grad()
def validation_labels(
    model: AFA, image: Tensor, image_labels: Tensor, size: tuple[int, int], config: ExplainConfig
) -> dict[str, Tensor]:
    """Labels of the pass that the reference runs while it trains; no PAR in it.

    Args:
        model: in evaluation mode.
        image: (B, 3, H, W) normalised, original size.
        image_labels: (B, C), the true ones.
        size: (rows, columns) of the label.
    Returns: `class_logits` (B, C) and (B, *size) labels `seg`, `cam` and `cam_rw`.
    Source: docs/spec.md section 13, `validate`.
    """
    output = model(image)
    cam, _ = multi_scale_cam(model, image, config.scales, config.flip)
    cam = resize(cam, size)
    grid = aff.token_grid(image.shape[-2], image.shape[-1])
    mask = aff.radius_mask(*grid, radius=config.radius, device=image.device)
    walked = random_walk.propagate_with_background(
        resize(cam, grid), output.affinity, image_labels, VALIDATION_BETA, mask=mask
    )
    return {
        "class_logits": output.class_logits,
        "seg": resize(output.seg_logits, size).argmax(dim=1),
        "cam": pseudo_label.from_cam(cam, image_labels, config.bkg_score),
        "cam_rw": resize(walked, size).argmax(dim=1),
    }
