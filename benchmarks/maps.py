"""PAR alone by the number of maps, without its slow textbook form: processor time. Contract: benchmarks/README.md.

Run: python -m afa_viz bench maps [--maps 1 2 4 6 8 12 16 21 32] [--size 256] [--threads N] [--json FILE]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch

from afa_viz.ops.par import pixel_adaptive_refinement
from benchmarks import machine
from benchmarks.par import scene


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--maps", type=int, nargs="+", default=[1, 2, 4, 6, 8, 12, 16, 21, 32], help="to refine")
    parser.add_argument("--size", type=int, default=256, help="height and width in pixels (default: 256)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's choice)")
    parser.add_argument("--repeats", type=int, default=9, help="timed runs of each number, in turn; at least 2")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Every number of maps in turn, so that background load affects all of them equally."""
    if args.repeats < 2:
        raise ValueError(f"got --repeats {args.repeats}; expected at least 2, for a spread.")
    if args.threads:
        torch.set_num_threads(args.threads)
    scenes = {maps: scene(args.size, maps) for maps in args.maps}
    samples: dict[int, list[float]] = {maps: [] for maps in args.maps}
    for given in scenes.values():
        pixel_adaptive_refinement(*given)
    for _ in range(args.repeats):
        for maps, given in scenes.items():
            start = time.process_time()
            pixel_adaptive_refinement(*given)
            samples[maps].append(time.process_time() - start)
    rows = []
    for maps, own in samples.items():
        median, iqr = machine.spread(own)
        rows.append({"maps": maps, "size": args.size, "samples_s": own, "median_s": median, "iqr_s": iqr})
    return {"benchmark": "maps", "machine": machine.provenance(), "rows": rows}


def table(report: dict[str, Any]) -> str:
    """A line for each number of maps."""
    lines = [machine.heading(report["machine"]), "", "| maps | pixels | median CPU ms | IQR ms |", "|---|---|---|---|"]
    for row in report["rows"]:
        lines.append(f"| {row['maps']} | {row['size']}² | {1000 * row['median_s']:.0f} | {1000 * row['iqr_s']:.0f} |")
    return "\n".join(lines)
