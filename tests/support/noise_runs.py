"""Small training runs on noise, of which single batches can hold a value that is not finite.

A test file that imports the fixture `small_network` trains a network of an eighth of the parameters.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.config import CurriculumStage, ExplainConfig
from afa_viz.model import mix_transformer
from afa_viz.presets import SANDBOX
from afa_viz.training.batches import ImageSet, random_batch
from afa_viz.training.loop import Run
from afa_viz.training.step import Batch

NAN, INF = float("nan"), float("inf")
STEPS = 8  # saved every second one
PART = CurriculumStage(STEPS, 32, 32, 2, 1e-3)
CONFIG = dataclasses.replace(
    SANDBOX, curriculum=(PART,), max_iters=STEPS, cam_iters=1, joint_after=3, crop_size=32, input_size=32,
    warmup_iters=2, amp="off", ema=0.9, explain=ExplainConfig(scales=(1.0,), num_iters=1, long_side=32, radius=1),
    calibrate_affinity=False,  # of which test_calibration.py is
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def small_network() -> Iterator[None]:
    """MiT-B0 is narrower, with fewer blocks: a step takes half the time, a state on the disk an eighth of its bytes."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(mix_transformer.VARIANTS, "mit_b0", ((8, 16, 40, 64), (1, 1, 1, 2)))
        yield


class Noise:
    """Batches of noise, those of the `bad` numbers with a value in the place of one pixel or label."""

    def __init__(self, bad: set[int] | range = frozenset(), kind: str = "image", value: float = NAN) -> None:
        rng = np.random.default_rng(3)
        self.data = ImageSet(
            rng.integers(0, 256, (8, 32, 32, 3)).astype(np.uint8), (rng.random((8, 12)) < 0.3).astype(np.float32)
        )
        self.bad, self.kind, self.value = bad, kind, value

    def __call__(self, part: CurriculumStage, number: int, shard: tuple[int, int] = (0, 1)) -> Batch:
        batch = random_batch(self.data, part, 1, number, shard)
        if number in self.bad:
            values = batch.image if self.kind == "image" else batch.image_labels
            values[(0,) * values.dim()] = self.value
        return batch


def run_in(folder, batches=None, config=CONFIG, **more) -> Run:
    return Run(config, batches or Noise(), folder, SANDBOX_CLASSES, **more)
