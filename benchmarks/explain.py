"""A full trace, and which stage takes how much of it; also over image sizes. Contract: benchmarks/README.md.

Run: python -m afa_viz bench explain [--json F] [--threads N] [--runs 5] [--sizes 128 256 384]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image

import afa_viz
from afa_viz import pipeline
from afa_viz.config import ExplainConfig
from afa_viz.model.afa import AFA, build_afa
from benchmarks import machine
from benchmarks.browser import ROOT
from benchmarks.measurements import Measurement

TARGETS = {"bundled": 0.5, "mit_b1": 4.0}  # seconds: at its native size; at 512 pixels, three scales and flip
LARGE = 512  # pixels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's choice)")
    parser.add_argument("--runs", type=int, default=5, help="timed traces of each kind (default: 5)")
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[128, 256, 384, 512], help="of the bundled model, in pixels"
    )
    parser.add_argument("--checkpoint", default=str(ROOT / "checkpoints" / "sandbox"), help="the bundled model")


@contextmanager
def stage_times() -> Iterator[dict[str, float]]:
    """Seconds of processor time that each stage takes, summed."""
    spent: dict[str, float] = {}

    def timed(name: str, stage):
        def run(*args):
            start = time.process_time()
            result = stage(*args)
            spent[name] = spent.get(name, 0.0) + time.process_time() - start
            return result

        return run

    stages = pipeline._STAGE_FUNCTIONS
    with mock.patch.dict(stages, {name: timed(name, stage) for name, stage in stages.items()}):
        yield spent


def measure(name: str, model: AFA, size: int, runs: int) -> dict[str, Any]:
    """One row: traces of one photograph with two image labels, after one that is not timed."""
    image = Image.open(ROOT / "afa_viz" / "examples" / "chelsea.png").convert("RGB").resize((size, size))
    config = ExplainConfig(long_side=size)
    labels = [1, 2]
    afa_viz.explain(model, image, labels, config)
    walls, cpus = [], []
    with stage_times() as spent:
        for _ in range(runs):
            wall, cpu = time.perf_counter(), time.process_time()
            trace = afa_viz.explain(model, image, labels, config)
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
    median, iqr = machine.spread(walls)
    return {
        "name": name, "size": size, "tokens": int(np.prod(trace.grid)), "target_s": TARGETS.get(name),
        "samples_s": walls, "median_s": median, "iqr_s": iqr, "fastest_s": min(walls),
        "cpu_samples_s": cpus, "cpu_median_s": machine.spread(cpus)[0],
        "stages_cpu_s": {stage: seconds / runs for stage, seconds in spent.items()},
    }  # fmt: skip


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure the bundled model at its own size, MiT-B1 at 512 pixels, and the bundled model over sizes."""
    if args.runs < 2:
        raise ValueError(f"--runs is {args.runs}; expected at least 2, to have a spread.")
    if args.threads:
        torch.set_num_threads(args.threads)
    bundled = afa_viz.load_model(args.checkpoint, device="cpu")
    native = bundled.card.input_size if bundled.card is not None else 256
    report: dict[str, Any] = {"benchmark": "explain", "machine": machine.provenance(), "rows": []}
    report["rows"].append(measure("bundled", bundled, native, args.runs))
    report["rows"].append(measure("mit_b1", build_afa("mit_b1"), LARGE, args.runs))
    report["rows"] += [measure("bundled by size", bundled, size, args.runs) for size in args.sizes]
    return report


def measurements_of(report: dict[str, Any]) -> list[Measurement]:
    """Times of the traces that have a target."""
    return [
        Measurement(f"Full trace, {row['name']}, {row['size']}² pixels", row["median_s"], row["target_s"], "s")
        for row in report["rows"] if row["target_s"] is not None
    ]  # fmt: skip


def table(report: dict[str, Any]) -> str:
    """Times beside targets, then the share of each stage."""
    stages = list(pipeline.STAGE_SETTINGS)
    lines = [
        machine.heading(report["machine"]),
        "",
        f"| trace | pixels | tokens | median s | IQR s | fastest s | target s | met | CPU s | {' | '.join(stages)} |",
        "|---" * (9 + len(stages)) + "|",
    ]
    for row in report["rows"]:
        target = row["target_s"]
        met = "" if target is None else "yes" if row["median_s"] <= target else "no"
        shares = " | ".join(f"{row['stages_cpu_s'][stage]:.3f}" for stage in stages)
        lines.append(
            f"| {row['name']} | {row['size']}² | {row['tokens']} | {row['median_s']:.2f} | {row['iqr_s']:.2f} "
            f"| {row['fastest_s']:.2f} | {'' if target is None else target} | {met} | {row['cpu_median_s']:.2f} "
            f"| {shares} |"
        )
    return "\n".join([*lines, "", "The columns of the stages are seconds of processor time."])
