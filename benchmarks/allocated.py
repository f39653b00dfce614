"""Peak memory of a call: the highest sum of live tensors while it runs, from torch's allocator."""

from __future__ import annotations

import os
from collections.abc import Callable

from torch.profiler import ProfilerActivity, profile

QUIET = "99"  # above the level of every message that the profiler writes to stderr


def peak_bytes(call: Callable[[], object]) -> int:
    """Peak bytes of live tensors allocated during `call()`, its result included."""
    os.environ.setdefault("KINETO_LOG_LEVEL", QUIET)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        held = call()
    del held
    events = watched.profiler.kineto_results.events()
    changes = [(event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]"]
    if not changes:
        raise OSError("the profiler saw no allocation; expected at least one: use a torch build with Kineto.")
    live = peak = 0
    for _, change in sorted(changes, key=lambda pair: pair[0]):
        live += change
        peak = max(peak, live)
    return peak
