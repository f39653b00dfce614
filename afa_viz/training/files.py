"""Names of what a run leaves in its folder, for whoever only looks."""

from __future__ import annotations

from pathlib import Path

LAST, PREVIOUS, DAMAGED = "last.pt", "previous.pt", "damaged.pt"  # states to go on from


def has_state(folder: Path) -> bool:
    """Whether a run in a folder has saved itself."""
    return (folder / LAST).exists() or (folder / PREVIOUS).exists()


def refuse_overwriting(folder: Path, resume: bool) -> None:
    """Raise ValueError if a folder holds a run that is not to be resumed."""
    if has_state(folder) and not resume:
        raise ValueError(f"{folder} already holds a run; pass --resume to go on with it or choose another folder.")
