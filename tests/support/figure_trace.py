"""The trace that the tests of the figures draw: two classes that were given, one true one, cells of unequal size."""

from __future__ import annotations

import functools

import numpy as np
import torch
from PIL import Image

from afa_viz.config import ExplainConfig
from afa_viz.model.afa import build_afa
from afa_viz.pipeline import explain
from afa_viz.trace import Trace

HEIGHT, WIDTH = 70, 96  # 5 x 6 cells
IGNORE = 255


@functools.cache
def figure_trace() -> Trace:
    """A trace of a small untrained network; the upper rows of its target are ignored."""
    torch.manual_seed(0)
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    target = np.zeros((HEIGHT, WIDTH), np.uint8)
    target[20:50, 30:70], target[:4] = 6, IGNORE
    model = build_afa("mit_b0", num_classes=13)
    config = ExplainConfig(long_side=WIDTH)
    return explain(model, Image.fromarray(pixels), labels=["cat", "dog"], config=config, target=target)
