"""Small networks and the data of evaluations that are compared with each other."""

from __future__ import annotations

import dataclasses

import torch

from afa_viz.model.afa import build_afa
from afa_viz.model.card import default_card

SIZE = 64


def small(seed: int, classes: int = 13):
    """A network with the weights of a seed, for images of `SIZE` pixels."""
    torch.manual_seed(seed)
    model = build_afa("mit_b0", num_classes=classes).eval()
    model.card = dataclasses.replace(default_card("mit_b0", classes), input_size=SIZE)
    return model


def run(**scores):
    """What `evaluate --json` writes of a run on five images."""
    return {"data": "voc", "split": "val", "recipe": "default", "images": 5, "iou": {"seg": {"background": 1.0}},
            "summary": scores}  # fmt: skip
