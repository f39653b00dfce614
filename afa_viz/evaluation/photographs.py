"""Samples of a data set of photographs: read one at a time, broken ones named and counted."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

import numpy as np

from afa_viz.data.class_lists import IGNORE
from afa_viz.data.images import LabelledImages
from afa_viz.evaluation.scoring import Sample

log = logging.getLogger(__name__)


def evenly_spaced(count: int, limit: int | None) -> list[int]:
    """Up to `limit` of `count` numbers, evenly spread; all of them without a limit."""
    if limit is None or limit >= count:
        return list(range(count))
    return np.linspace(0, count - 1, limit).round().astype(int).tolist()


def photograph_samples(images: LabelledImages, chosen: Iterable[int], broken: list[str]) -> Iterator[Sample]:
    """Images with labels and truth. Without a mask no pixel counts, so that the image labels alone are scored.

    Args:
        chosen: which images.
        broken: gets the names of those that cannot be read or whose mask does not fit; they are left out.
    """
    for index in chosen:
        try:
            image, mask = images.image(index), images.mask(index)
            if mask is not None and mask.shape != image.shape[:2]:
                raise ValueError(
                    f"{images.names[index]} has {image.shape[:2]} pixels and its mask {mask.shape}; expected the same."
                )
        except (ValueError, OSError) as error:
            log.warning("skipped: %s", error)
            broken.append(images.names[index])
            continue
        target = np.full(image.shape[:2], IGNORE, np.uint8) if mask is None else mask
        yield Sample(image, images.image_labels(index), target)
