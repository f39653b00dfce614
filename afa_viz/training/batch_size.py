"""The effective batch of a run beside the published one."""

from __future__ import annotations

from afa_viz.config import TrainConfig

PUBLISHED_BATCH = {"voc": 4, "coco": 8}  # images a step: 2 on each of 2 or 4 GPUs; docs/spec.md section 12


def batch_warning(preset: str, config: TrainConfig, world_size: int = 1) -> str | None:
    """A sentence where the batch is not the published one; None where it is, or nothing was published.

    Args:
        preset: name of the settings that the run began with.
        world_size: number of processes.
    """
    published = PUBLISHED_BATCH.get(preset)
    batch = config.batch_size * config.accumulate * world_size
    if published is None or config.curriculum or batch == published:
        return None
    have = f"{config.batch_size} x {config.accumulate} x {world_size} = {batch}"
    text = f"a step has {have} images (batch_size x accumulate x processes), the published run {published}"
    if batch > published:
        return f"{text}: its learning rate and number of steps are for that."
    one_pass = config.batch_size * world_size
    advice = f"; --set accumulate={published // one_pass} gives {published}" if published % one_pass == 0 else ""
    return f"{text}: others lost 1 to 7 points of mIoU with smaller batches (docs/research.md){advice}."
