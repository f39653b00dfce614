"""Where the bundled models lie: `checkpoints/` of a clone, or its copy in an installed package (setup.py)."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent
NAME = "sandbox"


def checkpoint_folder() -> Path:
    """The folder of the bundled checkpoints; it need not exist."""
    clone = PACKAGE.parent / "checkpoints"
    installed = PACKAGE / "checkpoints"
    return installed if installed.is_dir() and not (clone / NAME).is_dir() else clone


def bundled_checkpoint() -> Path:
    """The folder of the bundled model, which `load_model()` loads."""
    return checkpoint_folder() / NAME
