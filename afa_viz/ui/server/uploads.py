"""The photographs that visitors send: counted while they arrive, kept for a while, few enough for the disk."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from gradio.processing_utils import hash_bytes

from afa_viz.ui.errors import StorageFullError
from afa_viz.ui.localization import error_message

MAX_TOTAL = 2**30  # bytes of all photographs together; the oldest unused go first
MAX_SECONDS = 2 * 3600.0  # that one is kept unused
MIN_COUNTED = 2**16  # bytes that any file counts for: millions of tiny ones fill a disk as well


class IncomingUpload:
    """A photograph that is being sent: a file without a name, which goes with the process however that ends."""

    def __init__(self, uploads: Uploads, file: IO[bytes]) -> None:
        self._uploads, self.file, self.size = uploads, file, 0

    def write(self, content: bytes) -> None:
        """Raises: StorageFullError. OSError."""
        self._uploads.reserve(len(content))
        self.size += len(content)
        self.file.write(content)

    def read(self) -> bytes:
        """All of it, once it is there; its room is free for what is kept of it."""
        self.file.seek(0)
        content = self.file.read()
        self._uploads.release(self.size)
        self.size = 0
        return content


class Uploads:
    """The photographs on the disk. Each lies where gradio would put it, so that gradio makes no copy.

    Args:
        folder: gradio's own, for uploads and everything else that it writes.
    """

    def __init__(self, folder: Path, max_total: int = MAX_TOTAL, max_seconds: float = MAX_SECONDS) -> None:
        self.folder = folder
        self._max_total, self._max_seconds = max_total, max_seconds
        self._lock = threading.Lock()
        self._sizes: dict[Path, int] = {}
        self._kept = self._arriving = 0  # bytes

    @contextmanager
    def arriving(self) -> Iterator[IncomingUpload]:
        """Somewhere to write what is being sent. Raises: OSError."""
        with tempfile.TemporaryFile(dir=self.folder) as file:
            upload = IncomingUpload(self, file)
            try:
                yield upload
            finally:
                self.release(upload.size)

    def reserve(self, count: int) -> None:
        """Make room for so many bytes that arrive. Raises: StorageFullError."""
        with self._lock:
            self._make_room(count)
            self._arriving += count

    def release(self, count: int) -> None:
        """Of what was reserved, so many bytes are not needed any more."""
        with self._lock:
            self._arriving -= count

    def keep(self, content: bytes, suffix: str) -> Path:
        """Path of a whole photograph on the disk. Raises: StorageFullError. OSError."""
        path = self.folder / hash_bytes(content) / f"photo{suffix}"
        size = max(len(content), MIN_COUNTED)
        with self._lock:
            if path in self._sizes:
                self._remove(path)
            self._make_room(size)
            path.parent.mkdir(exist_ok=True)
            partial = path.with_name(f".{path.name}")
            partial.write_bytes(content)
            os.replace(partial, path)
            self._sizes[path] = size
            self._kept += size
        return path

    def tidy(self) -> None:
        """Remove what nobody has used in a long time."""
        with self._lock:
            for path in list(self._sizes):
                if time.time() - _last_use(path) > self._max_seconds:
                    self._remove(path)

    def _make_room(self, count: int) -> None:
        if self._kept + self._arriving + count <= self._max_total:
            return
        for path in sorted(self._sizes, key=_last_use):
            self._remove(path)
            if self._kept + self._arriving + count <= self._max_total:
                return
        raise StorageFullError(error_message("refused.no_room_for_photograph"))

    def _remove(self, path: Path) -> None:
        self._kept -= self._sizes.pop(path)
        with suppress(OSError):
            path.unlink()
            path.parent.rmdir()


def _last_use(path: Path) -> float:
    """When a file was written, or read by an event; 0 if it is not there any more."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
