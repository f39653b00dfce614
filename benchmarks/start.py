"""Starting, and the memory of a page that has seen many uploads. Contract: benchmarks/README.md. Linux only.

Run: python -m afa_viz bench start [--json F] [--runs 3] [--uploads 200]
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from afa_viz.config import ExplainConfig
from afa_viz.model.card import Card
from afa_viz.ui.page.config_fields import SLIDERS
from afa_viz.ui.server.app import IDLE_SECONDS
from afa_viz.ui.server.options import Options
from afa_viz.ui.sessions.examples import read_examples
from benchmarks import machine
from benchmarks.app import photograph
from benchmarks.browser import ROOT
from benchmarks.growth import resident_mb
from benchmarks.measurements import Measurement
from benchmarks.served_app import Page, serve, settled

TARGETS = {
    "help": 0.5, "first page": 6.0, "ratio": 1.3, "nothing prepared": 8.0, "prepared": 350.0, "first upload": 5.0,
    "idle": 900.0, "uploads": 1300.0,
}  # fmt: skip
BARE = "benchmarks/bare_app.py"  # the smallest gradio app
WITHOUT_WALK = {"model": None, "switched": ["random walk"], "crf": False, "setting": None, "value": None}


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
def running(program: str = "app.py", *more: str) -> Iterator[tuple[int, str, float]]:
    """Start a server; returns process, address, and seconds until it had sent its page."""
    start = time.perf_counter()
    app, address = serve(program, *more)
    try:
        urllib.request.urlopen(address, timeout=60).read()
        yield app.pid, address, time.perf_counter() - start
    finally:
        app.terminate()
        app.wait(timeout=30)


def page_seconds(program: str = "app.py") -> float:
    """From the start of a program to the last byte of its page."""
    with running(program) as (_, _, seconds):
        return seconds


def first_start_seconds() -> float:
    """The same with an empty cache: the first example is explained by a second process meanwhile."""
    with tempfile.TemporaryDirectory() as folder, running("app.py", "--cache", folder) as (_, _, seconds):
        return seconds


def prepare() -> None:
    """Start the app once and wait until everything is prepared."""
    with running() as (pid, _, _):
        settled(pid)


def bare_memory() -> float:
    """Resident megabytes of the smallest gradio app."""
    with running(BARE) as (pid, _, _):
        return resident_mb(pid)


def open_examples(address: str) -> str:
    """Open every example, and every tab of it that shows the example; returns the key of the last one."""
    page = Page(address)
    settings = [*(slider.value(page_config()) for slider in SLIDERS), None]  # no weight of a head was moved
    for place in range(len(read_examples(Options.examples))):
        chosen = {"index": place, "value": None, "selected": True}
        value = json.loads(page.event("open_example", ["sandbox", [], *settings], chosen)[0])
        key = value["key"]
        for name in ("scene", "overview", "affinity", "lab", "training_run"):
            page.ask(name, key=key)
        page.ask("attention", key=key, block=value["num_blocks"] - 1, logits=False)
        page.ask("compare", key=key, b=WITHOUT_WALK)
    return key


def page_config() -> ExplainConfig:
    """The default settings of the bundled model."""
    card = Card.read(Options.checkpoint_folder / "sandbox" / "model.json")
    return ExplainConfig(radius=card.radius, par_downscale=card.par_downscale)


class Memory(NamedTuple):
    """Resident megabytes of a server, and seconds.

    Attributes:
        prepared: every example and every tab of it opened, nobody has uploaded.
        first_upload: seconds of the first uploaded photograph.
        resident: all examples explained, then after every upload.
    """

    prepared: float
    first_upload: float
    resident: list[float]


def upload(client: Any, number: int) -> float:
    """Seconds until a photograph is explained, which is another one for every number."""
    from gradio_client import handle_file

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{number}.jpg"
        path.write_bytes(base64.b64decode(photograph(number)))
        asked = {"picture": handle_file(str(path)), "image": None, "labels": [], "settings": {}, "model": None}
        start = time.perf_counter()
        client.predict(**asked, api_name="/explain")
        return time.perf_counter() - start


def memory(uploads: int) -> Memory:
    """The memory of a server until the first upload, and of another one over many uploads."""
    from gradio_client import Client

    with running() as (pid, address, _):
        settled(pid)
        open_examples(address)
        prepared = resident_mb(pid)
        first = upload(Client(address, verbose=False, download_files=False), 0)
    with running() as (pid, address, _):
        settled(pid)
        key = open_examples(address)
        Page(address).ask("attention", key=key, block=0, logits=True)  # not prepared: torch is loaded
        time.sleep(IDLE_SECONDS + 2)  # the examples are explained once nobody has asked for a while
        settled(pid)
        resident = [resident_mb(pid)]
        client = Client(address, verbose=False, download_files=False)
        for number in range(uploads):
            upload(client, number)
            resident.append(resident_mb(pid))
    return Memory(prepared, first, resident)


def row(name: str, words: str, unit: str, samples: list[float], value: float) -> dict[str, Any]:
    """A figure beside its target, where it has one."""
    target = TARGETS.get(name)
    return {"name": name, "words": words, "unit": unit, "samples": samples, "value": value, "target": target,
            "met": target is None or value <= target}  # fmt: skip


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure both starts, then memory.

    Raises: ValueError: where there is no /proc.
    """
    if not Path("/proc/self/status").exists():
        raise ValueError("resident memory is read from /proc, which this system lacks; run this on Linux.")
    if args.runs < 2:
        raise ValueError(f"--runs is {args.runs}; expected at least 2, to have a spread.")
    report: dict[str, Any] = {"benchmark": "start", "machine": machine.provenance(), "rows": []}
    prepare()
    samples: dict[str, list[float]] = {"help": [], "bare page": [], "first page": [], "nothing prepared": []}
    for _ in range(args.runs + 1):  # in turn, so that other load meets all of them
        samples["help"].append(help_seconds())
        samples["bare page"].append(page_seconds(BARE))
        samples["first page"].append(page_seconds())
        samples["nothing prepared"].append(first_start_seconds())
    samples = {name: taken[1:] for name, taken in samples.items()}  # the first ones warmed up: files lie in memory
    pairs = zip(samples["first page"], samples["bare page"], strict=True)
    samples["ratio"] = [ours / bare for ours, bare in pairs]
    for name, words, unit in (
        ("help", "python -m afa_viz --help", "s"),
        ("bare page", "a bare gradio app until its page has been sent", "s"),
        ("first page", "python app.py until the app has been sent", "s"),
        ("ratio", "that, by the bare gradio app started just before", "times"),
        ("nothing prepared", "python app.py with an empty cache until the app has been sent", "s"),
    ):
        report["rows"].append(row(name, words, unit, samples[name], machine.spread(samples[name])[0]))
    bare, used = bare_memory(), memory(args.uploads)
    for name, words, unit, value in (
        ("bare", "memory of a bare gradio app", "MB", bare),
        ("prepared", "memory before the first upload, every example and tab opened", "MB", used.prepared),
        (
            "first upload",
            "first photograph after the start, until torch and the network are loaded and it is explained",
            "s",
            used.first_upload,
        ),
    ):
        report["rows"].append(row(name, words, unit, [value], value))
    resident = used.resident
    report["rows"].append(row("idle", "memory, all examples explained", "MB", resident[:1], resident[0]))
    words = f"highest memory over {args.uploads} different uploads"
    report["rows"].append(row("uploads", words, "MB", resident[1:], max(resident)))
    return report


def measurements_of(report: dict[str, Any]) -> list[Measurement]:
    """All rows with a target as measurements."""
    rows = [one for one in report["rows"] if one["target"] is not None]
    return [Measurement(one["words"], one["value"], one["target"], one["unit"]) for one in rows]


def table(report: dict[str, Any]) -> str:
    """Figures beside their targets."""
    lines = [machine.heading(report["machine"]), "", "| what | measured | target | met |", "|---|---|---|---|"]
    for one in report["rows"]:
        target = "| |" if one["target"] is None else f"| {one['target']:g} | {'yes' if one['met'] else 'no'} |"
        lines.append(f"| {one['words']} | {one['value']:.2f} {one['unit']} {target}")
    return "\n".join(lines)
