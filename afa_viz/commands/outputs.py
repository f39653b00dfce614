"""Options that can be refused at once: where results are to be written, and numbers. Hours of work come after them."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

MAX_COUNTS = {"threads": 1024, "readers": 256, "workers": 256}


def require_file(path: str | Path | None, option: str) -> None:
    """Raise ValueError unless a file can be written there, without writing it; None is no file."""
    if path is None:
        return
    path = Path(path)
    if path.exists() and not path.is_file() and not path.is_dir() and os.access(path, os.W_OK):
        return  # a device or a pipe, such as /dev/null
    if path.is_dir():
        raise ValueError(f"{option} is {path}, a folder; expected a file to write: name one in it.")
    if not path.parent.is_dir():
        raise ValueError(
            f"there is no folder {path.parent} for {option} {path.name}; expected one that is there: make it, or "
            "choose another."
        )
    _require_writable(path.parent, option)


def require_folder(path: str | Path | None, option: str) -> None:
    """Raise ValueError unless a folder can be made or filled there, without making it; None is no folder."""
    if path is None:
        return
    path = Path(path)
    there = next((place for place in (path, *path.absolute().parents) if place.exists()), path)
    if not there.is_dir():
        raise ValueError(f"{option} {path} cannot be made: {there} is a file; expected a folder: choose another place.")
    _require_writable(there, option)


def _require_writable(folder: Path, option: str) -> None:
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ValueError(
            f"nothing can be written to {folder} for {option} ({reason}); expected a folder that takes files: choose "
            "another place, or make room there."
        ) from error


def require_counts(args: argparse.Namespace, **least: int) -> None:
    """Raise ValueError for an option of a command below its least value, or for more threads or processes than any
    machine has; None is left to its default."""
    for name, low in least.items():
        value, high = getattr(args, name), MAX_COUNTS.get(name)
        if value is not None and (value < low or (high is not None and value > high)):
            wanted = f"{low} or more" if high is None else f"{low} to {high}"
            raise ValueError(f"--{name.replace('_', '-')} is {value}; expected {wanted}.")
