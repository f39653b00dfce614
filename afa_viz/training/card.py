"""What a run says about its weights: settings and their hash, seed, data, device, scores."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from afa_viz import classes
from afa_viz.model.card import Card

if TYPE_CHECKING:
    from afa_viz.training.loop import Run


def card_of(run: Run, scores: Mapping[str, float]) -> Card:
    """The card of a run's present weights.

    Raises: ValueError: for class names that no card can hold.
    """
    config = run.config
    return Card(
        backbone=config.backbone,
        num_classes=config.num_classes,
        class_names=run.class_names,
        palette=classes.colours_for(config.num_classes),
        pooling=config.pooling,
        topk=run.model.topk,
        logit_offset=config.logit_offset,
        cam_relu=config.cam_relu,
        affinity_at_centre=config.affinity_at_centre,
        affinity_trained_on=run.teachers["affinity"],
        decoder_trained_on=run.teachers["decoder"],
        input_size=config.input_size,
        radius=config.explain.radius,
        licence=run.licence,
        training={
            "config": dataclasses.asdict(config),
            "config_sha256": hashlib.sha256(repr(config).encode()).hexdigest()[:16],
            "rng_seed": config.rng_seed,
            "iterations": run.iteration,
            "seconds": round(run.seconds),
            "device": run.processes.device,
            "processes": run.processes.world,
            "skipped_images": run.skipped,
            "skipped_steps": run.skipped_steps,
            **({"changes": run.changes} if run.changes else {}),
            **run.facts,
        },
        scores=dict(scores),
    )
