"""Folders for the account that runs the app: one without a home, or with one that can not be written, has them too."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def prepare_home() -> None:
    """Let caches of this process and its trainings lie among temporary files where the home folder takes none.

    Variables of the environment that say where caches lie are left as they are.
    """
    if not _is_writable(Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))):
        folder = str(private_folder())
        os.environ.setdefault("XDG_CACHE_HOME", folder)
        os.environ.setdefault("MPLCONFIGDIR", folder)


def private_folder() -> Path:
    """A folder among temporary files that only this account can read or write, if possible the same at every start."""
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
    """Whether a folder can be written, or made; a home that is not known is a relative `~`."""
    if not folder.is_absolute():
        return False
    there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)
