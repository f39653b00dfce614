"""The random walk by its two forms, dense and banded: time, peak memory and difference by grid size.

Run: python -m afa_viz bench walk [--json FILE] [--grid 16 32 48 64 …] [--radius 8] [--classes 3] [--threads N]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor

from afa_viz.config import ExplainConfig
from afa_viz.ops import banded_walk, random_walk
from afa_viz.ops.affinity import radius_mask
from benchmarks import allocated, machine
from benchmarks.measurements import Measurement

TARGET_GRID = 48  # cells a side where the memory target holds
TARGET_SHARE = 0.15  # of the dense form's peak memory, at most
TOLERANCE = 1e-6  # largest difference between the two forms, in float64


MIN_VALUES = {"radius": 0}


def dense(scores: Tensor, affinity: Tensor, radius: int) -> Tensor:
    """One step along the N x N matrix."""
    mask = radius_mask(*scores.shape[-2:], radius=radius)
    return random_walk.propagate(scores, random_walk.transition_matrix(affinity, mask))


def banded(scores: Tensor, affinity: Tensor, radius: int) -> Tensor:
    """One step along the band, for grids of any size."""
    band = banded_walk.transition_band(affinity, tuple(scores.shape[-2:]), radius)
    *_, last = banded_walk.band_steps(scores, band)
    return last


FORMS: dict[str, Callable[[Tensor, Tensor, int], Tensor]] = {"dense": dense, "banded": banded}


def compare(side: int, num_classes: int, radius: int, repeats: int) -> dict:
    """Both forms in turn on a grid of side x side cells; the difference in float64."""
    torch.manual_seed(0)
    scores, affinity = torch.rand(1, num_classes, side, side), torch.rand(1, side**2, side**2)
    samples: dict[str, list[float]] = {form: [] for form in FORMS}
    cpus: dict[str, list[float]] = {form: [] for form in FORMS}
    for run in FORMS.values():
        run(scores, affinity, radius)
    for _ in range(repeats):
        for form, run in FORMS.items():
            start, cpu = time.perf_counter(), time.process_time()
            run(scores, affinity, radius)
            samples[form].append(time.perf_counter() - start)
            cpus[form].append(time.process_time() - cpu)
    row: dict = {"grid": side, "tokens": side**2, "num_classes": num_classes, "radius": radius}
    for form, run in FORMS.items():
        median, iqr = machine.spread(samples[form])
        peak = allocated.peak_bytes(lambda run=run: run(scores, affinity, radius))
        row[form] = {"samples_s": samples[form], "median_s": median, "iqr_s": iqr, "peak_bytes": peak}
        row[form] |= {"cpu_samples_s": cpus[form], "cpu_median_s": machine.spread(cpus[form])[0]}
    row["memory_share"] = row["banded"]["peak_bytes"] / row["dense"]["peak_bytes"]
    row["speedup"] = row["dense"]["median_s"] / row["banded"]["median_s"]
    exact = [run(scores.double(), affinity.double(), radius) for run in FORMS.values()]
    row["max_abs_difference"] = (exact[0] - exact[1]).abs().max().item()
    row["taken"] = "banded" if banded_walk.uses_band((side, side), radius) else "dense"
    row["met"] = row["max_abs_difference"] <= TOLERANCE and (side != TARGET_GRID or row["memory_share"] <= TARGET_SHARE)
    return row


def measurements_of(report: dict) -> list[Measurement]:
    """Memory of the band on the grid that has a target; on all grids how far the forms differ."""
    found = [
        Measurement(f"Walk by bands, {TARGET_GRID}² cells: share of the dense form's memory", row["memory_share"],
               TARGET_SHARE, "")
        for row in report["rows"] if row["grid"] == TARGET_GRID
    ]  # fmt: skip
    difference = max(row["max_abs_difference"] for row in report["rows"])
    return [*found, Measurement("Walk by bands: largest difference to the dense form", difference, TOLERANCE, "")]


def table(report: dict) -> str:
    """The forms side by side, a line for each grid."""
    lines = [
        machine.heading(report["machine"]),
        "",
        "| cells | classes | dense ms (IQR) | banded ms (IQR) | speedup | dense peak MB | banded peak MB "
        "| memory share | difference | form taken | met |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        forms = [row[form] for form in FORMS]
        times = " | ".join(f"{1e3 * own['median_s']:.1f} ({1e3 * own['iqr_s']:.1f})" for own in forms)
        peaks = " | ".join(f"{own['peak_bytes'] / 1e6:.1f}" for own in forms)
        target = f" (target {TARGET_SHARE:.0%})" if row["grid"] == TARGET_GRID else ""
        lines.append(
            f"| {row['grid']}² | {row['num_classes']} | {times} | {row['speedup']:.1f} | {peaks} "
            f"| {row['memory_share']:.1%}{target} | {row['max_abs_difference']:.1e} | {row['taken']} "
            f"| {'yes' if row['met'] else 'no'} |"
        )
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--grid", type=int, nargs="+", default=[16, 32, 48, 64], help="cells per side")
    parser.add_argument("--radius", type=int, default=ExplainConfig().radius, help="of the window, in cells")
    parser.add_argument("--classes", type=int, default=3, help="channels that walk, background included")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's choice)")
    parser.add_argument("--repeats", type=int, default=9, help="timed runs of each form, in turn; at least 2")


def run(args: argparse.Namespace) -> dict:
    """Measure both forms on every grid."""
    if args.repeats < 2:
        raise ValueError(f"got --repeats {args.repeats}; expected at least 2, for a spread.")
    if args.threads:
        torch.set_num_threads(args.threads)
    rows = [compare(side, args.classes, args.radius, args.repeats) for side in args.grid]
    return {"benchmark": "walk", "machine": machine.provenance(), "rows": rows}
