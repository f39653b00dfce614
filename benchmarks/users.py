"""Latency of an action by number of simultaneous users. Contract: benchmarks/README.md.

Run: python -m afa_viz bench users [--users 1 2 5 10 20 30] [--seconds 20] [--pause 4] [--json FILE]
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import torch

from benchmarks import machine
from benchmarks.load import all_errors, open_session, p95
from benchmarks.students import Expected, Student

TIMEOUT = 90  # seconds for the last answers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--users", type=int, nargs="+", default=[1, 2, 5, 10, 20, 30], help="at the same time, in turn")
    parser.add_argument("--seconds", type=float, default=20, help="how long each number of users (default: 20)")
    parser.add_argument("--pause", type=float, default=4, help="mean seconds between two actions (default: 4)")


def crowd(users: int, address: str, expected: Expected, seconds: float, pause: float) -> dict[str, Any]:
    """One row: every action of that many students."""
    end = time.time() + seconds
    students = [Student(number, address, expected, end, pause) for number in range(users)]
    for student in students:
        student.start()
    for student in students:
        student.join(max(0.0, end - time.time()) + TIMEOUT)
    samples = [spent for student in students for times in student.times.values() for spent in times]
    if not samples:
        raise OSError(f"{users} users got no answer in {seconds:g} s: {all_errors(students)[0]}")
    return {
        "users": users, "samples_s": samples, "median_s": statistics.median(samples), "p95_s": p95(samples),
        "errors": all_errors(students),
    }  # fmt: skip


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Start the server, then run one group of users after the other."""
    torch.set_num_threads(1)
    where = machine.provenance()
    with open_session() as (expected, app, address):
        rows = [crowd(users, address, expected, args.seconds, args.pause) for users in args.users]
    return {"benchmark": "users", "machine": where, "seconds": args.seconds, "pause": args.pause, "rows": rows}


def table(report: dict[str, Any]) -> str:
    """A line for each number of users."""
    lines = [
        f"{machine.heading(report['machine'])}; {report['seconds']:g} s each, an action every {report['pause']:g} s",
        "",
        "| users | actions | median ms | p95 ms | errors |",
        "|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        lines.append(
            f"| {row['users']} | {len(row['samples_s'])} | {1000 * row['median_s']:.0f} | {1000 * row['p95_s']:.0f} "
            f"| {len(row['errors'])} |"
        )
    return "\n".join(lines)
