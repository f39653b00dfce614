"""Page latency while many clients make expensive requests: reports, comparisons, and photographs of the largest size.

Run: python -m afa_viz bench crowd [--reports 44] [--comparisons 12] [--photographs 30] [--json FILE]

All of them are sent at once, to a separate server, each for another explanation or with other pixels. Meanwhile the
page is opened again and again. What is refused must be one sentence, and everything else an answer.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import threading
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks import machine
from benchmarks.growth import reading
from benchmarks.load import p95
from benchmarks.measurements import Measurement
from benchmarks.served_app import Page, serve, settled

EXAMPLE = "default_216"  # of the bundled ones
MAX_OPEN_SECONDS = 1.0  # seconds within which the page opens, always
SIDES = (8000, 5000)  # pixels, together as many as a photograph may have; 16 bits each of red, green, blue and alpha
TIMEOUT = 900  # seconds for an answer
PAUSE = 0.2  # seconds between two visits of the page
VISITS = """
import sys, threading, time, urllib.request
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
while not ended.is_set():
    began = time.perf_counter()
    urllib.request.urlopen(sys.argv[1] + "/").read()
    print(time.perf_counter() - began, flush=True)
    time.sleep(float(sys.argv[2]))
"""
KINDS = ("report", "comparison", "photograph")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--reports", type=int, default=44, help="at once (default: 44)")
    parser.add_argument("--comparisons", type=int, default=12, help="at once (default: 12)")
    parser.add_argument("--photographs", type=int, default=30, help="at once (default: 30)")


def photographs(count: int, sides: tuple[int, int] = SIDES) -> list[bytes]:
    """PNG files of the same size, black but for their last row, which is another shade in each."""
    (width, height), packer = sides, zlib.compressobj(1)
    packed = b"".join(packer.compress(bytes(1 + 8 * width)) for _ in range(height - 1))
    found = []
    for number in range(count):
        last = packer.copy()
        row = b"\0" + bytes([number % 256]) * 8 * width
        data = packed + last.compress(row) + last.flush()
        header = struct.pack(">IIBBBBB", width, height, 16, 6, 0, 0, 0)
        parts = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
        found.append(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts))
    return found


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


class Visitor:
    """One client: its request, the time it took and how it ended: "answered", "refused", or an error."""

    def __init__(self, kind: str, ask: Callable[[], dict[str, Any] | None]) -> None:
        self.kind, self.seconds, self.end = kind, 0.0, "never answered"
        self._ask = ask
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        began = time.perf_counter()
        try:
            answer = self._ask()
            sentence = (answer or {}).get("refused")
            if not answer:
                self.end = "nothing came back"
            elif sentence is None:
                self.end = "answered"
            else:
                self.end = "refused" if sentence.endswith(".") and "\n" not in sentence else f"refused: {sentence!r}"
        except Exception as error:  # whatever it is, it is counted
            self.end = repr(error)
        self.seconds = time.perf_counter() - began


class Crowd:
    """All requests, prepared before timing starts."""

    def __init__(self, address: str, args: argparse.Namespace, example: str = EXAMPLE) -> None:
        self.page, self.example = Page(address), example
        self.files, self.pages = photographs(args.photographs), [Page(address) for _ in range(args.photographs)]
        self.keys = [self._explained(number) for number in range(max(args.reports, args.comparisons))]
        self.visitors = [
            *(Visitor(KINDS[0], lambda n=n: self.report(n)) for n in range(args.reports)),
            *(Visitor(KINDS[1], lambda n=n: self.comparison(n)) for n in range(args.comparisons)),
            *(Visitor(KINDS[2], lambda n=n: self.photograph(n)) for n in range(args.photographs)),
        ]

    def _explained(self, number: int) -> str:
        settings = {"bkg_score_low": 0.2 + number / 1000}
        return self.page.event("explain", [None, f"example:{self.example}", None, settings, None])[0]["key"]

    def _asked(self, name: str, **asked: Any) -> dict[str, Any] | None:
        body = {"data": asked, "component_id": self.page.explorer, "fn_name": name, "session_hash": self.page.session}
        sent = _post(f"{self.page.api}/component_server", json.dumps(body).encode(), "application/json")
        return json.loads(json.loads(sent))

    def report(self, number: int) -> dict[str, Any] | None:
        """Save a report."""
        return self._asked("export_file", key=self.keys[number], kind="html", label=1, cell=[0, 0])

    def comparison(self, number: int) -> dict[str, Any] | None:
        """Compare with another walk."""
        return self._asked("compare", key=self.keys[number], b={"setting": "power", "value": 2.5})

    def photograph(self, number: int) -> dict[str, Any] | None:
        """Upload a photograph and explain it."""
        edge = "edge-of-a-part"
        head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'.encode()
        body = head + self.files[number] + f"\r\n--{edge}--\r\n".encode()
        (path,) = json.loads(_post(f"{self.page.api}/upload", body, f"multipart/form-data; boundary={edge}"))
        page, file = self.pages[number], {"path": path, "meta": {"_type": "gradio.FileData"}}
        joined = {"data": [file, None, None, None, None], "fn_index": page.functions["explain"], "event_data": None}
        page.post("queue/join", joined | {"trigger_id": page.gallery, "session_hash": page.session})
        with urllib.request.urlopen(f"{page.api}/queue/data?session_hash={page.session}", timeout=TIMEOUT) as stream:
            for line in stream:
                message = json.loads(line[5:]) if line.startswith(b"data:") else {}
                if message.get("msg") == "process_completed":
                    output = message["output"]
                    return output["data"][0] if message["success"] else {"refused": output["error"]}
        return None


def _post(address: str, body: bytes, kind: str) -> bytes:
    request = urllib.request.Request(address, body, {"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        return answer.read()


def measure(address: str, pid: int, args: argparse.Namespace, example: str = EXAMPLE) -> dict[str, Any]:
    """Send all requests, and open the page from another process until all have ended."""
    crowd, peak = Crowd(address, args, example), 0.0
    began = time.perf_counter()
    with record_visits(address) as visits:
        for visitor in crowd.visitors:
            visitor.thread.start()
        while any(v.thread.is_alive() for v in crowd.visitors) and time.perf_counter() - began < TIMEOUT:
            peak = max(peak, reading(pid)["memory"])
            time.sleep(PAUSE)
    rows = []
    for kind in KINDS:
        mine = [visitor for visitor in crowd.visitors if visitor.kind == kind]
        ends = {end: sum(visitor.end == end for visitor in mine) for end in sorted({v.end for v in mine})}
        rows.append({"kind": kind, "ends": ends, "longest": max((v.seconds for v in mine), default=0.0)})
    return {"seconds": time.perf_counter() - began, "visits": visits, "peak": peak, "rows": rows}


@contextmanager
def record_visits(address: str) -> Iterator[list[float]]:
    """Visits of the page while the block runs, by a separate process; their seconds are there once it has ended."""
    times: list[float] = []
    command = [sys.executable, "-c", VISITS, address, str(PAUSE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as visits:
        try:
            yield times
        finally:
            found, _ = visits.communicate("")
            times.extend(map(float, found.split()))


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Serve, measure, and end the server."""
    where = machine.provenance()
    app, address = serve()
    try:
        settled(app.pid)
        with record_visits(address) as idle:
            time.sleep(20 * PAUSE)
        found = measure(address, app.pid, args)
    finally:
        app.terminate()
        app.wait(30)
    load = os.getloadavg()[1] if hasattr(os, "getloadavg") else None
    return {"benchmark": "crowd", "machine": where, "idle": idle, "load_after": load, **found}


