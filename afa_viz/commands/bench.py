"""`bench [GROUP]`: runs the benchmarks of `benchmarks/` and prints a table for each; all of them without a group.

A group is a module with `add_arguments(parser)`, `run(args) -> dict` (its report: `benchmark`, `machine`, `rows`) and
`table(report) -> str`; where it has targets, also `measurements_of(report)`; where numbers of its options may be less
than one, `MIN_VALUES`; where it needs a machine of its own, `unavailable()`, why it cannot run here, or None. It is
imported only when it is chosen.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from afa_viz.atomic_files import atomic_write
from afa_viz.commands.outputs import MAX_COUNTS, require_file

MIN_VALUES = {"threads": 0, "pause": 0, "seconds": 0.1, "minutes": 0.01}  # minimum of options that may be below 1


@dataclass(frozen=True)
class Group:
    """A group of benchmarks: name, one line of help, module."""

    name: str
    help: str
    module: str


GROUPS = (
    Group("app", "latency of the app in a browser, compared with its targets", "benchmarks.app"),
    Group("par", "PAR against its textbook form", "benchmarks.par"),
    Group("maps", "PAR alone by the number of maps", "benchmarks.maps"),
    Group("crf", "the dense CRF: agreement with pydensecrf2, time and memory", "benchmarks.crf"),
    Group("walk", "the random walk: dense against banded, time and memory by grid", "benchmarks.walk"),
    Group("train_step", "a full AFA training step against its textbook form", "benchmarks.train_step"),
    Group(
        "gpu",
        "every op, training steps and times on a CUDA device, against the CPU; writes docs/gpu.md",
        "benchmarks.gpu",
    ),
    Group("explain", "a full trace: bundled model, MiT-B1, over sizes", "benchmarks.explain"),
    Group("site", "photographs of visitors in a static site: the network in the browser", "benchmarks.site"),
    Group("start", "start-up time, and memory after many uploads", "benchmarks.start"),
    Group("sandbox", "rendering of scenes, and training on them", "benchmarks.sandbox"),
    Group("load", "a classroom of simulated students", "benchmarks.load"),
    Group("users", "latency by number of simultaneous users", "benchmarks.users"),
    Group("crowd", "page latency while many clients make expensive requests", "benchmarks.crowd"),
    Group("soak", "long mixed use: errors and memory growth", "benchmarks.soak"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    width = max(len(group.name) for group in GROUPS)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "groups:\n" + "\n".join(f"  {group.name:<{width}}  {group.help}" for group in GROUPS)
    parser.add_argument(
        "group",
        nargs="?",
        choices=[group.name for group in GROUPS],
        metavar="GROUP",
        help="group to run (default: all, in turn)",
    )
    parser.add_argument("--json", type=Path, metavar="F", help="write all samples and the hardware to this file")
    parser.add_argument(
        "options", nargs=argparse.REMAINDER, metavar="…", help="options of the group; see bench GROUP --help"
    )


def run(args: argparse.Namespace) -> int:
    """Measure and print; returns the exit code. A group that fails prints the reason; the others still run."""
    chosen = [group for group in GROUPS if args.group in (None, group.name)]
    reports, code = {}, 0
    for group in chosen:
        module = _load(group)
        reason = module.unavailable() if hasattr(module, "unavailable") and not args.group else None
        if reason is not None:  # one of many: not a fault
            print(f"bench {group.name} is left out: {reason}", file=sys.stderr)
            continue
        own = argparse.ArgumentParser(prog=f"python -m afa_viz bench {group.name}", description=group.help)
        module.add_arguments(own)
        own.add_argument("--json", type=Path, default=args.json, metavar="F", help="write the report to this file")
        options = own.parse_args(args.options if args.group else [])
        require_file(options.json, "--json")
        _require_numbers(options, MIN_VALUES | getattr(module, "MIN_VALUES", {}))
        try:
            report = module.run(options)
        except (ValueError, OSError) as error:
            if args.group:
                raise
            print(f"bench {group.name}: {error}", file=sys.stderr)
            code = 1
            continue
        reports[group.name] = report
        if options.json:  # after every group, so that later errors lose nothing
            _write(options.json, reports)
        print(f"{group.name}: {group.help}\n\n{module.table(report)}\n", flush=True)
    return code


def _require_numbers(options: argparse.Namespace, least: dict[str, float]) -> None:
    """Raise ValueError for numbers outside the valid range of a group's options."""
    for name, given in vars(options).items():
        for value in given if isinstance(given, list) else [given]:
            if isinstance(value, (str, Path)) or value is None:
                continue
            low, high = least.get(name, 1), MAX_COUNTS.get(name, math.inf)
            if not (low <= value <= high and math.isfinite(value)):
                wanted = f"{low} or more" if high == math.inf else f"{low} to {high}"
                raise ValueError(f"--{name.replace('_', '-')} is {value}; expected {wanted}.")


def _load(group: Group) -> ModuleType:
    try:
        return import_module(group.module)
    except ModuleNotFoundError as error:
        if error.name not in ("benchmarks", group.module):
            raise
        raise ValueError(
            "the benchmarks are not part of the installed package; run this in a clone of the repository."
        ) from error


def _write(path: Path, reports: dict) -> None:
    """The reports by group, whole or not at all."""
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(reports, indent=1) + "\n", encoding="utf-8")
