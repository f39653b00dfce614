"""How many processor threads an explanation gets: a large picture all of them, while nobody else waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

EXPLANATIONS_AT_ONCE = 2  # explanations at a time: the limit of every event that may run the network
LARGE = 384 * 384  # pixels; below, waiting for each other costs threads more than they bring
THREADS = torch.get_num_threads()  # torch's own choice, which OMP_NUM_THREADS limits; read before anybody changes it


class ThreadBudget:
    """Threads of the processor, shared by the explanations that run at a time.

    Args:
        threads: all that there are.
    """

    def __init__(self, threads: int = THREADS) -> None:
        self.all = threads
        self.share = max(1, self.all // EXPLANATIONS_AT_ONCE)
        torch.set_num_threads(self.share)

    @contextmanager
    def allocate(self, pixels: int, alone: bool) -> Iterator[None]:
        """All threads for a large picture that is explained alone, else a share; holds for the thread that asks."""
        torch.set_num_threads(self.all if alone and pixels >= LARGE else self.share)
        try:
            yield
        finally:
            torch.set_num_threads(self.share)
