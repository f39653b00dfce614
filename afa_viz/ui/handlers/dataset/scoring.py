"""Scores of a whole data set, computed by a background worker that yields to visitors, and stored on disk.

A table belongs to one checkpoint, one config and one data set.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import math
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afa_viz.atomic_files import atomic_write
from afa_viz.config import ExplainConfig
from afa_viz.structured_text import parse_json, read_text
from afa_viz.ui.errors import UserError
from afa_viz.ui.handlers.dataset.images import DataSet
from afa_viz.ui.localization import error_message
from afa_viz.ui.sessions.session import Session

if TYPE_CHECKING:
    from afa_viz.trace import Trace

# Stages in pipeline order; all of them label every pixel by its strongest score, so that any two can be compared.
COMPARABLE_STAGES = ("walk_start", "cam_rw", "cam_refined", "cam_par", "seg")
SCORES_VERSION = "2"  # to be increased when the same images would get other scores
SAVE_EVERY = 20.0  # seconds
IDLE_SECONDS = 1.0  # without an explanation, before the worker continues
NICENESS = 10
FILE_NAME = "scores-{}.json"
TABLES_KEPT = 4  # in memory
FILES_KEPT = 50  # on disk, the newest ones: there is one for each model and config
MAX_TABLE_BYTES = 2**28  # of a file; ten thousand images take seven million bytes

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Score:
    """The scores of one image by stage: mIoU over its classes, background included, and IoU by class name.

    Both are empty without a mask in the classes of the model. `broken`: the image cannot be read.
    """

    miou: dict[str, float] = field(default_factory=dict)
    iou: dict[str, dict[str, float]] = field(default_factory=dict)
    broken: bool = False

    def of(self, stage: str, class_name: str = "") -> float | None:
        """mIoU of a stage, or its IoU of a class; None if it is unknown."""
        return self.iou.get(stage, {}).get(class_name) if class_name else self.miou.get(stage)


def score_trace(trace: Trace) -> Score:
    """The scores of one explained image."""
    from afa_viz.stage_scores import stage_scores

    found = stage_scores(trace)
    if found is None:
        return Score()
    return Score(
        miou={
            stage: round(found[stage]["miou"], 4)
            for stage in COMPARABLE_STAGES
            if stage in found and math.isfinite(found[stage]["miou"])
        },
        iou={
            stage: {trace.class_names[label]: round(value, 4) for label, value in found[stage]["iou"].items() if label}
            for stage in COMPARABLE_STAGES
            if stage in found
        },
    )


class Table:
    """Scores by image id, stored in a file.

    Args:
        path: of the file; it is no error if it is missing, damaged or not writable.
    Attributes:
        failure: one sentence that says why the last run failed; "" if it did not.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.failure = ""
        self._lock = threading.Lock()
        self._scores: dict[str, Score] = _read(path)

    def __len__(self) -> int:
        return len(self._scores)

    def get(self, name: str) -> Score | None:
        """The score of an image; None if it is not scored."""
        return self._scores.get(name)

    def put(self, name: str, score: Score) -> None:
        """Add the score of an image."""
        with self._lock:
            self._scores[name] = score

    def broken(self) -> int:
        """Number of images that could not be read."""
        with self._lock:
            return sum(score.broken for score in self._scores.values())

    def save(self) -> None:
        """Write the file, whole or not at all; scores that another app has written meanwhile are merged."""
        with self._lock:
            self._scores = _read(self._path) | self._scores
            data = {n: [s.miou, s.iou] for n, s in self._scores.items() if not s.broken}  # those are tried again
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._path) as partial:
                partial.write_text(json.dumps(data, separators=(",", ":"), allow_nan=False), encoding="utf-8")
        except OSError as error:
            log.info("scores cannot be stored: %s", error)
        _remove_oldest(self._path)


def _remove_oldest(path: Path) -> None:
    """Remove the oldest score files in the folder of `path`, beyond `FILES_KEPT`."""
    with contextlib.suppress(OSError):
        files = [(other.stat().st_mtime, other) for other in path.parent.glob(FILE_NAME.format("*")) if other != path]
        for _, old in sorted(files)[: max(0, len(files) + 1 - FILES_KEPT)]:
            old.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Score]:
    """The scores in a file; {} if it is not a valid table."""
    try:
        data = parse_json(read_text(path, MAX_TABLE_BYTES))
        return {str(name): Score(_fractions(miou), {s: _fractions(by) for s, by in iou.items()})
                for name, (miou, iou) in data.items()}  # fmt: skip
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _fractions(values: dict[str, Any]) -> dict[str, float]:
    result = {str(name): float(value) for name, value in values.items()}
    if not all(0 <= value <= 1 for value in result.values()):
        raise ValueError("not a table of scores")
    return result


