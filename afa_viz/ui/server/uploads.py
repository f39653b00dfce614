"""The store of uploaded photographs: limited in total size, arriving ones included, and cleared after a while."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from gradio.processing_utils import hash_bytes

from afa_viz.atomic_files import atomic_write
from afa_viz.ui.errors import StorageFullError
from afa_viz.ui.localization import error_message

MAX_TOTAL = 2**30  # bytes of all photographs together; the least recently used are removed first
MAX_SECONDS = 2 * 3600.0  # that an unused photograph is kept
MIN_COUNTED = 2**16  # bytes that any file counts at least: millions of tiny files fill a disk as well


class IncomingUpload:
    """A photograph that is arriving, in an unnamed temporary file, which disappears with the process."""

    def __init__(self, uploads: Uploads, file: IO[bytes]) -> None:
        self._uploads, self.file, self.size = uploads, file, 0

    def write(self, content: bytes) -> None:
        """Append some bytes. Raises: StorageFullError, OSError."""
        self._uploads.reserve(len(content))
        self.size += len(content)
        self.file.write(content)

    def read(self) -> bytes:
        """The whole upload; its reservation is released for the file that is kept."""
        self.file.seek(0)
        content = self.file.read()
        self._uploads.release(self.size)
        self.size = 0
        return content


class Uploads:
    """The photographs on disk, each where gradio would put it, so that gradio makes no copy.

    Args:
        folder: gradio's folder for uploads and other files.
    """

    def __init__(self, folder: Path, max_total: int = MAX_TOTAL, max_seconds: float = MAX_SECONDS) -> None:
        self.folder = folder
        self._max_total, self._max_seconds = max_total, max_seconds
        self._lock = threading.Lock()
        self._sizes: dict[Path, int] = {}
        self._kept = self._arriving = 0  # bytes

    @contextmanager
    def arriving(self) -> Iterator[IncomingUpload]:
        """A place to write an upload to while it arrives. Raises: OSError."""
        with tempfile.TemporaryFile(dir=self.folder) as file:
            upload = IncomingUpload(self, file)
            try:
                yield upload
            finally:
                self.release(upload.size)

    def reserve(self, count: int) -> None:
        """Reserve `count` bytes for an arriving upload. Raises: StorageFullError."""
        with self._lock:
            self._make_room(count)
            self._arriving += count

    def release(self, count: int) -> None:
        """Release `count` reserved bytes."""
        with self._lock:
            self._arriving -= count

    def keep(self, content: bytes | memoryview, suffix: str) -> Path:
        """Write a complete photograph; returns its path. Raises: StorageFullError, OSError."""
        path = self.folder / hash_bytes(cast(bytes, content)) / f"photo{suffix}"
        size = max(len(content), MIN_COUNTED)
        with self._lock:
            if path in self._sizes:
                self._remove(path)
            self._make_room(size)
            path.parent.mkdir(exist_ok=True)
            with atomic_write(path) as partial:
                partial.write_bytes(content)
            self._sizes[path] = size
            self._kept += size
        return path

    def remove_expired(self) -> None:
        """Remove photographs that were not used for a while."""
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
    """Time of the last use of a file, by writing it or by an event; 0 if it no longer exists."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
