"""Photographs of visitors in a static site: the network in headless Chromium. Contract: benchmarks/README.md.

WASM, one thread. Needs `npm ci` for onnxruntime-web. `ready`: a worker has loaded runtime and network from a local
server; `first CAM`: after that, from the file to the stages of the CAM at one scale; `whole`: from the file to every
stage, with all scales, flips, walk, PAR and both thresholds; `worker CPU`: processor time of the worker's thread for
the whole, which other programs on the machine change little: all of it is one after the other, so the whole takes no
less; `memory`: largest resident set of the tab's process.

Run: python -m afa_viz bench site [--repeats 5] [--onnxruntime-web DIR] [--json FILE]
"""

from __future__ import annotations

import argparse
import base64
import io
import os
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

import afa_viz
from afa_viz.model.onnx_export import require_afa
from afa_viz.ui.site.network import write_network
from afa_viz.ui.site.runtimes import find_runtimes
from benchmarks import machine
from benchmarks.browser import ROOT, launch_browser
from benchmarks.file_server import serve_folder
from benchmarks.growth import child_processes
from benchmarks.measurements import Measurement
from benchmarks.measurements import table as measurement_table

PACKAGE = ROOT / "node_modules" / "onnxruntime-web"
PICTURE = ROOT / "afa_viz" / "examples" / "default_004.png"
SIZES = ((256, 256), (320, 240), (512, 384))  # pixels (width, height); the network gets them as they are
TARGETS = {"ready": 2.5, "first CAM": 0.6, "whole": 2.5}  # seconds, at the first size
MEMORY = 600.0  # MB
DRIVER = Path(__file__).with_name("site_driver.js")
PAGE = "<!doctype html><title>bench</title>"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--repeats", type=int, default=5, help="pages that are opened for each size (default: 5)")
    parser.add_argument("--onnxruntime-web", type=Path, default=PACKAGE, metavar="DIR", help="of the npm package")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Open a page for every sample, size by size in turn."""
    runtimes = find_runtimes(args.onnxruntime_web)
    samples: dict[tuple[int, int], list[dict[str, float]]] = {size: [] for size in SIZES}
    with TemporaryDirectory() as name:
        folder = Path(name)
        network = write_network(folder, require_afa(afa_viz.load_model(device="cpu")), "bundled", runtimes)
        (folder / "index.html").write_text(PAGE, encoding="utf-8")
        with serve_folder(folder) as address:
            for _ in range(args.repeats):
                for size, own in samples.items():
                    own.append(_sample(address, network, size))
    rows = [
        {"size": list(size), "samples": own, **{name: median(one[name] for one in own) for name in own[0]}}
        for size, own in samples.items()
    ]
    return {"benchmark": "site", "machine": machine.provenance(), "rows": rows}


def measurements_of(report: dict[str, Any]) -> list[Measurement]:
    """The figures of the first size with their targets."""
    row = report["rows"][0]
    found = [Measurement(f"{name}, {_words(row)}", row[name], target, "s") for name, target in TARGETS.items()]
    return [*found, Measurement(f"memory, {_words(row)}", row["memory"], MEMORY, "MB")]


def table(report: dict[str, Any]) -> str:
    """A line for each size, and the targets."""
    names = [*TARGETS, "worker CPU", "memory"]
    head = f"| pixels | {' s | '.join(names[:-1])} s | memory MB |"
    lines = [machine.heading(report["machine"]), "", head, "|---" * (len(names) + 1) + "|"]
    lines += [f"| {_words(row)} | {' | '.join(f'{row[name]:.3g}' for name in names)} |" for row in report["rows"]]
    return "\n".join([*lines, "", *measurement_table(measurements_of(report))])


def _words(row: dict[str, Any]) -> str:
    return " x ".join(map(str, row["size"]))


def _sample(address: str, network: dict[str, Any], size: tuple[int, int]) -> dict[str, float]:
    """Seconds and megabytes of one page in a browser of its own."""
    file = io.BytesIO()
    Image.open(PICTURE).convert("RGB").resize(size).save(file, format="PNG")
    given = {**network, "facts": {**network["facts"], "long_side": max(size)}}
    with launch_browser() as chromium:
        page = chromium.new_page()
        page.goto(address)
        page.evaluate(DRIVER.read_text(encoding="utf-8"))
        ready = page.evaluate("network => driver.open(network)", given)
        loaded, _ = _renderer()
        answer = page.evaluate("data => driver.explain(data, 'image/png')", base64.b64encode(file.getvalue()).decode())
        worked, memory = _renderer()
    return {
        "ready": ready / 1000, "first CAM": answer["firstMs"] / 1000, "whole": answer["wholeMs"] / 1000,
        "worker CPU": worked - loaded, "memory": memory,
    }  # fmt: skip


def _renderer() -> tuple[float, float]:
    """CPU seconds of the worker, peak megabytes of the renderer that has worked most of ours; zeros without /proc."""
    found, waiting = (0.0, 0.0), [str(os.getpid())]
    for pid in waiting:  # grows while it is read
        try:
            waiting += child_processes(int(pid))
            if b"--type=renderer" in Path(f"/proc/{pid}/cmdline").read_bytes():
                worker = sum(map(_seconds, Path(f"/proc/{pid}/task").iterdir()))
                status = Path(f"/proc/{pid}/status").read_text().splitlines()
                peak = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
                found = max(found, (worker, peak))
        except OSError:  # it has ended
            continue
    return found


def _seconds(thread: Path) -> float:
    """CPU seconds of a thread if it is that of a worker."""
    if not (thread / "comm").read_text().startswith("DedicatedWorker"):
        return 0.0
    return int((thread / "schedstat").read_text().split()[0]) / 1e9
