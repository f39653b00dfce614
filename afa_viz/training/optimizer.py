"""AdamW with the four parameter groups of AFA and its learning-rate schedule."""

from __future__ import annotations

import torch
from torch import nn

from afa_viz.config import TrainConfig

GROUPS = ("encoder", "encoder norms", "classifier and affinity", "decoder")


def parameter_groups(model: nn.Module) -> list[list[nn.Parameter]]:
    """Parameters of the four groups of `GROUPS`, in the order of the state dict."""
    groups: list[list[nn.Parameter]] = [[], [], [], []]
    for name, parameter in model.named_parameters():
        if name.startswith("encoder."):
            groups[1 if "norm" in name else 0].append(parameter)
        else:
            groups[3 if name.startswith("decoder.") else 2].append(parameter)
    return groups


def build_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW over the four groups; rates are set by `set_learning_rate` before every step.

    Source: docs/spec.md section 12. The published rate of the encoder's norms is 0, and so is their decay.
    """
    groups = [{"params": parameters, "lr": 0.0} for parameters in parameter_groups(model)]
    optimizer = torch.optim.AdamW(groups, eps=1e-8)
    set_hyperparameters(optimizer, config)
    return optimizer


def set_hyperparameters(optimizer: torch.optim.Optimizer, config: TrainConfig) -> None:
    """Give the groups their multipliers, decays and betas, also after a state with other ones was loaded."""
    multipliers = (1.0, 0.0 if config.freeze_norms else 1.0, config.head_multiplier, config.head_multiplier)
    decays = (config.weight_decay, 0.0, config.weight_decay, config.weight_decay)
    for group, multiplier, decay in zip(optimizer.param_groups, multipliers, decays, strict=True):
        group.update(multiplier=multiplier, weight_decay=decay, betas=config.betas)


def lr_multiplier(
    step: int, max_iters: int, warmup_iters: int = 1500, warmup_ratio: float = 1e-6, power: float = 1.0
) -> float:
    """Factor of the base learning rate at a 0-based step: a line up, then polynomial decay to 0.

    As published the line ends at 1 while the decay starts below it, so the rate drops at the end of the warm-up.

    Source: docs/spec.md section 12.
    """
    if step < warmup_iters:
        return 1 - (1 - step / warmup_iters) * (1 - warmup_ratio)
    if step < max_iters:
        return (1 - step / max_iters) ** power
    return lr_multiplier(max_iters - 1, max_iters, warmup_iters, warmup_ratio, power) if max_iters > 0 else 0.0


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> list[float]:
    """Set the rate of every group to `rate` times its multiplier; returns them."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["multiplier"]
    return [group["lr"] for group in optimizer.param_groups]
