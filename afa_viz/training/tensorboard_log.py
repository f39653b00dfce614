"""Scalars of a run for TensorBoard, where it is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = "tensorboard"


class TensorBoardLog:
    """Event files in RUN/tensorboard, opened with the first scalar; without tensorboard it does nothing.

    Args:
        folder: of the run.
        iteration: of the resumed run; events after it, of steps that were lost, are purged.
    """

    def __init__(self, folder: Path, iteration: int = 0) -> None:
        self._folder, self._iteration = folder, iteration
        self._writer: Any = None

    def add(self, iteration: int, values: Mapping[str, Any]) -> None:
        """Add every scalar; "loss_cls" becomes the tag "loss/cls"."""
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
        """Flush and close; the next scalar opens the files again."""
        if self._writer is not None:
            self._writer.close()
