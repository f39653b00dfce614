"""Scores of every stage: its label map, its scores, and the stage that it may be compared with.

Only like is compared with like: the same decision rule over the same pixels. The walk and PAR are compared with their
inputs under the same rule, and the prediction with PAR, all over every pixel. The CAM thresholded at `bkg_score` uses
another rule, and the two labels cover only some pixels: they are not compared; labels have coverage and precision.

Symbols: H W pixels, K classes with background.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import torch
from torch import Tensor

from afa_viz.config import ExplainConfig
from afa_viz.ops import cam as cams
from afa_viz.ops import pseudo_label
from afa_viz.ops.metrics import ConfusionMatrix
from afa_viz.parts import Parts
from afa_viz.stages.refine import par_size, present_channels
from afa_viz.stages.walk import walk_start
from afa_viz.trace import Trace

SCORED_STAGES = (
    "cam", "walk_start", "cam_rw", "par_start", "cam_refined", "cam_par", "affinity_label", "pseudo_label", "seg",
)  # fmt: skip
AFA_PARTS = Parts()
COMPARED_WITH = {"cam_rw": "walk_start", "cam_par": "par_start", "seg": "cam_par"}  # stage -> its baseline, in order
PARTIAL_LABELS = ("affinity_label", "pseudo_label")  # labels with uncertain pixels
REGIONS = {"background": pseudo_label.BACKGROUND, "foreground": pseudo_label.FOREGROUND,
           "uncertain": pseudo_label.UNCERTAIN}  # fmt: skip


class StageScore(TypedDict):
    """Of one stage and one image. Fractions in [0, 1].

    miou: over the classes present in the truth, background included. iou: of every label in truth or prediction.
    pixel_accuracy: share of the counted pixels that are right. coverage: share of the pixels with known truth that
    the stage decides; the others are left out of the other three.
    """

    miou: float
    iou: dict[int, float]
    pixel_accuracy: float
    coverage: float


def disabled_stages(config: ExplainConfig, parts: Parts = AFA_PARTS) -> tuple[str, ...]:
    """Stages that the settings switch off or the method lacks; no change of scores is attributed to them."""
    used = {"cam_rw": config.use_walk, "cam_par": config.use_par and config.num_iters > 0, "seg": parts.decoder}
    return tuple(stage for stage, is_used in used.items() if not is_used)


def compared_stages(config: ExplainConfig, parts: Parts = AFA_PARTS) -> dict[str, str]:
    """`COMPARED_WITH` without the stages of `disabled_stages`: stage -> its baseline."""
    return {stage: before for stage, before in COMPARED_WITH.items() if stage not in disabled_stages(config, parts)}


def distinct_stages(stages: Sequence[str], disabled: Sequence[str]) -> list[str]:
    """Stages of different labels: with the walk PAR starts from its scores, without it the walk is its own start."""
    return [stage for stage in stages if stage != ("cam_rw" if "cam_rw" in disabled else "par_start")]


def stage_labels(trace: Trace) -> dict[str, Tensor]:
    """(H, W) uint8 label that every stage would give, in the order of `SCORED_STAGES`.

    cam: cut once at `bkg_score`, as the published validation does. Those of `stage_maps`: the strongest score.
    affinity_label, pseudo_label and seg as they are; without a decoder there is no seg.
    """
    used = present_channels(trace.image_labels)
    cut = pseudo_label.from_cam(trace.cam[None], trace.image_labels[None], trace.config.bkg_score)[0]
    labels = {
        "cam": cut,
        **{stage: pseudo_label.argmax_label(scores, used) for stage, scores in stage_maps(trace).items()},
        "affinity_label": trace.affinity_label,
        "pseudo_label": trace.pseudo_label,
        **({} if trace.seg is None else {"seg": trace.seg}),
    }
    return {stage: label.to(torch.uint8) for stage, label in labels.items()}


def stage_maps(trace: Trace) -> dict[str, Tensor]:
    """(P, H, W) scores of the present classes, background first, with the low background score: one rule decides all.

    walk_start: the walk's start, softmax over [beta_l, CAM] on the grid, enlarged. cam_rw: the walk's scores; left out,
    its start. par_start: what PAR starts from: the walk's scores, or the softmax of the CAM where the walk is left out.
    cam_refined: after PAR without the walk. cam_par: after PAR.
    """
    size = tuple(trace.image.shape[:2])
    used = present_channels(trace.image_labels)
    start = walk_start(trace.cam[None], trace.image_labels[None], trace.grid, trace.config.bkg_score_low)[0, used]
    walked = cams.resize(trace.cam_rw[used][None], size)[0]
    return {
        "walk_start": cams.resize(start[None], size)[0],
        "cam_rw": walked,
        "par_start": walked if trace.config.use_walk else cams.resize(_initial_scores(trace, used)[None], size)[0],
        "cam_refined": trace.cam_refined[used],
        "cam_par": trace.cam_par[used],
    }


def _initial_scores(trace: Trace, used: Tensor) -> Tensor:
    """(P, h', w') scores of the present classes that PAR starts from where the walk is left out."""
    size = par_size(trace.image.shape[:2], trace.config)
    return pseudo_label.initial_scores(trace.cam[used[1:] - 1], (trace.config.bkg_score_low,), size)[0]


def label_score(target: Tensor, label: Tensor, num_classes: int) -> StageScore:
    """One (H, W) label map against the truth; 255 is left out on both sides. NaN where nothing is counted."""
    known = target != pseudo_label.IGNORE
    decided = known & (label != pseudo_label.IGNORE)
    scores = ConfusionMatrix(num_classes).update(target, label).scores()
    return {
        "miou": scores.miou,
        "iou": {i: float(v) for i, v in enumerate(scores.iou) if not v.isnan()},
        "pixel_accuracy": scores.pixel_accuracy,
        "coverage": float(decided.sum()) / max(1, int(known.sum())),
    }


def stage_scores(trace: Trace, labels: dict[str, Tensor] | None = None) -> dict[str, StageScore] | None:
    """Scores of every stage of one image; None without ground truth.

    Args:
        labels: of `stage_labels`, where they are known already.
    """
    if trace.target is None:
        return None
    classes = len(trace.class_names)
    found = stage_labels(trace) if labels is None else labels
    return {stage: label_score(trace.target, label, classes) for stage, label in found.items()}


def stage_changes(
    scores: dict[str, StageScore], config: ExplainConfig, label: int | None = None, parts: Parts = AFA_PARTS
) -> dict[str, float | None]:
    """What each step of `compared_stages` changes: mIoU, or the IoU of one class, after minus before; None where
    unknown."""

    def value(stage: str) -> float | None:
        found = scores[stage]["miou"] if label is None else scores[stage]["iou"].get(label)
        return None if found is None or found != found else found

    pairs = {stage: (value(before), value(stage)) for stage, before in compared_stages(config, parts).items()}
    return {stage: None if old is None or new is None else new - old for stage, (old, new) in pairs.items()}


def region_shares(label: Tensor) -> dict[str, float]:
    """Share of the pixels of a label that are background, foreground and uncertain; they sum to 1."""
    regions = pseudo_label.regions(label)
    return {name: float((regions == kind).float().mean()) for name, kind in REGIONS.items()}


def certain_precision(label: Tensor, target: Tensor) -> dict[str, float]:
    """Share of the certain pixels of a label that are right: of the background, of the foreground, of all.

    NaN where a region is empty.
    """
    known = target != pseudo_label.IGNORE
    right, regions = label == target, pseudo_label.regions(label)
    places = {name: known & (regions == kind) for name, kind in REGIONS.items()}
    places["all"] = known & ~places.pop("uncertain")
    return {name: float(right[where].float().mean()) for name, where in places.items()}


def label_shares(trace: Trace) -> dict[str, dict[str, float]]:
    """`region_shares` of both labels, by name."""
    return {name: region_shares(getattr(trace, name)) for name in PARTIAL_LABELS}


def label_precision(trace: Trace) -> dict[str, dict[str, float]] | None:
    """`certain_precision` of both labels, by name; None where the truth is not known."""
    if trace.target is None:
        return None
    return {name: certain_precision(getattr(trace, name), trace.target) for name in PARTIAL_LABELS}


def pixel_changes(before: Any, after: Any, target: Any) -> dict[str, int]:
    """Number of pixels that differ between two (H, W) label maps.

    gained: right only after. lost: right only before. changed: all that differ. Truth 255 counts in neither of the
    first two; None as target leaves them out.
    """
    before, after = torch.as_tensor(before), torch.as_tensor(after)
    counts = {"changed": int((before != after).sum())}
    if target is None:
        return counts
    target = torch.as_tensor(target)
    gained = (after == target) & (before != target) & (target != pseudo_label.IGNORE)
    lost = (before == target) & (after != target) & (target != pseudo_label.IGNORE)
    return {"gained": int(gained.sum()), "lost": int(lost.sum()), **counts}
