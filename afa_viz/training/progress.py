"""Remaining time of a run, from the cost of its curriculum stages and the time elapsed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from afa_viz.config import CurriculumStage, TrainConfig

LOG_EVERY = 20  # iterations; fewer in runs of less than a hundred times as many
PSEUDO_LABELS = 4.0  # cost of a step with pseudo labels in steps with image labels alone, at the same pixels


@lru_cache(maxsize=32)
def _costs(config: TrainConfig) -> np.ndarray:
    """Cost of all iterations up to each, in pixels of a step with image labels alone; (max_iters + 1,)."""
    parts = config.curriculum or (
        CurriculumStage(config.max_iters, config.crop_size, config.crop_size, config.batch_size, config.learning_rate),
    )
    pixels = np.concatenate([np.full(part.iterations, float(part.batch_size * part.crop_size**2)) for part in parts])
    single = np.concatenate([np.full(part.iterations, part.single_objects) for part in parts])
    labelled = ~single & (np.arange(config.max_iters) > config.cam_iters)
    return np.concatenate([[0.0], np.cumsum(np.where(labelled, PSEUDO_LABELS, 1.0) * pixels)])


def seconds_left(config: TrainConfig, lines: Sequence[Mapping[str, Any]], eval_every: int) -> float | None:
    """Seconds until a run ends, its evaluations included; None before its first log line.

    Args:
        lines: of its `metrics.jsonl`.
        eval_every: iterations between two evaluations.
    """
    timed = [line for line in lines if "seconds" in line]
    if not timed:
        return None
    now, costs = timed[-1], _costs(config)
    done = min(now["iteration"], config.max_iters)
    if done == 0:
        return None
    steps = now["seconds"] * (costs[-1] - costs[done]) / costs[done]
    durations = [line["evaluation_seconds"] for line in lines if "evaluation_seconds" in line]
    to_come = -(-config.max_iters // eval_every) - done // eval_every
    return float(steps + (sum(durations) / len(durations) * to_come if durations else 0.0))
