"""Standard streams and signals of a program: output that never raises, and a prompt exit."""

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

from afa_viz.encodings import escape_unencodable


def prepare_streams() -> None:
    """Make `sys.stdin`, `stdout` and `stderr` usable: closed ones lead nowhere, and letters that a console lacks (those
    of a Windows code page, or bytes of a file's name that are not text) are written in a plain form or as escapes.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, _null_stream(mode))
    escape_unencodable()


def announce(*lines: str) -> None:
    """Print lines and flush. Once the stream is closed, all later lines are dropped."""
    try:
        print(*lines, sep="\n", flush=True)
    except OSError:
        sys.stdout = _null_stream("w")


def format_error(error: Exception) -> str:
    """An error as one sentence; an OSError names the file and the reason."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename} cannot be used: {error.strerror.lower()}; choose another place, or make room there."
    if isinstance(error, OSError) and error.strerror:
        return f"the system refused to write or read: {error.strerror.lower()}; make room, or choose another place."
    return str(error) or type(error).__name__


def _null_stream(mode: str) -> TextIO:
    return cast(TextIO, open(os.devnull, mode, encoding="utf-8"))


def exit_now(code: int) -> NoReturn:
    """Exit the process now, after its exit handlers, without waiting for threads.

    A regular interpreter shutdown would abort the process while threads still compute in C++.
    """
    with suppress(Exception):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """While the block runs, Ctrl-C and termination signals call `exit_now`; a second one kills the process.

    A signal that was ignored before stays ignored. Outside the main thread this does nothing.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, _exit_on_signal)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit_on_signal(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    exit_now(128 + number)
