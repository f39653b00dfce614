"""The picture of the tests of `explain`, its trace by the golden model, and what equal traces are."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import torch
from golden_vectors import golden_model

import afa_viz
from afa_viz import Trace


def noise() -> np.ndarray:
    """(75, 101, 3) uint8: sides that no grid divides."""
    return np.random.default_rng(3).integers(0, 256, (75, 101, 3), dtype=np.uint8)


@functools.cache
def trace_of_noise() -> Trace:
    """With two classes and a target."""
    target = np.random.default_rng(4).choice([0, 3, 8, 255], (75, 101)).astype(np.uint8)
    return afa_viz.explain(golden_model(), noise(), labels=["bird", "cat"], target=target)


def assert_same(a: Trace, b: Trace) -> None:
    for field in dataclasses.fields(Trace):
        one, two = getattr(a, field.name), getattr(b, field.name)
        if isinstance(one, torch.Tensor):
            assert one.dtype == two.dtype, field.name
            assert torch.equal(one, two), field.name
        elif isinstance(one, tuple) and isinstance(one[-1], torch.Tensor):
            same = (x is y if x is None or y is None else torch.equal(x, y) for x, y in zip(one, two, strict=True))
            assert all(same), field.name
        else:
            assert one == two, field.name
