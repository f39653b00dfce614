"""A short run, alone or as one of several processes; started by test_distributed.py.

python tests/support/two_processes.py FOLDER BATCH_SIZE
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import torch

from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.config import CurriculumStage, ExplainConfig
from afa_viz.presets import SANDBOX
from afa_viz.training import distributed
from afa_viz.training.batches import ImageSet, SandboxBatches
from afa_viz.training.loop import Run


def main() -> None:
    torch.set_num_threads(1)
    folder, batch_size = Path(sys.argv[1]), int(sys.argv[2])
    parts = (
        CurriculumStage(2, 64, 64, batch_size, 1e-5, single_objects=True),
        CurriculumStage(5, 64, 64, batch_size, 1e-5, topk_start=0.5, topk_end=0.2),
    )
    config = dataclasses.replace(
        SANDBOX, curriculum=parts, max_iters=7, cam_iters=2, joint_after=4, crop_size=64, warmup_iters=1,
        drop_path_rate=0.0, amp="off", explain=ExplainConfig(scales=(1.0, 0.5), num_iters=2),
    )  # fmt: skip
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)
    labels = np.eye(12, dtype=np.float32)
    both = np.maximum(labels, np.roll(labels, 1, axis=1))
    sets = {(True, 64): ImageSet(images, labels), (False, 64): ImageSet(images, both)}
    processes = distributed.start("cpu")
    run = Run(config, SandboxBatches(sets, 1), folder, SANDBOX_CLASSES, processes=processes)
    run.model.decoder.dropout.p = 0.0  # its masks would differ between the processes
    losses = [run.step() for _ in range(config.max_iters)]
    run.save()
    if processes.is_main:
        (folder / "losses.json").write_text(json.dumps(losses))
    distributed.stop()


if __name__ == "__main__":
    main()
