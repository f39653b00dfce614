"""What a run is doing, for whoever looks from outside: `status.json`, and a lock that only a living process holds."""

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

from afa_viz.training.faults import sentence

STATUS, LOCK = "status.json", "run.lock"
PATIENCE = 2.0  # seconds; somebody who only asks holds the lock for a moment
ROOM = 1024  # bytes of the file: a later status needs no more of a disk that is full


ENDED = ("stopped", "finished", "failed")
DOING = ("starting", "rendering", "training", *ENDED)


@dataclass(frozen=True)
class Status:
    """What a run last said.

    Attributes:
        doing: "starting", "rendering", "training", or how it ended: "stopped", "finished", "failed".
        done, of: pictures while rendering. message: why it failed. pid: of its process, 0 where it has none yet.
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
    """Write `status.json`, whole or not at all; on a full disk over the older one, or else that one goes: it must not
    go on saying what is no longer so.

    Raises: OSError: if it can not be written.
    """
    path, partial = folder / STATUS, folder / f"{STATUS}.partial"
    text = json.dumps(asdict(status)).ljust(ROOM - 1) + "\n"
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        if not path.exists():
            raise
        try:
            _write_over(path, text)
        except OSError:
            path.unlink(missing_ok=True)
            raise


def _write_over(path: Path, text: str) -> None:
    """Write into the room that a file has."""
    with open(path, "r+b") as file:
        file.write(text.encode("utf-8"))
        file.truncate()


def is_alive(folder: Path) -> bool:
    """Whether a process trains in a folder now: the lock of a dead one is free, however it died.

    A lock that can not be opened, such as one of another user, says nothing: False.
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
    """Says what the run of this process does; without a folder it says nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def say(self, doing: str, done: int = 0, of: int = 0, message: str = "") -> None:
        """Write the status."""
        if self._folder is not None:
            write_status(self._folder, Status(doing, done, of, message, os.getpid()))


@contextlib.contextmanager
def reported(folder: str | os.PathLike[str], first: bool = True) -> Iterator[Reporter]:
    """Run a training in a folder that no other process trains in; how it ends is written into its status.

    SIGTERM ends the block as Ctrl-C does, with `Terminated`, a `KeyboardInterrupt`. Use `Reporter.say` for what happens
    in between; a block that ends without a word has finished.

    Args:
        first: False in all but the first of several processes that train one model: they say and lock nothing.
    Raises: ValueError: if another process trains in the folder. OSError: in one sentence, if disk or memory ran out.
    """
    path = Path(folder)
    if not first:
        with _interrupted_by_sigterm():
            yield Reporter(None)
        return
    path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path / LOCK, timeout=PATIENCE)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(
            f"another process trains in {path} already; expected one at a time: wait for it or choose another folder."
        ) from None
    reporter = Reporter(path)
    with lock, _interrupted_by_sigterm():
        reporter.say("starting")
        try:
            yield reporter
        except KeyboardInterrupt:
            reporter.say("stopped")
            raise
        except Exception as error:
            told = sentence(error)
            with contextlib.suppress(OSError):  # a full disk takes no status; the error itself goes on its way
                reporter.say("failed", message=told or str(error) or type(error).__name__)
            if told is None:
                raise
            raise OSError(told) from error


class Terminated(KeyboardInterrupt):
    """A process was asked to end with SIGTERM; what its exit code says, too."""

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
def interrupted_later() -> Iterator[None]:
    """SIGTERM and Ctrl-C that come inside the block take effect behind it: for saving, which has to end.

    When one of several processes dies, the others are ended while they save what they have.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {kind: signal.signal(kind, lambda number, _: came.append(number)) for kind in _ENDING}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
        for number in came[:1]:
            signal.raise_signal(number)


_ENDING = (signal.SIGTERM, signal.SIGINT)
