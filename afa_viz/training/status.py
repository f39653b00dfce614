"""The state of a run, readable from other processes: `status.json`, and a lock that only a live process holds."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

from afa_viz.training.machine_errors import explain_machine_error

STATUS, LOCK = "status.json", "run.lock"
LOCK_TIMEOUT = 2.0  # seconds; a reader that checks `is_alive` holds the lock for a moment
RESERVED_BYTES = 1024  # bytes of the file, padded: rewriting the status needs no free space on a full disk


ENDED = ("stopped", "finished", "failed")
DOING = ("starting", "rendering", "training", *ENDED)


@dataclass(frozen=True)
class Status:
    """The last reported state of a run.

    Attributes:
        doing: "starting", "rendering" or "training"; once it has ended "stopped", "finished" or "failed".
        done, of: images rendered so far and in total, while rendering. message: why it failed. pid: of its process, 0
            where it has none yet.
    Raises: ValueError: for values of another kind.
    """

    doing: str = "starting"
    done: int = 0
    of: int = 0
    message: str = ""
    pid: int = 0

    def __post_init__(self) -> None:
        numbers = (self.done, self.of, self.pid)
        if not all(type(number) is int and 0 <= number < 2**31 for number in numbers):
            raise ValueError(f"done, of and pid are {numbers}; expected whole numbers from 0.")
        if self.doing not in DOING or not isinstance(self.message, str):
            raise ValueError(f"doing is {self.doing!r}; expected one of {', '.join(DOING)}, and a message.")


def read_status(folder: Path) -> Status | None:
    """The status of the run in a folder; None where there is none that can be read."""
    try:
        return Status(**json.loads((folder / STATUS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def write_status(folder: Path, status: Status) -> None:
    """Write `status.json`, atomically; on a full disk in place, or else the old file is removed: a stale status must
    not remain.

    Raises: OSError: if it cannot be written.
    """
    path, partial = folder / STATUS, folder / f"{STATUS}.partial"
    text = json.dumps(asdict(status)).ljust(RESERVED_BYTES - 1) + "\n"
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        if not path.exists():
            raise
        try:
            _overwrite(path, text)
        except OSError:
            path.unlink(missing_ok=True)
            raise


def _overwrite(path: Path, text: str) -> None:
    """Write into the room that a file has."""
    with open(path, "r+b") as file:
        file.write(text.encode("utf-8"))
        file.truncate()


def is_alive(folder: Path) -> bool:
    """Whether a process trains in a folder now: the lock of a dead one is free, however it died.

    A lock that cannot be opened, such as one of another user, counts as free: False.
    """
    if not (folder / LOCK).exists():
        return False
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


class Reporter:
    """Writes the status of this process's run; without a folder it does nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def update(self, doing: str, done: int = 0, of: int = 0, message: str = "") -> None:
        """Write the status."""
        if self._folder is not None:
            write_status(self._folder, Status(doing, done, of, message, os.getpid()))


@contextlib.contextmanager
def report_status(folder: str | os.PathLike[str], is_main: bool = True) -> Iterator[Reporter]:
    """Run a training in a folder that no other process trains in; how it ends is written into its status.

    SIGTERM ends the block as Ctrl-C does, with `Terminated`, a `KeyboardInterrupt`. Use `Reporter.update` for the
    states in between; a block that returns without setting one counts as finished.

    Args:
        is_main: False in all but rank 0 of a distributed run: the other processes write and lock nothing.
    Raises: ValueError: if another process trains in the folder. OSError: in one sentence, if disk or memory ran out.
    """
    path = Path(folder)
    if not is_main:
        with _interrupted_by_sigterm():
            yield Reporter(None)
        return
    path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path / LOCK, timeout=LOCK_TIMEOUT)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(
            f"another process trains in {path} already; expected one at a time: wait for it or choose another folder."
        ) from None
    reporter = Reporter(path)
    with lock, _interrupted_by_sigterm():
        reporter.update("starting")
        try:
            yield reporter
        except KeyboardInterrupt:
            reporter.update("stopped")
            raise
        except Exception as error:
            reason = explain_machine_error(error)
            with contextlib.suppress(OSError):  # a full disk takes no status; the error itself goes on its way
                reporter.update("failed", message=reason or str(error) or type(error).__name__)
            if reason is None:
                raise
            raise OSError(reason) from error


class Terminated(KeyboardInterrupt):
    """SIGTERM was received; `exit_code` is that of a process ended by it."""

    exit_code = 128 + signal.SIGTERM


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Only a main thread may choose what a signal does; elsewhere nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def delayed_interrupts() -> Iterator[None]:
    """SIGTERM and Ctrl-C that come inside the block take effect after it: saving must not be interrupted.

    When one of several processes dies, the others are ended while they save what they have.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {kind: signal.signal(kind, lambda number, _: came.append(number)) for kind in _SIGNALS}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
        for number in came[:1]:
            signal.raise_signal(number)


_SIGNALS = (signal.SIGTERM, signal.SIGINT)
