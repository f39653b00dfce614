"""PAR against its textbook form, beside its targets: time, peak memory and difference; and the forms it might take.
Contract: benchmarks/README.md.

Run: python -m afa_viz bench par [--json FILE] [--size 512 …] [--classes 3 21 …] [--threads N] [--repeats 5]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from afa_viz.ops import par
from benchmarks import machine, measurements
from benchmarks.measurements import Measurement
from benchmarks.par_forms import FORMS, GPU_FORMS, forms_here

MIB = 2**20
SPEEDUPS = {3: 20.0, 21: 30.0}  # by maps: how many times faster than the textbook form at least
BESIDE_MB = 60.0  # at most, of memory beside the kernel
TARGET_SIZE = 512  # pixels a side, where these targets hold
PEAKS = ("textbook", "afa_viz")  # forms whose memory is measured, each in a fresh subprocess


def scene(size: int, num_classes: int) -> tuple[Tensor, Tensor]:
    """An 8-bit image of smooth colours under noise, with flat patches, and smooth scores that sum to 1."""
    torch.manual_seed(0)
    coarse = F.interpolate(torch.rand(1, 3, 17, 17), size=(size, size), mode="bilinear")
    image = (coarse + 0.05 * torch.randn(1, 3, size, size)).clamp(0, 1)
    image[..., : size // 4, : size // 4] = 0.5
    logits = F.interpolate(4 * torch.randn(1, num_classes, 9, 9), size=(size, size), mode="bilinear")
    return (image * 255).floor() / 255, logits.softmax(dim=1)


def compare(size: int, num_classes: int, repeats: int) -> dict:
    """Times the forms alternately, so that background load affects all of them equally."""
    given, forms = scene(size, num_classes), forms_here()
    inputs = {form: [tensor.cuda() for tensor in given] if form in GPU_FORMS else given for form in forms}
    walls: dict[str, list[float]] = {form: [] for form in forms}
    cpus: dict[str, list[float]] = {form: [] for form in forms}
    results = {}
    for form, run in forms.items():
        run(*inputs[form], num_iters=1)
    for _ in range(repeats):
        for form, run in forms.items():
            settle()
            wall, cpu = time.perf_counter(), time.process_time()
            results[form] = run(*inputs[form])
            settle()
            walls[form].append(time.perf_counter() - wall)
            cpus[form].append(time.process_time() - cpu)
    row: dict = {"num_classes": num_classes, "size": size, "num_iters": par.NUM_ITERS}
    for form in forms:
        median, iqr = machine.spread(walls[form])
        row[form] = {"samples_s": walls[form], "median_s": median, "iqr_s": iqr}
        row[form] |= {"cpu_samples_s": cpus[form], "cpu_median_s": machine.spread(cpus[form])[0]}
        row[form]["peak_extra_mib"] = measure_in_subprocess(form, size, num_classes) if form in PEAKS else None
        row[form]["max_abs_difference"] = (results["textbook"] - results[form].cpu()).abs().max().item()
        row[form]["fastest_s"] = min(walls[form])
        row[form]["speedup"] = row["textbook"]["median_s"] / median
        row[form]["cpu_speedup"] = row["textbook"]["cpu_median_s"] / row[form]["cpu_median_s"]
    return row


def settle() -> None:
    """Waits for a GPU to finish, which otherwise works on after a call has returned."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def measurements_of(report: dict) -> list[Measurement]:
    """Speed-up over the textbook form, and memory beyond the kernel, where there is a target."""
    found = []
    for row in report["rows"]:
        num_classes, own = row["num_classes"], row["afa_viz"]
        if row["size"] != TARGET_SIZE or num_classes not in SPEEDUPS:
            continue
        where = f"PAR, {TARGET_SIZE}² pixels, {num_classes} maps"
        found.append(Measurement(f"{where}: times the textbook form", own["speedup"], SPEEDUPS[num_classes], "", True))
        if own["peak_extra_mib"] is not None:
            beside = (own["peak_extra_mib"] * MIB - kernel_bytes(row["size"])) / 1e6
            found.append(Measurement(f"{where}: memory beside the kernel", beside, BESIDE_MB, "MB"))
    return found


def kernel_bytes(size: int) -> int:
    """Of one image, in float32."""
    return 4 * len(par.neighbour_offsets()) * size**2


def measure_in_subprocess(form: str, size: int, num_classes: int) -> float | None:
    """`peak_extra_mib` in a fresh subprocess, so that no other allocation counts."""
    if not Path("/proc/self/status").exists():
        return None
    command = [sys.executable, "-m", "benchmarks.par", "--peak", form, "--size", str(size)]
    command += ["--classes", str(num_classes), "--threads", str(torch.get_num_threads())]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peak_extra_mib(form: str, size: int, num_classes: int) -> float:
    """Highest resident memory during one run, less that before it: affinity, temporaries and result."""
    FORMS[form](*scene(64, num_classes), num_iters=1)  # loads code and starts threads
    inputs = scene(size, num_classes)
    before = resident_bytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again from here
    FORMS[form](*inputs, num_iters=2)  # a third iteration allocates nothing new
    return (resident_bytes("VmHWM") - before) / MIB


def resident_bytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def table(report: dict) -> str:
    lines = [
        machine.heading(report["machine"]),
        "",
        "| pixels | classes | form | median s | IQR s | fastest s | speedup "
        "| CPU s | CPU speedup | peak extra MiB | difference |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        for form in filter(row.__contains__, FORMS | GPU_FORMS):
            own = row[form]
            peak = "not measured" if own["peak_extra_mib"] is None else f"{own['peak_extra_mib']:.0f}"
            lines.append(
                f"| {row['size']}² | {row['num_classes']} | {form} | {own['median_s']:.3f} | {own['iqr_s']:.3f} "
                f"| {own['fastest_s']:.3f} | {own['speedup']:.1f} | "
                f"{own['cpu_median_s']:.3f} | {own['cpu_speedup']:.1f} | {peak} | {own['max_abs_difference']:.1e} |"
            )
    return "\n".join([*lines, "", *measurements.table(measurements_of(report))])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--size", type=int, nargs="+", default=[TARGET_SIZE], help="height and width in pixels")
    parser.add_argument("--classes", type=int, nargs="+", default=[*SPEEDUPS], help="maps to refine")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's choice)")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each form, in turn")


def run(args: argparse.Namespace) -> dict:
    """Measure the forms for every size and number of classes."""
    if args.repeats < 2:
        raise ValueError(f"got --repeats {args.repeats}; expected at least 2, for a spread.")
    if args.threads:
        torch.set_num_threads(args.threads)
    report: dict = {"benchmark": "par", "machine": machine.provenance(), "rows": []}
    for size in args.size:
        for num_classes in args.classes:
            report["rows"].append(compare(size, num_classes, args.repeats))
    return report


def main() -> None:
    """Print the peak memory of one form, in a process that did nothing else."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    add_arguments(parser)
    parser.add_argument("--peak", choices=FORMS, required=True, help="the form")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    print(peak_extra_mib(args.peak, args.size[0], args.classes[0]))


if __name__ == "__main__":
    main()
