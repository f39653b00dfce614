"""Batches from images in memory: one random scale per batch; a random crop, flip and colour jitter per image.

Every draw comes from a generator made of (rng_seed, iteration), so a resumed run sees the batches it would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from afa_viz.config import CurriculumStage
from afa_viz.ops.image import normalize_image
from afa_viz.training.step import Batch

JITTER = 0.2  # brightness varies by this share, each colour channel by a quarter of it


@dataclass(frozen=True)
class ImageSet:
    """images (n, S, S, 3) uint8, may be a memory map; image_labels (n, C) float32 multi-hot."""

    images: np.ndarray
    image_labels: np.ndarray


class Batches(Protocol):
    """Where a run takes its batches from."""

    def __call__(self, part: CurriculumStage, number: int, shard: tuple[int, int]) -> Batch:
        """Batch `number` of the run under a part's settings: the share of process shard = (rank, world_size).

        The same arguments give the same batch, whatever was requested before. Of the `part.batch_size * world_size`
        images a process gets those whose index satisfies index % world_size == rank.
        """
        ...


@dataclass(frozen=True)
class SandboxBatches:
    """Batches of rendered scenes; `sets` by (single_objects, image_size)."""

    sets: dict[tuple[bool, int], ImageSet]
    rng_seed: int

    def __call__(self, part: CurriculumStage, number: int, shard: tuple[int, int] = (0, 1)) -> Batch:
        return random_batch(self.sets[part.single_objects, part.image_size], part, self.rng_seed, number, shard)


def random_batch(
    data: ImageSet, stage: CurriculumStage, rng_seed: int, iteration: int, shard: tuple[int, int] = (0, 1)
) -> Batch:
    """The batch of one iteration: crops of at least `stage.min_crop` of the side, resized to `stage.crop_size`.

    With probability `stage.half_size`: resized to half of that, with twice the images. `shard`: see `Batches`.
    """
    rank, world_size = shard
    rng = np.random.default_rng([rng_seed, iteration])
    count, length = stage.batch_size * world_size, stage.crop_size
    if stage.half_size and rng.random() < stage.half_size:
        count, length = 2 * count, length // 2
    chosen = rng.choice(len(data.images), count, replace=len(data.images) < count)
    whole = data.images.shape[1]
    side = int(round(whole * rng.uniform(stage.min_crop, 1.0)))
    crops = np.empty((count // world_size, side, side, 3), np.uint8)
    for k, index in enumerate(chosen):
        top, left = rng.integers(0, whole - side + 1, size=2)
        mirrored = rng.random() < 0.5
        if k % world_size == rank:
            crop = data.images[index, top : top + side, left : left + side]
            crops[k // world_size] = crop[:, ::-1] if mirrored else crop
    pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
    if side != length:
        pixels = F.interpolate(pixels, (length, length), mode="bilinear", align_corners=False, antialias=side > length)
    pixels = (pixels * color_jitter(count, rng)[rank::world_size]).clamp(0, 255)
    labels = torch.from_numpy(np.ascontiguousarray(data.image_labels[chosen[rank::world_size]]))
    box = torch.tensor([0, length, 0, length]).expand(count // world_size, 4)
    return Batch(normalize_image(pixels), labels, box)


def color_jitter(count: int, rng: np.random.Generator) -> Tensor:
    """(count, 3, 1, 1) float32 gains: one brightness per image times one factor per colour channel."""
    brightness = 1 + rng.uniform(-JITTER, JITTER, (count, 1, 1, 1))
    colour = 1 + rng.uniform(-JITTER / 4, JITTER / 4, (count, 3, 1, 1))
    return torch.from_numpy(brightness * colour).float()
