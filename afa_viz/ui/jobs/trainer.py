"""Training runs as separate processes, each with a folder: start, stop, resume and inspect them.

The state of a run is stored in its folder, so that another app, or this one after a restart, finds it there; a run
does not depend on the app that started it.
"""

from __future__ import annotations

import json
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
from afa_viz.training.progress import LOG_EVERY, seconds_left
from afa_viz.training.records import read_metrics
from afa_viz.training.status import ENDED, STATUS, Status, is_alive, read_status, write_status
from afa_viz.ui.errors import UserError, quote_value
from afa_viz.ui.jobs.run_folders import backbone_of, file_age, read_training_request, run_number, snapshot_iteration
from afa_viz.ui.jobs.training_request import TrainingRequest, parse_training_request
from afa_viz.ui.localization import error_message

REQUEST, LOG, START = "order.json", "log.txt", "start.lock"
PACKAGE = Path(__file__).parents[2]
DISK_NEEDED = 800 * 2**20  # bytes that a run may need: images, weights, three optimiser states
DISK_FULL = 20 * 2**20  # bytes free; a run that died with less had a full disk
START_TIMEOUT = 30.0  # seconds that a process may take to start
EXIT_TIMEOUT = 5.0  # seconds that a process may take to end
MAX_LISTED = 30  # newest runs
NICENESS = 5  # keeps the app responsive while a run trains


@dataclass(frozen=True)
class Run:
    """A run as described by its folder.

    Attributes:
        name: of the folder.
        request: the choices for the run.
        state: "starting", "rendering", "training", "stopping", "stopped", "finished", "failed" or "killed".
        message: why it failed, or what killed it.
        status: the last one that its process wrote.
    """

    name: str
    request: TrainingRequest
    state: str
    message: str
    status: Status

    @property
    def is_active(self) -> bool:
        """Whether its process is running."""
        return self.state not in (*ENDED, "killed")


