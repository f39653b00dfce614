"""Trainings as processes of their own, each in a folder: started, stopped and looked at from here, but never needed
here. Whatever is known of a run lies in its folder, so another app, or this one started again, finds it there.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from afa_viz.atomic_files import atomic_write
from afa_viz.structured_text import parse_json, read_text
from afa_viz.training.loop import LOG_EVERY
from afa_viz.training.progress import seconds_left
from afa_viz.training.records import read_metrics
from afa_viz.training.status import ENDED, STATUS, Status, is_alive, read_status, write_status
from afa_viz.ui.errors import UserError, quote_value
from afa_viz.ui.jobs.training_request import TrainingRequest, parse_training_request, stored_training_request
from afa_viz.ui.localization import error_message

ORDER, LOG, START = "order.json", "log.txt", "start.lock"
PACKAGE = Path(__file__).parents[2]
ROOM = 800 * 2**20  # bytes that a run may need: images, weights, three states of the optimiser
FULL = 20 * 2**20  # bytes free; a training that died with less had no room
PATIENCE = 30.0  # seconds that a process may take to come up
REAPED = 5.0  # seconds that one may take to go
LISTED = 30  # newest runs
NICENESS = 5  # the page stays quick while a training has the rest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """A run as its folder tells it.

    Attributes:
        name: of the folder. order: what was chosen.
        state: "starting", "rendering", "training", "stopping", "stopped", "finished", "failed" or "killed".
        message: why it failed or what killed it. status: what it last said.
    """

    name: str
    order: TrainingRequest
    state: str
    message: str
    status: Status

    @property
    def live(self) -> bool:
        """Whether its process is at work."""
        return self.state not in (*ENDED, "killed")


class Trainer:
    """All runs of a folder.

    Args:
        folder: of the runs; made with the first one.
        cache: of rendered images.
        bundled: folder of the weights that a run may begin with.
        extra: arguments after those of every order, for a smaller world.
    """

    def __init__(self, folder: Path, cache: Path, bundled: Path | None = None, extra: tuple[str, ...] = ()) -> None:
        self.folder, self.cache, self.extra = Path(folder).resolve(), Path(cache).resolve(), extra
        self.bundled = bundled
        self.bundled_backbone = _backbone(bundled)
        self._children: dict[str, subprocess.Popen] = {}
        self._orders: dict[
            str, tuple[tuple[int, ...], TrainingRequest | None]
        ] = {}  # as read from files of this date and size
        self._stopping: set[str] = set()
        self._lock = threading.RLock()

    # --- looking ---

    def names(self) -> list[str]:
        """Of the runs, newest first."""
        found = sorted((path for path in self._folders() if (path / ORDER).is_file()), key=_number, reverse=True)
        return [path.name for path in found[:LISTED] if self._order(path) is not None]

    def _folders(self) -> list[Path]:
        return list(self.folder.iterdir()) if self.folder.is_dir() else []

    def _order(self, folder: Path) -> TrainingRequest | None:
        """What was chosen for a run, read once; None where it can not be read, or is of another version."""
        path = folder / ORDER
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if self._orders.get(folder.name, ((), None))[0] != stamp:
                self._orders[folder.name] = (stamp, _read_training_request(path))
            return self._orders[folder.name][1]
        except OSError:
            return None

    def run(self, name: Any) -> Run:
        """A run by its name. Raises: UserError: for any other text."""
        known = isinstance(name, str) and name in [path.name for path in self._folders()]
        folder = self.folder / (name if known else "")
        order = self._order(folder) if known else None
        if order is None:
            raise UserError(error_message("refused.no_training", name=quote_value(name)))
        before = read_status(folder)
        alive = is_alive(folder)
        status = read_status(folder) or Status()  # after the lock: a run says how it ended before it lets go
        if before != status and not alive:
            alive = is_alive(folder)  # it came up, or ended, between the two looks
        if alive:
            return Run(name, order, "stopping" if name in self._stopping else status.doing, "", status)
        if status.doing not in ENDED and status.pid == 0 and abs(_age(folder / STATUS)) < PATIENCE:
            return Run(name, order, status.doing, "", status)
        self._stopping.discard(name)
        self._reap(name)
        if status.doing in ENDED:
            return Run(name, order, status.doing, status.message, status)
        return Run(name, order, "killed", self._cause(name), status)

    def live(self) -> Run | None:
        """The run whose process is at work, if there is one."""
        runs = (self.run(name) for name in self.names())
        return next((run for run in runs if run.live), None)

    def lines(self, name: str) -> list[dict[str, Any]]:
        """What a run has logged, oldest first; nothing where that can not be read: other runs are still shown."""
        try:
            return read_metrics(self.folder / name)
        except OSError:
            return []

    def snapshot_iterations(self, name: str) -> list[int]:
        """Iterations at which a run has left a panel and weights, ascending; a stop may lie between two lines."""
        last = max((line["iteration"] for line in self.lines(name)), default=-LOG_EVERY) + LOG_EVERY
        numbers = (_iteration(path) for path in (self.folder / name / "snapshots").glob("iter_*.safetensors"))
        return sorted(number for number in numbers if number is not None and number < last)

    def weights(self, name: Any, iteration: Any) -> Path:
        """The weights of a moment. Raises: UserError: where there are none."""
        return self._file(name, iteration, "snapshots", "safetensors")

    def panel(self, name: Any, iteration: Any) -> Path:
        """The panel of a moment. Raises: UserError: where there is none."""
        return self._file(name, iteration, "panels", "jpg")

    def _file(self, name: Any, iteration: Any, kind: str, suffix: str) -> Path:
        run = self.run(name)
        whole = isinstance(iteration, int) and not isinstance(iteration, bool)
        whole = whole and 0 <= iteration <= run.order.iterations
        path = self.folder / run.name / kind / f"iter_{iteration if whole else 0:06d}.{suffix}"
        if not whole or not path.is_file():
            raise UserError(error_message("refused.no_moment", iteration=quote_value(iteration, 20)))
        return path

    def seconds_left(self, run: Run) -> float | None:
        """Until a run ends; None where that is not known yet."""
        return seconds_left(run.order.config, self.lines(run.name), run.order.eval_every)

    # --- doing ---

    def parse_training_request(self, params: Mapping[str, Any], devices: tuple[str, ...]) -> TrainingRequest:
        """See `orders.parse_training_request`."""
        return parse_training_request(params, devices, self.bundled_backbone)

    def start(self, order: TrainingRequest) -> str:
        """Begin a training; returns its name. Raises: UserError: if one is at work, or there is no room."""
        with self._one_at_a_time():
            self.folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
            if free < ROOM:
                raise UserError(error_message("refused.disk_room", free=free >> 20, needed=ROOM >> 20))
            number = max(map(_number, self._folders()), default=0) + 1
            name = f"{order.preset}-{number:03d}"
            (self.folder / name).mkdir()
            with atomic_write(self.folder / name / ORDER) as partial:
                partial.write_text(json.dumps(order.data()), encoding="utf-8")
            self._launch(name, order, resume=False)
            return name

    def resume(self, name: Any) -> None:
        """Go on with a run. Raises: UserError: if one is at work, or this one has finished."""
        with self._one_at_a_time():
            run = self.run(name)
            if run.state == "finished":
                raise UserError(error_message("refused.finished"))
            self._launch(run.name, run.order, resume=True)

    def stop(self, name: Any) -> None:
        """Let a run save itself and end. Raises: UserError: if it is not at work."""
        run = self.run(name)
        if not run.live:
            raise UserError(error_message("refused.ended"))
        if not run.status.pid:
            raise UserError(error_message("refused.just_starting"))
        self._stopping.add(run.name)
        try:
            os.kill(run.status.pid, signal.SIGTERM)
        except ProcessLookupError:
            self._stopping.discard(run.name)

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Holds off every other start, of other apps too, and refuses where a training is at work."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with self._lock, FileLock(self.folder / START, timeout=PATIENCE):
                live = self.live()
                if live is not None:
                    raise UserError(error_message("refused.at_work", name=live.name))
                yield
        except Timeout:
            raise UserError(error_message("refused.other_starting")) from None

    def _launch(self, name: str, order: TrainingRequest, resume: bool) -> None:
        """Start the process and wait until it holds its folder. Raises: UserError: with its last words, if it ends."""
        folder = self.folder / name
        self._stopping.discard(name)
        write_status(folder, Status())  # whose pid is 0: an older process's number must not be signalled
        command = [sys.executable, "-m", "afa_viz", *order.arguments(folder, self.cache, self.bundled, resume)]
        paths = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        with open(folder / LOG, "a", encoding="utf-8") as log:
            child = subprocess.Popen(
                [*command, *self.extra], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)}, start_new_session=True,
            )  # fmt: skip
        self._children[name] = child
        if hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, child.pid, NICENESS)
        deadline = time.monotonic() + PATIENCE
        while child.poll() is None and time.monotonic() < deadline:
            status = read_status(folder)
            if status is not None and status.pid and is_alive(folder):
                return
            time.sleep(0.05)
        if child.poll() is not None:
            words = self._last_log_line(name)
            write_status(folder, Status("failed", message=words))
            raise UserError(error_message("refused.could_not_begin", words=words))

    # --- what went wrong ---

    def _reap(self, name: str) -> None:
        """Take note that a process from here has ended; it lets go of its folder a moment before."""
        if name in self._children:
            with suppress(subprocess.TimeoutExpired):
                self._children[name].wait(REAPED)

    def _cause(self, name: str) -> str:
        """One sentence about a run that ended without a word."""
        child = self._children.get(name)
        code = None if child is None else child.poll()
        saved = max([0, *self.snapshot_iterations(name)])
        if shutil.disk_usage(self.folder).free < FULL:
            return error_message("refused.full_disk", saved=saved)
        if code == -signal.SIGKILL:
            return error_message("refused.killed", saved=saved)
        return error_message("refused.no_word", saved=saved)

    def _last_log_line(self, name: str) -> str:
        """The last line of its log."""
        text = (self.folder / name / LOG).read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
        return lines[-1].removeprefix("afa_viz: ")[:300] if lines else "it said nothing."


def _read_training_request(path: Path) -> TrainingRequest | None:
    """Raises: OSError: if the file can not be read just now."""
    try:
        return stored_training_request(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, RecursionError) as error:
        log.warning("the training %s is left out: %r", path.parent.name, error)
        return None


def _iteration(path: Path) -> int | None:
    """Of a snapshot, as `Run.snapshot` names it; None for any other file."""
    number = path.stem.removeprefix("iter_")
    own = number.isdecimal() and path.name == f"iter_{int(number):06d}{path.suffix}"
    return int(number) if own and path.is_file() else None


def _number(path: Path) -> int:
    """Of a run, as its folder's name ends."""
    found = re.search(r"-(\d+)$", path.name)
    return int(found[1]) if found else 0


def _age(path: Path) -> float:
    """Seconds since a file was written; below 0 for one that is dated in the future."""
    return time.time() - path.stat().st_mtime if path.exists() else float("inf")


def _backbone(folder: Path | None) -> str | None:
    """Of the checkpoint in a folder, as its card says."""
    cards = [] if folder is None else list(Path(folder).glob("*.json"))
    for card in cards:
        try:
            return str(parse_json(read_text(card))["backbone"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None
