"""The folder of a site: written whole or not at all, over nothing that this program did not write."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from afa_viz.atomic_files import sweep_files

MARK = ".afa-viz-site.json"  # lists what was written: {"files": {path: SHA-256}}


def require_replaceable(out: Path) -> None:
    """Raises: ValueError: unless `out` does not exist, is empty, or holds exactly what this program wrote there."""
    if not os.path.lexists(out):
        return
    if not out.is_dir():
        raise ValueError(f"--out {out} is a file; expected a folder: choose another name.")
    there = {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir() or path.is_symlink()}
    if not there:
        return
    written = _written(out)
    if written is None:
        raise ValueError(
            f"--out {out} is not empty and not a site of this program; choose another folder, or empty it."
        )
    foreign = sorted(there - set(written) - {MARK})
    foreign = foreign or sorted(n for n, digest in written.items() if n in there and _digest(out / n) != digest)
    if foreign:
        raise ValueError(
            f"--out {out} holds {foreign[0]}, which this program did not write or which was changed since; move it "
            "away, or choose another folder."
        )


def _written(out: Path) -> dict[str, str] | None:
    """The files that the mark of a site lists; None without a valid mark."""
    try:
        files = json.loads((out / MARK).read_text(encoding="utf-8"))["files"]
        return {str(name): str(digest) for name, digest in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


@contextlib.contextmanager
def replaced_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder beside `out`; it takes the place of `out` when the block ends, and is removed if it fails.

    A symbolic link stays one. Folders of killed processes are removed first.

    Raises: ValueError: as `require_replaceable`, before and after the block.
    """
    out = Path(os.path.realpath(out))
    require_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    sweep_files(out)
    partial = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    old = out.with_name(f".{out.name}.{os.getpid()}-0.tmp")
    try:
        partial.mkdir()
        yield partial
        files = {
            path.relative_to(partial).as_posix(): _digest(path) for path in sorted(partial.rglob("*")) if path.is_file()
        }
        (partial / MARK).write_text(json.dumps({"files": files}, indent=0), encoding="utf-8")
        require_replaceable(out)
        if out.exists():
            os.replace(out, old)
        try:
            os.replace(partial, out)
        except OSError:
            if old.exists():
                os.replace(old, out)
            raise
    finally:
        for folder in (partial, old):
            shutil.rmtree(folder, ignore_errors=True)
