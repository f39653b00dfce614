"""Memory that is free goes back to the system.

glibc keeps what it was given for the next time, in an arena for every few threads: a server whose threads take turns at
large tensors holds twice what it uses. Blocks of a memory map of their own would go back at once, but each stage would
pay for its pages anew: a trace takes half as long again. So all arenas are trimmed now and then, between explanations
rather than within a visitor's, which is made in two parts.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable

WITHIN = 4.0  # seconds that a trim waits for quiet at most: what it costs is then lost among the explanations
LOOK = 0.25  # seconds between two looks whether it is quiet


def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, TypeError, OSError):  # another C library, or Windows
        return None


class MemoryTrimmer:
    """Gives free memory back; does nothing where the C library can not.

    Args:
        is_quiet: whether nobody waits for anything.
        within: seconds that `trim_when_idle` waits for that at most.
        release: lets go of what can be made again; called before memory is given back.
    """

    def __init__(
        self, is_idle: Callable[[], bool], within: float = WITHIN, release: Callable[[], None] = lambda: None
    ) -> None:
        self._is_quiet, self._within, self._waiting = is_idle, within, threading.Lock()
        self._release = release
        self._trim = _malloc_trim()

    def trim_when_idle(self) -> None:
        """Once it is quiet, in a thread of its own; many calls until then are one."""
        if self._trim is not None and self._waiting.acquire(blocking=False):
            threading.Thread(target=self._trim_once_idle, daemon=True).start()

    def _trim_once_idle(self) -> None:
        until = time.monotonic() + self._within
        while time.monotonic() < until and not self._is_quiet():
            time.sleep(LOOK)
        self._waiting.release()  # before: what is freed from now on needs another one
        self.now()

    def now(self) -> bool:
        """Whether memory could be given back."""
        self._release()
        return self._trim is not None and self._trim(0) >= 0
