"""Training batches and validation samples of a run on a data set of photographs."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from afa_viz.config import TrainConfig
from afa_viz.data.images import LabelledImages
from afa_viz.data.registry import open_for_training
from afa_viz.evaluation import Sample
from afa_viz.evaluation.photographs import evenly_spaced, photograph_samples
from afa_viz.presets import PRESETS
from afa_viz.training.evaluations import Samples
from afa_viz.training.photographs import PhotoBatches, Prefetcher
from afa_viz.training.resume import FINGERPRINT, SIZES


@dataclass(frozen=True)
class TrainingData:
    """config: with the classes of the data. batches, samples, class_names, facts, scored_on: see `Run`. panel_samples:
    fixed validation images for the panels; empty without a validation split."""

    config: TrainConfig
    batches: Prefetcher
    samples: Samples | None
    class_names: tuple[str, ...]
    facts: dict[str, Any]
    panel_samples: tuple[Sample, ...]
    scored_on: str = ""


def open_photographs(
    preset: str,
    config: TrainConfig,
    root: str | os.PathLike[str] | None,
    *,
    split: str | None = None,
    labels: str = "auto",
    eval_images: int = 100,
    panel_images: int = 3,
    threads: int = 2,
) -> TrainingData:
    """Open the training and validation split of a data set.

    Args:
        preset: one of `registry.DATASET_FORMATS`, the settings that `config` comes from.
        root: its folder.
        split: that is trained on; None: the usual one.
        labels: where image labels come from.
        eval_images: number of validation images to score, evenly spaced over the split.
        panel_images: how many of them are drawn on the panels.
        threads: that prefetch batches.
    Raises: ValueError or FileNotFoundError: for what is missing, and if `config` names another number of classes.
    """
    images, validation = open_for_training(preset, root, split, labels)
    classes = len(images.class_names)
    if config.num_classes not in (classes, PRESETS[preset].num_classes):
        raise ValueError(
            f"num_classes is {config.num_classes} but {images.title} has {classes}, background included; expected the "
            "same number: leave it out."
        )
    config = dataclasses.replace(config, num_classes=classes)
    facts = {
        "data": images.title,
        "images": len(images),
        "image_labels": images.label_source,
        **fingerprints(images),
        "validation": "none" if validation is None else f"{validation.title}, {len(validation)} images",
    }
    batches = Prefetcher(PhotoBatches(images, config.scale_range, config.rng_seed), threads)
    if validation is None:
        return TrainingData(config, batches, None, images.class_names, facts, ())
    scored = evenly_spaced(len(validation), eval_images)
    labelled = np.flatnonzero(validation.labels.any(axis=1))
    panel = tuple(photograph_samples(validation, labelled[evenly_spaced(len(labelled), panel_images)].tolist(), []))

    def samples(shard: tuple[int, int]) -> Iterator[Sample]:
        return photograph_samples(validation, scored[shard[0] :: shard[1]], [])

    return TrainingData(config, batches, samples, images.class_names, facts, panel, validation.title)


def fingerprints(images: LabelledImages) -> dict[str, str]:
    """What tells one data set from another, whatever folder it lies in: a hash of the names of the images, their order
    and their labels, and one of the sizes of their files."""
    labels, sizes = hashlib.sha256("\n".join(images.names).encode()), hashlib.sha256()
    labels.update(np.ascontiguousarray(images.labels > 0).tobytes())
    for path in images.image_paths:
        sizes.update(f"{path.stat().st_size if path.exists() else -1}\n".encode())
    return {FINGERPRINT: labels.hexdigest()[:16], SIZES: sizes.hexdigest()[:16]}
