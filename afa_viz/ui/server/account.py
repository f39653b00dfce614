"""Writable folders for the account that runs the app, even if its home folder is missing or read-only."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def prepare_home() -> None:
    """Move the caches of this process and its training runs to temporary files if the home folder is not writable.

    Environment variables that name cache folders already are not changed.
    """
    if not _is_writable(Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))):
        folder = str(private_folder())
        os.environ.setdefault("XDG_CACHE_HOME", folder)
        os.environ.setdefault("MPLCONFIGDIR", folder)


def private_folder() -> Path:
    """A temporary folder that only this account can access, if possible the same one at every start."""
    path = Path(tempfile.gettempdir()) / f"afa-viz-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="afa-viz-"))
    own = stat.S_ISDIR(found.st_mode) and (not hasattr(os, "getuid") or found.st_uid == os.getuid())
    shared = bool(found.st_mode & 0o077) and os.name == "posix"
    return path if own and not shared else Path(tempfile.mkdtemp(prefix="afa-viz-"))


def _is_writable(folder: Path) -> bool:
    """Whether a folder can be written or created; an unknown home folder is a relative `~`."""
    if not folder.is_absolute():
        return False
    there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)
