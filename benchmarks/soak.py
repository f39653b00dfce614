"""Long mixed use of the app: errors, and growth of memory, open files and threads.

Run: python -m afa_viz bench soak [--minutes 20] [--visitors 4] [--pause 2] [--json FILE]

Visitors open examples, upload photographs (a new one each time), move thresholds, ask for cells, save files, answer the
lab, and send nonsense. Every answer is checked: against the expected trace, the first bytes of a file, or the sentence
of a refusal. What grows is told as benchmarks/growth.py says.
"""

from __future__ import annotations

import argparse
import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import machine
from benchmarks.app import photograph
from benchmarks.growth import EVERY, WARM_UP, growth, growth_figures, growth_lines, reading
from benchmarks.load import action_lines, action_rows, all_errors, open_session
from benchmarks.measurements import Measurement
from benchmarks.students import Student

TIMEOUT = 90  # seconds for the last answers
MAGIC = {"png": b"\x89PNG", "npz": b"PK\x03\x04", "html": b"<!doctype html>"}
WRONG = (  # endpoint, what is sent, a part of the sentence that must come back
    ("query", ["0" * 20, 0, 0, None], "does not hold this key"),
    ("query", [None, 99, float(10**30), "x"], "does not hold this key"),
    ("export", ["0" * 20, "exe", None, None, None], "does not hold this key"),
    ("explain", [None, "example:../../etc/passwd", None, None, None], "no such example"),
    ("explain", [None, "upload:0123456789abcdef", None, None, None], "expected example:NAME"),
    ("explain", [None, "data:../x", ["cat"], {"radius": -1}, None], "in the data set"),
    ("explain", [None, "data:val_0001", None, {"radius": 10**40}, None], "Radius of the window"),
    ("explain", [None, "data:val_0001", ["unicorn"], None, None], "'unicorn' is not a class"),
    ("explain", [None, "data:val_0001", None, None, {"a": [1]}], "There is no model"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--minutes", type=float, default=20, help="how long (default: 20)")
    parser.add_argument("--visitors", type=int, default=4, help="at the same time (default: 4)")
    parser.add_argument("--pause", type=float, default=2, help="mean seconds between two actions (default: 2)")


class Visitor(Student):
    """A student who also uploads photographs, saves files, uses the endpoints and sends invalid requests."""

    actions = ("example", "upload", "threshold", "query", "export", "attention", "lab", "nonsense", "wrong_file")

    def send(self, name: str, content: bytes) -> dict[str, Any]:
        """Upload a file; what an endpoint takes for it."""
        edge = f"edge-{self.random.getrandbits(60):x}"
        head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{edge}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={edge}"}
        asked = urllib.request.Request(f"{self.page.api}/upload", body, kind)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            (path,) = json.load(answer)
        return {"path": path, "meta": {"_type": "gradio.FileData"}}

    def upload(self):
        """Explain a new, uncached photograph."""
        file = self.send("photo.jpg", base64.b64decode(photograph(self.random.getrandbits(30))))
        (found,) = self.page.event("explain", [file, None, [], {}, None])

        def check() -> None:
            assert found["image_labels"] and not found["labels_given"] and found["miou"] is None
            assert abs(sum(found["regions"].values()) - 1) < 1e-4 and max(found["size"]) == self.side()

        return check

    def side(self) -> int:
        return self.expected.session.registry.input_size(self.expected.model) or 0

    def query(self):
        """Request a cell of the current image, of the last block."""
        trace = self.expected.session.trace(self.expected.request(self.place, self.low))
        row, column = self.random.randrange(trace.grid[0]), self.random.randrange(trace.grid[1])
        (found,) = self.page.event("query", [self.key, row, column, None])

        def check() -> None:
            wanted = trace.affinity[row * trace.grid[1] + column].numpy()
            assert np.abs(np.array(found["affinity"]) - wanted).max() < 0.01
            assert all(abs(sum(head) - 1) < 1e-3 for head in found["attention"])

        return check

    def export(self):
        """Export the current image in one of the three formats, and download the file."""
        kind = self.random.choice(list(MAGIC))
        (file,) = self.page.event("export", [self.key, kind, None, None, None])
        with urllib.request.urlopen(f"{self.page.api}/file={urllib.parse.quote(file['path'])}", timeout=60) as answer:
            content = answer.read()

        def check() -> None:
            assert content[: len(MAGIC[kind])].lower() == MAGIC[kind].lower() and len(content) > 10_000

        return check

    def nonsense(self):
        """Send invalid requests."""
        name, data, sentence = self.random.choice(WRONG)
        return self.refusal(name, data, sentence)

    def wrong_file(self):
        """Upload files that are not images."""
        content = self.random.choice([b"", b"<svg onload=alert(1)>", base64.b64decode(photograph(1))[:9000]])
        return self.refusal("explain", [self.send("photo.png", content), None, None, None, None], "please choose")

    def refusal(self, name: str, data: list, sentence: str):
        """Check that a request is rejected with the expected message."""
        try:
            self.page.event(name, data)
            said = "nothing was refused"
        except RuntimeError as error:
            said = str(error)

        def check() -> None:
            assert sentence in said and "Traceback" not in said, f"{name} {data}: {said}"

        return check


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Start the server and the visitors, and sample the process until the time is over.

    Raises: ValueError: where there is no /proc, or for too short a time.
    """
    if not Path("/proc/self/status").exists():
        raise ValueError("resident memory is read from /proc, which this system lacks; run this on Linux.")
    if args.minutes * 60 * (1 - WARM_UP) < 3 * EVERY or args.visitors < 1:
        raise ValueError(f"{args.minutes:g} minutes and {args.visitors} visitors; expected at least 0.2 and 1.")
    torch.set_num_threads(1)
    where = machine.provenance()
    with open_session() as (expected, app, address):
        end = time.time() + 60 * args.minutes
        visitors = [Visitor(number, address, expected, end, args.pause) for number in range(args.visitors)]
        for visitor in visitors:
            visitor.start()
        readings = []
        while time.time() < end and app.poll() is None:
            readings.append(reading(app.pid))
            time.sleep(EVERY)
        for visitor in visitors:
            visitor.join(TIMEOUT)
        ended = [] if app.poll() is None else [f"the server ended with {app.returncode}"]
    return {
        "benchmark": "soak", "machine": where, "minutes": args.minutes, "visitors": args.visitors,
        "rows": action_rows(visitors), "errors": all_errors(visitors) + ended, "readings": readings,
        "growth": growth(readings),
    }  # fmt: skip


def measurements_of(report: dict[str, Any]) -> list[Measurement]:
    """Number of errors, and growth compared with its standard error."""
    where = f"Soak, {report['visitors']} visitors, {report['minutes']:g} minutes"
    return [
        Measurement(f"{where}: errors", float(len(report["errors"])), 0.0, ""),
        *growth_figures(where, report["growth"]),
    ]


def table(report: dict[str, Any]) -> str:
    """The report as text."""
    answers = sum(len(row["samples"]) for row in report["rows"])
    errors = report["errors"]
    lines = [
        machine.heading(report["machine"]), "", *action_lines(report["rows"]), "",
        f"{report['visitors']} visitors, {report['minutes']:g} minutes: {answers} answers, {len(errors)} errors, "
        f"error rate {len(errors) / max(1, answers + len(errors)):.2%}",
        *growth_lines(report["growth"]),
    ]  # fmt: skip
    return "\n".join([*lines, "", *sorted(set(errors))[:10]]).rstrip()
