"""`bench [GROUP]`: the benchmarks of `benchmarks/`, a table each; without a group all of them, one after the other.

A group is a module with `add_arguments(parser)`, `run(args) -> dict` (its report: `benchmark`, `machine`, `rows`) and
`table(report) -> str`; where it has targets, also `measurements_of(report)`; where numbers of its options may be less
than one, `MIN_VALUES`. It is imported only when it is chosen.
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

MIN_VALUES = {"threads": 0, "pause": 0, "seconds": 0.1, "minutes": 0.01}  # of options that may be less than one


@dataclass(frozen=True)
class Group:
    """Benchmarks that are run together: their name, one line of help, and the module."""

    name: str
    help: str
    module: str


GROUPS = (
    Group("app", "the page in a browser, beside the targets of its design", "benchmarks.app"),
    Group("par", "PAR against its textbook form", "benchmarks.par"),
    Group("maps", "PAR alone by the number of maps", "benchmarks.maps"),
    Group("crf", "the dense CRF: agreement with pydensecrf2, time and memory", "benchmarks.crf"),
    Group("walk", "the random walk: dense against banded, time and memory by grid", "benchmarks.walk"),
    Group("train_step", "a full AFA training step against its textbook form", "benchmarks.train_step"),
    Group("explain", "a full trace: bundled model, MiT-B1, over sizes", "benchmarks.explain"),
    Group("start", "starting, and memory after many uploads", "benchmarks.start"),
    Group("sandbox", "rendering scenes, and training on them", "benchmarks.sandbox"),
    Group("load", "a classroom of simulated students", "benchmarks.load"),
    Group("users", "how long an action takes while more and more people use the page", "benchmarks.users"),
    Group("crowd", "the page itself while many ask for what is dear, all at once", "benchmarks.crowd"),
    Group("soak", "mixed use for a long time: errors, and whether memory grows", "benchmarks.soak"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    width = max(len(group.name) for group in GROUPS)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "groups:\n" + "\n".join(f"  {group.name:<{width}}  {group.help}" for group in GROUPS)
    parser.add_argument(
        "group", nargs="?", choices=[group.name for group in GROUPS], metavar="GROUP", help="default: all, in turn"
    )
    parser.add_argument("--json", type=Path, metavar="F", help="write every sample, and on what machine, to this file")
    parser.add_argument("options", nargs=argparse.REMAINDER, metavar="…", help="of the group: bench GROUP --help")


def run(args: argparse.Namespace) -> int:
    """Measure and print; returns the exit code. A group that cannot run says why, and the others run all the same."""
    chosen = [group for group in GROUPS if args.group in (None, group.name)]
    reports, code = {}, 0
    for group in chosen:
        module = _load(group)
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
        if options.json:  # after every group: what is measured is not lost by what follows
            _write(options.json, reports)
        print(f"{group.name}: {group.help}\n\n{module.table(report)}\n", flush=True)
    return code


def _require_numbers(options: argparse.Namespace, least: dict[str, float]) -> None:
    """Raise ValueError for a number of a group's options that nothing can be measured with."""
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
            "the benchmarks are no part of the installed package; run this in the folder of the source code."
        ) from error


def _write(path: Path, reports: dict) -> None:
    """The reports by group, whole or not at all."""
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(reports, indent=1) + "\n", encoding="utf-8")
