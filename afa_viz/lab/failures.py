"""How weak supervision fails: numbers of one image that show it, and which step each wrong pixel is due to.

Symbols: H W pixels; a cell is one of the stride-16 grid.
"""

from __future__ import annotations

import torch
from torch import Tensor

from afa_viz.ops.pseudo_label import IGNORE
from afa_viz.stage_scores import disabled_stages, stage_labels
from afa_viz.trace import Trace

FAILURES = ("context", "part", "leak", "confused", "small", "crowd")  # of the gallery; `pathology` of an example
CAUSES = ("false_negative", "false_positive", "confused", "walk", "par")  # of wrong pixels, see `error_attribution`


def ground_truth(trace: Trace) -> Tensor:
    """(H, W) ground truth. Raises: ValueError: if it is not known."""
    if trace.target is None:
        raise ValueError("this image has no ground-truth mask; choose one of the sandbox examples.")
    return trace.target


def error_attribution(trace: Trace) -> dict[str, float]:
    """Of the pixels that are wrong after PAR: the shares that are due to each step. They sum to 1.

    All labels follow one rule, the strongest score with the low background score, so that only a step can make a pixel
    wrong. false_negative, false_positive, confused (pixels of another class): wrong before the walk, or before PAR if
    the walk is switched off. walk: correct before the walk, wrong since. par: correct before PAR, wrong since. A step
    that is switched off has no share.
    Raises: ValueError: if the ground truth is not known, or no pixel is wrong.
    """
    target = ground_truth(trace)
    labels, disabled = stage_labels(trace), disabled_stages(trace.config)
    par = labels["cam_par"]
    walk = par if "cam_par" in disabled else labels["par_start"]
    start = walk if "cam_rw" in disabled else labels["walk_start"]
    wrong = (par != target) & (target != IGNORE)
    by_walk = wrong & (walk != target)
    since_start = by_walk & (start != target)
    places = {
        "false_negative": since_start & (start == 0),
        "false_positive": since_start & (target == 0),
        "confused": since_start & (start != 0) & (target != 0),
        "walk": by_walk & (start == target),
        "par": wrong & (walk == target),
    }
    if not wrong.any():
        raise ValueError("no pixel of this image is wrong after PAR; choose another one.")
    return {cause: float(places[cause].sum() / wrong.sum()) for cause in CAUSES}


def measure(trace: Trace) -> dict[str, float]:
    """Numbers that show the `FAILURES`, over all classes of the image together.

    on_ground: share of the CAM's foreground, at one threshold, that is background. reached: share of the objects that
    this foreground covers. leaked, leaked_before: share of the foreground after and before the walk that is
    background. confused: share of the objects with another class after PAR. cells: area of the objects in cells.
    classes: their number. undecided: share of the objects that is uncertain in the pseudo label. 0 for 0 / 0.
    Raises: ValueError: if the ground truth is not known.
    """
    target = ground_truth(trace)
    labels = stage_labels(trace)
    known = target != IGNORE
    objects = known & (target != 0)
    ground = known & (target == 0)
    cam, start, walk, par = (labels[name] for name in ("cam", "walk_start", "cam_rw", "cam_par"))
    rows, cols = trace.grid

    def share(part: Tensor, whole: Tensor) -> float:
        return float((part & whole).sum() / whole.sum().clamp_min(1))

    return {
        "on_ground": share(ground, known & (cam != 0)),
        "reached": share(cam != 0, objects),
        "leaked_before": share(ground, known & (start != 0)),
        "leaked": share(ground, known & (walk != 0)),
        "confused": share((par != target) & (par != 0), objects),
        "cells": float(objects.sum()) * rows * cols / target.numel(),
        "classes": float(len(torch.unique(target[objects]))),
        "undecided": share(trace.pseudo_label == IGNORE, objects),
    }
