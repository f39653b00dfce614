"""The temporary folder of this process, for uploads and files to download.

It is removed when the process ends. The folders of killed processes are removed by any other process of the app.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from weakref import WeakMethod

from filelock import FileLock, Timeout

PREFIX = "afa-viz-uploads"  # of the names of such folders
LOCK = ".lock"  # in each folder, held by its process; free as soon as that has ended, however it did
GRADIO_FOLDER_VARIABLE = "GRADIO_TEMP_DIR"  # gradio reads its upload folder from it when components are created
SWEEP_EVERY = 30.0  # seconds
STRAY_AGE = 180.0  # seconds after which a stray file is removed: gradio leaves an empty one for each upload
LOCKLESS_AGE = 60.0  # seconds that a new folder may exist without a lock

_created: list[tuple[Path, FileLock]] = []


def process_folder() -> Path:
    """The folder, created on first use in GRADIO_TEMP_DIR, or else in the system's temporary folder.

    GRADIO_TEMP_DIR is set to it, so that gradio writes its own files there. If the system has removed it, it is created
    again with a lock: without one, other processes would sweep it as stale.

    Raises: OSError: if it cannot be created.
    """
    if _created:
        folder, lock = _created[0]
        if not (folder / LOCK).exists():
            folder.mkdir(mode=0o700, exist_ok=True)
            with suppress(OSError):
                lock.release(force=True)  # of the removed file
            _created[0] = (folder, _locked_file(folder))
        return folder
    parent = Path(os.environ.get(GRADIO_FOLDER_VARIABLE) or tempfile.gettempdir())
    parent.mkdir(parents=True, exist_ok=True)
    sweep_folders(parent)
    folder, lock = _locked(parent)
    _created.append((folder, lock))
    os.environ[GRADIO_FOLDER_VARIABLE] = str(folder)
    return folder


def _locked(parent: Path) -> tuple[Path, FileLock]:
    folder = parent.resolve() / f"{PREFIX}-{os.getpid()}-{secrets.token_hex(8)}"
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # before it is created: Ctrl-C may come in between
    folder.mkdir(mode=0o700)
    lock = _locked_file(folder)
    return (folder, lock) if folder.is_dir() else _locked(parent)  # another process removed it as stale


def _locked_file(folder: Path) -> FileLock:
    lock = FileLock(folder / LOCK, thread_local=False)  # the sweeping thread may take it
    with suppress(OSError, NotImplementedError):  # a file system without locks: no other process sweeps it either
        lock.acquire()
    return lock


def sweep_regularly(*cleanups: Callable[[], None], every: float = SWEEP_EVERY) -> None:
    """Call bound methods regularly in a thread, until all their objects are gone; and remove stale files."""
    methods = [WeakMethod(method) for method in cleanups]

    def work() -> None:
        while any(method() is not None for method in methods):
            for method in methods:
                call = method()
                if call is not None:
                    call()
                del call
            sweep(process_folder())
            sweep_folders(process_folder().parent)
            time.sleep(every)

    threading.Thread(target=work, daemon=True, name="sweeper").start()


def sweep(folder: Path) -> None:
    """Remove stray files that are no longer new; files that are kept are in sub-folders."""
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            old = time.time() - entry.stat(follow_symlinks=False).st_mtime > STRAY_AGE
            if old and entry.name != LOCK and not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)


def sweep_folders(parent: Path) -> None:
    """Remove the folders of processes that have ended; folders that other users own are skipped."""
    for folder in parent.glob(f"{PREFIX}-*"):
        with suppress(OSError, NotImplementedError, Timeout):
            if folder.is_symlink() or not folder.is_dir():
                continue
            if not (folder / LOCK).exists() and time.time() - folder.stat().st_mtime < LOCKLESS_AGE:
                continue
            with FileLock(folder / LOCK, timeout=0):
                shutil.rmtree(folder)
