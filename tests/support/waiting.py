"""Waiting for a state: as long as a busy machine may need, and no longer than the state does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")
PATIENCE = 120  # seconds


def until(holds: Callable[[], Value]) -> Value:
    """Ask until the answer is true; returns it."""
    end = time.monotonic() + PATIENCE
    while not (value := holds()):
        assert time.monotonic() < end, f"it did not come true within {PATIENCE} seconds"
        time.sleep(0.05)
    return value
