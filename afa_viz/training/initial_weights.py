"""The weights that a new run begins with."""

from __future__ import annotations

import os

from afa_viz.config import TrainConfig
from afa_viz.model.afa import AFA
from afa_viz.model.checkpoint import LoadReport, load_any
from afa_viz.model.pretrained import load_imagenet
from afa_viz.training.history import RunHistory


def load_initial_weights(
    model: AFA,
    config: TrainConfig,
    history: RunHistory,
    class_names: tuple[str, ...],
    init: str | os.PathLike[str] | None,
) -> LoadReport | None:
    """Load a checkpoint, or the ImageNet weights of the encoder where `config.pretrained` asks for them, into a new
    network. The history takes over their licence, and what they were trained on.

    Args:
        init: see `checkpoint.load_any`; None: no checkpoint.
    Returns: what was kept of the checkpoint; None without one.
    """
    if init is not None:
        report = load_any(model, init, class_names=class_names)
        history.licence = report.licence
        history.trained_on |= report.trained_on
        return report
    if config.pretrained:
        history.licence = load_imagenet(model, config.backbone)
    return None
