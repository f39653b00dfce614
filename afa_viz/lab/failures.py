"""How weak supervision fails: the numbers of one picture that show it, and where its wrong pixels went wrong.

Symbols: H W pixels; a cell is one of the stride-16 grid.
"""

from __future__ import annotations

import torch
from torch import Tensor

from afa_viz.ops.pseudo_label import IGNORE
from afa_viz.stage_scores import left_out, stage_labels
from afa_viz.trace import Trace

FAILURES = ("context", "part", "leak", "confused", "small", "crowd")  # the gallery; `pathology` of an example
CAUSES = ("missed", "invented", "confused", "walk", "par")  # of a wrong pixel, see `error_attribution`


def ground_truth(trace: Trace) -> Tensor:
    """(H, W) truth. Raises: ValueError: where it is not known."""
    if trace.target is None:
        raise ValueError("no mask of this picture is known; choose one of the examples of the training world.")
    return trace.target


def error_attribution(trace: Trace) -> dict[str, float]:
    """Of the pixels that are wrong after PAR: which share went wrong where, and stayed so. Sums to 1.

    All labels are decided by one rule, the strongest score beside the low background score, so that only a step can
    make a pixel wrong. missed, invented, confused: wrong already where the walk starts (or PAR, if the walk is left
    out): the CAM says background, a class on the background, or another class. walk: right there, wrong since the
    walk. par: right after the walk, wrong since PAR. A step that is left out has no share.
    Raises: ValueError: where the truth is not known or no pixel is wrong.
    """
    target = ground_truth(trace)
    labels, gone = stage_labels(trace), left_out(trace.config)
    par = labels["cam_par"]
    walk = par if "cam_par" in gone else labels["par_start"]
    start = walk if "cam_rw" in gone else labels["walk_start"]
    wrong = (par != target) & (target != IGNORE)
    by_walk = wrong & (walk != target)
    since_start = by_walk & (start != target)
    places = {
        "missed": since_start & (start == 0),
        "invented": since_start & (target == 0),
        "confused": since_start & (start != 0) & (target != 0),
        "walk": by_walk & (start == target),
        "par": wrong & (walk == target),
    }
    if not wrong.any():
        raise ValueError("no pixel of this picture is wrong after PAR; choose another one.")
    return {cause: float(places[cause].sum() / wrong.sum()) for cause in CAUSES}


def measure(trace: Trace) -> dict[str, float]:
    """Numbers in which the failures of `FAILURES` show, over all classes of the picture together.

    on_ground: share of the cut CAM that lies on the background. reached: share of the objects that the cut CAM calls
    by any class. leaked, leaked_before: share of the foreground after and at the start of the walk that lies on the
    background, both decided by one rule.
    confused: share of the objects that has another class after PAR. cells: area of the objects in cells. classes:
    how many. undecided: share of the objects that the pseudo label leaves out. 0 where there is nothing to divide by.
    Raises: ValueError: where the truth is not known.
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
