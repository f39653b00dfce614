"""A small training run that is killed at a given step, and a process that is killed again and again while it saves.

python tests/support/killed_runs.py train FOLDER STEP
python tests/support/killed_runs.py save FILE TIMES
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch

from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.config import CurriculumStage, ExplainConfig
from afa_viz.model.afa import build_afa
from afa_viz.model.card import Card, default_card
from afa_viz.model.checkpoint import load_model, save_model
from afa_viz.presets import SANDBOX
from afa_viz.training import loop
from afa_viz.training.batches import ImageSet, random_batch

SAVE_EVERY = 3  # steps; the real number would take a minute
PART = CurriculumStage(12, 32, 32, 2, 1e-3)
CONFIG = SANDBOX.__class__(
    **{**vars(SANDBOX), "curriculum": (PART,), "max_iters": 12, "cam_iters": 12, "joint_after": 12, "crop_size": 32,
       "train_images": 8, "warmup_iters": 2, "amp": "off",
       "explain": ExplainConfig(scales=(1.0,), num_iters=1, long_side=32)}
)  # fmt: skip


class Images:
    """Batches of noise; the process is killed when it asks for the batch of step `fatal`."""

    def __init__(self, fatal: int | None = None) -> None:
        rng = np.random.default_rng(3)
        pixels = rng.integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)
        self.data, self.fatal = ImageSet(pixels, (rng.random((8, 12)) < 0.3).astype(np.float32)), fatal

    def __call__(self, part: CurriculumStage, number: int, shard: tuple[int, int] = (0, 1)):
        if number == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return random_batch(self.data, part, 1, number, shard)


def run(folder: Path, fatal: int | None = None, resume: bool = False) -> loop.Run:
    """A run of twelve steps in a folder, on one thread; not started yet."""
    torch.set_num_threads(1)
    return loop.Run(CONFIG, Images(fatal), folder, SANDBOX_CLASSES, resume=resume)


def card(number: float) -> Card:
    return Card(**{**vars(default_card("mit_b0", 3)), "scores": {"number": number}})


def save_and_be_killed(path: Path, times: int) -> None:
    """Save two models in turn until the end comes, `times` times; after each, the file must load whole."""
    torch.set_num_threads(1)
    model = build_afa("mit_b0", 3)

    def save(number: float) -> None:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(number)
        save_model(model, path, card(number))

    save(1.0)  # one that is whole, however slow the machine
    print("ready", flush=True)
    for _ in range(times):
        child = os.fork()
        if child == 0:
            number = 2.0
            while True:
                save(number)
                number = 3.0 - number
        time.sleep(random.uniform(0.03, 0.2))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = load_model(path, device="cpu")
        values = {float(value) for parameter in found.parameters() for value in (parameter.min(), parameter.max())}
        print(
            "whole" if len(values) == 1 and found.card.scores["number"] in (1.0, 2.0) else f"broken {values}",
            flush=True,
        )


if __name__ == "__main__":
    what, place, number = sys.argv[1:]
    if what == "train":
        loop.SAVE_EVERY = SAVE_EVERY
        run(Path(place), int(number)).run(progress=False)
    else:
        save_and_be_killed(Path(place), int(number))
