"""Everything on a GPU: each op, PAR in both forms, training steps and two processes against the CPU; times and memory.

Run: python -m afa_viz bench gpu [--backbone mit_b1] [--repeats 20] [--out docs]

Writes OUT/data/gpu.json and the page OUT/gpu.md. Times are wall-clock seconds between synchronisations, with the
published sizes: crops of 512 pixels, two images a step.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from afa_viz.atomic_files import atomic_write_text
from benchmarks import gpu_checks, gpu_processes, gpu_steps, machine

ROOT = Path(__file__).parents[1]
CROP, BATCH = 512, 2  # of the published run; docs/spec.md sections 10 and 12
CHECKED = ("mit_b0", 128, 2)  # network, crop and batch of the steps that the CPU makes, too


def unavailable() -> str | None:
    """Why this group cannot run here; None where it can."""
    if torch.cuda.is_available():
        return None
    return "there is no CUDA device here; expected a machine with an NVIDIA GPU and a torch that was built for it."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--backbone", default="mit_b1", help="of the timed steps (default: mit_b1)")
    parser.add_argument("--repeats", type=int, default=20, help="timed steps and traces, at least 2 (default: 20)")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "docs", help="folder of data/gpu.json and gpu.md (default: docs)"
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Check, measure, write the page. Raises: ValueError: without a CUDA device."""
    if (reason := unavailable()) is not None:
        raise ValueError(reason)
    if args.repeats < 2:
        raise ValueError(f"got --repeats {args.repeats}; expected at least 2, for a spread.")
    report = measure(
        "cuda", args.backbone, CROP, BATCH, args.repeats, **{f"checked_{k}": v for k, v in CHECKED.items()}
    )
    write(report, args.out)
    return report


def measure(
    device: str,
    backbone: str,
    crop: int,
    batch: int,
    repeats: int,
    checked: tuple[str, int, int],
    precisions: tuple[str, ...] = gpu_steps.PRECISIONS,
) -> dict[str, Any]:
    """All checks and times on a device.

    Args:
        backbone, crop, batch: of the timed steps and traces.
        checked: the same of the steps that are compared with the CPU.
    """
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False  # float32 is to be compared with float32
    try:
        checks = gpu_checks.op_checks(device)
        checks += gpu_steps.step_checks(device, *checked, precisions)
    finally:
        torch.backends.cudnn.allow_tf32 = allowed
    checks.append(gpu_processes.two_process_check(device))
    rows = [gpu_steps.step_times(device, backbone, crop, batch, amp, repeats) for amp in precisions]
    rows.append(gpu_steps.explain_times(device, backbone, crop, repeats))
    facts = machine.provenance() | {"cuda": torch.version.cuda, "triton": gpu_checks.triton_used(device)}
    return {"benchmark": "gpu", "machine": facts, "device": device, "checks": checks, "rows": rows}


def write(report: dict[str, Any], out: Path) -> None:
    """Write OUT/data/gpu.json and OUT/gpu.md."""
    (out / "data").mkdir(parents=True, exist_ok=True)
    atomic_write_text(out / "data" / "gpu.json", json.dumps(report, indent=1) + "\n")
    atomic_write_text(out / "gpu.md", page(report))


def page(report: dict[str, Any]) -> str:
    """The Markdown page of a report."""
    head = (
        "# On a GPU\n\nWritten by `python -m afa_viz bench gpu` from `docs/data/gpu.json`; no number is typed by hand."
    )
    return f"{head}\n\n{table(report)}\n"


def table(report: dict[str, Any]) -> str:
    """The checks, then times and memory."""
    facts = report["machine"]
    failed = [row for row in report["checks"] if row["met"] is False]
    passed = sum(row["met"] is True for row in report["checks"])
    form = "Triton" if facts["triton"] else "the plain form"
    lines = [
        machine.heading(facts), "", f"CUDA {facts['cuda'] or 'none'}; PAR takes {form}. {passed} checks met, "
        f"{len(failed)} missed.", "", "## Against the CPU", "",
        "Difference: largest one relative to the largest value; of labels the share that differs; of a training step "
        "the largest relative one of a loss, and 1 - cosine of the gradients.", "",
        "| what | difference | tolerance | |", "|---|---|---|---|",
    ]  # fmt: skip
    for row in report["checks"]:
        lines.append(f"| {row['what']} | {_difference(row)} | {_tolerance(row)} | {_verdict(row)} |")
    lines += ["", "## Time and memory", "", "| what | network | pixels | images | median s | IQR s | peak MiB |"]
    lines.append("|---|---|---|---|---|---|---|")
    for row in report["rows"]:
        peak = "–" if row["peak_mib"] is None else f"{row['peak_mib']:.0f}"
        lines.append(
            f"| {row['what']} | {row['backbone']} | {row['crop']}² | {row['batch']} | {row['median_s']:.4f} | "
            f"{row['iqr_s']:.4f} | {peak} |"
        )
    return "\n".join(lines)


def _difference(row: dict[str, Any]) -> str:
    if "difference" not in row:
        return str(row.get("error", row.get("skipped")))
    own = f"{row['difference']:.1e}"
    return f"{own}, {row['gradient']:.1e}" if "gradient" in row else own


def _tolerance(row: dict[str, Any]) -> str:
    if "loss_tolerance" in row:
        return f"{row['loss_tolerance']:g}, {row['gradient_tolerance']:g}"
    return f"{row['tolerance']:g}"


def _verdict(row: dict[str, Any]) -> str:
    return {True: "met", False: "**missed**", None: "not measured"}[row["met"]]
