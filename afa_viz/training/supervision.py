"""What affinity and decoder learn from: in one iteration, and last in a run so far."""

from __future__ import annotations

from afa_viz.config import TrainConfig
from afa_viz.training import curriculum
from afa_viz.training.step import phase

NOTHING = "nothing"  # has not learned yet
LABELS = {"affinity": "affinity_label", "joint": "pseudo_label"}  # of the segmentation target, by phase


def teachers(config: TrainConfig, iteration: int) -> dict[str, str]:
    """The label, named as in a `Trace`, that "affinity" and "decoder" learn from in a 0-based iteration.

    Without those that do not learn in it.

    Source: docs/spec.md section 11, steps 7 to 9.
    """
    part, _ = curriculum.locate(config, iteration)
    target = LABELS.get(phase(iteration, config))
    if target is None or part.single_objects:
        return {}
    found = {"affinity": target if config.affinity_target == "seg" else "affinity_label"} if config.weight_aff else {}
    return {**found, "decoder": target} if config.weight_seg else found


def last_teachers(config: TrainConfig, iterations: int) -> dict[str, str]:
    """What "affinity" and "decoder" learned from last in the first iterations of a run that began with nothing."""
    found = {"affinity": NOTHING, "decoder": NOTHING}
    for iteration in range(iterations):
        found |= teachers(config, iteration)
    return found