class Trainer:
    """All runs in a folder.

    Args:
        folder: of the runs; created with the first one.
        cache: folder of rendered images.
        bundled: folder of the weights that a run may start from.
        extra: arguments that are added to the command of every run; tests make the sandbox smaller with them.
    """

    def __init__(self, folder: Path, cache: Path, bundled: Path | None = None, extra: tuple[str, ...] = ()) -> None:
        self.folder, self.cache, self.extra = Path(folder).resolve(), Path(cache).resolve(), extra
        self.bundled = bundled
        self.bundled_backbone = backbone_of(bundled)
        self._children: dict[str, subprocess.Popen] = {}
        self._requests: dict[
            str, tuple[tuple[int, ...], TrainingRequest | None]
        ] = {}  # by date, size and inode of the file
        self._stopping: set[str] = set()
        self._lock = threading.RLock()

    # --- inspecting ---

    def names(self) -> list[str]:
        """Names of the runs, newest first."""
        found = sorted((path for path in self._folders() if (path / REQUEST).is_file()), key=run_number, reverse=True)
        return [path.name for path in found[:MAX_LISTED] if self._request(path) is not None]

    def _folders(self) -> list[Path]:
        return list(self.folder.iterdir()) if self.folder.is_dir() else []

    def _request(self, folder: Path) -> TrainingRequest | None:
        """The choices for a run, cached; None if they cannot be read, or are of another version."""
        path = folder / REQUEST
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if self._requests.get(folder.name, ((), None))[0] != stamp:
                self._requests[folder.name] = (stamp, read_training_request(path))
            return self._requests[folder.name][1]
        except OSError:
            return None

    def run(self, name: Any) -> Run:
        """A run by its name. Raises: UserError: for an unknown one."""
        known = isinstance(name, str) and name in [path.name for path in self._folders()]
        folder = self.folder / (name if known else "")
        request = self._request(folder) if known else None
        if request is None:
            raise UserError(error_message("refused.no_training", name=quote_value(name)))
        before = read_status(folder)
        alive = is_alive(folder)
        status = (
            read_status(folder) or Status()
        )  # read after the lock: a run writes how it ended before it releases the lock
        if before != status and not alive:
            alive = is_alive(folder)  # it started or ended between the two reads
        if alive:
            message = status.message if status.doing in ENDED else ""  # it has said how it ended, and is about to
            return Run(name, request, "stopping" if name in self._stopping else status.doing, message, status)
        if status.doing not in ENDED and status.pid == 0 and abs(file_age(folder / STATUS)) < START_TIMEOUT:
            return Run(name, request, status.doing, "", status)
        self._stopping.discard(name)
        self._wait_for_exit(name)
        if status.doing in ENDED:
            return Run(name, request, status.doing, status.message, status)
        return Run(name, request, "killed", self._failure_reason(name), status)

    def active_run(self) -> Run | None:
        """The run whose process is running, if there is one."""
        runs = (self.run(name) for name in self.names())
        return next((run for run in runs if run.is_active), None)

    def metrics(self, name: str) -> list[dict[str, Any]]:
        """The metrics that a run has logged, oldest first; [] if they cannot be read."""
        try:
            return read_metrics(self.folder / name)
        except OSError:
            return []

    def snapshot_iterations(self, name: str) -> list[int]:
        """Iterations with weights and a panel, ascending; a run may have stopped between two log lines."""
        end = max((line["iteration"] for line in self.metrics(name)), default=-LOG_EVERY) + LOG_EVERY
        found = (snapshot_iteration(path) for path in (self.folder / name / "snapshots").glob("iter_*.safetensors"))
        return sorted(iteration for iteration in found if iteration is not None and iteration < end)

    def weights(self, name: Any, iteration: Any) -> Path:
        """The weights at an iteration. Raises: UserError: if there are none."""
        return self._file(name, iteration, "snapshots", "safetensors")

    def panel(self, name: Any, iteration: Any) -> Path:
        """The panel image of an iteration. Raises: UserError: if there is none."""
        return self._file(name, iteration, "panels", "jpg")

    def _file(self, name: Any, iteration: Any, kind: str, suffix: str) -> Path:
        run = self.run(name)
        whole = isinstance(iteration, int) and not isinstance(iteration, bool)
        whole = whole and 0 <= iteration <= run.request.iterations
        path = self.folder / run.name / kind / f"iter_{iteration if whole else 0:06d}.{suffix}"
        if not whole or not path.is_file():
            raise UserError(error_message("refused.no_snapshot", iteration=quote_value(iteration, 20)))
        return path

    def seconds_left(self, run: Run) -> float | None:
        """Seconds until a run ends; None if that is not known yet."""
        return seconds_left(run.request.config, self.metrics(run.name), run.request.eval_every)

    # --- starting and stopping ---

    def parse_training_request(self, params: Mapping[str, Any], devices: tuple[str, ...]) -> TrainingRequest:
        """See `training_request.parse_training_request`."""
        return parse_training_request(params, devices, self.bundled_backbone)

    def start(self, request: TrainingRequest) -> str:
        """Start a run; returns its name. Raises: UserError: if another one is active, or the disk is too full."""
        with self._start_lock():
            self.folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
            if free < DISK_NEEDED:
                raise UserError(error_message("refused.disk_room", free=free >> 20, needed=DISK_NEEDED >> 20))
            number = max(map(run_number, self._folders()), default=0) + 1
            name = f"{request.preset}-{number:03d}"
            (self.folder / name).mkdir()
            with atomic_write(self.folder / name / REQUEST) as partial:
                partial.write_text(json.dumps(request.to_dict()), encoding="utf-8")
            self._launch(name, request, resume=False)
            return name

    def resume(self, name: Any) -> None:
        """Resume a run. Raises: UserError: if another one is active, or this one has finished."""
        with self._start_lock():
            run = self.run(name)
            if run.state == "finished":
                raise UserError(error_message("refused.finished"))
            self._launch(run.name, run.request, resume=True)

    def stop(self, name: Any) -> None:
        """Let a run save its state and end. Raises: UserError: if it is not active."""
        run = self.run(name)
        if not run.is_active:
            raise UserError(error_message("refused.ended"))
        if not run.status.pid:
            raise UserError(error_message("refused.just_starting"))
        self._stopping.add(run.name)
        try:
            os.kill(run.status.pid, signal.SIGTERM)
        except ProcessLookupError:
            self._stopping.discard(run.name)

    @contextmanager
    def _start_lock(self) -> Iterator[None]:
        """Prevents other starts, also by other apps. Raises: UserError: if a run is active already."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with self._lock, FileLock(self.folder / START, timeout=START_TIMEOUT):
                active = self.active_run()
                if active is not None:
                    raise UserError(error_message("refused.at_work", name=active.name))
                yield
        except Timeout:
            raise UserError(error_message("refused.other_starting")) from None

    def _launch(self, name: str, request: TrainingRequest, resume: bool) -> None:
        """Start the process and wait until it holds its lock. Raises: UserError: with its last log line, if it ends."""
        folder = self.folder / name
        self._stopping.discard(name)
        write_status(folder, Status())  # with pid 0: the pid of an older process must not be signalled
        command = [sys.executable, "-m", "afa_viz", *request.arguments(folder, self.cache, self.bundled, resume)]
        paths = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        with open(folder / LOG, "a", encoding="utf-8") as log:
            child = subprocess.Popen(
                [*command, *self.extra], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)}, start_new_session=True,
            )  # fmt: skip
        self._children[name] = child
        if hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, child.pid, NICENESS)
        deadline = time.monotonic() + START_TIMEOUT
        while child.poll() is None and time.monotonic() < deadline:
            status = read_status(folder)
            if status is not None and status.pid and is_alive(folder):
                return
            time.sleep(0.05)
        if child.poll() is not None:
            last_line = self._last_log_line(name)
            write_status(folder, Status("failed", message=last_line))
            raise UserError(error_message("refused.could_not_begin", words=last_line))

    # --- failures ---

    def _wait_for_exit(self, name: str) -> None:
        """Collect the exit status of a child process; it releases its lock shortly before it ends."""
        if name in self._children:
            with suppress(subprocess.TimeoutExpired):
                self._children[name].wait(EXIT_TIMEOUT)

    def _failure_reason(self, name: str) -> str:
        """One sentence about a run that ended without writing its status."""
        child = self._children.get(name)
        code = None if child is None else child.poll()
        saved = max([0, *self.snapshot_iterations(name)])
        if shutil.disk_usage(self.folder).free < DISK_FULL:
            return error_message("refused.full_disk", saved=saved)
        if code == -signal.SIGKILL:
            return error_message("refused.killed", saved=saved)
        return error_message("refused.no_word", saved=saved)

    def _last_log_line(self, name: str) -> str:
        """The last line of the log of a run."""
        text = (self.folder / name / LOG).read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
        return lines[-1].removeprefix("afa_viz: ")[:300] if lines else "it said nothing."
