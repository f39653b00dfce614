"""How many processor threads an explanation gets: a large picture all of them, while nobody else waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

VISITORS = 2  # explanations at a time: the limit of every event that may run the network
LARGE = 384 * 384  # pixels; below, threads cost more than they bring (0.51 s by one, 0.56 s by two, at 256 x 256)


class Cores:
    """Threads of the processor, shared by the explanations that run at a time.

    Args:
        threads: all that there are; None: as many as torch would take, which OMP_NUM_THREADS limits.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.all = threads or torch.get_num_threads()
        self.share = max(1, self.all // VISITORS)
        torch.set_num_threads(self.share)

    @contextmanager
    def taken(self, pixels: int, alone: bool) -> Iterator[None]:
        """All threads for a large picture that is explained alone, else a share; torch keeps the number a thread."""
        torch.set_num_threads(self.all if alone and pixels >= LARGE else self.share)
        try:
            yield
        finally:
            torch.set_num_threads(self.share)
