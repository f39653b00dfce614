"""Network, optimiser, gradient scaler and running mean of the weights, one update at a time; bad steps are rolled
back."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from afa_viz.config import TrainConfig
from afa_viz.model.afa import AFA, build_afa
from afa_viz.training import curriculum, finite_checks
from afa_viz.training.batches import Batches
from afa_viz.training.distributed import Processes, mean_over_processes, synchronize_batch_norms
from afa_viz.training.finite_checks import DivergedError
from afa_viz.training.optimizer import build_optimizer, set_hyperparameters, set_learning_rate
from afa_viz.training.step import TYPES, Losses

log = logging.getLogger(__name__)


def build_model(config: TrainConfig) -> AFA:
    """A network with random weights, built as the configuration says."""
    torch.manual_seed(config.rng_seed)
    return build_afa(
        config.backbone,
        config.num_classes,
        config.pooling,
        topk=config.topk,
        logit_offset=config.logit_offset,
        drop_path_rate=config.drop_path_rate,
    )


@dataclass(frozen=True)
class Gradients:
    """Result of the backward passes of one iteration; the same numbers in every process.

    Attributes:
        losses: by name, means over batches and processes. norm: gradient norm before clipping.
        skipped: number of images that could not be read, over all processes.
        buffers: batch-norm statistics from before the forward passes.
    """

    losses: dict[str, float]
    norm: float
    skipped: int
    buffers: tuple[Tensor, ...]

    def non_finite(self) -> dict[str, float]:
        """The losses, and the norm, that are NaN or infinite."""
        named = {**self.losses, "norm of the gradients": self.norm}
        return {name: value for name, value in named.items() if not math.isfinite(value)}


class TrainState:
    """The network in training and everything an update changes, on one process or many.

    Args:
        config: of the run.
        model: with its initial weights.
        processes: rank and number of processes.
    Attributes:
        model: on its device.
        ema: the running mean of its weights, where there is one.
        bad_in_a_row: steps that were left out since the last good one.
    """

    def __init__(self, config: TrainConfig, model: AFA, processes: Processes) -> None:
        self.config, self.processes = config, processes
        device = processes.device
        # Tokens lie with their channels last: kernels that do too spare copies (a quarter of a step at 128 pixels).
        shared: Any = synchronize_batch_norms(model, processes)
        self.model: AFA = shared.to(device, memory_format=torch.channels_last)
        self.optimizer = build_optimizer(self.model, config)
        self.scaler = torch.amp.GradScaler(device.split(":")[0], enabled=config.amp == "fp16" and device != "cpu")
        mean = get_ema_multi_avg_fn(config.ema)
        self.ema = AveragedModel(self.model, multi_avg_fn=mean, use_buffers=True) if config.ema else None
        self.losses: nn.Module = Losses(self.model, config, processes)
        if processes.world_size > 1:
            self.losses = DistributedDataParallel(self.losses, find_unused_parameters=True)
        self.consecutive_bad_steps = 0

    @property
    def eval_model(self) -> AFA:
        """The network that is evaluated and exported: the running mean of the weights where there is one."""
        model = self.model if self.ema is None else cast(AFA, self.ema.module)
        model.topk = self.model.topk
        return model

    @property
    def learning_rate(self) -> float:
        """Of the encoder, at the last step."""
        return self.optimizer.param_groups[0]["lr"]

    def _parts(self) -> dict[str, Any]:
        parts = {"model": self.model, "optimizer": self.optimizer, "scaler": self.scaler}
        return parts if self.ema is None else parts | {"ema": self.ema}

    def state(self) -> dict[str, Any]:
        """State dicts of all parts, as `load` takes them."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore a state; learning rates, decays and betas stay those of the configuration."""
        for name, part in self._parts().items():
            if name != "scaler" or state[name]:  # empty where the precision had no scale
                part.load_state_dict(state[name])
        set_hyperparameters(self.optimizer, self.config)

    def is_finite(self) -> bool:
        """Whether all numbers of the state are finite, and so are the network's outputs for a test image."""
        dtype = TYPES.get(self.config.amp)
        return finite_checks.first_non_finite(self.state()) is None and finite_checks.has_finite_outputs(
            self.model, self.processes.device, dtype
        )

    def compute_gradients(self, batches: Batches, iteration: int) -> Gradients:
        """Forward and backward passes of an iteration. If interrupted, nothing is changed."""
        buffers = tuple(buffer.clone() for buffer in self.model.buffers())
        try:
            sums, skipped = self._backward(batches, iteration)
            self.scaler.unscale_(self.optimizer)
            norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_grad or math.inf)
            values = mean_over_processes(sums | {"skipped": skipped, "norm": float(norm)}, self.processes.world_size)
        except BaseException:
            self._restore(buffers)
            raise
        skipped = round(values.pop("skipped") * self.processes.world_size)
        return Gradients(norm=values.pop("norm"), losses=values, skipped=skipped, buffers=buffers)

    def _backward(self, batches: Batches, iteration: int) -> tuple[dict[str, float], int]:
        """Gradients of this process's share, averaged; its losses, and how many images it skipped."""
        config, processes = self.config, self.processes
        part, within = curriculum.locate(config, iteration)
        # Stochastic depth, resumable; processes differ.
        torch.manual_seed((config.rng_seed * 1_000_003 + iteration) * processes.world_size + processes.rank)
        self.losses.train()
        self.model.topk = curriculum.topk(part, within)
        set_learning_rate(self.optimizer, curriculum.learning_rate(config, part, within))
        self.optimizer.zero_grad(set_to_none=True)
        sums: dict[str, float] = {}
        skipped = 0
        for k in range(config.accumulate):
            batch = batches(part, iteration * config.accumulate + k, processes.shard).to(processes.device)
            skipped += batch.skipped
            waits = self.losses if k + 1 < config.accumulate else None
            with waits.no_sync() if isinstance(waits, DistributedDataParallel) else contextlib.nullcontext():
                losses = self.losses(batch, iteration, part.single_objects)
                self.scaler.scale(losses["loss"] / config.accumulate).backward()
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) / config.accumulate
        return sums, skipped

    def update(self, gradients: Gradients) -> bool:
        """Apply the gradients, or skip the step where they or the losses are not finite: weights, optimiser, running
        mean and batch norms then stay as they were before it.

        A scale of "fp16" that was too high for finite losses is lowered, and such a step is not counted as bad.

        Returns: whether the step was made.
        """
        bad = gradients.non_finite()
        if not bad:
            self.scaler.step(self.optimizer)
            self.scaler.update()
            if self.ema is not None:
                self.ema.update_parameters(self.model)
            self.consecutive_bad_steps = 0
            return True
        self._restore(gradients.buffers)
        scale = self.scaler.get_scale()
        if self.scaler.is_enabled() and scale > 1 and not bad.keys() & gradients.losses.keys():
            self.scaler.update()
        else:
            self.scaler.update(scale)
            self.consecutive_bad_steps += 1
        return False

    def raise_if_diverged(self, gradients: Gradients, iteration: int) -> None:
        """Log a skipped step.

        Raises: DivergedError: after more than `config.max_bad_steps` in a row, or where the weights themselves are not
            finite.
        """
        values = ", ".join(f"{name} {value}" for name, value in gradients.non_finite().items())
        count = self.consecutive_bad_steps
        if count > self.config.max_bad_steps or finite_checks.first_non_finite(self.model.state_dict()):
            raise DivergedError(
                f"no finite numbers in {max(1, count)} steps in a row, up to iteration {iteration} "
                f"({values}); expected finite losses and gradients: lower the learning rate."
            )
        log.warning("the step to iteration %s is skipped: %s.", iteration, values)

    @torch.no_grad()
    def _restore(self, buffers: tuple[Tensor, ...]) -> None:
        for buffer, kept in zip(self.model.buffers(), buffers, strict=True):
            buffer.copy_(kept)
