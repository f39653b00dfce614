"""Writes docs/gpu_cost.md: what a training run is expected to cost on a GPU, and how that was worked out.

Run: PYTHONPATH=. python tools/gpu_cost.py
The arithmetic of every network pass is counted on tensors without memory; no GPU and no data are needed. The affinity,
one product of queries and keys, is left out: it is next to nothing.
"""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from afa_viz.config import TrainConfig
from afa_viz.model.afa import AFA, build_afa
from afa_viz.presets import PRESETS
from benchmarks import train_step

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "gpu_cost.md"
MEASURED = DOCS / "data" / "train_step.json"  # what `bench train_step --json` wrote
BACKBONES = ("mit_b1", "pvt_v2_b1", "pvt_v2_b2")
SUSTAINED = (1, 2, 5, 10)  # TFLOP/s
LOGGED_HOURS, LOGGED_STEPS = 9 + 14 / 60, 20000  # docs/spec.md sections 12 and 15
NEIGHBOURS = 48  # of PAR; docs/spec.md section 7
BACKWARD = 3  # a pass with its gradients costs about three without: products with the weights, and two for gradients
PRESENT = 2  # classes in an image, about; docs/spec.md section 10 says 1 to 6


def counted(passes) -> float:
    """GFLOP of network passes: a multiplication and an addition are two."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        passes()
    return counter.get_total_flops() / 1e9


def step_gflop(config: TrainConfig) -> dict[str, float]:
    """GFLOP of one step of one device, by what it is spent on."""
    with torch.device("meta"):
        model: AFA = build_afa(config.backbone, config.num_classes)
        image = torch.empty(config.batch_size, 3, config.crop_size, config.crop_size)

    def cams() -> None:
        for scale in config.explain.scales:
            side = int(scale * config.crop_size)
            model.encoder(torch.empty(2 * config.batch_size, 3, side, side, device="meta"))

    pixels = (config.crop_size // config.explain.par_downscale) ** 2
    # two thresholds, a multiplication and an addition for each neighbour
    par = 2 * 2 * NEIGHBOURS * pixels * (PRESENT + 1) * config.explain.num_iters * config.batch_size / 1e9
    return {
        "classification": BACKWARD * counted(lambda: model.forward_classify(image)),
        "forward and backward": BACKWARD * counted(lambda: model.forward_seg(image)),
        "CAM passes": counted(cams),
        "PAR of one label": par,
    }


def run_pflop(config: TrainConfig, gflop: dict[str, float]) -> float:
    """PFLOP of a whole run of one device: phase by phase. The affinity's target always needs the label of the CAM."""
    full = gflop["forward and backward"] + gflop["CAM passes"] + gflop["PAR of one label"]
    first, second = config.cam_iters + 1, config.joint_after - config.cam_iters
    third = config.max_iters - config.joint_after - 1
    total = first * gflop["classification"] + second * full + third * (full + gflop["PAR of one label"])
    return total / 1e6


def paragraph(*sentences: str) -> str:
    """Sentences as one paragraph of the page."""
    return textwrap.fill(" ".join(sentences), 119) + "\n"


def page() -> str:
    """The whole page."""
    runs = [("voc", backbone) for backbone in BACKBONES] + [("coco", BACKBONES[0])]
    gflop, totals = {}, {}
    for preset, backbone in runs:
        config = replace(PRESETS[preset], backbone=backbone)
        gflop[preset, backbone] = step_gflop(config)
        totals[preset, backbone] = run_pflop(config, gflop[preset, backbone])
    seconds, ours = LOGGED_HOURS * 3600, totals["voc", "mit_b1"]
    lines = [
        "# What a run is expected to cost on a GPU\n",
        paragraph(
            "Written by `PYTHONPATH=. python tools/gpu_cost.py`.",
            "**Nothing here was measured on a GPU**: arithmetic is counted,",
            "the rest is an estimate with its assumptions.",
        ),
        "## Arithmetic, counted\n",
        paragraph(
            "GFLOP per step of one device at the published settings (crop 512, batch 2, scales 1, 0.5, 1.5 with flip).",
            "A multiplication and an addition are two; a backward pass counts as two forward ones.",
            "Evaluation is not included.",
        ),
        "| preset | backbone | first phase | forward and backward | CAM passes | PAR, one label | PFLOP per run |",
        "|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        numbers = " | ".join(f"{value:.0f}" for value in gflop[run].values())
        lines.append(f"| {run[0]} | {run[1]} | {numbers} | {totals[run]:.0f} |")
    lines += [
        "\n## Hours\n",
        paragraph(
            "Hours per device = PFLOP / sustained TFLOP/s / 3.6. What is sustained is a small part of the figure in a",
            "data sheet: the batch is two images, the layers are small, and PAR moves memory rather than computes.",
            "The published run has 2 devices for VOC and 4 for COCO;",
            "one device with `accumulate=2` or `4` takes as many times longer.",
        ),
        "| preset | backbone | " + " | ".join(f"{rate} TFLOP/s" for rate in SUSTAINED) + " |",
        "|---|---|" + "---|" * len(SUSTAINED),
    ]
    for run in runs:
        hours = " | ".join(f"{totals[run] * 1e3 / rate / 3600:.1f} h" for rate in SUSTAINED)
        lines.append(f"| {run[0]} | {run[1]} | {hours} |")
    lines += [
        "\n## Beside the logged run\n",
        paragraph(
            f"The public log of the published program (mit_b1, {LOGGED_STEPS:,} steps, evaluations included) took",
            f"{LOGGED_HOURS:.1f} h, {seconds / LOGGED_STEPS:.2f} s per step; the card is not named.",
            f"The {ours:.0f} PFLOP above in that time are {ours * 1e3 / seconds:.1f} TFLOP/s per device:",
            "that program was limited by something other than arithmetic. It computes more: the decoder in every CAM",
            "pass, all labels in every step, maps of single heads. So: no more than the logged hours on a card like",
            "that one, and on a current card a few hours for VOC; the table above is what arithmetic alone allows.",
        ),
        "## One step on a CPU, measured\n",
        paragraph(
            "`python -m afa_viz bench train_step --phases joint --threads 1`, against the loop of docs/spec.md",
            "as a reader would write it (`benchmarks/textbook_step.py`):",
        ),
        train_step.table(json.loads(MEASURED.read_text(encoding="utf-8"))["train_step"]),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.name} written")
