"""A classroom on one machine: simulated students open examples, move thresholds, ask for attention and answer the lab.

Run: python -m afa_viz bench load [--students 30] [--seconds 300] [--pause 6] [--json FILE]

The server runs in a separate process. Students talk to it as the page does, by queue, event stream and server
functions; one script does by gradio_client. Every explanation that comes back is compared with the one computed here,
so a mixed-up answer counts as an error. Without options: ten students for twenty seconds.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
import zlib
from base64 import b64decode
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from afa_viz.config import ExplainConfig
from afa_viz.ui.page.config_fields import SLIDERS
from afa_viz.ui.sessions.model_registry import ModelRegistry, discover_checkpoints
from afa_viz.ui.sessions.session import Request, Session
from benchmarks import machine
from benchmarks.growth import EVERY, child_processes, growth, growth_figures, growth_lines, reading
from benchmarks.measurements import Measurement

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "afa_viz" / "examples"
START = 180  # seconds that the server may take to explain all examples
SCORES = (0.25, 0.3, 0.35, 0.4, 0.45)  # low background scores that students try
ACTIONS = ("example", "threshold", "attention", "lab")  # how often, see `Student.act`
EXAMPLE = 1.5  # seconds within which 95 % of the bundled examples must open
AGREE = 0.999  # share of the pixels of a pseudo label that must be as computed here


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--students", type=int, default=10, help="at the same time (default: 10)")
    parser.add_argument("--seconds", type=float, default=20, help="how long (default: 20)")
    parser.add_argument("--pause", type=float, default=4, help="mean seconds between two actions (default: 4)")


class Page:
    """What a browser does for one student: one session, the queue and its events, and the component's functions."""

    def __init__(self, address: str) -> None:
        self.api = f"{address}/gradio_api"
        config = json.load(urllib.request.urlopen(f"{address}/config", timeout=30))
        self.functions = {d["api_name"]: d["id"] for d in config["dependencies"]}
        ids = {c["props"].get("elem_id"): c["id"] for c in config["components"]}
        self.gallery, self.explorer = ids["afa-gallery"], ids["afa-explorer"]
        self.session = f"{random.getrandbits(60):015x}"

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON that comes back."""
        request = urllib.request.Request(
            f"{self.api}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def event(self, name: str, data: list, event_data: Any = None) -> list:
        """Outputs of a queued event."""
        body = {"data": data, "event_data": event_data, "fn_index": self.functions[name], "trigger_id": self.gallery}
        self.post("queue/join", body | {"session_hash": self.session})
        with urllib.request.urlopen(f"{self.api}/queue/data?session_hash={self.session}", timeout=60) as stream:
            for line in stream:
                if not line.startswith(b"data:"):
                    continue
                message = json.loads(line[5:])
                if message["msg"] == "process_completed":
                    if not message["success"]:
                        raise RuntimeError(f"{name}: {message['output']}")
                    return message["output"]["data"]
        raise RuntimeError(f"{name}: the stream ended without an answer")

    def ask(self, name: str, **asked: Any) -> dict[str, Any]:
        """The result of a server function of the component."""
        body = {"data": asked, "component_id": self.explorer, "fn_name": name, "session_hash": self.session}
        return json.loads(self.post("component_server", body))


class Expected:
    """The same explanations, computed in this process."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.model = session.registry.names[0]
        self.own = session.registry.config(self.model)
        self.labels: dict[str, np.ndarray] = {}

    def request(self, place: int, low: float) -> Request:
        name = self.session.examples[place].name
        config = dataclasses.replace(self.own, bkg_score_low=low)
        return self.session.request(f"example:{name}", self.model, None, config)

    def prepare(self) -> None:
        """Compute every possible answer before timing starts."""
        for place in range(len(self.session.examples)):
            for low in SCORES:
                request = self.request(place, low)
                self.labels[request.key] = self.session.trace(request).pseudo_label.numpy()

    def check(self, value: dict[str, Any], place: int, low: float) -> None:
        """Raises: AssertionError: if a payload is not that of the request."""
        request = self.request(place, low)
        assert value["key"] == request.key, f"asked for {request.image_id} at {low}, got another explanation"
        packed = value["pseudo_label"]
        found = np.frombuffer(zlib.decompress(b64decode(packed["data"])), np.uint8).reshape(packed["shape"])
        same = (found == self.labels[request.key]).mean()
        assert same >= AGREE, f"{request.image_id} at {low}: only {same:.2%} of the pseudo label as expected"


