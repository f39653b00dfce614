"""Names of the state files in the folder of a run; imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

LAST, PREVIOUS, DAMAGED = "last.pt", "previous.pt", "damaged.pt"  # states to resume from


def has_state(folder: Path) -> bool:
    """Whether the folder holds a saved state."""
    return (folder / LAST).exists() or (folder / PREVIOUS).exists()


def reject_overwriting(folder: Path, resume: bool) -> None:
    """Raise ValueError if a folder holds a run and `resume` is not set."""
    if has_state(folder) and not resume:
        raise ValueError(f"{folder} already holds a run; pass --resume to go on with it or choose another folder.")
