"""Position of a run in its curriculum: the stage of an iteration, and what changes within a stage."""

from __future__ import annotations

from afa_viz.config import CurriculumStage, TrainConfig
from afa_viz.training.optimizer import lr_multiplier


def curriculum_stages(config: TrainConfig) -> tuple[CurriculumStage, ...]:
    """The stages of the curriculum, or the whole run as a single stage."""
    if config.curriculum:
        return config.curriculum
    return (
        CurriculumStage(
            config.max_iters, config.crop_size, config.crop_size, config.batch_size, config.learning_rate,
            topk_start=config.topk, topk_end=config.topk,
        ),
    )  # fmt: skip


def locate(config: TrainConfig, iteration: int) -> tuple[CurriculumStage, int]:
    """The curriculum stage of an iteration, and the iteration within that stage."""
    for part in curriculum_stages(config):
        if iteration < part.iterations:
            return part, iteration
        iteration -= part.iterations
    raise ValueError(f"iteration lies {iteration} steps behind the end of the run.")


def learning_rate(config: TrainConfig, part: CurriculumStage, within: int) -> float:
    """Base learning rate; a curriculum warms up in every stage, for at most a quarter of it."""
    warmup = min(config.warmup_iters, part.iterations // 4) if config.curriculum else config.warmup_iters
    return part.learning_rate * lr_multiplier(within, part.iterations, warmup, config.warmup_ratio, config.lr_power)


def affinity_different_share(config: TrainConfig, iteration: int) -> float:
    """Share of the affinity loss on pairs of different classes: that of the stage, else that of the run."""
    part = locate(config, iteration)[0] if config.curriculum else None
    return (part and part.affinity_different_share) or config.affinity_different_share


def topk(part: CurriculumStage, within: int) -> float:
    """Share of the cells that top-k pooling averages, interpolated linearly over the stage."""
    return part.topk_start + (part.topk_end - part.topk_start) * within / max(1, part.iterations - 1)
