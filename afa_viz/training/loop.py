"""The training loop: curriculum, optimiser, logs, evaluation, checkpoints, resume; on one process or many."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from afa_viz.config import TrainConfig
from afa_viz.model.afa import AFA
from afa_viz.model.card import Card
from afa_viz.model.checkpoint import LoadReport, save_model
from afa_viz.ops.checks import NonFiniteError
from afa_viz.progress import progress as progress_bar
from afa_viz.training import records
from afa_viz.training.batches import Batches
from afa_viz.training.card import card_of
from afa_viz.training.distributed import Processes, rank_zero_first
from afa_viz.training.evaluations import RunScores, Samples, score_run
from afa_viz.training.finite_checks import DivergedError, diverged_network
from afa_viz.training.history import RunHistory
from afa_viz.training.initial_weights import load_initial_weights
from afa_viz.training.means import Means
from afa_viz.training.progress import LOG_EVERY
from afa_viz.training.resume import changed_settings, flat_settings, log_changes, resume_hint, saved_settings
from afa_viz.training.run_files import has_state, reject_overwriting
from afa_viz.training.status import delayed_interrupts
from afa_viz.training.step import phase
from afa_viz.training.tensorboard_log import TensorBoardLog
from afa_viz.training.train_state import TrainState, build_model

SAVE_EVERY = 100  # iterations; a killed run loses at most these, a short one at most a quarter of itself

log = logging.getLogger(__name__)


class Run:
    """One training run in a folder: `last.pt` to resume from, `previous.pt` as a fallback, `metrics.jsonl`,
    `snapshots/`, and the final model.

    A step whose losses or gradients are not finite is skipped: weights, optimiser and batch norms stay as they were.
    After too many in a row the run stops and keeps its last saved state.

    Args:
        config: settings of the run.
        batches: source of the training batches.
        folder: of the run; resumed if it holds `last.pt` and `resume` is set.
        class_names: K names, background first.
        samples: (rank, world_size) -> the evaluation samples of that process; all processes together have each sample
            once.
        scored_on: data set and split of the samples.
        resume: continue the run in the folder; bit-exact on the CPU. Settings that do not change the meaning of the
            weights may differ (`resume.CHANGEABLE`); differences are logged and written to the card.
        processes: rank and number of processes; only rank 0 writes.
        eval_every: iterations between two evaluations.
        snapshots: iterations at which half-precision weights are kept.
        init: checkpoint with the initial weights of a new run, with a new optimiser; of one with other classes the
            class heads of equal names are kept. See `checkpoint.load_any`; its report is `init_report`.
        on_evaluated: called with the run after each evaluation, on rank 0: plots, panels.
        facts: about the data, for the card; see `resume.DATA_FACTS` for what a resumed run must share.
    Raises: ValueError: if the folder holds a run and `resume` is not set, or a run with other classes, data, network or
        losses; for class names that a card cannot store.
    """

    def __init__(
        self,
        config: TrainConfig,
        batches: Batches,
        folder: str | os.PathLike[str],
        class_names: tuple[str, ...],
        samples: Samples | None = None,
        *,
        resume: bool = False,
        processes: Processes | None = None,
        eval_every: int = 500,
        snapshots: tuple[int, ...] = (),
        init: str | os.PathLike[str] | None = None,
        on_evaluated: Callable[[Run], None] | None = None,
        facts: Mapping[str, Any] | None = None,
        scored_on: str = "",
    ) -> None:
        self.config, self.batches, self.folder = config, batches, Path(folder)
        self.class_names, self.samples, self.processes = class_names, samples, processes or Processes()
        self.scored_on = scored_on
        self.eval_every, self.snapshots, self.on_evaluated = eval_every, snapshots, on_evaluated
        self.log_every = min(LOG_EVERY, max(1, config.max_iters // 100))
        self.save_every = min(SAVE_EVERY, -(-config.max_iters // 4))
        self.facts, self.history = dict(facts or {}), RunHistory.begin(config)
        self.scores = RunScores()  # the last evaluation
        self.saved = -1  # iteration of `last.pt`
        self.iteration, self.seconds = 0, 0.0
        self.model = build_model(config)
        self.card()  # class names that cannot be saved fail before the first step
        self.folder.mkdir(parents=True, exist_ok=True)
        reject_overwriting(self.folder, resume)
        begun = has_state(self.folder)
        self.init_report: LoadReport | None = None
        if not begun:
            with rank_zero_first(self.processes):  # rank 0 downloads; the others read the cache
                self.init_report = load_initial_weights(self.model, config, self.history, class_names, init)
        self.train_state = TrainState(config, self.model, self.processes)
        if begun:
            self._load()
        elif self.processes.is_main:
            records.truncate_metrics(self.folder, -1)  # of a run that was killed before its first save
        self.tensorboard = TensorBoardLog(self.folder, self.iteration) if self.processes.is_main else None

    def settings(self) -> dict[str, Any]:
        """All settings that define the run, by name; see `resume`."""
        execution = {
            "device": self.processes.device.split(":")[0], "processes": self.processes.world_size,
            "threads": torch.get_num_threads(), "eval_every": self.eval_every, "snapshots": self.snapshots,
        }  # fmt: skip
        return flat_settings(self.config, self.class_names, self.facts, execution)

    def _load(self) -> None:
        with rank_zero_first(self.processes):  # rank 0 moves a damaged state aside first
            state = records.load_state(self.folder, self.processes.device)
        self.iteration, self.seconds = state["iteration"], state["seconds"]
        self.history.load(state, self.config)
        before = saved_settings(state, self.settings(), repr(self.config), self.folder)
        changed = changed_settings(before, self.settings(), self.iteration, self.folder)
        self.train_state.load(state)
        self.saved = self.iteration
        if self.processes.is_main:
            records.truncate_metrics(self.folder, self.iteration)
        if changed:
            self.history.changes.append({"iteration": self.iteration, **changed})
        if changed and self.processes.is_main:
            log_changes(self.folder, self.iteration, changed)

    def save(self) -> bool:
        """Write `last.pt` atomically; the older one becomes `previous.pt`.

        Returns: False for a state that is not finite, which is not written: non-finite numbers in it or in the
            outputs of its network.
        """
        if not self.processes.is_main or self.saved == self.iteration:
            return True
        if not self.train_state.is_finite():
            log.warning("the state of iteration %s is not saved: its network gives no finite numbers.", self.iteration)
            return False
        numbers = {
            "iteration": self.iteration, "seconds": self.seconds, "settings": self.settings(), **self.history.state(),
        }  # fmt: skip
        records.save_state(self.folder, self.train_state.state() | numbers)
        self.saved = self.iteration
        return True

    @property
    def eval_model(self) -> AFA:
        """The network that is evaluated and exported: the running mean of the weights if `config.ema` is set."""
        return self.train_state.eval_model

    def card(self, scores: dict | None = None) -> Card:
        """The card of the current weights."""
        state = getattr(self, "train_state", None)  # none yet where class names are checked before the first step
        calibration = {} if state is None else dict(state.calibration)
        training = {
            "iterations": self.iteration, "seconds": round(self.seconds), "device": self.processes.device,
            "processes": self.processes.world_size, **self.history.facts(),
            **({"affinity_calibration": calibration} if calibration else {}), **self.facts,
            **({"scored_on": self.scores.scored_on} if scores else {}),
        }  # fmt: skip
        return card_of(
            self.config,
            self.class_names,
            topk=self.model.topk,
            licence=self.history.licence,
            trained_on=self.history.trained_on,
            training=training,
            scores=scores or {},
        )

    def log(self, **values: Any) -> None:
        """Append a line to `metrics.jsonl`, null where nothing was counted, and the scalars to TensorBoard."""
        if self.tensorboard is not None:
            records.append_metrics(self.folder, {"iteration": self.iteration, **values})
            self.tensorboard.add(self.iteration, {name: value for name, value in values.items() if value == value})

    def step(self) -> dict[str, float]:
        """One iteration: batches, losses, update. Returns the losses that were computed, means over processes.

        Where one of them or a gradient is not finite, in any process, all processes skip the update and an empty dict
        is returned.

        Raises: DivergedError: after more than `config.max_bad_steps` skipped steps in a row, or if the weights
            themselves are not finite.
        """
        with delayed_interrupts():
            if self.train_state.calibrate(self.batches, self.iteration):
                found = self.train_state.calibration
                self.log(affinity_logit_mean=found["mean"], affinity_logit_std=found["std"])
        gradients = self.train_state.compute_gradients(self.batches, self.iteration)
        with delayed_interrupts():  # weights, optimiser and iteration belong together
            good = self.train_state.update(gradients)
            self.history.add_step(self.config, self.iteration, gradients.skipped, updated=good)
            self.iteration += 1
        if good:
            return gradients.losses
        self.train_state.raise_if_diverged(gradients, self.iteration)
        return {}

    def evaluate(self) -> dict[str, float]:
        """Scores on the run's evaluation samples: mIoU per stage, mAP and F1. Cached per iteration.

        Every process must call it: each scores its share of the samples.
        """
        if self.samples is not None and self.scores.iteration != self.iteration:
            model = self.eval_model
            model.card = self.card()
            self.scores = score_run(
                model, self.samples, self.scored_on, self.iteration, self.config.explain, self.processes
            )
        return self.scores.summary

    def evaluate_and_log(self) -> None:
        """Score the current weights, log the scores, call `on_evaluated`. Every process must call it."""
        began = time.monotonic()
        try:
            scores = self.evaluate()
        except NonFiniteError as error:
            raise diverged_network(self.iteration, f" for an image ({error})") from error
        where = {records.SCORED_ON: self.scores.scored_on} if scores else {}
        self.log(**scores, **self.scores.by_class, **where, evaluation_seconds=round(time.monotonic() - began, 2))
        if self.processes.is_main and self.on_evaluated is not None:
            self.on_evaluated(self)

    def run(self, until: int | None = None, progress: bool = True) -> None:
        """Train to the end of the run or to iteration `until`; saves at the end and when interrupted.

        Raises: ValueError: if `until` is negative. DivergedError: as `step`; the last saved state is kept.
        """
        if until is not None and until < 0:
            raise ValueError(f"until is {until}; expected an iteration to stop after, 0 or more.")
        end = self.config.max_iters if until is None else min(until, self.config.max_iters)
        quiet = not (progress and self.processes.is_main)
        bar = progress_bar(total=end, initial=self.iteration, desc="train", unit="step", disable=quiet)
        try:
            self.save()  # a state to fall back to
            self._train(end, bar)
            if not self.save():
                raise diverged_network(self.iteration)
        except DivergedError as error:
            raise DivergedError(
                f"{str(error).removesuffix('.')}{resume_hint(self.config, self.iteration, self.saved)}."
            ) from error
        except BaseException:
            with delayed_interrupts():
                self.save()
            raise
        finally:
            with delayed_interrupts():
                bar.close()
                if self.tensorboard is not None:
                    self.tensorboard.close()

    def _train(self, end: int, bar: Any) -> None:
        """Steps up to iteration `end`, with logs, evaluations and checkpoints between them."""
        means = Means()
        clock = time.monotonic()
        while self.iteration < end:
            means.add(self.step())
            self.seconds += time.monotonic() - clock
            clock = time.monotonic()
            bar.update()
            if self.iteration % self.log_every == 0 or self.iteration == end:
                values = means.take()
                bar.set_postfix({name: f"{value:.3g}" for name, value in values.items()})
                self.log(
                    phase=phase(self.iteration - 1, self.config), lr=self.train_state.learning_rate,
                    seconds=round(self.seconds, 2), **values, **self.history.counts(),
                )  # fmt: skip
            self._evaluate_and_save(self.iteration == end)
            clock = time.monotonic()

    def _evaluate_and_save(self, last: bool) -> None:
        """Between two steps: evaluations, snapshots, checkpoints. Only rank 0 writes."""
        kept = self.iteration in self.snapshots
        if kept or last or self.iteration % self.eval_every == 0:
            self.evaluate_and_log()
        if kept and self.processes.is_main:
            self.snapshot()
        if self.iteration % self.save_every == 0 and not self.train_state.consecutive_bad_steps:
            self.save()

    def snapshot(self) -> None:
        """Save the current weights in half precision, with their scores on the card."""
        path = self.folder / records.SNAPSHOTS / f"iter_{self.iteration:06d}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_model(self.eval_model, path, self.card(self.evaluate()), half=True)

    def export(self, path: str | os.PathLike[str], scores: dict | None = None, half: bool = False) -> None:
        """Write the model and its card."""
        save_model(self.eval_model, path, self.card(scores), half=half)
