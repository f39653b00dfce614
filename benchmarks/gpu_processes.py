"""Two processes that share each batch against one with the whole batch: the same losses, through nccl or gloo.

Started by `bench gpu` where there are two cards: python -m benchmarks.gpu_processes FILE BATCH_SIZE DEVICE, alone or
under torchrun; rank 0 writes the losses of each step to FILE.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.config import CurriculumStage, ExplainConfig
from afa_viz.presets import SANDBOX
from afa_viz.training import distributed
from afa_viz.training.batches import ImageSet, SandboxBatches
from afa_viz.training.loop import Run

ROOT = Path(__file__).parents[1]
TOLERANCE = 5e-3  # relative, of every loss of every step
STEPS, LIMIT = 6, 300  # optimiser steps; seconds for each of the two runs


def two_process_check(device: str) -> dict[str, Any]:
    """The largest relative difference of a loss, or why it was not measured."""
    name = "two processes, " + ("nccl" if device.startswith("cuda") else "gloo")
    if device.startswith("cuda") and (count := torch.cuda.device_count()) < 2:
        return {"what": name, "skipped": f"{count} CUDA device, two are needed", "tolerance": TOLERANCE, "met": None}
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for processes, batch in ((1, 4), (2, 2)):
            path = Path(folder) / f"{processes}.json"
            command = [sys.executable]
            if processes > 1:
                command += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
            command += ["-m", "benchmarks.gpu_processes", str(path), str(batch), device.split(":")[0]]
            environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False
            )
            if done.returncode:
                reason = (done.stderr.strip().splitlines() or ["no word"])[-1][:200]
                return {"what": name, "error": reason, "tolerance": TOLERANCE, "met": False}
            found.append(json.loads(path.read_text(encoding="utf-8")))
    alone, shared = found
    difference = max(
        abs(two[key] - value) / max(abs(value), 1e-6) for one, two in zip(alone, shared, strict=True)
        for key, value in one.items()
    )  # fmt: skip
    return {"what": name, "difference": difference, "tolerance": TOLERANCE, "met": difference <= TOLERANCE}


def main() -> None:
    """Train a few steps on noise and write their losses."""
    path, batch_size, device = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    config = dataclasses.replace(
        SANDBOX, curriculum=(CurriculumStage(STEPS, 64, 64, batch_size, 1e-5, topk_start=0.5, topk_end=0.2),),
        max_iters=STEPS, cam_iters=1, joint_after=3, crop_size=64, warmup_iters=1, drop_path_rate=0.0, amp="off",
        explain=ExplainConfig(scales=(1.0, 0.5), num_iters=2, radius=2), calibrate_affinity=False,
    )  # fmt: skip
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)
    labels = np.eye(12, dtype=np.float32)
    data = {(False, 64): ImageSet(images, np.maximum(labels, np.roll(labels, 1, axis=1)))}
    processes = distributed.start(device)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(config, SandboxBatches(data, 1), folder, SANDBOX_CLASSES, processes=processes)
        run.model.decoder.dropout.p = 0.0  # its masks would differ between the processes
        losses = [run.step() for _ in range(STEPS)]
    if processes.is_main:
        path.write_text(json.dumps(losses), encoding="utf-8")
    distributed.stop()


if __name__ == "__main__":
    main()
