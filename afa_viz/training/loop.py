"""The loop: curriculum, optimiser, logs, evaluation, checkpoints, resume; on one process or many."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from afa_viz.config import TrainConfig
from afa_viz.evaluation import Sample, score_shards
from afa_viz.model.afa import AFA, build_afa
from afa_viz.model.card import Card
from afa_viz.model.checkpoint import load_any, save_model
from afa_viz.model.pretrained import load_imagenet
from afa_viz.training import curriculum, records
from afa_viz.training.batches import Batches
from afa_viz.training.board import Board
from afa_viz.training.card import card_of
from afa_viz.training.distributed import Processes, first_goes_ahead, gather, mean_of, share_batch_norms
from afa_viz.training.optim import build_optimizer, set_learning_rate
from afa_viz.training.status import interrupted_later
from afa_viz.training.step import Losses, phase
from afa_viz.training.teachers import last_teachers, teachers

LOG_EVERY = 20  # iterations; fewer in runs of less than a hundred times as many
SAVE_EVERY = 100  # iterations; a killed run loses at most these

Samples = Callable[[tuple[int, int]], Iterable[Sample]]


def build_model(config: TrainConfig) -> AFA:
    """A fresh network as the configuration says."""
    torch.manual_seed(config.rng_seed)
    return build_afa(
        config.backbone,
        config.num_classes,
        config.pooling,
        topk=config.topk,
        logit_offset=config.logit_offset,
        drop_path_rate=config.drop_path_rate,
    )


class Run:
    """One training run in a folder: `last.pt` to resume from, `metrics.jsonl`, `snapshots/`, and the final model.

    Args:
        config: of the run.
        batches: where the images come from.
        folder: of the run; resumed if it holds `last.pt` and `resume` is set.
        class_names: K names, background first.
        samples: (rank, world) -> the evaluation samples of that process; together they are all of them, once each.
        resume: go on with the run in the folder; on the CPU bit for bit.
        processes: this process and its fellows; only the first one writes.
        eval_every: iterations between two ladders.
        snapshots: iterations at which half-precision weights are kept.
        init: checkpoint whose weights a new run begins with, with a fresh optimiser; see `checkpoint.load_any`.
        evaluated: called with the run after each ladder, on the first process: plots, panels.
        facts: about the data, for the card.
    Raises: ValueError: if the folder holds a run that is not to be resumed, or one with another configuration; for
        class names that no card can hold.
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
        evaluated: Callable[[Run], None] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.config, self.batches, self.folder = config, batches, Path(folder)
        self.class_names, self.samples, self.processes = class_names, samples, processes or Processes()
        self.eval_every, self.snapshots, self.evaluated = eval_every, snapshots, evaluated
        self.log_every = min(LOG_EVERY, max(1, config.max_iters // 100))
        self.facts, self.skipped, self.licence = dict(facts or {}), 0, "Apache-2.0"
        self.teachers: dict[str, str | None] = dict(last_teachers(config, 0))  # of affinity and decoder, for the card
        self._scores: tuple[int, dict[str, float]] = (-1, {})
        device = self.processes.device
        self.model = build_model(config)
        self.iteration, self.seconds = 0, 0.0
        self.card()  # names that can not be written at the end are refused before the first step
        self.folder.mkdir(parents=True, exist_ok=True)
        begun = (self.folder / records.LAST).exists()
        if begun and not resume:
            raise ValueError(
                f"{self.folder} already holds a run; pass --resume to go on with it or choose another folder."
            )
        if not begun:
            with first_goes_ahead(self.processes):  # one fetches what the others then find in the cache
                self._begin_with(init)
        # Tokens lie with their channels last: kernels that do too spare copies (a quarter of a step at 128 pixels).
        shared: Any = share_batch_norms(self.model, self.processes)
        self.model = shared.to(device, memory_format=torch.channels_last)
        self.optimizer = build_optimizer(self.model, config)
        self.scaler = torch.amp.GradScaler(device.split(":")[0], enabled=config.amp == "fp16" and device != "cpu")
        mean = get_ema_multi_avg_fn(config.ema)
        self.ema = AveragedModel(self.model, multi_avg_fn=mean, use_buffers=True) if config.ema else None
        self.losses: nn.Module = Losses(self.model, config, self.processes)
        if begun:
            self._load()
        elif self.processes.first:
            records.drop_after(self.folder, -1)  # of a run that was killed before its first save
        self.board = Board(self.folder, self.iteration) if self.processes.first else None
        if self.processes.world > 1:
            self.losses = DistributedDataParallel(self.losses, find_unused_parameters=True)

    def _begin_with(self, init: str | os.PathLike[str] | None) -> None:
        """Fill the new network with the weights that it begins with; theirs is the licence of what comes out."""
        if init is not None:
            report = load_any(self.model, init)
            self.licence, self.teachers = report.licence, self.teachers | report.teachers
        elif self.config.pretrained:
            self.licence = load_imagenet(self.model, self.config.backbone)

    def _load(self) -> None:
        state = records.load_state(self.folder, self.processes.device)
        if state["config"] != repr(self.config):
            raise ValueError(f"{self.folder} was trained with other settings; resume with the same ones.")
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.iteration, self.seconds = state["iteration"], state["seconds"]
        self.skipped, self.licence = state.get("skipped", 0), state.get("licence", self.licence)
        self.teachers |= state.get("teachers") or last_teachers(self.config, self.iteration)
        if self.processes.first:
            records.drop_after(self.folder, self.iteration)

    def _parts(self) -> dict[str, Any]:
        parts = {"model": self.model, "optimizer": self.optimizer, "scaler": self.scaler}
        return parts if self.ema is None else parts | {"ema": self.ema}

    def save(self) -> None:
        """Write `last.pt`, whole or not at all."""
        if self.processes.first:
            state = {name: part.state_dict() for name, part in self._parts().items()}
            numbers = {
                "iteration": self.iteration, "seconds": self.seconds, "config": repr(self.config),
                "skipped": self.skipped, "licence": self.licence,
                "teachers": self.teachers,
            }  # fmt: skip
            records.save_state(self.folder, state | numbers)

    @property
    def shown(self) -> AFA:
        """The network that is evaluated and exported: the running mean of the weights where there is one."""
        model = self.model if self.ema is None else cast(AFA, self.ema.module)
        model.topk = self.model.topk
        return model

    def card(self, scores: dict | None = None) -> Card:
        """The card of the present weights."""
        return card_of(self, scores or {})

    def log(self, **values: Any) -> None:
        """Append one line to `metrics.jsonl` and TensorBoard's files, without NaN, where nothing was counted."""
        if self.board is not None:
            known = {name: value for name, value in values.items() if value == value}
            records.append(self.folder, {"iteration": self.iteration, **known})
            self.board.add(self.iteration, known)

    def step(self) -> dict[str, float]:
        """One iteration: batches, losses, update. Returns the losses that were computed, means over processes."""
        config, processes = self.config, self.processes
        part, within = curriculum.locate(config, self.iteration)
        # Stochastic depth, resumable; processes differ.
        torch.manual_seed((config.rng_seed * 1_000_003 + self.iteration) * processes.world + processes.rank)
        self.losses.train()
        self.model.topk = curriculum.topk(part, within)
        set_learning_rate(self.optimizer, curriculum.learning_rate(config, part, within))
        self.optimizer.zero_grad(set_to_none=True)
        sums: dict[str, float] = {}
        skipped = 0
        for k in range(config.accumulate):
            batch = self.batches(part, self.iteration * config.accumulate + k, processes.shard).to(processes.device)
            skipped += batch.skipped
            waits = self.losses if k + 1 < config.accumulate else None
            with waits.no_sync() if isinstance(waits, DistributedDataParallel) else contextlib.nullcontext():
                losses = self.losses(batch, self.iteration, part.single_objects)
                self.scaler.scale(losses["loss"] / config.accumulate).backward()
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) / config.accumulate
        self.scaler.unscale_(self.optimizer)
        if config.clip_grad > 0:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip_grad)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.ema is not None:
            self.ema.update_parameters(self.model)
        self.teachers |= teachers(config, self.iteration)
        self.iteration += 1
        values = mean_of(sums | {"skipped": skipped}, processes.world)
        self.skipped += round(values.pop("skipped") * processes.world)
        if not all(abs(value) < float("inf") for value in values.values()):
            raise ValueError(
                f"the loss is {values} at iteration {self.iteration}; expected finite numbers: lower the learning rate "
                "and resume from the last checkpoint."
            )
        return values

    def evaluate(self) -> dict[str, float]:
        """The stage ladder on the run's samples: mIoU a stage, mAP and F1. Made once an iteration.

        Every process must call it: each scores its share of the samples.
        """
        if self.samples is not None and self._scores[0] != self.iteration:
            model = self.shown
            model.eval()
            model.card = self.card()
            mine = self.samples(self.processes.shard)
            ladder = score_shards(model, mine, partial(gather, world=self.processes.world), self.config.explain)
            self._scores = (self.iteration, ladder.summary())
        return self._scores[1]

    def ladder(self) -> None:
        """Score the present weights, log that, and show them to whoever wants to see. Every process must call it."""
        began = time.monotonic()
        scores = self.evaluate()
        self.log(**scores, ladder_seconds=round(time.monotonic() - began, 2))
        if self.processes.first and self.evaluated is not None:
            self.evaluated(self)

    def run(self, until: int | None = None, progress: bool = True) -> None:
        """Train to the end of the run or to iteration `until`; saves at the end and whenever it is interrupted."""
        end = min(until or self.config.max_iters, self.config.max_iters)
        sums: dict[str, float] = {}
        counted = 0
        clock = time.monotonic()
        shown = progress and self.processes.first
        bar = tqdm(total=end, initial=self.iteration, desc="train", unit="step", disable=not shown)
        try:
            while self.iteration < end:
                losses = self.step()
                self.seconds += time.monotonic() - clock
                clock = time.monotonic()
                counted += 1
                sums = {name: sums.get(name, 0.0) + value for name, value in losses.items()}
                bar.update()
                if self.iteration % self.log_every == 0 or self.iteration == end:
                    means = {name: round(value / counted, 5) for name, value in sums.items()}
                    bar.set_postfix({name: f"{value:.3f}" for name, value in means.items()})
                    rate = self.optimizer.param_groups[0]["lr"]
                    self.log(
                        phase=phase(self.iteration - 1, self.config), lr=rate, seconds=round(self.seconds, 2), **means,
                        **({"skipped": self.skipped} if self.skipped else {}),
                    )  # fmt: skip
                    sums, counted = {}, 0
                self._look(self.iteration == end)
                clock = time.monotonic()
        finally:
            with interrupted_later():
                self.save()
                bar.close()
                if self.board is not None:
                    self.board.close()

    def _look(self, last: bool) -> None:
        """Between two steps: ladders, snapshots with theirs, checkpoints. Only the first process writes."""
        kept = self.iteration in self.snapshots
        if kept or last or self.iteration % self.eval_every == 0:
            self.ladder()
        if kept and self.processes.first:
            self.snapshot()
        if self.iteration % SAVE_EVERY == 0:
            self.save()

    def snapshot(self) -> None:
        """Keep half-precision weights of this moment, with its ladder in the card."""
        path = self.folder / records.SNAPSHOTS / f"iter_{self.iteration:06d}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_model(self.shown, path, self.card(self.evaluate()), half=True)

    def export(self, path: str | os.PathLike[str], scores: dict | None = None, half: bool = False) -> None:
        """Write the model and its card."""
        save_model(self.shown, path, self.card(scores), half=half)
