"""Atomic file writes, and removal of temporary files that killed processes left behind; their names carry the pid."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

MIN_AGE = 60.0  # seconds: a pid that is free here may be in use in another container that shares the folder


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it replaces `path` when the block ends and is removed if the block fails.

    Temporary files of killed processes are removed first. The folder must exist. A symbolic link stays one, and what is
    not a regular file, such as `/dev/null` or a pipe, is written to directly.

    Raises: IsADirectoryError: if `path` is a folder, in one sentence, before the block.
    """
    given, path = path, Path(os.path.realpath(path))
    if path.is_dir():
        raise IsADirectoryError(f"{os.fspath(given)} is a folder; expected a file to write: name one in it.")
    if path.exists() and not path.is_file():
        yield path
        return
    sweep_files(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def atomic_write_text(path: str | os.PathLike[str], text: str) -> None:
    """`atomic_write` of a text in UTF-8."""
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8")


def sweep_files(path: Path) -> None:
    """Remove `.NAME.PID.tmp` and `.NAME.PID-THREAD.tmp` that no living process writes beside `path`, named NAME."""
    _sweep(path.parent, re.compile(rf"\.{re.escape(path.name)}\.(\d+)(-\d+)?\.tmp"))


def _sweep(parent: Path, pattern: re.Pattern[str]) -> None:
    """Files that cannot be removed or belong to another process are left alone."""
    for entry in list(parent.iterdir()) if parent.is_dir() else []:
        named = pattern.fullmatch(entry.name)
        if named is None or _is_alive(int(named[1])):
            continue
        try:
            if time.time() - entry.lstat().st_mtime < MIN_AGE:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        except OSError:
            continue


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # signal 0 would end the process there
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True
