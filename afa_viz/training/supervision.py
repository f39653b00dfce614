"""The labels that affinity and decoder are trained on: in one iteration, and most recently in a run."""

from __future__ import annotations

from afa_viz.config import TrainConfig
from afa_viz.training import curriculum
from afa_viz.training.step import phase

NOTHING = "nothing"  # not trained yet
LABELS = {"affinity": "affinity_label", "joint": "pseudo_label"}  # segmentation target by phase


def supervision_at(config: TrainConfig, iteration: int) -> dict[str, str]:
    """Name of the `Trace` label that "affinity" and "decoder" are trained on in a 0-based iteration.

    A part that is not trained in it is left out.

    Source: docs/spec.md section 11, steps 7 to 9.
    """
    part, _ = curriculum.locate(config, iteration)
    target = LABELS.get(phase(iteration, config))
    if target is None or part.single_objects:
        return {}
    found = {"affinity": target if config.affinity_target == "seg" else "affinity_label"} if config.weight_aff else {}
    return {**found, "decoder": target} if config.weight_seg else found


def last_supervision(config: TrainConfig, iterations: int) -> dict[str, str]:
    """The label that "affinity" and "decoder" were trained on most recently, after `iterations` steps from scratch."""
    found = {"affinity": NOTHING, "decoder": NOTHING}
    for iteration in range(iterations):
        found |= supervision_at(config, iteration)
    return found
