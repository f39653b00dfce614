"""Return free memory to the operating system, and refuse what would need more than there is.

glibc keeps freed memory in arenas, one for every few threads: a server whose threads allocate large tensors in turn
holds twice the memory that it uses. Allocating every block by mmap would return memory at once, but each stage would
have to fault its pages in again, and a trace would take half as long again. So there are two arenas for all threads,
which took a class of thirty from 1400 MB to 1050, and they are trimmed from time to time, between explanations rather
than within one, which is computed in two parts.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import time
from collections.abc import Callable

from afa_viz.stages.memory import free_memory
from afa_viz.ui.errors import UserError
from afa_viz.ui.localization import error_message

MAX_WAIT = 4.0  # seconds that a trim waits until the server is idle; on a busy server its cost is negligible
POLL_INTERVAL = 0.25  # seconds
ARENAS = 2
M_ARENA_MAX = -8  # of malloc.h


def limit_arenas() -> None:
    """Let all threads allocate from two arenas; does nothing if the C library cannot, or MALLOC_ARENA_MAX is set."""
    if "MALLOC_ARENA_MAX" not in os.environ:
        with contextlib.suppress(AttributeError, TypeError, OSError):  # another C library, or Windows
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, TypeError, OSError):  # another C library, or Windows
        return None


class MemoryTrimmer:
    """Returns free memory to the system; does nothing if the C library cannot.

    Args:
        is_idle: whether the server is idle.
        max_wait: seconds that `trim_when_idle` waits for that at most.
        release: frees what can be computed again; called before memory is trimmed.
    """

    def __init__(
        self, is_idle: Callable[[], bool], max_wait: float = MAX_WAIT, release: Callable[[], None] = lambda: None
    ) -> None:
        self._is_idle, self._max_wait, self._waiting = is_idle, max_wait, threading.Lock()
        self._release = release
        self._trim = _malloc_trim()

    def trim_when_idle(self) -> None:
        """Trim in a new thread as soon as the server is idle; calls until then are merged."""
        if self._trim is not None and self._waiting.acquire(blocking=False):
            threading.Thread(target=self._trim_once_idle, daemon=True).start()

    def _trim_once_idle(self) -> None:
        until = time.monotonic() + self._max_wait
        while time.monotonic() < until and not self._is_idle():
            time.sleep(POLL_INTERVAL)
        self._waiting.release()  # first, since memory that is freed from now on needs another trim
        self.trim()

    def trim(self) -> bool:
        """Trim now; returns whether memory could be returned."""
        self._release()
        return self._trim is not None and self._trim(0) >= 0


def require_memory(size: tuple[int, int], needed: int) -> None:
    """Raises: UserError: if the system has less memory than an explanation needs, and would kill the server.

    Args:
        size: (H, W) of the image. needed: in bytes.
    """
    free = free_memory()
    if free is not None and needed > free:
        sizes = {"needed": f"{needed / 2**30:.1f}", "free": f"{free / 2**30:.1f}"}
        raise UserError(error_message("refused.picture_memory", width=size[1], height=size[0], **sizes))