def count_failures(report: dict[str, Any]) -> int:
    """Number of clients that got neither an answer nor an error message."""
    return sum(n for row in report["rows"] for end, n in row["ends"].items() if end not in ("answered", "refused"))


def measurements_of(report: dict[str, Any]) -> list[Measurement]:
    """Slowest page load, and the number of requests without a proper answer."""
    return [
        Measurement("Crowd at once: the app opens within, always", max(report["visits"]), MAX_OPEN_SECONDS, "s"),
        Measurement("Crowd at once: visitors without an answer or a sentence", float(count_failures(report)), 0.0, ""),
    ]


def table(report: dict[str, Any]) -> str:
    """The report as text."""
    visits = report["visits"]
    lines = [
        machine.heading(report["machine"]), "",
        f"the page alone: median {1000 * statistics.median(report['idle']):.0f} ms",
        f"the page meanwhile, {len(visits)} visits: median {1000 * statistics.median(visits):.0f} ms, "
        f"95 % {1000 * p95(visits):.0f} ms, longest {1000 * max(visits):.0f} ms",
        f"all done in {report['seconds']:.0f} s, memory at most {report['peak']:.0f} MB", "",
    ]  # fmt: skip
    for row in report["rows"]:
        ends = ", ".join(f"{count} {end}" for end, count in row["ends"].items())
        lines.append(f"{row['kind']:12s} {ends}; the longest took {row['longest']:.1f} s")
    return "\n".join(lines)
