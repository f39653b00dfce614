"""What a person changes in one image: whether it fits, and what the stages take in its place.

Symbols: C foreground classes, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from afa_viz.config import ExplainConfig
from afa_viz.parts import Parts
from afa_viz.spelling import did_you_mean


class BeyondImageError(ValueError):
    """A box that this image is too small for; another one may hold it."""


def require_edits(
    config: ExplainConfig, parts: Parts, class_names: Sequence[str], size: Sequence[int] | None = None
) -> None:
    """Raises: ValueError: for edits of a part that the method lacks, or of an unknown class; BeyondImageError: for a
        box beyond the image.

    Args:
        class_names: with the background first.
        size: (H, W) of the image as it is explained; None: the box was checked.
    """
    if config.affinity_edits is not None and parts.affinity is None:
        raise ValueError(f"affinity_edits is set; expected None: {parts.lacks['affinity']}")
    unknown = [name for name, _ in config.class_thresholds or () if name not in class_names[1:]]
    if unknown:
        raise ValueError(f"class_thresholds names {unknown[0]!r}; {did_you_mean(unknown[0], class_names[1:])}.")
    if config.occlude is not None and size is not None:
        _, bottom, _, right = config.occlude
        if bottom > size[0] or right > size[1]:
            raise BeyondImageError(
                f"occlude is {config.occlude}; expected a box (top, bottom, left, right) within the {size[0]} x "
                f"{size[1]} pixels of the image as it is explained."
            )


def occluded(image: Tensor, box: Sequence[int], mean: Sequence[float]) -> Tensor:
    """(H, W, 3) uint8 image with a box filled with a mean colour, which the network's normalisation takes to 0.

    Args:
        box: (top, bottom, left, right) in pixels; the last row and column are not in it.
        mean: of the normalisation, RGB in 0..255.
    """
    top, bottom, left, right = box
    filled = image.clone()
    filled[top:bottom, left:right] = torch.tensor([round(value) for value in mean], dtype=image.dtype)
    return filled


def foreground_thresholds(config: ExplainConfig, class_names: Sequence[str]) -> Tensor | None:
    """(C,) thresholds of all classes, `bkg_score_high` where a class has none of its own; None where none has.

    Args:
        class_names: with the background first.
    """
    if config.class_thresholds is None:
        return None
    own = dict(config.class_thresholds)
    return torch.tensor([own.get(name, config.bkg_score_high) for name in class_names[1:]])
