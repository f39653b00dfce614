"""What belongs to a trace and not to an answer is computed once for it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from afa_viz.trace import Trace

Made = TypeVar("Made")


def once_a_trace(make: Callable[..., Made]) -> Callable[..., Made]:
    """Decorator of a function of a trace and hashable arguments: its results are kept as long as the trace is."""
    known: WeakKeyDictionary[Trace, dict[tuple, Any]] = WeakKeyDictionary()

    @functools.wraps(make)
    def found(trace: Trace, *rest: Any) -> Made:
        made = known.setdefault(trace, {})
        if rest not in made:
            made[rest] = make(trace, *rest)
        return made[rest]

    return found
