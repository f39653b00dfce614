"""Files to download: written on request, whole or not at all, limited in total size, and removed after a while."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from afa_viz.ui.errors import UserError
from afa_viz.ui.localization import error_message

MAX_BYTES = 500 * 2**20  # of all files together; the least recently used are removed first
MAX_SECONDS = 2 * 3600.0  # that a file is kept after its last use


class Exports:
    """The exported files, each in a folder named by the hash of its content, where gradio would put it.

    Args:
        folder: of all files; created with the first one. Nothing else may be in it.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES, max_seconds: float = MAX_SECONDS) -> None:
        self.folder = folder
        self._max_bytes, self._max_seconds = max_bytes, max_seconds
        self._lock = threading.Lock()
        self._paths: dict[str, Path] = {}
        self._used: OrderedDict[Path, tuple[int, float]] = OrderedDict()  # bytes, and time of the last use

    def find(self, name: str) -> Path | None:
        """The file that was written under a name, if it still exists; counts as a use."""
        with self._lock:
            path = self._paths.get(name)
            if path is None or not path.is_file():
                return None
            self._use(path)
            return path

    def write(self, name: str, file_name: str, write: Callable[[Path], object]) -> Path:
        """The file under a name, which is written if it is missing, and then moved into place as a whole.

        Raises: OSError: of `write`. UserError: if it is larger than all files together may be.
        """
        found = self.find(name)
        if found is not None:
            return found
        from gradio.processing_utils import hash_file  # only an app writes: gradio takes seconds to import

        self.folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".", dir=self.folder))
        try:
            write(partial / file_name)
            if (partial / file_name).stat().st_size > self._max_bytes:
                raise UserError(error_message("refused.no_room_for_file"))
            path = self.folder / hash_file(partial / file_name) / file_name
            with self._lock:
                path.parent.mkdir(exist_ok=True)
                os.replace(partial / file_name, path)
                self._paths[name] = path
                self._use(path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        self.remove_expired()
        return path

    def _use(self, path: Path) -> None:
        self._used[path] = (path.stat().st_size, time.monotonic())
        self._used.move_to_end(path)

    def remove_expired(self) -> None:
        """Remove files that were not used for a while, and the least recently used ones beyond the size limit."""
        with self._lock:
            total = sum(size for size, _ in self._used.values())
            for path, (size, used) in list(self._used.items()):
                if total <= self._max_bytes and time.monotonic() - used <= self._max_seconds:
                    break  # all others were used later
                shutil.rmtree(path.parent, ignore_errors=True)
                total -= size
                del self._used[path]
                self._paths = {name: other for name, other in self._paths.items() if other != path}
