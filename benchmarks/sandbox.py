"""The sandbox: milliseconds per rendered scene, and images per second of the training steps of its recipe.

Run: python -m afa_viz bench sandbox [--json FILE] [--threads N] [--scenes 40] [--steps 6]
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from typing import Any

import torch

from afa_viz.config import CurriculumStage, TrainConfig
from afa_viz.data.sandbox import render_scene
from afa_viz.ops.image import normalize_image
from afa_viz.presets import SANDBOX
from afa_viz.training.distributed import Processes
from afa_viz.training.optimizer import build_optimizer
from afa_viz.training.step import Batch, Losses
from afa_viz.training.train_state import build_model
from benchmarks import machine

SIZES = (160, 256)  # of rendered scenes, in pixels
TYPES = ("off", "bf16")  # of training, see `TrainConfig.amp`


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--threads", type=int, help="CPU threads for training (default: torch's choice)")
    parser.add_argument("--scenes", type=int, default=40, help="rendered at each size (default: 40)")
    parser.add_argument("--steps", type=int, default=6, help="timed training steps of each kind (default: 6)")


def samples_of(action: Callable[[], Any], repeats: int) -> list[float]:
    """Seconds of each run, after one that is not timed."""
    action()
    samples = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        samples.append(time.perf_counter() - start)
    return samples


def rendering(size: int, scenes: int) -> dict[str, Any]:
    """Scenes of the test split, each once, on one core."""
    numbers = iter(range(scenes + 1))
    samples = samples_of(lambda: render_scene("test", next(numbers), size), scenes)
    return row(f"render a scene of {size} px", samples, images=1)


def training(part: CurriculumStage, phase: str, iteration: int, amp: str, steps: int) -> dict[str, Any]:
    """Forward, backward and optimiser on images of noise, as the loop makes a step."""
    config: TrainConfig = dataclasses.replace(SANDBOX, amp=amp)
    model = build_model(config).to(memory_format=torch.channels_last)
    losses, optimizer = Losses(model, config, Processes()).train(), build_optimizer(model, config)
    count, length = part.batch_size, part.crop_size
    labels = torch.eye(config.num_classes - 1)[torch.arange(count) % (config.num_classes - 1)]
    image = normalize_image(255 * torch.rand(count, 3, length, length, generator=torch.Generator().manual_seed(0)))
    batch = Batch(image, labels, torch.tensor([0, length, 0, length]).expand(count, 4))

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        losses(batch, iteration, part.single_objects)["loss"].backward()
        optimizer.step()

    name = f"train {count} × {length} px, {phase}, {'float32' if amp == 'off' else amp}"
    return row(name, samples_of(step, steps), images=count)


def row(name: str, samples: list[float], images: int) -> dict[str, Any]:
    """One measurement."""
    median, iqr = machine.spread(samples)
    return {"name": name, "samples_s": samples, "median_s": median, "iqr_s": iqr, "images_per_s": images / median}


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure everything; returns the report."""
    if args.threads:
        torch.set_num_threads(args.threads)
    report: dict[str, Any] = {"benchmark": "sandbox", "machine": machine.provenance(), "rows": []}
    report["rows"] += [rendering(size, args.scenes) for size in SIZES]
    single, scenes, _, labelled = SANDBOX.curriculum
    kinds = (
        (single, "single objects", 0),
        (scenes, "classification", SANDBOX.cam_iters),
        (labelled, "all losses", SANDBOX.max_iters - 1),
    )
    for amp in TYPES:
        report["rows"] += [training(part, phase, iteration, amp, args.steps) for part, phase, iteration in kinds]
    return report


def table(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    lines = [machine.heading(report["machine"]), "", "| what | median ms | IQR ms | images/s |", "|---|---|---|---|"]
    for row in report["rows"]:
        lines.append(
            f"| {row['name']} | {1000 * row['median_s']:.0f} | {1000 * row['iqr_s']:.0f} | {row['images_per_s']:.1f} |"
        )
    return "\n".join(lines)
