"""The loop: curriculum, optimiser, logs, evaluation, checkpoints, resume."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from afa_viz import classes
from afa_viz.config import CurriculumStage, TrainConfig
from afa_viz.evaluation import evaluate_samples
from afa_viz.model.afa import AFA, build_afa
from afa_viz.model.card import Card
from afa_viz.model.checkpoint import load_any, save_model
from afa_viz.training.batches import ImageSet, random_batch
from afa_viz.training.optim import build_optimizer, rate_multiplier, set_learning_rate
from afa_viz.training.step import Batch, phase, training_losses

LOG_EVERY = 20  # iterations
SAVE_EVERY = 100  # iterations; a killed run loses at most these

Samples = Callable[[], list]


def parts_of(config: TrainConfig) -> tuple[CurriculumStage, ...]:
    """The curriculum, or the whole run as one part."""
    if config.curriculum:
        return config.curriculum
    return (
        CurriculumStage(
            config.max_iters, config.crop_size, config.crop_size, config.batch_size, config.learning_rate,
            topk_start=config.topk, topk_end=config.topk,
        ),
    )  # fmt: skip


def locate(config: TrainConfig, iteration: int) -> tuple[CurriculumStage, int]:
    """The part of the run that an iteration lies in and its number within it."""
    for part in parts_of(config):
        if iteration < part.iterations:
            return part, iteration
        iteration -= part.iterations
    raise ValueError(f"iteration lies {iteration} steps behind the end of the run.")


def single_object_loss(model: AFA, batch: Batch) -> Tensor:
    """Softmax cross-entropy for images that show exactly one class."""
    return F.cross_entropy(model.forward_classify(batch.image), batch.image_labels.argmax(dim=1))


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
        data: image set by (single_objects, image_size).
        folder: of the run; resumed if it holds `last.pt` and `resume` is set.
        class_names: K names, background first.
        samples: returns evaluation samples, see `afa_viz.evaluation`.
        snapshots: iterations at which half-precision weights are kept.
        init: checkpoint whose weights a new run begins with, with a fresh optimiser; see `checkpoint.load_any`.
    Raises: ValueError: if the folder holds a run that is not to be resumed, or one with another configuration.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: dict[tuple[bool, int], ImageSet],
        folder: str | os.PathLike[str],
        class_names: tuple[str, ...],
        samples: Samples | None = None,
        *,
        resume: bool = False,
        device: str = "cpu",
        eval_every: int = 500,
        snapshots: tuple[int, ...] = (),
        init: str | os.PathLike[str] | None = None,
    ) -> None:
        self.config, self.data, self.folder = config, data, Path(folder)
        self.class_names, self.samples, self.device = class_names, samples, device
        self.eval_every, self.snapshots = eval_every, snapshots
        self.model = build_model(config).to(device)
        self.optimizer = build_optimizer(self.model, config)
        self.iteration, self.seconds = 0, 0.0
        self.folder.mkdir(parents=True, exist_ok=True)
        last = self.folder / "last.pt"
        if last.exists() and not resume:
            raise ValueError(
                f"{self.folder} already holds a run; pass --resume to go on with it or choose another folder."
            )
        if last.exists():
            self._load(last)
        elif init is not None:
            load_any(self.model, init)

    def _load(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["config"] != repr(self.config):
            raise ValueError(f"{path.parent} was trained with other settings; resume with the same ones.")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.iteration, self.seconds = state["iteration"], state["seconds"]

    def save(self) -> None:
        """Write `last.pt`, whole or not at all."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "iteration": self.iteration,
            "seconds": self.seconds,
            "config": repr(self.config),
        }
        partial = self.folder / "last.pt.partial"
        torch.save(state, partial)
        os.replace(partial, self.folder / "last.pt")

    def card(self, scores: dict | None = None) -> Card:
        """The card of the present weights."""
        config = self.config
        return Card(
            backbone=config.backbone,
            num_classes=config.num_classes,
            class_names=self.class_names,
            palette=classes.colours_for(config.num_classes),
            pooling=config.pooling,
            topk=self.model.topk,
            logit_offset=config.logit_offset,
            cam_relu=config.cam_relu,
            affinity_at_centre=config.affinity_at_centre,
            input_size=config.input_size,
            licence="Apache-2.0",
            training={
                "config": dataclasses.asdict(config),
                "iterations": self.iteration,
                "seconds": round(self.seconds),
                "device": self.device,
            },
            scores=scores or {},
        )

    def log(self, **values) -> None:
        """Append one line to `metrics.jsonl`."""
        with open(self.folder / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps({"iteration": self.iteration, **values}) + "\n")

    def step(self) -> dict[str, float]:
        """One iteration: batch, losses, update. Returns the losses that were computed."""
        config = self.config
        part, within = locate(config, self.iteration)
        torch.manual_seed(config.rng_seed * 1_000_003 + self.iteration)  # stochastic depth, resumable
        self.model.train()
        self.model.topk = part.topk_start + (part.topk_end - part.topk_start) * within / max(1, part.iterations - 1)
        batch = random_batch(self.data[part.single_objects, part.image_size], part, config.rng_seed, self.iteration)
        batch = batch.to(self.device)
        warmup = min(config.warmup_iters, part.iterations // 4) if config.curriculum else config.warmup_iters
        multiplier = rate_multiplier(within, part.iterations, warmup, config.warmup_ratio, config.lr_power)
        set_learning_rate(self.optimizer, part.learning_rate * multiplier)
        self.optimizer.zero_grad(set_to_none=True)
        if part.single_objects:
            loss = single_object_loss(self.model, batch)
            losses = {"loss": loss, "loss_cls": loss}
        else:
            result = training_losses(self.model, batch, config, self.iteration)
            loss = result.loss
            named = {
                "loss": loss,
                "loss_cls": result.loss_cls,
                "loss_seg": result.loss_seg,
                "loss_aff": result.loss_aff,
            }
            losses = {name: value for name, value in named.items() if value is not None}
        loss.backward()
        if config.clip_grad > 0:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip_grad)
        self.optimizer.step()
        self.iteration += 1
        values = {name: float(value.detach()) for name, value in losses.items()}
        if not all(abs(value) < float("inf") for value in values.values()):
            raise ValueError(
                f"the loss is {values} at iteration {self.iteration}; expected finite numbers: lower the learning rate "
                "and resume from the last checkpoint."
            )
        return values

    def evaluate(self) -> dict[str, float]:
        """The stage ladder on the run's samples: mIoU a stage, mAP and F1."""
        if self.samples is None:
            return {}
        self.model.eval()
        self.model.card = self.card()
        return evaluate_samples(self.model, self.samples(), self.config.explain).summary()

    def run(self, until: int | None = None, progress: bool = True) -> None:
        """Train to the end of the run or to iteration `until`; saves at the end and whenever it is interrupted."""
        end = min(until or self.config.max_iters, self.config.max_iters)
        sums: dict[str, float] = {}
        counted = 0
        clock = time.monotonic()
        bar = tqdm(total=end, initial=self.iteration, desc="train", unit="step", disable=not progress)
        try:
            while self.iteration < end:
                losses = self.step()
                self.seconds += time.monotonic() - clock
                clock = time.monotonic()
                counted += 1
                sums = {name: sums.get(name, 0.0) + value for name, value in losses.items()}
                bar.update()
                if self.iteration % LOG_EVERY == 0 or self.iteration == end:
                    means = {name: round(value / counted, 5) for name, value in sums.items()}
                    bar.set_postfix({name: f"{value:.3f}" for name, value in means.items()})
                    rate = self.optimizer.param_groups[0]["lr"]
                    self.log(
                        phase=phase(self.iteration - 1, self.config), lr=rate, seconds=round(self.seconds), **means
                    )
                    sums, counted = {}, 0
                if self.iteration in self.snapshots:
                    self.snapshot()
                if self.iteration % self.eval_every == 0 or self.iteration == end:
                    self.log(**self.evaluate())
                if self.iteration % SAVE_EVERY == 0:
                    self.save()
                clock = time.monotonic() if self.iteration % self.eval_every == 0 else clock
        finally:
            bar.close()
            self.save()

    def snapshot(self) -> None:
        """Keep half-precision weights of this moment."""
        path = self.folder / "snapshots" / f"iter_{self.iteration:06d}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_model(self.model, path, self.card(), half=True)

    def export(self, path: str | os.PathLike[str], scores: dict | None = None, half: bool = False) -> None:
        """Write the model and its card."""
        save_model(self.model, path, self.card(scores), half=half)
