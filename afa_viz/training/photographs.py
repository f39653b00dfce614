"""Batches of photographs: random scale, flip, pad and crop, drawn independently for each image; and prefetching.

Every draw comes from a generator made of (rng_seed, place in the run), so a resumed run sees the batches it would have
seen, on any number of threads, and a batch is the same however many processes share it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import torch

from afa_viz.config import CurriculumStage
from afa_viz.data.images import LabelledImages
from afa_viz.data.transforms import augment
from afa_viz.ops.image import normalize_image
from afa_viz.training.batches import Batches
from afa_viz.training.step import Batch

ORDER, DRAW, SUBSTITUTE = range(3)  # what a generator is for
MAX_SUBSTITUTES = 20  # images tried in place of one that cannot be read
PREFETCH_DEPTH = 4  # batches prepared before they are requested
log = logging.getLogger(__name__)


class PhotoBatches:
    """Every image once per epoch, reshuffled each epoch; an image that cannot be read is skipped and replaced.

    Args:
        images: the training split.
        scale_range: of the random rescaling.
        rng_seed: of order and augmentation.
    Attributes:
        broken: error message of each image that could not be read, by name.
    Source: docs/spec.md section 10.
    """

    def __init__(self, images: LabelledImages, scale_range: tuple[float, float], rng_seed: int) -> None:
        self.images, self.scale_range, self.rng_seed = images, scale_range, rng_seed
        self.broken: dict[str, str] = {}
        self._order: Callable[[int], np.ndarray] = lru_cache(maxsize=2)(self._shuffled)

    def _shuffled(self, epoch: int) -> np.ndarray:
        return np.random.default_rng([self.rng_seed, ORDER, epoch]).permutation(len(self.images))

    def __call__(self, part: CurriculumStage, number: int, shard: tuple[int, int] = (0, 1)) -> Batch:
        """See `Batches`; `Batch.skipped` counts the images that others stand in for."""
        rank, world_size = shard
        first = number * part.batch_size * world_size
        drawn = [self._draw(first + k * world_size + rank, part.crop_size) for k in range(part.batch_size)]
        crops, boxes, labels, skipped = zip(*drawn, strict=True)
        pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float()
        return Batch(
            normalize_image(pixels), torch.from_numpy(np.stack(labels)), torch.from_numpy(np.stack(boxes)), sum(skipped)
        )

    def _draw(self, place: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """Crop, box and image labels of one place in the run, and how many broken images were passed over."""
        index = int(self._order(place // len(self.images))[place % len(self.images)])
        others = np.random.default_rng([self.rng_seed, SUBSTITUTE, place])
        for skipped in range(MAX_SUBSTITUTES):
            try:
                image = self.images.image(index)
            except (ValueError, OSError) as error:
                self._warn_broken(index, str(error))
                index = int(others.integers(len(self.images)))
                continue
            rng = np.random.default_rng([self.rng_seed, DRAW, place])
            return *augment(image, size, rng, self.scale_range), self.images.image_labels(index), skipped
        raise ValueError(
            f"{MAX_SUBSTITUTES} images in a row cannot be read, the last one {self.images.image_paths[index]}; "
            "expected a data set that is mostly intact: run `python -m afa_viz data check`."
        )

    def _warn_broken(self, index: int, sentence: str) -> None:
        if self.broken.setdefault(self.images.names[index], sentence) is sentence:
            log.warning("skipped: %s", sentence)


class Prefetcher:
    """Prepares batches on worker threads: reading and scaling photographs overlaps with the network.

    Args:
        batches: the source; must be safe to call from several threads.
        threads: number of workers.
        depth: batches kept ready.
    """

    def __init__(self, batches: Batches, threads: int, depth: int = PREFETCH_DEPTH) -> None:
        self.batches, self.depth = batches, depth
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="batches")
        self.waiting: dict[tuple[CurriculumStage, int, tuple[int, int]], Future[Batch]] = {}

    def __call__(self, part: CurriculumStage, number: int, shard: tuple[int, int] = (0, 1)) -> Batch:
        """See `Batches`. Batches prepared for another part or out of order are discarded."""
        wanted = [(part, number + k, shard) for k in range(self.depth + 1)]
        for key in self.waiting.keys() - set(wanted):
            self.waiting.pop(key).cancel()
        for key in wanted:
            if key not in self.waiting:
                self.waiting[key] = self.pool.submit(self.batches, *key)
        return self.waiting.pop(wanted[0]).result()

    def close(self) -> None:
        """Cancel pending batches and stop the threads."""
        self.pool.shutdown(wait=True, cancel_futures=True)
