"""Starting, and the memory of a page that has seen many uploads. Contract: benchmarks/README.md. Linux only.

Run: python -m afa_viz bench start [--json F] [--runs 3] [--uploads 200]
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.app import photograph
from benchmarks.browser import ROOT
from benchmarks.growth import resident_mb
from benchmarks.load import serve, settled
from benchmarks.measurements import Measurement

TARGETS = {"help": 0.5, "first page": 6.0, "idle": 900.0, "uploads": 1300.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--runs", type=int, default=3, help="starts of each kind, after one more (default: 3)")
    parser.add_argument("--uploads", type=int, default=200, help="different photographs (default: 200)")


def help_seconds() -> float:
    """Of `python -m afa_viz --help`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "afa_viz", "--help"], cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - start


@contextlib.contextmanager
def running() -> Iterator[tuple[int, str, float]]:
    """Start a server; returns process, address, and seconds until it had sent its page."""
    start = time.perf_counter()
    app, address = serve()
    try:
        urllib.request.urlopen(address, timeout=60).read()
        yield app.pid, address, time.perf_counter() - start
    finally:
        app.terminate()
        app.wait(timeout=30)


def page_seconds() -> float:
    """From the start of `python app.py` to the last byte of its page."""
    with running() as (_, _, seconds):
        return seconds


def memory(uploads: int) -> list[float]:
    """Resident megabytes with all examples explained, then after every upload."""
    from gradio_client import Client, handle_file

    with running() as (pid, address, _), tempfile.TemporaryDirectory() as folder:
        settled(pid)
        resident = [resident_mb(pid)]
        client = Client(address, verbose=False, download_files=False)
        for number in range(uploads):
            path = Path(folder) / f"{number}.jpg"
            path.write_bytes(base64.b64decode(photograph(number)))
            asked = {"picture": handle_file(str(path)), "image": None, "labels": [], "settings": {}, "model": None}
            client.predict(**asked, api_name="/explain")
            resident.append(resident_mb(pid))
        return resident


def row(name: str, words: str, unit: str, samples: list[float], value: float) -> dict[str, Any]:
    """A figure beside its target."""
    target = TARGETS[name]
    return {"name": name, "words": words, "unit": unit, "samples": samples, "value": value, "target": target,
            "met": value <= target}  # fmt: skip


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure both starts, then memory.

    Raises: ValueError: where there is no /proc.
    """
    if not Path("/proc/self/status").exists():
        raise ValueError("resident memory is read from /proc, which this system lacks; run this on Linux.")
    if args.runs < 2:
        raise ValueError(f"--runs is {args.runs}; expected at least 2, to have a spread.")
    report: dict[str, Any] = {"benchmark": "start", "machine": machine.provenance(), "rows": []}
    for name, words, action in (
        ("help", "python -m afa_viz --help", help_seconds),
        ("first page", "python app.py until the page has been sent", page_seconds),
    ):
        action()  # warm: files lie in memory
        samples = [action() for _ in range(args.runs)]
        report["rows"].append(row(name, words, "s", samples, machine.spread(samples)[0]))
    resident = memory(args.uploads)
    report["rows"].append(row("idle", "memory, all examples explained", "MB", resident[:1], resident[0]))
    words = f"highest memory over {args.uploads} different uploads"
    report["rows"].append(row("uploads", words, "MB", resident[1:], max(resident)))
    return report


def measurements_of(report: dict[str, Any]) -> list[Measurement]:
    """All rows as measurements."""
    return [Measurement(one["words"], one["value"], one["target"], one["unit"]) for one in report["rows"]]


def table(report: dict[str, Any]) -> str:
    """Figures beside their targets."""
    lines = [machine.heading(report["machine"]), "", "| what | measured | target | met |", "|---|---|---|---|"]
    for one in report["rows"]:
        met = "yes" if one["met"] else "no"
        lines.append(f"| {one['words']} | {one['value']:.2f} {one['unit']} | {one['target']:g} | {met} |")
    return "\n".join(lines)