class Student(threading.Thread):
    """Acts at random intervals until the lesson is over; records the time of every action, and errors."""

    actions = ACTIONS

    def __init__(self, number: int, address: str, expected: Expected, end: float, pause: float) -> None:
        super().__init__(daemon=True)
        self.random = random.Random(number)
        self.address, self.expected, self.end, self.pause = address, expected, end, pause
        self.times: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []
        self.place, self.low = 0, ExplainConfig().bkg_score_low

    def run(self) -> None:
        time.sleep(self.random.uniform(0, self.pause))  # thirty people do not press at once
        try:
            self.page = Page(self.address)
            self.timed("example")
        except Exception as error:  # a student without a page is an error of the server
            self.errors.append(f"start: {error!r}")
            return
        while time.time() < self.end:
            self.timed(self.random.choice(self.actions))
            time.sleep(self.random.uniform(0.5, 1.5) * self.pause)

    def timed(self, action: str) -> None:
        """One action: its time, or its error."""
        began = time.perf_counter()
        try:
            check = getattr(self, action)()
            self.times[action].append(time.perf_counter() - began)
            check()
        except Exception as error:  # whatever it is, it is counted
            self.errors.append(f"{action}: {error!r}")

    def settings(self) -> list:
        values = {slider.field: slider.value(self.expected.own) for slider in SLIDERS} | {"bkg_score_low": self.low}
        return [[], *values.values()]

    def labels(self) -> list[str]:
        known = self.expected.session.registry.class_names(self.expected.model)
        return [name for name in self.expected.session.examples[self.place].labels or () if name in known]

    def example(self):
        """Open an example."""
        self.place = self.random.randrange(len(self.expected.session.examples))
        data = [self.expected.model, *self.settings()]
        chosen = {"index": self.place, "value": None, "selected": True}
        value = json.loads(self.page.event("open_example", data, chosen)[0])
        self.key = value["key"]
        place, low = self.place, self.low
        return lambda: self.expected.check(value, place, low)

    def threshold(self):
        """Release the slider of the low background score."""
        self.low = self.random.choice([low for low in SCORES if low != self.low])
        data = [None, self.expected.model, self.labels(), *self.settings()]
        value = json.loads(self.page.event("change_bkg_score_low", data)[0])
        self.key = value["key"]
        place, low = self.place, self.low
        return lambda: self.expected.check(value, place, low)

    def attention(self):
        """Request the heads of a block of the current image."""
        trace = self.expected.session.trace(self.expected.request(self.place, self.low))
        block = self.random.randrange(len(trace.attn_logits))
        maps = self.page.ask("attention", key=self.key, block=block, logits=False)

        def check() -> None:
            heads, _, keys = maps["shape"]
            shape = trace.attn_logits[block].shape
            assert (maps["block"], heads, keys) == (block, shape[0], shape[2])

        return check

    def lab(self):
        """Answer the first question of the lab, rightly."""
        trace = self.expected.session.trace(self.expected.request(self.place, self.low))
        right = len(trace.image_labels)
        verdict = self.page.ask("lab_check", key=self.key, step="labels", answer=right, label=trace.present[0])

        def check() -> None:
            assert verdict["right"] and verdict["facts"]["count"] == str(right)

        return check


def serve(program: str = "app.py", *more: str) -> tuple[subprocess.Popen, str]:
    """Start a server; returns process and address once it answers.

    Args:
        program: of the repository. more: its arguments beside the port.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
    own = ("--device", "cpu") if program == "app.py" else ()
    command = [sys.executable, program, "--port", str(port), *own, *more]
    app = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    address, deadline = f"http://127.0.0.1:{port}", time.time() + START
    while True:
        try:
            urllib.request.urlopen(f"{address}/config", timeout=5).close()
            return app, address
        except OSError:
            if time.time() > deadline or app.poll() is not None:
                app.kill()
                raise ValueError("the app did not start; run python app.py to see why.") from None
            time.sleep(0.05)


def settled(pid: int) -> None:
    """Wait until the examples are prepared or explained: the server has no child, its processor time stands still."""

    def used() -> int:
        return sum(map(int, Path(f"/proc/{pid}/stat").read_text().split()[13:15]))

    deadline = time.time() + START
    while time.time() < deadline:
        before = used()
        time.sleep(2)
        if used() - before < 20 and not child_processes(pid):  # a tenth of one core
            return


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


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Start the server and the students, and wait for the end of the lesson."""
    torch.set_num_threads(1)
    where = machine.provenance()
    with open_session() as (expected, app, address):
        by_script(address, expected)
        readings = [reading(app.pid)]
        end = time.time() + args.seconds
        students = [Student(n, address, expected, end, args.pause) for n in range(args.students)]
        for student in students:
            student.start()
        while time.time() < end:
            time.sleep(min(EVERY, args.seconds / 8))
            readings.append(reading(app.pid))
        for student in students:
            student.join(90)
    return {
        "benchmark": "load", "machine": where, "students": args.students, "seconds": args.seconds,
        "rows": action_rows(students), "errors": all_errors(students), "growth": growth(readings),
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
        "", f"{report['students']} students, {report['seconds']:.0f} s: {len(errors)} errors or mixed-up answers",
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
