"""The card of a run's weights: settings and their hash, seed, data, device, scores."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

from afa_viz import classes
from afa_viz.config import BY_HAND, TrainConfig
from afa_viz.model.card import Card


def config_hash(config: TrainConfig) -> str:
    """The first 16 digits of the SHA-256 of a run's settings, without those `BY_HAND`, which no run has."""
    fields = dataclasses.fields(config.explain)
    explain = [f"{f.name}={getattr(config.explain, f.name)!r}" for f in fields if f.name not in BY_HAND and f.repr]
    own = [f for f in dataclasses.fields(config) if f.repr]
    parts = {f.name: repr(getattr(config, f.name)) for f in own} | {"explain": f"ExplainConfig({', '.join(explain)})"}
    text = f"TrainConfig({', '.join(f'{name}={value}' for name, value in parts.items())})"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
        par_downscale=config.explain.par_downscale,
        licence=licence,
        training={
            "config": dataclasses.asdict(config),
            "config_sha256": config_hash(config),
            "rng_seed": config.rng_seed,
            **training,
        },
        scores=dict(scores),
    )
