"""What a trace says to each question of the guided lab: one function per question.

Symbols: C foreground classes, N cells, H W pixels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from afa_viz import stage_scores as scores
from afa_viz.figures import maps
from afa_viz.figures.typography import format_percent
from afa_viz.lab.failures import error_attribution, ground_truth
from afa_viz.lab.once import once_a_trace
from afa_viz.lab.questions import Verdict
from afa_viz.lab.thresholds import best_threshold, class_iou
from afa_viz.ops import affinity as aff
from afa_viz.ops import cam as cams
from afa_viz.ops import par as par_op
from afa_viz.ops import pseudo_label
from afa_viz.pipeline import recompute
from afa_viz.stage_scores import stage_labels
from afa_viz.trace import Trace

TOLERANCE = 0.02  # of IoU or a share: counts as good as the best
MIN_CHANGE = 0.01  # of IoU: a smaller change counts as none
PEAK_CAM = 0.75  # CAM of a cell that counts as a peak
SYMMETRY_TOLERANCE = 1e-3  # relative asymmetry below which a matrix counts as symmetric
THRESHOLD_INCREASE = 0.05  # of the high background score in the question "regions"


def _labels(trace: Trace, label: int, answer: int) -> Verdict:
    count = len(trace.image_labels)
    height, width = trace.image.shape[:2]
    facts = {
        "count": str(count), "pixels": str(height * width), "times": str(round(height * width / count)),
        "names": ", ".join(trace.class_names[i] for i in trace.present),
    }  # fmt: skip
    return Verdict(answer == count, facts=facts)


@once_a_trace
def cell_cam(trace: Trace, label: int) -> Tensor:
    """(h, w) CAM of a class, averaged over each cell, its largest value 1."""
    pooled = torch.nn.functional.adaptive_avg_pool2d(trace.cam[label - 1][None], trace.grid)[0]
    return pooled / pooled.max().clamp_min(1e-6)


def _cam(trace: Trace, label: int, answer: list[int]) -> Verdict:
    value = float(cell_cam(trace, label)[answer[0], answer[1]])
    return Verdict(value >= PEAK_CAM, facts={"value": format_percent(value), **_strongest(trace, label)})


@once_a_trace
def _strongest(trace: Trace, label: int) -> dict[str, str]:
    """Where the CAM of a class is strongest, and how much of the image it covers."""
    row, col = maps.strongest_cell(trace, label)
    return {
        "row": str(row + 1), "col": str(col + 1), "name": trace.class_names[label],
        "above": format_percent(float((trace.cam[label - 1] > 0.5).float().mean())),
    }  # fmt: skip


def _cut(trace: Trace, label: int, answer: float) -> Verdict:
    best_iou, facts = _best_cut(trace, label)
    mine = class_iou(_cut_cam(trace, float(answer)), ground_truth(trace), label)
    return Verdict(mine >= best_iou - TOLERANCE, facts={"iou": format_percent(mine), **facts})


def _cut_cam(trace: Trace, value: float) -> Tensor:
    return pseudo_label.from_cam(trace.cam[None], trace.image_labels[None], value)[0]


@once_a_trace
def _best_cut(trace: Trace, label: int) -> tuple[float, dict[str, str]]:
    """The IoU of the best threshold for a class, and what is said of it."""
    target = ground_truth(trace)
    best, best_iou = best_threshold(trace.cam, trace.image_labels, target, label)
    drawn, there = _cut_cam(trace, float(best)) == label, target == label
    return best_iou, {
        "best": best, "best_iou": format_percent(best_iou), "name": trace.class_names[label],
        "missing": format_percent(float((there & ~drawn).sum() / there.sum().clamp_min(1))),
        "extra": format_percent(float((drawn & ~there).sum() / drawn.sum().clamp_min(1))),
    }  # fmt: skip


def _inside(trace: Trace, label: int) -> Tensor:
    """(N,) share of each cell that a class covers."""
    there = (ground_truth(trace) == label).float()
    return torch.nn.functional.adaptive_avg_pool2d(there[None], trace.grid)[0].flatten()


def _heads(trace: Trace, label: int, answer: str) -> Verdict:
    row, col = maps.strongest_cell(trace, label)
    inside = _inside(trace, label)
    shares = trace.cell_probs(-1)[:, row * trace.grid[1] + col] @ inside
    best = int(shares.argmax())
    facts = {
        "share": format_percent(float(shares[int(answer) - 1])), "best_share": format_percent(float(shares[best])),
        "worst_share": format_percent(float(shares.min())), "area": format_percent(float(inside.mean())),
        "name": trace.class_names[label],
    }  # fmt: skip
    return Verdict(float(shares[int(answer) - 1]) >= float(shares[best]) - TOLERANCE, str(best + 1), facts)


def _affinity(trace: Trace, label: int, answer: str) -> Verdict:
    truth, facts = _symmetry(trace, label)
    return Verdict(answer == truth, truth, facts)


@once_a_trace
def _symmetry(trace: Trace, label: int) -> tuple[str, dict[str, str]]:
    """Which of attention and affinity are symmetric, and the most uneven pair of the strongest cell."""
    probs = trace.cell_probs(-1).mean(dim=0)
    affinity = maps.affinity_matrix(trace)
    uneven = {"attention": float(aff.asymmetry(probs)), "affinity": float(aff.asymmetry(affinity))}
    mutual = [name for name, value in uneven.items() if value < SYMMETRY_TOLERANCE]
    truth = "both" if len(mutual) == 2 else mutual[0] if mutual else "neither"
    row, col = maps.strongest_cell(trace, label)
    here = row * trace.grid[1] + col
    there = int((probs[here] - probs[:, here]).abs().argmax())
    facts = {
        "attention": f"{uneven['attention']:.2f}", "affinity": f"{uneven['affinity']:.2f}",
        "row": str(row + 1), "col": str(col + 1),
        "other_row": str(there // trace.grid[1] + 1), "other_col": str(there % trace.grid[1] + 1),
        "out": format_percent(float(probs[here, there])), "back": format_percent(float(probs[there, here])),
        "tie": f"{float(affinity[here, there]):.2f}", "tie_back": f"{float(affinity[there, here]):.2f}",
    }  # fmt: skip
    return truth, facts


def classify_change(before: float, after: float) -> str:
    """One of `CHANGE_OPTIONS`."""
    return "rises" if after > before + MIN_CHANGE else "falls" if after < before - MIN_CHANGE else "same"


def _walk(trace: Trace, label: int, answer: str) -> Verdict:
    target, labels = ground_truth(trace), stage_labels(trace)
    start, walked = labels[scores.COMPARED_WITH["cam_rw"]], labels["cam_rw"]
    before, after = (class_iou(one, target, label) for one in (start, walked))
    changed = scores.pixel_changes(start == label, walked == label, target == label)
    facts = {
        "before": format_percent(before), "after": format_percent(after), "gained": str(changed["gained"]),
        "lost": str(changed["lost"]), "name": trace.class_names[label],
    }  # fmt: skip
    truth = classify_change(before, after)
    return Verdict(answer == truth, truth, facts)


def weights_by_distance(trace: Trace, label: int) -> dict[str, float]:
    """PAR's weights by distance, for the central pixel of the strongest cell of the class; they sum to 1."""
    size = tuple(max(1, side // trace.config.par_downscale) for side in trace.image.shape[:2])
    image01 = cams.resize(trace.image.permute(2, 0, 1).float()[None] / 255, size)
    kernel = par_op.pixel_affinity(image01, dilations=trace.config.dilations)
    cell = maps.strongest_cell(trace, label)
    row, col = (min(s - 1, (2 * i + 1) * s // (2 * n)) for i, n, s in zip(cell, trace.grid, size, strict=True))
    weights = kernel[0, :, row, col].reshape(len(trace.config.dilations), 8).sum(dim=1)
    shares = (weights / weights.sum()).tolist()
    return dict(zip(map(str, trace.config.dilations), shares, strict=True))


def _par(trace: Trace, label: int, answer: str) -> Verdict:
    weights = weights_by_distance(trace, label)
    best = max(weights, key=weights.__getitem__)
    facts = {"share": format_percent(weights[answer]), "best_share": format_percent(weights[best]), "given": answer}
    return Verdict(weights[answer] >= weights[best] - TOLERANCE, best, facts)


def _regions(trace: Trace, label: int, answer: str) -> Verdict:
    truth, facts = _raised(trace)
    return Verdict(answer == truth, truth, facts)


@once_a_trace
def _raised(trace: Trace) -> tuple[str, dict[str, str]]:
    """What a higher upper background score does to the reliable foreground: the right option, and numbers."""
    target = ground_truth(trace)
    high = min(1.0, trace.config.bkg_score_high + THRESHOLD_INCREASE)
    raised = recompute(trace, dataclasses.replace(trace.config, bkg_score_high=high))
    areas = [scores.region_shares(t.pseudo_label)["foreground"] for t in (trace, raised)]
    precisions = [scores.certain_precision(t.pseudo_label, target)["foreground"] for t in (trace, raised)]
    if abs(areas[1] - areas[0]) < 0.001:
        truth = "same"
    elif areas[1] > areas[0]:
        truth = "grows"
    else:
        truth = "purer" if precisions[1] > precisions[0] + 0.001 else "no_purer"
    facts = {
        "high": f"{high:.2f}", "now": f"{trace.config.bkg_score_high:.2f}",
        "area": format_percent(areas[0]), "area_after": format_percent(areas[1]),
        "precision": format_percent(precisions[0]), "precision_after": format_percent(precisions[1]),
    }  # fmt: skip
    return truth, facts


REFINED_STAGE_OF_LABEL = {
    "affinity_label": "cam_refined",
    "pseudo_label": "cam_par",
}  # label -> PAR it was merged from, every pixel


def decoder_supervision(trace: Trace) -> str:
    """The label that the decoder was trained on last, a key of `REFINED_STAGE_OF_LABEL`; or "nothing", "unknown"."""
    return trace.decoder_trained_on or "unknown"


def _seg(trace: Trace, label: int, answer: str) -> Verdict:
    target, labels, teacher = ground_truth(trace), stage_labels(trace), decoder_supervision(trace)
    taught, learnt = (
        scores.label_score(target, labels[name], len(trace.class_names))["miou"]
        for name in (REFINED_STAGE_OF_LABEL.get(teacher, "cam_par"), "seg")
    )
    truth = classify_change(taught, learnt)
    return Verdict(
        answer == truth, truth, {"taught": format_percent(taught), "learnt": format_percent(learnt), "teacher": teacher}
    )


def _blame(trace: Trace, label: int, answer: str) -> Verdict:
    shares = error_attribution(trace)
    worst = max(shares, key=shares.__getitem__)
    facts = {cause: format_percent(share) for cause, share in shares.items()}
    return Verdict(shares[answer] >= shares[worst] - TOLERANCE, worst, facts | {"share": format_percent(shares[worst])})


VERDICTS: dict[str, Callable[[Trace, int, Any], Verdict]] = {
    "labels": _labels, "cam": _cam, "cut": _cut, "heads": _heads, "affinity": _affinity, "walk": _walk, "par": _par,
    "regions": _regions, "seg": _seg, "blame": _blame,
}  # fmt: skip
