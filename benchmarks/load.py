"""A classroom on one machine: simulated students open examples, move thresholds, ask for attention and answer the lab.

Run: python -m afa_viz bench load [--students 30] [--seconds 300] [--pause 6] [--json FILE]

The server runs in a separate process. Students talk to it as the page does, by queue, event stream and server
functions; one script does by gradio_client. Every explanation that comes back is compared with the one computed here,
so a mixed-up answer counts as an error. Before the lesson all that students can open is opened once, and they act in
haste for a while, so that growth of memory is not that of caches and heaps which fill. Without options: ten students
for twenty seconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from afa_viz.config import ExplainConfig
from afa_viz.ui.sessions.model_registry import ModelRegistry, discover_checkpoints
from afa_viz.ui.sessions.session import Session
from benchmarks import machine
from benchmarks.growth import EVERY, growth, growth_figures, growth_lines, reading
from benchmarks.measurements import Measurement
from benchmarks.served_app import ROOT, Page, serve, settled
from benchmarks.students import SCORES, Expected, Student

EXAMPLES = ROOT / "afa_viz" / "examples"
REHEARSAL, HASTE = 60.0, 0.5  # seconds at most before the lesson, and mean seconds between two actions meanwhile
EXAMPLE = 1.5  # seconds within which 95 % of the bundled examples must open


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--students", type=int, default=10, help="at the same time (default: 10)")
    parser.add_argument("--seconds", type=float, default=20, help="how long (default: 20)")
    parser.add_argument("--pause", type=float, default=4, help="mean seconds between two actions (default: 4)")


def by_script(address: str, expected: Expected) -> None:
    """One image through `/explain` with gradio_client. Raises: AssertionError: if its numbers are others."""
    from gradio_client import Client, handle_file

    example = expected.session.examples[0]
    client = Client(address, verbose=False)
    found = client.predict(
        handle_file(str(example.path)), None, list(example.labels or ()), {}, expected.model, api_name="/explain"
    )
    regions = expected.session.trace(expected.request(0, ExplainConfig().bkg_score_low)).regions
    assert abs(found["regions"]["uncertain"] - float((regions == 2).float().mean())) < 0.002


@contextmanager
def open_session() -> Iterator[tuple[Expected, subprocess.Popen, str]]:
    """Expected answers of the bundled model, and an idle server with its address; stopped when the block ends."""
    expected = Expected(Session(ModelRegistry(discover_checkpoints(ROOT / "checkpoints"), "cpu"), EXAMPLES))
    expected.prepare()
    app, address = serve()
    try:
        settled(app.pid)
        yield expected, app, address
    finally:
        app.terminate()
        app.wait(30)


def fill_caches(address: str, expected: Expected) -> int:
    """Open once what students can open, so that the server's caches are full. Returns: the number of explanations."""
    first = Student(0, address, expected, time.time(), 0)
    first.page = Page(address)
    for place in range(len(expected.session.examples)):
        first.open(place)()
        for low in SCORES:
            first.cut(low)()
            first.lab()()
        first.attention()()
    return len(expected.session.examples) * len(SCORES)


def begin(count: int, address: str, expected: Expected, seconds: float, pause: float) -> list[Student]:
    """Students who have begun, and end by themselves."""
    end = time.time() + seconds
    students = [Student(n, address, expected, end, pause) for n in range(count)]
    for student in students:
        student.start()
    return students


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Start the server and the students, and wait for the end of the lesson."""
    torch.set_num_threads(1)
    where = machine.provenance()
    with open_session() as (expected, app, address):
        by_script(address, expected)
        opened = fill_caches(address, expected)
        rehearsed = begin(args.students, address, expected, min(REHEARSAL, args.seconds), HASTE)
        for student in rehearsed:
            student.join(90)
        readings = [reading(app.pid)]
        end = time.time() + args.seconds
        students = begin(args.students, address, expected, args.seconds, args.pause)
        while time.time() < end:
            time.sleep(min(EVERY, args.seconds / 8))
            readings.append(reading(app.pid))
        for student in students:
            student.join(90)
    return {
        "benchmark": "load", "machine": where, "students": args.students, "seconds": args.seconds,
        "opened_before": opened, "rows": action_rows(students), "errors": all_errors([*rehearsed, *students]),
        "growth": growth(readings),
    }  # fmt: skip


def action_rows(students: Sequence[Student]) -> list[dict[str, Any]]:
    """Timings of every action over all students."""
    times = {action: [t for s in students for t in s.times[action]] for action in dict.fromkeys(students[0].actions)}
    return [
        {"action": action, "samples": samples, "median": statistics.median(samples), "p95": p95(samples)}
        for action, samples in times.items()
        if samples
    ]


def all_errors(students: Sequence[Student]) -> list[str]:
    """Errors of all students; a student still waiting counts as an error."""
    late = sum(student.is_alive() for student in students)
    return [error for student in students for error in student.errors] + late * ["a student never got an answer"]


def p95(samples: list[float]) -> float:
    """The value that 95 % of the samples do not exceed."""
    return sorted(samples)[max(0, -(-95 * len(samples) // 100) - 1)]


def action_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A line an action."""
    return [
        f"{'action':12s}{'count':>8s}{'median':>12s}{'p95':>12s}",
        *(
            f"{row['action']:12s}{len(row['samples']):8d}{1000 * row['median']:9.0f} ms{1000 * row['p95']:9.0f} ms"
            for row in rows
        ),
    ]


def measurements_of(report: dict[str, Any]) -> list[Measurement]:
    """No errors, examples at once, and nothing that grows."""
    where = f"Class, {report['students']} students, {report['seconds'] / 60:g} minutes"
    slowest = [
        Measurement(f"{where}: 95 % of the bundled examples within", row["p95"], EXAMPLE, "s")
        for row in report["rows"]
        if row["action"] == "example"
    ]
    return [
        Measurement(f"{where}: errors or mixed-up answers", float(len(report["errors"])), 0.0, ""), *slowest,
        *growth_figures(where, report["growth"]),
    ]  # fmt: skip


def table(report: dict[str, Any]) -> str:
    """The report as text."""
    lines = [machine.heading(report["machine"]), "", *action_lines(report["rows"])]
    errors = report["errors"]
    lines += [
        "", f"caches were filled before with {report['opened_before']} explanations",
        f"{report['students']} students, {report['seconds']:.0f} s: {len(errors)} errors or mixed-up answers",
        *growth_lines(report["growth"]),
    ]  # fmt: skip
    return "\n".join(lines + sorted(set(errors))[:10])


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--json", type=Path, metavar="F", help="write every sample to this file")
    args = parser.parse_args()
    report = run(args)
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(table(report))
    sys.exit(bool(report["errors"]))


if __name__ == "__main__":
    main()
