"""What a trace says to the questions about image labels, CAM, threshold and pooling.

Symbols: C foreground classes, h w cells, H W pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from afa_viz.figures.typography import format_percent
from afa_viz.lab.cells import cell_cam, covered, object_cells
from afa_viz.lab.changes import TIE, Finding, largest
from afa_viz.lab.failures import ground_truth
from afa_viz.lab.once import once_a_trace
from afa_viz.lab.questions import UndecidedError, Verdict
from afa_viz.lab.thresholds import best_threshold, class_iou
from afa_viz.ops import pseudo_label
from afa_viz.ops.pseudo_label import IGNORE
from afa_viz.trace import Trace

TOLERANCE = 0.02  # of IoU: counts as good as the best
AREAS = {"tiny": 0.05, "small": 0.12, "medium": 0.25, "large": 1.0}  # up to which share of the image
AREA_TOLERANCE = 0.01  # both ranges are right this near to their limit
DARKEST = 0.25  # share of the object's cells that count as the darkest ones
BOXES = {"half": 0.5, "more": 0.7, "most": 1.01}  # up to which share of its box a class covers
SUPPORT = {"few": 0.1, "some": 0.2, "many": 1.01}  # up to which share of the cells supports a class
SAME_GAP = 0.2  # standard deviations: a smaller difference counts as none


@once_a_trace
def labels(trace: Trace, label: int) -> Finding:
    """The IoU of a label map that gives one class to every pixel, and that of one that gives it to the class's box.

    Both are the share of the marked pixels that are of the class, which all of them cover.
    """
    target = ground_truth(trace)
    own, known = target == label, target != IGNORE
    if not own.any():
        raise UndecidedError("absent")
    rows, cols = own.any(dim=1).nonzero(), own.any(dim=0).nonzero()
    box = torch.zeros_like(own)
    box[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1] = True
    share, box_share = (float(own.sum() / (where & known).sum()) for where in (known, box))
    facts = {
        "share": format_percent(share), "box_share": format_percent(box_share), "pixels": str(target.numel()),
        "count": str(len(trace.image_labels)), "times": str(round(target.numel() / len(trace.image_labels))),
        "names": ", ".join(trace.class_names[i] for i in trace.present), "name": trace.class_names[label],
    }  # fmt: skip
    return Finding(ranges(share, AREAS, AREA_TOLERANCE), ranges(box_share, BOXES, AREA_TOLERANCE), facts)


def ranges(value: float, ends: dict[str, float], tolerance: float) -> tuple[str, ...]:
    """The names of the range that a value is in and of those that it nearly is in, by the ends of the ranges."""
    names = list(ends)
    own = next((name for name in names if value < ends[name]), names[-1])
    low = {name: ends[before] for before, name in zip(names, names[1:], strict=False)} | {names[0]: 0.0}
    near = [name for name in names if low[name] - tolerance <= value < ends[name] + tolerance]
    return (own, *(name for name in near if name != own))


def cam(trace: Trace, label: int, answer: list[int]) -> Verdict:
    """Whether a cell is among the cells of the object where the CAM is weakest."""
    darkest, facts, reasons = _darkest(trace, label)
    row, col = answer
    own = {
        "value": format_percent(float(cell_cam(trace, label)[row, col])),
        "inside": format_percent(float(covered(trace, label)[row, col])),
    }
    return Verdict(bool(darkest[row, col]), facts=own | facts, correct_reasons=reasons)


@once_a_trace
def _darkest(trace: Trace, label: int) -> tuple[Tensor, dict[str, str], tuple[str, ...]]:
    """(h, w) bool: the cells of the object where its CAM is weakest; what is said of them; why they are."""
    inside, values = object_cells(trace, label), cell_cam(trace, label)
    ordered = values[inside].sort().values
    limit = ordered[max(1, round(DARKEST * len(ordered))) - 1]
    darkest = inside & (values <= limit)
    others = [cell_cam(trace, other) for other in trace.present if other != label]
    rival = torch.stack(others).amax(dim=0) > values if others else torch.zeros_like(inside)
    outline = ~rival & (covered(trace, label) < 1)
    counts = {"other": int((darkest & rival).sum()), "outline": int((darkest & outline).sum())}
    counts["interior"] = int(darkest.sum()) - sum(counts.values())
    row, col = divmod(int(torch.where(inside, values, torch.inf).argmin()), trace.grid[1])
    there = ground_truth(trace) == label
    facts = {
        "row": str(row + 1), "col": str(col + 1), "lowest": format_percent(float(values[row, col])),
        "bright": format_percent(float((trace.cam[label - 1][there] > 0.5).float().mean()) if there.any() else 0.0),
        "name": trace.class_names[label],
    }  # fmt: skip
    return darkest, facts, largest(counts)


def cut(trace: Trace, label: int, answer: float) -> Verdict:
    """Whether a threshold on the CAM reaches the IoU of the best one."""
    best_iou, facts, reasons = _best_cut(trace, label)
    mine = class_iou(_cut_cam(trace, float(answer)), ground_truth(trace), label)
    return Verdict(mine >= best_iou - TOLERANCE, "", {"iou": format_percent(mine), **facts}, reasons)


def _cut_cam(trace: Trace, value: float) -> Tensor:
    """(H, W) label as `pseudo_label.from_cam` gives it."""
    score, best = _strongest(trace)
    return torch.where(score <= value, 0, best)


@once_a_trace
def _strongest(trace: Trace) -> tuple[Tensor, Tensor]:
    """(H, W) both: the score and the label of the strongest present class."""
    score = pseudo_label.present_cam(trace.cam[None], trace.image_labels[None])[0].amax(dim=0)
    return score, pseudo_label.from_cam(trace.cam[None], trace.image_labels[None], -1.0)[0]


@once_a_trace
def _best_cut(trace: Trace, label: int) -> tuple[float, dict[str, str], tuple[str, ...]]:
    """The IoU of the best threshold for a class, what is said of it, and which errors remain."""
    target = ground_truth(trace)
    best, best_iou = best_threshold(trace.cam, trace.image_labels, target, label)
    drawn, there = _cut_cam(trace, float(best)) == label, target == label
    missing, extra = int((there & ~drawn).sum()), int((drawn & ~there & (target != IGNORE)).sum())
    facts = {
        "best": best, "best_iou": format_percent(best_iou), "name": trace.class_names[label],
        "missing": format_percent(missing / max(1, int(there.sum()))),
        "extra": format_percent(extra / max(1, int(drawn.sum()))),
    }  # fmt: skip
    least, most = sorted((missing, extra))
    uneven = "missing" if missing > extra else "extra"
    return best_iou, facts, (uneven,) if least < TIE * most else ("both",)


@once_a_trace
def pooling(trace: Trace, label: int) -> Finding:
    """By which pooling of its CAM before ReLU a class stands out of the absent ones more; how many cells support it.

    Standing out: the distance to the highest absent class in standard deviations over all classes.
    """
    assert trace.raw_cam is not None
    raw = trace.raw_cam.flatten(1)
    absent = trace.image_labels == 0
    gaps = {}
    for name, pooled in (("max", raw.amax(dim=1)), ("avg", raw.mean(dim=1))):
        rest = pooled[absent].max() if absent.any() else pooled.min()
        gaps[name] = float((pooled[label - 1] - rest) / pooled.std().clamp_min(1e-9))
    difference = gaps["max"] - gaps["avg"]
    if max(gaps.values()) <= 0:
        truth = "neither"
    else:
        truth = "same" if abs(difference) < SAME_GAP else "max" if difference > 0 else "avg"
    cells = float((raw[label - 1] > 0).float().mean())
    facts = {
        "name": trace.class_names[label], "cells": format_percent(cells),
        **{f"{name}_gap": f"{gap:.1f}" for name, gap in gaps.items()},
    }  # fmt: skip
    return Finding((truth,), ranges(cells, SUPPORT, AREA_TOLERANCE), facts)
