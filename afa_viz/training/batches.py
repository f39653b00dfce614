"""Batches from images in memory: one random scale a batch, a random place and flip an image, random light.

Every draw comes from a generator made of (rng_seed, iteration), so a resumed run sees the batches it would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from afa_viz.config import CurriculumStage
from afa_viz.ops.image import normalize_image
from afa_viz.training.step import Batch

GAIN = 0.2  # brightness varies by this share, each colour channel by a quarter of it


@dataclass(frozen=True)
class ImageSet:
    """images (n, S, S, 3) uint8, may be a memory map; image_labels (n, C) float32 multi-hot."""

    images: np.ndarray
    image_labels: np.ndarray


def random_batch(data: ImageSet, stage: CurriculumStage, rng_seed: int, iteration: int) -> Batch:
    """The batch of one iteration: crops of at least `stage.min_crop` of the side, resized to `stage.crop_size`.

    With probability `stage.half_size`: resized to half of that, with twice the images.
    """
    rng = np.random.default_rng([rng_seed, iteration])
    count, length = stage.batch_size, stage.crop_size
    if stage.half_size and rng.random() < stage.half_size:
        count, length = 2 * count, length // 2
    chosen = rng.choice(len(data.images), count, replace=len(data.images) < count)
    whole = data.images.shape[1]
    side = int(round(whole * rng.uniform(stage.min_crop, 1.0)))
    crops = np.empty((count, side, side, 3), np.uint8)
    for k, index in enumerate(chosen):
        top, left = rng.integers(0, whole - side + 1, size=2)
        crop = data.images[index, top : top + side, left : left + side]
        crops[k] = crop[:, ::-1] if rng.random() < 0.5 else crop
    pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
    if side != length:
        pixels = F.interpolate(pixels, (length, length), mode="bilinear", align_corners=False, antialias=side > length)
    pixels = (pixels * _light(count, rng)).clamp(0, 255)
    labels = torch.from_numpy(np.ascontiguousarray(data.image_labels[chosen]))
    box = torch.tensor([0, length, 0, length]).expand(count, 4)
    return Batch(normalize_image(pixels), labels, box)


def _light(count: int, rng: np.random.Generator) -> Tensor:
    brightness = 1 + rng.uniform(-GAIN, GAIN, (count, 1, 1, 1))
    colour = 1 + rng.uniform(-GAIN / 4, GAIN / 4, (count, 3, 1, 1))
    return torch.from_numpy(brightness * colour).float()
