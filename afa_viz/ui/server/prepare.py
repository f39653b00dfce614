"""Prepared answers of a server: found in the cache folder, or made by a process that ends when it has made them.

The server itself does without torch until somebody asks for something that was not prepared: this process has loaded it
instead. Run by `PrepareProcess` as `python -m afa_viz.ui.server.prepare OPTIONS`.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from afa_viz.console import exit_now
from afa_viz.model.sources import checkpoint_files
from afa_viz.ui.errors import UserError
from afa_viz.ui.server.options import PACKAGE, Options
from afa_viz.ui.sessions.examples import read_examples
from afa_viz.ui.sessions.fingerprint import base_digest
from afa_viz.ui.sessions.folders import cache_folder
from afa_viz.ui.sessions.model_registry import checkpoint_sources
from afa_viz.ui.sessions.prepared_answers import FOLDER, LOCK_SUFFIX, Preparation, PreparedAnswers, PreparedExample

LOCK_TIMEOUT = 60.0  # seconds to wait for another process that prepares the same; after that both work
NAMES, PATHS = ("checkpoints", "device"), ("checkpoint_folder", "examples", "cache")  # options that decide the answers
NICENESS = 5  # visitors have priority, but on a busy machine it must end as well

log = logging.getLogger(__name__)


def open_prepared(options: Options) -> PreparedAnswers | None:
    """The prepared answers of a server with these options; if that of the first page is missing, it is being made.

    None where nothing can be kept: without a checkpoint or examples, with a cache folder that cannot be written, or
    with code that cannot be read. The server then computes everything itself, and says what is wrong.
    """
    try:
        examples = read_examples(options.examples)
        base = base_digest(*_decisive(options), examples)
        if base is None or not examples:
            return None
        folder = cache_folder(options.cache) / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            return None
    except (OSError, ValueError, RuntimeError) as error:  # the last one: no home folder
        log.info("nothing is prepared: %s", error)
        return None
    prepared = PreparedAnswers(folder, base, PrepareProcess(options))
    prepared.prepare_missing(examples[:1])
    return prepared


def first_prepared(prepared: PreparedAnswers | None, options: Options) -> PreparedExample | None:
    """What was prepared for the first example that can be read, waiting as long as it is being made."""
    if prepared is None:
        return None
    for example in read_examples(options.examples):
        with suppress(UserError):
            example.read()
            return prepared.find(example, max_wait=float("inf"))
    return None


def _decisive(options: Options) -> tuple[list[Path], tuple[str, str]]:
    """Files of the first checkpoint, its name and the device. Raises: OSError, ValueError: if there is none."""
    sources = checkpoint_sources(options.checkpoints, options.checkpoint_folder)
    if not sources:
        raise ValueError("there is no checkpoint")
    name, source = next(iter(sources.items()))
    return [path for path in checkpoint_files(source) if path is not None], (name, options.device)


class PrepareProcess(Preparation):
    """The process that prepares what is missing. It ends with the server, however that ends.

    Args:
        options: of the server.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start it; without one, the server computes everything itself."""
        paths = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        given = {name: getattr(self._options, name) for name in (*NAMES, *PATHS)}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, json.dumps(given, default=str)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            )
        except (OSError, TypeError, ValueError) as error:
            log.info("nothing can be prepared: %s", error)
            return
        atexit.register(self.stop)
        threading.Thread(target=self._process.wait, daemon=True, name="preparation").start()  # leaves no zombie

    def is_running(self) -> bool:
        """Whether it is at work."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it now."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()


def _options(text: str) -> Options:
    """The options that `PrepareProcess` sends."""
    given = json.loads(text)
    paths = {name: None if given[name] is None else Path(given[name]) for name in PATHS}
    return Options(**{**given, "checkpoints": tuple(given["checkpoints"]), **paths})


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock; go on without it where another process does not let go, or there are no locks."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=LOCK_TIMEOUT)
    except (OSError, NotImplementedError, Timeout) as error:
        log.info("preparing without a lock: %s", error)
    try:
        yield
    finally:
        lock.release()


def prepare_examples(options: Options, give_way: Callable[[], None] | None = None) -> None:
    """Make what is missing, example by example.

    Args:
        give_way: called once the first example, which the server waits for, is there.
    Raises: OSError, ValueError: where that is not possible.
    """
    examples = read_examples(options.examples)
    decisive, folder = _decisive(options), cache_folder(options.cache) / FOLDER
    base = base_digest(*decisive, examples)
    if base is None:
        return
    prepared = PreparedAnswers(folder, base)
    with _alone(folder / f"{base[:40]}{LOCK_SUFFIX}"):
        missing = [example for example in examples if prepared.find(example) is None]
        if not missing:
            return
        if give_way and examples[0] not in missing:
            give_way()
        from afa_viz.ui.handlers.explorer import ExplorerHandlers
        from afa_viz.ui.handlers.opening import prepare_example
        from afa_viz.ui.sessions.model_registry import ModelRegistry
        from afa_viz.ui.sessions.session import Session

        registry = ModelRegistry(checkpoint_sources(options.checkpoints, options.checkpoint_folder), options.device)
        for example in missing:
            session = Session(registry, options.examples)  # a new one: nothing is kept in memory
            path = prepared.path(example)
            try:
                request = session.request(f"example:{example.name}", registry.names[0])
                made = prepare_example(session, ExplorerHandlers(session, folder), request)
            except UserError as error:
                log.info("not prepared: %s", error)
                continue
            if path is None or path != prepared.path(example) or base != base_digest(*decisive, examples):
                return  # something changed meanwhile: these answers are of neither
            prepared.write(path, made)
            if give_way and example is examples[0]:
                give_way()


def _lower_priority() -> None:
    """From now on, the server and its visitors go before this process."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)


def _end_with_the_server() -> None:
    """End this process as soon as its standard input is closed, which happens when the server ends."""
    with suppress(OSError):
        sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    with suppress(OSError, ValueError, KeyboardInterrupt):
        prepare_examples(_options(sys.argv[1]), _lower_priority)
    exit_now(0)  # threads that trim memory may still compute
