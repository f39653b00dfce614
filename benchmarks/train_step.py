"""One full AFA training step against its textbook form: time, peak memory, losses. Contract: benchmarks/README.md.

Seconds are those of the CPU, all threads together, so that other load on the machine does not count.

Run: python -m afa_viz bench train_step [--json FILE] [--backbone mit_b1] [--crop 320] [--batch 2] [--threads N]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from afa_viz.config import TrainConfig
from afa_viz.data.sandbox import render_scene
from afa_viz.data.transforms import augment
from afa_viz.model.afa import AFA, build_afa
from afa_viz.model.mix_transformer import VARIANTS
from afa_viz.ops.image import normalize_image
from afa_viz.training.optimizer import build_optimizer, set_learning_rate
from afa_viz.training.step import Batch, training_losses
from benchmarks import machine, textbook_step
from benchmarks.par import MIB, resident_bytes

Losses = dict[str, Tensor]
RATE = 1e-6  # so small that repeated steps are the same work


def of_afa_viz(model: AFA, batch: Batch, config: TrainConfig, iteration: int) -> Losses:
    """The losses of the package, by name."""
    result = training_losses(model, batch, config, iteration)
    named = {name: getattr(result, name) for name in ("loss", "loss_cls", "loss_seg", "loss_aff")}
    return {name: value for name, value in named.items() if value is not None}


FORMS: dict[str, Callable[[AFA, Batch, TrainConfig, int], Losses]] = {
    "textbook": textbook_step.step_losses,
    "afa_viz": of_afa_viz,
}
PHASES = ("classification", "affinity", "joint")


def iteration_of(phase: str, config: TrainConfig) -> int:
    """An iteration of a phase."""
    return {"classification": 0, "affinity": config.cam_iters + 1, "joint": config.joint_after + 1}[phase]


def prepare(backbone: str, crop: int, batch: int) -> tuple[AFA, Batch, TrainConfig]:
    """A new network in training mode without random drops, so that both forms compute the same; scenes as VOC crops."""
    torch.manual_seed(0)
    config = TrainConfig(backbone=backbone, crop_size=crop, batch_size=batch, drop_path_rate=0.0)
    model = build_afa(backbone, config.num_classes, drop_path_rate=0.0).train()
    model.decoder.dropout.p = 0.0
    rng = np.random.default_rng(0)
    crops, boxes = zip(
        *(augment(render_scene("train", i, 256).image, crop, rng, config.scale_range) for i in range(batch)),
        strict=True,
    )
    labels = torch.zeros(batch, config.num_classes - 1)
    for i in range(batch):
        labels[i, [i % 20, (7 * i + 14) % 20]] = 1
    pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float()
    return model, Batch(normalize_image(pixels), labels, torch.from_numpy(np.stack(boxes))), config


def one_step(form: str, model: AFA, batch: Batch, config: TrainConfig, phase: str) -> Losses:
    """Losses, backward pass, update."""
    optimizer = build_optimizer(model, config)
    set_learning_rate(optimizer, RATE)
    losses = FORMS[form](model, batch, config, iteration_of(phase, config))
    losses["loss"].backward()
    optimizer.step()
    model.zero_grad(set_to_none=True)
    return {name: value.detach() for name, value in losses.items()}


def compare(backbone: str, crop: int, batch: int, phase: str, repeats: int) -> dict:
    """Times both forms in turn, alternately, each on its own network, so that background load affects both equally."""
    samples: dict[str, list[float]] = {form: [] for form in FORMS}
    networks = {form: prepare(backbone, crop, batch) for form in FORMS}
    first = {form: one_step(form, *networks[form], phase) for form in FORMS}  # warm-up; equal weights: equal losses
    for _ in range(repeats):
        for form in FORMS:
            start = time.process_time()
            one_step(form, *networks[form], phase)
            samples[form].append(time.process_time() - start)
    row: dict = {"phase": phase, "backbone": backbone, "crop": crop, "batch": batch}
    for form in FORMS:
        median, iqr = machine.spread(samples[form])
        row[form] = {"samples_s": samples[form], "median_s": median, "iqr_s": iqr}
        row[form]["peak_extra_mib"] = measure_in_subprocess(form, backbone, crop, batch, phase)
    row["speedup"] = row["textbook"]["median_s"] / row["afa_viz"]["median_s"]
    row["max_abs_difference"] = max(
        float((first["textbook"][name] - value).abs()) for name, value in first["afa_viz"].items()
    )
    return row


def measure_in_subprocess(form: str, backbone: str, crop: int, batch: int, phase: str) -> float | None:
    """`peak_extra_mib` in a fresh subprocess, so that no other allocation counts."""
    if not Path("/proc/self/status").exists():
        return None
    command = [sys.executable, "-m", "benchmarks.train_step", "--peak", form, "--backbone", backbone]
    command += ["--crop", str(crop), "--batch", str(batch), "--phases", phase]
    command += ["--threads", str(torch.get_num_threads())]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peak_extra_mib(form: str, backbone: str, crop: int, batch: int, phase: str) -> float:
    """Highest resident memory during a step, less that before it: activations, pseudo labels, gradients, moments."""
    one_step(form, *prepare("mit_b0", 64, batch), phase)  # loads code and starts threads
    network = prepare(backbone, crop, batch)
    before = resident_bytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again from here
    one_step(form, *network, phase)
    return (resident_bytes("VmHWM") - before) / MIB


def table(report: dict) -> str:
    """The report as text."""
    lines = [
        machine.heading(report["machine"]),
        "",
        "| phase | form | median CPU s | IQR s | speedup | peak extra MiB | share | max abs loss difference |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        for form in FORMS:
            own, other = row[form], row["textbook"]["peak_extra_mib"]
            known = own["peak_extra_mib"] is not None
            peak = f"{own['peak_extra_mib']:.0f}" if known else "not measured"
            share = f"{100 * own['peak_extra_mib'] / other:.0f} %" if known else "–"
            speedup = f"{row['speedup']:.2f}" if form == "afa_viz" else "1"
            difference = f"{row['max_abs_difference']:.1e}" if form == "afa_viz" else "0"
            lines.append(
                f"| {row['phase']}, {row['backbone']}, {row['crop']} px, batch {row['batch']} | {form} | "
                f"{own['median_s']:.2f} | {own['iqr_s']:.2f} | {speedup} | {peak} | {share} | {difference} |"
            )
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--backbone", default="mit_b1", help="a MiT (default: mit_b1)")
    parser.add_argument("--crop", type=int, default=320, help="side of the crops in pixels (default: 320)")
    parser.add_argument("--batch", type=int, default=2, help="images per step (default: 2)")
    parser.add_argument(
        "--phases", nargs="+", choices=PHASES, default=["affinity", "joint"], help="(default: the last two)"
    )
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's choice)")
    parser.add_argument("--repeats", type=int, default=5, help="timed steps of each form, in turn")


def run(args: argparse.Namespace) -> dict:
    """Measure both forms in every phase.

    Raises: ValueError: for a backbone or crop that the textbook form does not know.
    """
    if args.backbone not in VARIANTS:
        raise ValueError(f"--backbone is {args.backbone!r}; expected one of {', '.join(VARIANTS)}.")
    if args.crop % 32:
        raise ValueError(f"--crop is {args.crop}; expected a multiple of 32, so that every grid fits.")
    if args.threads:
        torch.set_num_threads(args.threads)
    report: dict = {"benchmark": "train_step", "machine": machine.provenance(), "rows": []}
    for phase in args.phases:
        report["rows"].append(compare(args.backbone, args.crop, args.batch, phase, args.repeats))
    return report


def main() -> None:
    """Print the peak memory of one form, in a process that did nothing else."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    add_arguments(parser)
    parser.add_argument("--peak", choices=FORMS, required=True, help="the form")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    print(peak_extra_mib(args.peak, args.backbone, args.crop, args.batch, args.phases[0]))


if __name__ == "__main__":
    main()
