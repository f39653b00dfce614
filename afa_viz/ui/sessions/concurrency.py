"""How much happens at a time: events, threads, explanations, and what is dear enough to keep others waiting."""

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

EXPENSIVE_AT_ONCE, EXPENSIVE_WAITING = (
    2,
    10,
)  # reports, posters, comparisons, CRFs, explanations by large networks: at a time, in line
LARGE_NETWORK = 40_000_000  # parameters; MiT-B3 has 45 million
# Events of gradio's queue at a time, by who asks. Those of the page and of programs are more than can wait for what is
# dear, so that some are always left for the rest.
PAGE_EVENTS, UPLOAD_EVENTS, API_EVENTS = (
    EXPENSIVE_AT_ONCE + EXPENSIVE_WAITING + 4,
    4,
    EXPENSIVE_AT_ONCE + EXPENSIVE_WAITING + 4,
)
EVENT_THREADS = PAGE_EVENTS + UPLOAD_EVENTS + API_EVENTS + 4  # beside those that serve the page and its files
ANSWER_THREADS = 2 * (EXPENSIVE_AT_ONCE + EXPENSIVE_WAITING)  # for the functions that the page asks


class ConcurrencyLimit:
    """Lets a few threads in at a time, in the order in which they come.

    Args:
        at_once: threads inside. waiting: threads in line, None for any number; the next one is refused.
    """

    def __init__(self, at_once: int, waiting: int | None = None) -> None:
        self._at_once, self._most_waiting = at_once, waiting
        self._lock = threading.Lock()
        self._line: deque[threading.Event] = deque()
        self._inside = 0
        self._own = threading.local()

    @property
    def in_use(self) -> bool:
        """Whether a thread is inside."""
        return self._inside > 0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Be inside; a thread that is needs no second slot. Raises: BusyError: if the line is full."""
        if getattr(self._own, "inside", False):
            yield
            return
        self._enter()
        self._own.inside = True
        try:
            yield
        finally:
            self._own.inside = False
            self._leave()

    def _enter(self) -> None:
        with self._lock:
            if self._inside < self._at_once:
                self._inside += 1
                return
            if self._most_waiting is not None and len(self._line) >= self._most_waiting:
                raise BusyError(error_message("refused.busy"))
            turn = threading.Event()
            self._line.append(turn)
        turn.wait()

    def _leave(self) -> None:
        """Hand the slot to the first in line, or give it back."""
        with self._lock:
            if self._line:
                self._line.popleft().set()
            else:
                self._inside -= 1


class SharedCalls:
    """Equal questions at the same time are one call; nobody needs a thread to wait for it."""

    def __init__(self) -> None:
        self._pending: dict[str, asyncio.Future[str]] = {}

    async def call(self, name: str, asked: Any, run: Callable[[], Awaitable[str]]) -> str:
        """What `run` gives, or gave to whoever asked the same first. A visitor who leaves stops it for nobody."""
        try:
            question = json.dumps([name, asked], sort_keys=True)
        except (TypeError, ValueError, RecursionError):  # it will be refused
            return await run()
        pending = self._pending.get(question)
        if pending is None:
            pending = self._pending[question] = asyncio.ensure_future(run())
            pending.add_done_callback(lambda _: self._pending.pop(question, None))
        return await asyncio.shield(pending)
