"""Pixels in and out of the network: ImageNet normalisation and its inverse as the reference rounds it."""

from __future__ import annotations

import torch
from torch import Tensor

from afa_viz.normalisation import MEAN, STD


def _channels(values: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device).view(3, 1, 1)


def normalize_image(image: Tensor, mean: tuple[float, ...] = MEAN, std: tuple[float, ...] = STD) -> Tensor:
    """(…, 3, H, W) RGB in 0..255 -> float, zero mean and unit variance over ImageNet."""
    image = image if image.is_floating_point() else image.float()
    return (image - _channels(mean, image)) / _channels(std, image)


def denormalize_image(image: Tensor, mean: tuple[float, ...] = MEAN, std: tuple[float, ...] = STD) -> Tensor:
    """(…, 3, H, W) normalised -> RGB in 0..255, integers in float, truncated as in the reference.

    Truncating instead of rounding lowers about 1 % of the grey levels by one (docs/spec.md section 8). Divide by 255
    for PAR.
    """
    return (image * _channels(std, image) + _channels(mean, image)).clamp(0, 255).trunc()
