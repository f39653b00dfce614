"""The app as a process of its own, and what a browser does for one visitor of it."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.growth import child_processes

ROOT = Path(__file__).parents[1]
START = 180  # seconds that the server may take to explain all examples


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