@dataclass
class Job:
    """One run of the worker. done: number of images that it scored; seconds: working time without pauses."""

    model: str
    config: ExplainConfig
    table: Table
    done: int = 0
    seconds: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)
    paused: bool = False


class StopRequested(Exception):
    """The worker was asked to stop while it explained an image."""


class Scorer:
    """Scores a data set in a thread of low priority, one run at a time.

    Args:
        session: provides the models; the worker pauses while it explains for a visitor.
        dataset: the images to score.
    """

    def __init__(self, session: Session, dataset: DataSet) -> None:
        self._session = session
        self._dataset = dataset
        self._lock = threading.Lock()
        self._tables: dict[str, Table] = {}
        self._job: Job | None = None
        self._thread: threading.Thread | None = None

    def table(self, model: str, config: ExplainConfig) -> Table:
        """The scores of a model with a config, as far as they are known."""
        config = _without_attention(config)
        checkpoint = self._session.registry.facts(model).checkpoint_id
        text = repr((self._dataset.fingerprint, checkpoint, dataclasses.astuple(config), SCORES_VERSION))
        name = FILE_NAME.format(hashlib.sha256(text.encode()).hexdigest()[:24])
        with self._lock:
            if name not in self._tables:
                self._tables[name] = Table(self._dataset.cache / name)
                at_work = None if self._job is None else self._job.table
                idle = [old for old, table in self._tables.items() if table is not at_work and old != name]
                for old in idle[: max(0, len(self._tables) - TABLES_KEPT)]:
                    del self._tables[old]
            return self._tables[name]

    def start(self, model: str, config: ExplainConfig) -> None:
        """Score all images without a score; does nothing if the same job is running already.

        Raises: UserError: while another job is running.
        """
        table = self.table(model, config)
        with self._lock:
            if self._job is not None:
                if self._job.table is table:
                    return
                raise UserError(error_message("refused.scoring"))
            table.failure = ""
            self._job = Job(model, _without_attention(config), table)
            self._thread = threading.Thread(target=self._work, args=(self._job,), daemon=True)
            self._thread.start()

    def stop(self, wait: bool = False) -> None:
        """End the run after its current stage; the scores are kept."""
        with self._lock:
            job, thread = self._job, self._thread
        if job is not None:
            job.stop.set()
        if wait and thread is not None:
            thread.join()

    def running_job(self) -> Job | None:
        """The running job, if there is one."""
        return self._job

    def _work(self, job: Job) -> None:
        with contextlib.suppress(OSError, AttributeError):  # threads have priorities only on Linux
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        saved, name = time.monotonic(), ""
        try:
            for name in self._dataset.ids:
                if job.table.get(name) is None:
                    job.table.put(name, self._score(job, name))
                    job.done += 1
                if time.monotonic() - saved > SAVE_EVERY:
                    job.table.save()
                    saved = time.monotonic()
                if job.stop.is_set():
                    break
        except StopRequested:
            pass
        except Exception as error:  # of the model or of the code, not of an image
            log.exception("scoring the data set failed at %s", name)
            is_user_error = isinstance(error, UserError)
            job.table.failure = str(error) if is_user_error else error_message("refused.scoring_failed", name=name)
        finally:
            job.table.save()
            with self._lock:
                self._job = None

    def _score(self, job: Job, name: str) -> Score:
        from afa_viz.pipeline import explain

        rested = self._give_way(job)
        began = time.monotonic()

        def give_way(stage: str) -> None:
            nonlocal rested
            rested += self._give_way(job)

        try:
            image = self._dataset.input_image(name)
        except UserError as error:  # the files of the image cannot be read
            log.info("not scored: %s", error)
            score = Score(broken=True)
        else:
            model = self._session.registry.get(job.model)
            known = self._session.registry.class_names(job.model)
            labels = [label for label in image.labels or () if label in known] or None
            target = self._session.ground_truth(image, job.model)
            score = score_trace(explain(model, image.image, labels, job.config, target=target, progress=give_way))
        job.seconds += max(0.0, time.monotonic() - began - rested)
        return score

    def _give_way(self, job: Job) -> float:
        """Wait while somebody explains; seconds waited. Raises: Stopped."""
        began = time.monotonic()
        while not job.stop.is_set() and not self._session.is_idle(IDLE_SECONDS):
            job.paused = True
            job.stop.wait(0.1)
        job.paused = False
        if job.stop.is_set():
            raise StopRequested
        return time.monotonic() - began


def _without_attention(config: ExplainConfig) -> ExplainConfig:
    """The config without options that do not affect scores."""
    return dataclasses.replace(config, keep_attention="last_stage")
