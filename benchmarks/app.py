"""The page in a real browser, latency of each interaction compared with its target. Contract: benchmarks/README.md.

A separate server on the loopback device, opened in Chromium. Run: python -m afa_viz bench app [--runs 20] [--json F]
"""

from __future__ import annotations

import argparse
import base64
import io
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from afa_viz.classes import names_for, palette
from benchmarks import machine
from benchmarks.browser import (
    ROOT,
    launch_browser,
    load,
    open_page,
    open_window,
    record_requests,
    serve_app,
    wait_for_silence,
)
from benchmarks.measurements import Measurement

PHOTOGRAPHS = ("chelsea.png", "astronaut.png")  # of the bundled examples
SLIDERS = {
    "threshold": ("regions", '[data-setting="low"] input'),
    "step": ("walk", ".afa-play input[type=range]"),
    "iteration": ("par", ".afa-play input[type=range]"),
}
HEAD = '.afa-head[data-head="1"] input'
EDIT = '[role=tabpanel][data-tab="{}"] [data-for="edit"]'  # what is changed by hand in a tab


@dataclass(frozen=True)
class Target:
    """What a row measures, and its target in milliseconds."""

    words: str
    limit: float


TARGETS = {
    "hover": Target("hover a cell: scripts until the frame is drawn, slowest tab", 16),
    "click": Target("click a cell: every view that depends on it is drawn, slowest tab", 100),
    "threshold": Target("drag a threshold (Regions)", 50),
    "opacity": Target("drag the opacity of all maps, slowest tab", 50),
    "step": Target("drag the step (Random walk)", 50),
    "iteration": Target("drag the iteration (PAR)", 50),
    "head": Target("drag the weight of a head: affinity and walk are drawn (Affinity)", 50),
    "head_follows": Target("PAR, regions and scores after the weight of a head has moved (Affinity)", 300),
    "brush": Target("brush over a cell to separate it: affinity and walk are drawn (Affinity)", 50),
    "class_threshold": Target("drag the threshold of a class: PAR runs anew, the label is drawn (Regions)", 300),
    "example": Target("open a bundled example", 300),
    "new": Target("new photograph, bundled model", 1500),
    "new_first": Target("new photograph, bundled model: first map", 500),
    "large": Target("new photograph, MiT-B1 at 512 pixels", 4000),
    "page": Target("page usable", 2000),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--runs", type=int, default=20, help="samples of every row (default: 20)")
    parser.add_argument(
        "--only", nargs="+", choices=TARGETS, default=list(TARGETS), metavar="ROW", help=str([*TARGETS])
    )
    parser.add_argument("--checkpoint", default=str(ROOT / "checkpoints" / "sandbox"), help="the bundled model")
    parser.add_argument("--examples", type=Path, default=ROOT / "afa_viz" / "examples", help="folder of the examples")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Start the app, drive it and measure; one row per target.

    Raises: ValueError: without playwright or Chromium.
    """
    if args.runs < 2:
        raise ValueError(f"--runs is {args.runs}; expected at least 2, to have a spread.")
    report: dict[str, Any] = {"benchmark": "app", "machine": machine.provenance(), "runs": args.runs, "rows": []}
    samples: dict[str, list[dict[str, Any]]] = {}
    with launch_browser() as chromium, tempfile.TemporaryDirectory() as folder:
        report["chromium"] = chromium.version
        if set(args.only) - {"large"}:
            with serve_app(args.checkpoint, args.examples, Path(folder)) as address:
                samples |= _measure(chromium, address, args)
        if "large" in args.only:
            checkpoint = write_large(Path(folder))
            with (
                serve_app(str(checkpoint), args.examples, Path(folder)) as address,
                open_page(chromium, address) as page,
            ):
                samples["large"] = _uploads(page, args.runs, "large")
    for name in TARGETS:
        if name in args.only:
            report["rows"].append(_row(name, samples[name]))
    return report


def _row(name: str, samples: list[dict[str, Any]]) -> dict[str, Any]:
    median, iqr = machine.spread([sample["ms"] for sample in samples])
    target = TARGETS[name]
    row = {"name": name, "what": target.words, "target_ms": target.limit, "median_ms": median, "iqr_ms": iqr}
    return {**row, "met": median <= target.limit, "samples": samples}


def measurements_of(report: dict[str, Any]) -> list[Measurement]:
    """All rows as measurements."""
    return [Measurement(f"App: {row['what']}", row["median_ms"], row["target_ms"], "ms") for row in report["rows"]]


def table(report: dict[str, Any]) -> str:
    """The report as text."""
    lines = [
        f"{machine.heading(report['machine'])}, Chromium {report['chromium']}; medians of {report['runs']}",
        "",
        "| interaction | target ms | median ms | IQR ms | |",
        "|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        tab = {sample["tab"] for sample in row["samples"] if "tab" in sample}
        where = f" ({', '.join(tab)})" if tab else ""
        lines.append(
            f"| {row['what']}{where} | {row['target_ms']:.0f} | {row['median_ms']:.1f} | {row['iqr_ms']:.1f} "
            f"| {'met' if row['met'] else 'missed'} |"
        )
    return "\n".join(lines)


# --- rows ------------------------------------------------------------------------------------------------------------


def _measure(chromium: Any, address: str, args: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """Every row of the bundled model that is asked for."""
    samples: dict[str, list[dict[str, Any]]] = {}
    if "page" in args.only:
        samples["page"] = _page_loads(chromium, address, args.runs)
    with open_page(chromium, address) as page:
        for name, key in (("hover", "work"), ("click", "drawn"), ("opacity", "drawn")):
            if name in args.only:
                samples[name] = _slowest_tab(page, name, key, args.runs)
        for name, (tab, slider) in SLIDERS.items():
            if name in args.only:
                _open_tab(page, tab)
                selector = f'[role=tabpanel][data-tab="{tab}"] {slider}'
                page.wait_for_timeout(2000)  # the page prepares dragging in its pauses
                found = page.evaluate("([selector, count]) => bench.drag(selector, count)", [selector, args.runs])
                samples[name] = [{"ms": sample["drawn"], **sample} for sample in found]
        for name, call in (("head", "drag"), ("head_follows", "follows")):
            if name in args.only:
                _open_tab(page, "affinity")
                page.wait_for_selector('.afa-hand-results[data-state="ready"]')
                found = page.evaluate(f"([selector, count]) => bench.{call}(selector, count)", [HEAD, args.runs])
                samples[name] = [{"ms": sample["drawn"], **sample} for sample in found]
        samples |= _edits(page, args)
    if "example" in args.only:
        with open_page(chromium, address) as page:
            samples["example"] = _examples(page, args.runs)
    if {"new", "new_first"} & set(args.only):
        with open_page(chromium, address) as page:
            samples["new"] = _uploads(page, args.runs, "new")
        samples["new_first"] = [{**sample, "ms": sample["first"]} for sample in samples["new"]]
    return samples


def _edits(page: Any, args: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """Rows of what is changed by hand: a brush on the affinity, the threshold of a class."""
    found: dict[str, list[dict[str, Any]]] = {}
    if "brush" in args.only:
        _open_tab(page, "affinity")
        edit = EDIT.format("affinity")
        for button in ('[data-what="separate"]', '[data-against="rest"]'):
            page.locator(f"{edit} {button}").click()
        page.wait_for_timeout(500)
        found["brush"] = page.evaluate(
            "([selector, count]) => bench.brush(selector, count)", [f"{edit} .afa-cells", args.runs]
        )
    if "class_threshold" in args.only:
        _open_tab(page, "regions")
        edit = EDIT.format("regions")
        page.locator(f"{edit} summary").click()
        slider = f"{edit} .afa-threshold input"
        page.wait_for_selector(slider)
        found["class_threshold"] = page.evaluate(
            "([selector, count]) => bench.drag(selector, count, 3)", [slider, args.runs]
        )
    return {name: [{"ms": sample["drawn"], **sample} for sample in samples] for name, samples in found.items()}


def _page_loads(chromium: Any, address: str, runs: int) -> list[dict[str, Any]]:
    """Milliseconds until the page has drawn everything, without a cache."""
    result = []
    for _ in range(runs):
        with open_window(chromium) as page:
            began = time.perf_counter()
            load(page, address)
            result.append({"ms": 1000 * (time.perf_counter() - began)})
    return result


def _open_tab(page: Any, name: str) -> None:
    page.locator(f'[role=tab][data-tab="{name}"]').click()
    page.wait_for_timeout(300)


def _slowest_tab(page: Any, name: str, key: str, runs: int) -> list[dict[str, Any]]:
    """Samples of the tab with the largest median. Raises: ValueError: if the server was asked for anything."""
    asked: list[str] = []
    worst: list[dict[str, Any]] = []
    for tab in page.locator("[role=tab]").evaluate_all("(tabs) => tabs.map((tab) => tab.dataset.tab)"):
        _open_tab(page, tab)
        wait_for_silence(page)
        with record_requests(page) as seen:
            found = page.evaluate(f"(count) => bench.{name}(count)", runs)
        asked += seen
        if not found:  # nothing of this kind in the tab
            continue
        samples = [{"ms": sample[key], "tab": tab, **sample} for sample in found]
        if not worst or machine.spread([s["ms"] for s in samples])[0] > machine.spread([s["ms"] for s in worst])[0]:
            worst = samples
    if asked:
        raise ValueError(f"the page asked the server while the pointer moved: {asked[0]}")
    return worst


def _examples(page: Any, runs: int) -> list[dict[str, Any]]:
    """Every example once to warm up, then again in turn; the one that is open is left out."""
    count = page.locator("#afa-gallery .thumbnail-item").count()
    order = [1 + i % (count - 1) if i % count else 0 for i in range(1, count)] + [0]
    for place in order:
        page.evaluate("(place) => bench.example(place)", place)
    found = [page.evaluate("(place) => bench.example(place)", order[i % count]) for i in range(runs)]
    return [{"ms": sample["all"], **sample} for sample in found]


def _uploads(page: Any, runs: int, name: str) -> list[dict[str, Any]]:
    """Uncached photographs, after one warm-up."""
    found = [
        page.evaluate("([letters, name]) => bench.upload(letters, name)", [photograph(number), f"{name}{number}.jpg"])
        for number in range(runs + 1)
    ]
    return [{"ms": sample["all"], **sample} for sample in found[1:]]


def photograph(number: int) -> str:
    """A JPEG of 1024 x 768 pixels in base64, different for every number."""
    source = ROOT / "afa_viz" / "examples" / PHOTOGRAPHS[number % len(PHOTOGRAPHS)]
    with Image.open(source) as opened_file:
        image = np.asarray(opened_file.convert("RGB").resize((1024, 768)))
    file = io.BytesIO()
    Image.fromarray(np.roll(image, 37 * number, axis=1)).save(file, format="JPEG", quality=90)
    return base64.b64encode(file.getvalue()).decode("ascii")


def write_large(folder: Path) -> Path:
    """A MiT-B1 with random weights for 512-pixel images: valid for timings only."""
    import torch

    from afa_viz.model.afa import build_afa
    from afa_viz.model.card import Card
    from afa_viz.model.checkpoint import save_model

    torch.manual_seed(0)
    classes = 21
    path = folder / "mit_b1_512" / "model.safetensors"
    card = Card("mit_b1", classes, names_for(classes), palette(classes), "max", input_size=512)
    save_model(build_afa("mit_b1", classes, "max"), path, card)
    return path.parent
