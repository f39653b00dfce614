"""How many CPU threads an explanation gets: all of them for a large image while no other explanation runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from afa_viz.ui.sessions.concurrency import EXPLANATIONS_AT_ONCE

LARGE = 384 * 384  # pixels; for smaller images synchronisation costs more than further threads gain
THREADS = torch.get_num_threads()  # torch's default, which OMP_NUM_THREADS limits; read before it is changed


class ThreadBudget:
    """CPU threads, shared by the explanations that run at the same time.

    Args:
        threads: number of all threads.
    """

    def __init__(self, threads: int = THREADS) -> None:
        self.all = threads
        self.share = max(1, self.all // EXPLANATIONS_AT_ONCE)
        torch.set_num_threads(self.share)

    @contextmanager
    def allocate(self, pixels: int, alone: bool) -> Iterator[None]:
        """All threads for a large image that is explained alone, else a share; applies to the calling thread."""
        torch.set_num_threads(self.all if alone and pixels >= LARGE else self.share)
        try:
            yield
        finally:
            torch.set_num_threads(self.share)
