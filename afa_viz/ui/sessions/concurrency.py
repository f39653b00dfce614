"""Limits of what runs at the same time: events, threads, explanations and other expensive computations."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from afa_viz.ui.errors import BusyError
from afa_viz.ui.localization import error_message

EXPLANATIONS_AT_ONCE = 2  # limit of every event that may run the network
# reports, posters, comparisons, CRFs, explanations by large networks: running at a time, and waiting
EXPENSIVE_AT_ONCE, EXPENSIVE_WAITING = 2, 10
LARGE_NETWORK = 40_000_000  # parameters; MiT-B3 has 45 million
# Events of gradio's queue that run at a time, by origin. The app and the API have more of them than expensive requests
# can occupy, so that some are always left for the others.
PAGE_EVENTS, UPLOAD_EVENTS, API_EVENTS = (
    EXPENSIVE_AT_ONCE + EXPENSIVE_WAITING + 4,
    4,
    EXPENSIVE_AT_ONCE + EXPENSIVE_WAITING + 4,
)
EVENT_THREADS = PAGE_EVENTS + UPLOAD_EVENTS + API_EVENTS + 4  # beside the threads that serve the app's files
ANSWER_THREADS = 2 * (EXPENSIVE_AT_ONCE + EXPENSIVE_WAITING)  # for the server functions that browsers call


class ConcurrencyLimit:
    """A semaphore that admits threads in the order of their arrival.

    Args:
        at_once: threads inside.
        waiting: threads in the queue, None for any number; the next one gets a `BusyError`.
    """

    def __init__(self, at_once: int, waiting: int | None = None) -> None:
        self._at_once, self._max_waiting = at_once, waiting
        self._lock = threading.Lock()
        self._queue: deque[threading.Event] = deque()
        self._inside = 0
        self._thread = threading.local()

    @property
    def in_use(self) -> bool:
        """Whether a thread is inside."""
        return self._inside > 0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a slot; reentrant for the same thread. Raises: BusyError: if the queue is full."""
        if getattr(self._thread, "inside", False):
            yield
            return
        self._enter()
        self._thread.inside = True
        try:
            yield
        finally:
            self._thread.inside = False
            self._leave()

    def _enter(self) -> None:
        with self._lock:
            if self._inside < self._at_once:
                self._inside += 1
                return
            if self._max_waiting is not None and len(self._queue) >= self._max_waiting:
                raise BusyError(error_message("refused.busy"))
            turn = threading.Event()
            self._queue.append(turn)
        turn.wait()

    def _leave(self) -> None:
        """Hand the slot to the first thread in the queue, or release it."""
        with self._lock:
            if self._queue:
                self._queue.popleft().set()
            else:
                self._inside -= 1


class SharedCalls:
    """Merges equal calls that are made at the same time into one, without a thread that waits for it."""

    def __init__(self) -> None:
        self._pending: dict[str, asyncio.Future[str]] = {}

    async def call(self, name: str, params: Any, run: Callable[[], Awaitable[str]]) -> str:
        """The result of `run`, or of an equal call that is running. A cancelled caller does not cancel the others."""
        try:
            key = json.dumps([name, params], sort_keys=True)
        except (TypeError, ValueError, RecursionError):  # invalid parameters: the function will refuse them
            return await run()
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = asyncio.ensure_future(run())
            pending.add_done_callback(lambda _: self._pending.pop(key, None))
        return await asyncio.shield(pending)
