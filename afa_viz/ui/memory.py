"""Memory that is free goes back to the system.

glibc keeps what it was given for the next time, in an arena for every few threads: a server whose threads take turns at
large tensors holds twice what it uses. Blocks of a memory map of their own would go back at once, but each stage would
pay for its pages anew: a trace takes half as long again. So all arenas are trimmed now and then.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable

EVERY = 2.0  # seconds at least between two trims: what each costs is then lost among the explanations


def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, TypeError, OSError):  # another C library, or Windows
        return None


class Trimmer:
    """Gives free memory back, not more often than every so many seconds; does nothing where the C library can not."""

    def __init__(self, every: float = EVERY) -> None:
        self._every, self._last, self._lock = every, 0.0, threading.Lock()
        self._trim = _malloc_trim()

    def __call__(self, at_once: bool = False) -> bool:
        """Whether memory was given back now; `at_once` asks for it whenever the last time was."""
        if self._trim is None or not self._lock.acquire(blocking=False):
            return False
        try:
            now = time.monotonic()
            if now - self._last < self._every and not at_once:
                return False
            self._trim(0)
            self._last = now
            return True
        finally:
            self._lock.release()
