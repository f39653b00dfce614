"""The numbers of a run for TensorBoard, where it is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = "tensorboard"


class Board:
    """Event files in RUN/tensorboard, opened with the first number; without tensorboard it does nothing.

    Args:
        folder: of the run.
        iteration: that the run stands at; numbers behind it, of steps that were lost, are taken back.
    """

    def __init__(self, folder: Path, iteration: int = 0) -> None:
        self._folder, self._iteration = folder, iteration
        self._writer: Any = None

    def add(self, iteration: int, values: Mapping[str, Any]) -> None:
        """Add every number; "loss_cls" is shown as "loss/cls"."""
        if self._writer is None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                return
            begun = self._iteration + 1 if self._iteration else None
            self._writer = SummaryWriter(str(self._folder / FOLDER), purge_step=begun)
        for name, value in values.items():
            if isinstance(value, (int, float)):
                self._writer.add_scalar(name.replace("_", "/", 1), value, iteration)

    def close(self) -> None:
        """Write what waits; another number opens the files again."""
        if self._writer is not None:
            self._writer.close()
