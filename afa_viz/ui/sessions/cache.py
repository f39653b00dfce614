"""A thread-safe LRU cache of bounded size that computes each value once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlightCache(Generic[K, V]):
    """Values by key; a thread that asks for a value which another one is computing waits for that one.

    Args:
        max_size: limit of the total size; the newest value always stays.
        size_of: total size of some values: their bytes (they may share memory), or their number.
    """

    def __init__(self, max_size: int, size_of: Callable[[list[V]], int]) -> None:
        self._max_size = max_size
        self._size_of = size_of
        self._lock = threading.Lock()
        self._values: OrderedDict[K, V] = OrderedDict()
        self._pending: dict[K, Future[V]] = {}

    def get(self, key: K, compute: Callable[[], V]) -> V:
        """The value of a key, computed if it is missing. An error of `compute` is raised in all waiting threads."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            pending = self._pending.get(key)
            if pending is None:
                future = self._pending[key] = Future()
        if pending is not None:
            return pending.result()
        try:
            value = compute()
        except BaseException as error:
            with self._lock:
                del self._pending[key]
            future.set_exception(error)
            raise
        with self._lock:
            del self._pending[key]
            self._values[key] = value
            self._shrink()
        future.set_result(value)
        return value

    def peek(self, key: K) -> V | None:
        """The value if it is cached, else None; counts as a use."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def map_values(self, function: Callable[[V], V]) -> None:
        """Replace every value by `function(value)`, which must be fast: the cache is locked meanwhile."""
        with self._lock:
            for key, value in self._values.items():
                self._values[key] = function(value)

    def items(self) -> list[tuple[K, V]]:
        """The cached items, most recently used first."""
        with self._lock:
            return list(reversed(self._values.items()))

    def _shrink(self) -> None:
        while len(self._values) > 1 and self._size_of(list(self._values.values())) > self._max_size:
            self._values.popitem(last=False)
