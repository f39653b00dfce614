"""The card of a run's weights: settings and their hash, seed, data, device, scores."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

from afa_viz import classes
from afa_viz.config import TrainConfig
from afa_viz.model.card import Card


def card_of(
    config: TrainConfig,
    class_names: tuple[str, ...],
    *,
    topk: float,
    licence: str,
    trained_on: Mapping[str, str | None],
    training: Mapping[str, Any],
    scores: Mapping[str, float],
) -> Card:
    """The card of a run's current weights.

    Args:
        topk: share of the cells that the network pools now.
        trained_on: names of the labels that "affinity" and "decoder" were trained on last.
        training: facts about the run and its data, beside its settings.
    Raises: ValueError: for class names that a card cannot store.
    """
    return Card(
        backbone=config.backbone,
        num_classes=config.num_classes,
        class_names=class_names,
        palette=classes.colours_for(config.num_classes),
        pooling=config.pooling,
        topk=topk,
        logit_offset=config.logit_offset,
        cam_relu=config.cam_relu,
        affinity_at_centre=config.affinity_at_centre,
        affinity_trained_on=trained_on["affinity"],
        decoder_trained_on=trained_on["decoder"],
        input_size=config.input_size,
        radius=config.explain.radius,
        licence=licence,
        training={
            "config": dataclasses.asdict(config),
            "config_sha256": hashlib.sha256(repr(config).encode()).hexdigest()[:16],
            "rng_seed": config.rng_seed,
            **training,
        },
        scores=dict(scores),
    )
