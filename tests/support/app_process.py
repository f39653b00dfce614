"""`python app.py` as a process of its own, with a small network: what tests of starting, serving and ending share."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app_fixtures import prepare

ROOT = Path(__file__).parents[2]
PATIENCE = 120  # seconds; a test machine may be busy
SAID = "AFA Viz is at "
OTHER_USER = 54321  # an account that this computer does not know
AS_OTHER_USER = (  # it may read what this one may, as Python may lie in a home folder, but write nothing of it
    "setpriv", f"--reuid={OTHER_USER}", f"--regid={OTHER_USER}", "--clear-groups",
    "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search",
)  # fmt: skip


class App:
    """A running `app.py`."""

    def __init__(self, process: subprocess.Popen, folder: Path, log: Path) -> None:
        self.process, self.folder, self._log = process, folder, log

    @property
    def log(self) -> str:
        """What it has said so far, to both streams."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def until(self, true: Callable[[], object]) -> None:
        """Wait until something is true, while the process lives."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < deadline and self.process.poll() is None, self.log
            time.sleep(0.05)

    def address(self) -> str:
        """Where it says that it is, without a slash at the end."""
        self.until(lambda: f"{SAID}http" in self.log and "\n" in self.log.partition(SAID)[2])
        return self.log.partition(SAID)[2].split()[0]

    def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal; the code that it ends with."""
        self.process.send_signal(number)
        return self.process.wait(30)


def arguments(folder: Path) -> list[str]:
    """Options for a small network and its examples, which are made if they are not there."""
    if not (folder / "examples").exists():
        folder.mkdir(parents=True, exist_ok=True)
        prepare(folder)
    checkpoint = folder / "checkpoints" / "tiny"
    return ["--checkpoint", str(checkpoint), "--examples", str(folder / "examples"), "--device", "cpu"]


@contextmanager
def started(
    folder: Path, *more: str, code: Sequence[str] = ("app.py",), before: Sequence[str] = (), **options: Any
) -> Iterator[App]:
    """`app.py` with a small network; it is killed with the block, if it has not ended.

    Args:
        folder: for the network, and for its temporary files.
        more: arguments. code: of Python, in place of `app.py`. before: a program that starts Python.
        options: of `subprocess.Popen`; `env` is added to a small environment, None leaves a variable out.
    """
    temporary = folder / "tmp"
    if not temporary.exists():
        temporary.mkdir(parents=True)
        temporary.chmod(0o1777)
    log = folder / f"log-{len(list(folder.glob('log-*')))}.txt"
    environment: dict[str, str | None] = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1", "GRADIO_ANALYTICS_ENABLED": "False", "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(ROOT), **options.pop("env", {}),
    }  # fmt: skip
    with open(log, "w") as file:
        process = subprocess.Popen(
            [*before, sys.executable, *code, *arguments(folder), *more],
            env={name: value for name, value in environment.items() if value is not None},
            **{"cwd": ROOT, "stdout": file, "stderr": file, **options},
        )
    try:
        yield App(process, folder, log)
    finally:
        process.kill()
        process.wait()


@contextmanager
def open_folder(name: str) -> Iterator[Path]:
    """A folder that every account can reach; pytest's own ones are closed to others."""
    folder = Path("/tmp" if os.name == "posix" else os.environ["TEMP"]) / f"afa-test-{os.getpid()}-{name}"
    folder.mkdir()
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
