"""What a trace says to the questions about the random walk: what it does, what it dampens, and how far it reaches.

Symbols: h w cells, N = h * w, H W pixels.
"""

from __future__ import annotations

import dataclasses

from torch import Tensor

from afa_viz import stage_scores as scores
from afa_viz.figures import maps
from afa_viz.figures.typography import format_percent
from afa_viz.inspection import label_cells
from afa_viz.lab.changes import Finding, change_counts, change_reasons, classify_change
from afa_viz.lab.failures import ground_truth
from afa_viz.lab.once import once_a_trace
from afa_viz.lab.questions import RADII
from afa_viz.lab.thresholds import class_iou
from afa_viz.ops.affinity import radius_mask
from afa_viz.ops.pseudo_label import IGNORE
from afa_viz.ops.random_walk import transition_matrix
from afa_viz.pipeline import recompute
from afa_viz.stage_scores import stage_labels
from afa_viz.trace import Trace

FEW = 0.002  # share of the pixels: fewer false positives count as none
MIN_RATIO = 0.1  # of the false positives: a smaller change counts as none
RADIUS_TOLERANCE = 0.01  # of IoU: a radius that is this near to the best one is right, too


@once_a_trace
def labels_of(trace: Trace) -> dict[str, Tensor]:
    """`stage_labels`, once."""
    return stage_labels(trace)


def step_finding(trace: Trace, label: int, before: str, after: str) -> Finding:
    """What a step does to the IoU of a class, from one stage of `stage_labels` to another."""
    target, found = ground_truth(trace), labels_of(trace)
    ious = [class_iou(found[stage], target, label) for stage in (before, after)]
    changed = scores.pixel_changes(found[before] == label, found[after] == label, target == label)
    counts = change_counts(found[before], found[after], target, label)
    facts = {
        "before": format_percent(ious[0]), "after": format_percent(ious[1]), "gained": str(changed["gained"]),
        "lost": str(changed["lost"]), "name": trace.class_names[label], **{n: str(c) for n, c in counts.items()},
    }  # fmt: skip
    return Finding((classify_change(*ious),), change_reasons(counts, target.numel()), facts)


@once_a_trace
def walk(trace: Trace, label: int) -> Finding:
    """What the walk does to the IoU of a class."""
    return step_finding(trace, label, scores.COMPARED_WITH["cam_rw"], "cam_rw")


@once_a_trace
def dampen(trace: Trace, label: int) -> Finding:
    """Whether the walk leaves fewer false positives of a class; and whether most of what reaches their cells comes from
    cells that start with the class ("kept") or from others ("dampened")."""
    target, found = ground_truth(trace), labels_of(trace)
    wrong = (target != IGNORE) & (target != label)
    before, after = (int((wrong & (found[stage] == label)).sum()) for stage in ("walk_start", "cam_rw"))
    few = FEW * target.numel()
    if max(before, after) < few or abs(after - before) < MIN_RATIO * max(before, after):
        truth = "same"
    else:
        truth = "fewer" if after < before else "more"
    started = label_cells(trace, found["walk_start"]).flatten() == label
    cells = label_cells(trace, target).flatten()
    false = started & (cells != label) & (cells != IGNORE)
    mask = radius_mask(*trace.grid, radius=trace.config.radius)
    transition = transition_matrix(maps.affinity_matrix(trace)[None], mask, trace.config.power)[0]
    incoming = transition[:, false]  # column j: what reaches cell j
    share = float(incoming[started].sum() / incoming.sum().clamp_min(1e-9)) if false.any() else 0.0
    reason = "none" if before < few or not false.any() else "kept" if share > 0.5 else "dampened"
    facts = {
        "before": str(before), "after": str(after), "cells": str(int(false.sum())), "share": format_percent(share),
        "name": trace.class_names[label],
    }  # fmt: skip
    return Finding((truth,), (reason,), facts)


def radii(trace: Trace) -> dict[str, int]:
    """The radii that are offered, by their codes: those within the grid, and "all": every pair of cells."""
    reach = max(1, max(trace.grid) - 1)
    return {str(radius): radius for radius in RADII if radius < reach} | {"all": reach}


@once_a_trace
def _walked(trace: Trace) -> dict[str, Tensor]:
    """(H, W) label after the walk for every radius that is offered."""
    without_par = dataclasses.replace(trace.config, use_par=False)
    return {
        code: stage_labels(recompute(trace, dataclasses.replace(without_par, radius=radius)))["cam_rw"]
        for code, radius in radii(trace).items()
    }


@once_a_trace
def window(trace: Trace, label: int) -> Finding:
    """Which radius gives a class the highest IoU, and what most pixels do from the smallest window to none."""
    target, found = ground_truth(trace), _walked(trace)
    ious = {code: class_iou(one, target, label) for code, one in found.items()}
    best = max(ious, key=ious.__getitem__)
    accepted = [code for code, iou in ious.items() if iou >= ious[best] - RADIUS_TOLERANCE and code != best]
    smallest, *_, widest = found
    counts = change_counts(found[smallest], found[widest], target, label)
    facts = {
        "best_iou": format_percent(ious[best]), "all_iou": format_percent(ious["all"]), "smallest": smallest,
        "small_iou": format_percent(ious[smallest]), "name": trace.class_names[label],
        **{n: str(c) for n, c in counts.items()},
    }  # fmt: skip
    of_option = {code: {"iou": format_percent(iou)} for code, iou in ious.items()}
    return Finding((best, *accepted), change_reasons(counts, target.numel()), facts, of_option)
