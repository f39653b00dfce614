"""A cache for many readers: bounded in size, least recently used out first, each value made once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlightCache(Generic[K, V]):
    """Values by key; whoever asks for a key that is being made waits for it instead of making it again.

    Args:
        max_size: what all values together may hold; the newest one always stays.
        weigh: what some values hold together: bytes (they may share memory), or their number.
    """

    def __init__(self, max_size: int, weigh: Callable[[list[V]], int]) -> None:
        self._max_size = max_size
        self._weigh = weigh
        self._lock = threading.Lock()
        self._values: OrderedDict[K, V] = OrderedDict()
        self._pending: dict[K, Future[V]] = {}

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of a key, made if it is not there. An error of `make` reaches everybody who waits."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            waiting = self._pending.get(key)
            if waiting is None:
                mine = self._pending[key] = Future()
        if waiting is not None:
            return waiting.result()
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                del self._pending[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._pending[key]
            self._values[key] = value
            self._shrink()
        mine.set_result(value)
        return value

    def peek(self, key: K) -> V | None:
        """The value if it is there; counts as a use."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def change(self, change: Callable[[V], V]) -> None:
        """Put `change(value)` in the place of every value; it must not take long."""
        with self._lock:
            for key, value in self._values.items():
                self._values[key] = change(value)

    def items(self) -> list[tuple[K, V]]:
        """What is held now, most recently used first."""
        with self._lock:
            return list(reversed(self._values.items()))

    def _shrink(self) -> None:
        while len(self._values) > 1 and self._weigh(list(self._values.values())) > self._max_size:
            self._values.popitem(last=False)
