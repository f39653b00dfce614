"""A page of ours in a subprocess, and a headless Chromium that opens it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.growth import child_processes

ROOT = Path(__file__).parents[1]
DRIVER = Path(__file__).with_name("app_driver.js")
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
START_LIMIT = 180.0  # seconds that a server may take to start
WAIT = 120_000  # milliseconds that the page may take for one thing
REST = 1500  # milliseconds after a window was opened
SILENCE = 1500  # milliseconds without a request
SETTLED = ".afa[data-settled]"


@contextmanager
def launch_browser() -> Iterator[Any]:
    """A headless Chromium."""
    path = Path(os.environ.get("CHROMIUM", CHROMIUM))
    how = "install it with `pip install playwright` and `apt-get install chromium`, or name a Chromium in $CHROMIUM."
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise ValueError(f"the page is measured in a browser by playwright, which is missing; {how}") from error
    if not path.exists():
        raise ValueError(f"the page is measured in Chromium, and there is none at {path}; {how}")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(path), args=list(ARGUMENTS))
        try:
            yield chromium
        except Error as error:
            raise OSError(f"the page did not do what was asked: {str(error).splitlines()[0]}") from error
        finally:
            chromium.close()


@contextmanager
def serve_app(checkpoint: str, examples: Path, folder: Path) -> Iterator[str]:
    """The address of `python app.py` in a separate process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(ROOT / "app.py"), "--port", str(port), "--checkpoint", checkpoint]
    command += ["--examples", str(examples), "--cache", str(folder / "cache")]
    address = f"http://127.0.0.1:{port}/"
    with open(folder / "server.txt", "w+", encoding="utf-8") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            until = time.monotonic() + START_LIMIT
            while not is_up(address):
                if server.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    raise OSError(f"the page did not start: {' '.join(log.read().split())[-300:] or 'no word from it'}")
                time.sleep(0.2)
            while child_processes(server.pid) and time.monotonic() < until:  # they prepare the examples
                time.sleep(0.2)
            yield address
        finally:
            server.terminate()
            server.wait(30)


def is_up(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def open_window(chromium: Any) -> Iterator[Any]:
    """An empty page without cache, idle: opening one keeps the CPU busy for a second."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.add_init_script(path=DRIVER)
    page.wait_for_timeout(REST)
    try:
        yield page
    finally:
        context.close()


def load(page: Any, address: str) -> None:
    """Open the app and wait until all of its initial requests are answered."""
    page.goto(address)
    page.wait_for_selector(SETTLED)


@contextmanager
def open_page(chromium: Any, address: str) -> Iterator[Any]:
    """A browser page that shows the app."""
    with open_window(chromium) as page:
        load(page, address)
        yield page


@contextmanager
def record_requests(page: Any) -> Iterator[list[str]]:
    """URLs that the page requests inside the context."""
    seen: list[str] = []

    def watch(request: Any) -> None:
        seen.append(request.url)

    page.on("request", watch)
    try:
        yield seen
    finally:
        page.remove_listener("request", watch)


def wait_for_silence(page: Any) -> None:
    """Wait until the requests that a tab makes on opening are answered."""
    until = time.monotonic() + WAIT / 1000
    while time.monotonic() < until:
        with record_requests(page) as seen:
            page.wait_for_timeout(SILENCE)
        if not seen and page.evaluate("bench.rests()"):
            return
    raise OSError("a tab of the page goes on asking the server; expected it to come to rest.")
