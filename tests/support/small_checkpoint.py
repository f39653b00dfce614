"""A small checkpoint of the tests: its card, its network, its file, and what a refusal must be."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from golden_vectors import recipe_weights

from afa_viz.model.afa import AFA, build_afa
from afa_viz.model.card import Card, CheckpointError, default_card
from afa_viz.model.checkpoint import load_model, save_model


def small_card() -> Card:
    """With no field as it is by default."""
    return dataclasses.replace(
        default_card("mit_b0", 21),
        pooling="topk",
        topk=0.2,
        logit_offset=1.5,
        cam_relu=False,
        input_size=320,
        licence="CC0-1.0",
        training={"config": "sandbox", "rng_seed": 3, "duration": 12.5},
        scores={"miou": 0.5},
    )


def small_model() -> AFA:
    """With the weights of the golden vectors."""
    model = build_afa("mit_b0", 21, "topk", topk=0.2, logit_offset=1.5)
    model.load_state_dict(recipe_weights("mit_b0"))
    return model


def save_small(folder: Path) -> Path:
    """Write both; returns the path of the weights."""
    path = folder / "small.safetensors"
    save_model(small_model(), path, small_card())
    return path


def refused(source, *says: str, kind: type[Exception] = CheckpointError, **options) -> None:
    """`load_model` refuses with one sentence that says all of this."""
    with pytest.raises(kind) as caught:
        load_model(source, **options)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message and ". " not in message, message
    for text in says:
        assert text in message, message
