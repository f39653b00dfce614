"""Where in its curriculum a run stands: the part that an iteration lies in, and what changes within a part."""

from __future__ import annotations

from afa_viz.config import CurriculumStage, TrainConfig
from afa_viz.training.optim import rate_multiplier


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


def learning_rate(config: TrainConfig, part: CurriculumStage, within: int) -> float:
    """Base rate at a step of a part; a curriculum warms up in every part, for a quarter of it at most."""
    warmup = min(config.warmup_iters, part.iterations // 4) if config.curriculum else config.warmup_iters
    return part.learning_rate * rate_multiplier(within, part.iterations, warmup, config.warmup_ratio, config.lr_power)


def topk(part: CurriculumStage, within: int) -> float:
    """Share of the cells that the pooling takes the mean of: along a line through the part."""
    return part.topk_start + (part.topk_end - part.topk_start) * within / max(1, part.iterations - 1)
