"""The terminal that a program runs in, or the lack of one: output that never stops it, and an end at any moment."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn, TextIO, cast

from afa_viz.encodings import print_anything


def prepare_streams() -> None:
    """Make `sys.stdin`, `stdout` and `stderr` usable: closed ones lead nowhere, and letters that a console lacks (those
    of a Windows code page, or bytes of a file's name that are no text) are written in a plain form or as escapes.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, _nowhere(mode))
    print_anything()


def announce(*lines: str) -> None:
    """Print lines at once. Where nobody reads them any more, all later ones are dropped too."""
    try:
        print(*lines, sep="\n", flush=True)
    except OSError:
        sys.stdout = _nowhere("w")


def format_error(error: Exception) -> str:
    """An error as a sentence; the system's own ones name a file or folder and what is wrong with it."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename} cannot be used: {error.strerror.lower()}; choose another place, or make room there."
    if isinstance(error, OSError) and error.strerror:
        return f"the system refused to write or read: {error.strerror.lower()}; make room, or choose another place."
    return str(error) or type(error).__name__


def _nowhere(mode: str) -> TextIO:
    return cast(TextIO, open(os.devnull, mode, encoding="utf-8"))


def leave(code: int) -> NoReturn:
    """End the process now, after its exit functions, without waiting for threads.

    Python's own end takes the interpreter away from threads that compute in C++, which then abort the process.
    """
    with suppress(Exception):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """While the block runs, Ctrl-C and the signals that end a process call `leave`, a second one ends it at once.

    A signal that was ignored before stays ignored. In another thread than the main one this does nothing.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, _leave_on)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_on(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    leave(128 + number)
