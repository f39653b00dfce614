"""Answers about the examples that were made beforehand, in the user's cache folder: one file per example.

A file's name is a digest of everything that its answers depend on (`fingerprint.py`), so that no old answer is ever
found. Files are written whole, checked when they are read, and the least recently used ones are removed.
"""

from __future__ import annotations

import gzip
import json
import logging
import math
import os
import threading
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from afa_viz.atomic_files import MIN_AGE, atomic_write
from afa_viz.structured_text import parse_json
from afa_viz.ui.sessions.examples import Example
from afa_viz.ui.sessions.fingerprint import example_digest
from afa_viz.ui.sessions.model_facts import ModelFacts

FOLDER = "prepared"  # in the cache folder
SUFFIX = ".json.gz"
LOCK_SUFFIX = ".lock"
LOCK_AGE = 3600.0  # seconds after which a lock is of no process any more
MAX_FILE_BYTES = 64 * 2**20  # of one file, unpacked; a bundled example takes one or two
MAX_TOTAL_BYTES = 256 * 2**20  # of all files
MAX_HELD = 4  # examples whose answers stay in memory; others are read again, which takes 20 ms
MAX_WAIT = 5.0  # seconds for an example that another process is preparing; computing it takes about as long
POLL = 0.02  # seconds

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreparedExample:
    """What was prepared for one example with its own labels and the default settings of a model.

    Attributes:
        key: of the request, see `Request.key`.
        model: that explained it.
        present: names of the image labels.
        memory: bytes that an explanation needs if it keeps the attention of all stages.
        devices: of this machine that can train.
        answers: JSON texts by the names of their questions, see `handlers.prepared.answer_name`.
    """

    key: str
    model: ModelFacts
    present: tuple[str, ...]
    memory: int
    devices: tuple[str, ...]
    answers: Mapping[str, str]

    def to_json(self, digest: str) -> str:
        """The content of a file with this digest."""
        return json.dumps({"digest": digest, **vars(self), "model": self.model.to_dict()}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, digest: str) -> PreparedExample:
        """The content of a file. Raises: KeyError, TypeError, ValueError: for one that is not of this digest."""
        held = parse_json(text)
        if not isinstance(held, dict) or held["digest"] != digest:
            raise ValueError("these are answers to something else")
        answers, texts = held["answers"], (held["key"], *held["present"], *held["devices"])
        if not all(isinstance(text, str) for text in (*texts, *answers, *answers.values())):
            raise TypeError("answers are texts")
        if not isinstance(held["memory"], int):
            raise TypeError("memory")
        model = ModelFacts.from_dict(held["model"])
        return cls(held["key"], model, tuple(held["present"]), held["memory"], tuple(held["devices"]), answers)


class Preparation(Protocol):
    """A process that makes what is missing; `server.prepare.PrepareProcess` is one."""

    def start(self) -> None:
        """Start it."""

    def is_running(self) -> bool:
        """Whether it is at work."""


class PreparedAnswers:
    """The prepared answers of one server, read when an example is opened for the first time. Thread-safe.

    Args:
        folder: of all files.
        base: digest of what the answers about every example depend on, see `fingerprint.base_digest`.
        preparation: makes what is missing, once; None: nothing does.
    """

    def __init__(self, folder: Path, base: str, preparation: Preparation | None = None) -> None:
        self._folder, self._base, self._preparation = folder, base, preparation
        self._started = False
        self._lock = threading.Lock()
        self._found: dict[str, PreparedExample | None] = {}
        self._late: set[str] = set()  # names of examples that somebody has waited for in vain

    def _start_once(self) -> None:
        with self._lock:
            if self._preparation is not None and not self._started:
                self._started = True
                self._preparation.start()

    def _is_preparing(self) -> bool:
        return self._preparation is not None and self._preparation.is_running()

    def prepare_missing(self, examples: list[Example]) -> None:
        """Start to prepare what is missing, if one of these examples can be read and has no file."""
        if not all(path is None or path.is_file() for path in map(self.path, examples)):
            self._start_once()

    def path(self, example: Example) -> Path | None:
        """The file of an example as its image is now; None if that cannot be read."""
        digest = example_digest(self._base, example)
        return None if digest is None else self._folder / f"{digest}{SUFFIX}"

    def find(self, example: Example, max_wait: float = MAX_WAIT) -> PreparedExample | None:
        """What was prepared for an example; None if there is nothing.

        Args:
            max_wait: seconds to wait for a process that is preparing it; only the first call waits.
        """
        with self._lock:
            if example.name in self._found:
                return self._found[example.name]
            if example.name in self._late:
                max_wait = 0.0
        until, path = time.monotonic() + max_wait, self.path(example)
        found = None if path is None else _read(path)
        if found is None and path is not None:
            self._start_once()
        while found is None and path is not None and self._is_preparing() and time.monotonic() < until:
            time.sleep(POLL)
            found = _read(path) if path.exists() else None
        if found is None and path is not None:
            found = _read(path)  # written since, as the last act of the process
        with self._lock:
            if found is not None or not self._is_preparing():
                self._found[example.name] = found
                held = [name for name, prepared in self._found.items() if prepared is not None]
                for name in held[:-MAX_HELD]:
                    del self._found[name]
            else:
                self._late.add(example.name)
        return found

    def write(self, path: Path, prepared: PreparedExample) -> None:
        """Write the file of an example, whole or not at all, and remove the oldest files. Raises: OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        content = gzip.compress(prepared.to_json(path.name.removesuffix(SUFFIX)).encode(), 1)
        with atomic_write(path) as partial:
            partial.write_bytes(content)
        _remove_oldest(self._folder)


def _read(path: Path) -> PreparedExample | None:
    """The content of a file; None if it is missing, damaged or another program's."""
    try:
        with gzip.open(path) as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ValueError("it is too large")
        found = PreparedExample.from_json(content.decode(), path.name.removesuffix(SUFFIX))
    except FileNotFoundError:
        return None
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("%s is not used: %s", path.name, error)
        with suppress(OSError):
            path.unlink()  # it is made again at the next start
        return None
    with suppress(OSError):
        os.utime(path)  # marks it as used
    return found


def _remove_oldest(folder: Path) -> None:
    """Remove the least recently used files beyond `MAX_TOTAL_BYTES`, and what killed processes left behind."""
    files: list[tuple[float, int, Path]] = []
    for path in folder.iterdir():
        with suppress(OSError):
            found = path.stat()
            age = time.time() - found.st_mtime
            if age > {".tmp": MIN_AGE, LOCK_SUFFIX: LOCK_AGE}.get(path.suffix, math.inf):
                path.unlink()
            elif path.name.endswith(SUFFIX):
                files.append((found.st_mtime, found.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files)[:-1]:
        if total <= MAX_TOTAL_BYTES:
            break
        with suppress(OSError):
            path.unlink()
        total -= size
