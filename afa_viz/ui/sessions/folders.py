"""The folder for what is worth keeping between two starts: scenes, scores, prepared answers."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def cache_folder(wanted: str | os.PathLike[str] | None = None) -> Path:
    """The folder where scenes and scores are cached: the user's cache folder; on Spaces a temporary folder."""
    if wanted is not None:
        return Path(wanted)
    if "SPACE_ID" in os.environ:
        return Path(tempfile.gettempdir()) / "afa-viz"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "afa-viz"
