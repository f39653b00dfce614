"""The folder of this process for everything that visitors cause to be written: uploads, and files to download.

It goes with the process; what a killed one has left goes with the next one that starts, or that is at work.
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

PREFIX = "afa-viz-uploads"  # of such folders
LOCK = ".lock"  # in each, held by its process: that of a dead one is free, however it died
GRADIO_FOLDER_VARIABLE = "GRADIO_TEMP_DIR"  # where gradio looks for its folder of uploads, when components are made
SWEEP_EVERY = 30.0  # seconds
STRAY = 180.0  # seconds until a file that belongs to nothing goes: gradio leaves an empty one for each upload
YOUNG = 60.0  # seconds that a folder may be without a lock

_created: list[tuple[Path, FileLock]] = []


def process_folder() -> Path:
    """The folder, made when it is first asked for: in the one that GRADIO_TEMP_DIR names, or else the system's.

    GRADIO_TEMP_DIR names it from then on, so that gradio puts there what it writes itself.

    Raises: OSError: if it can not be made.
    """
    if _created:
        _created[0][0].mkdir(mode=0o700, exist_ok=True)  # the system may have tidied it away
        return _created[0][0]
    parent = Path(os.environ.get(GRADIO_FOLDER_VARIABLE) or tempfile.gettempdir())
    parent.mkdir(parents=True, exist_ok=True)
    sweep_folders(parent)
    folder, lock = _locked(parent)
    _created.append((folder, lock))
    os.environ[GRADIO_FOLDER_VARIABLE] = str(folder)
    return folder


def _locked(parent: Path) -> tuple[Path, FileLock]:
    folder = parent.resolve() / f"{PREFIX}-{os.getpid()}-{secrets.token_hex(8)}"
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # before it is made: Ctrl-C may come in between
    folder.mkdir(mode=0o700)
    lock = FileLock(folder / LOCK)
    with suppress(OSError, NotImplementedError):  # a file system without locks: nobody else sweeps it either
        lock.acquire()
    return (folder, lock) if folder.is_dir() else _locked(parent)  # another process took it for one that was left


def sweep_regularly(*tidy: Callable[[], None], every: float = SWEEP_EVERY) -> None:
    """Call bound methods now and then, in a thread, until all that they belong to is gone; and sweep the folder."""
    methods = [WeakMethod(method) for method in tidy]

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
    """Remove files that belong to nothing and are no longer new; whatever is kept lies in folders of its own."""
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            old = time.time() - entry.stat(follow_symlinks=False).st_mtime > STRAY
            if old and entry.name != LOCK and not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)


def sweep_folders(parent: Path) -> None:
    """Remove the folders of processes that are gone. What belongs to somebody else stays: it is in nobody's way."""
    for folder in parent.glob(f"{PREFIX}-*"):
        with suppress(OSError, NotImplementedError, Timeout):
            if folder.is_symlink() or not folder.is_dir():
                continue
            if not (folder / LOCK).exists() and time.time() - folder.stat().st_mtime < YOUNG:
                continue
            with FileLock(folder / LOCK, timeout=0):
                shutil.rmtree(folder)
