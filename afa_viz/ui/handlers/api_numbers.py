"""The numbers that the public endpoints send: of one explanation, and of one cell of it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from torch import Tensor

from afa_viz import stage_scores as scores
from afa_viz.figures import maps
from afa_viz.trace import Trace
from afa_viz.ui.page import edit_settings


def summary(trace: Trace) -> dict[str, Any]:
    """The numbers of one explanation; scores and changes come from `stage_scores`."""
    known = scores.stage_scores(trace)
    return {
        "image_labels": [trace.class_names[label] for label in trace.present],
        "labels_given": trace.labels_given,
        "class_logits": {trace.class_names[label]: float(trace.class_logits[label - 1]) for label in trace.present},
        "edits": edits(trace),
        "size": list(trace.image.shape[:2]),
        "grid": list(trace.grid),
        "blocks": len(trace.attn_logits),
        "first_block": trace.kept_blocks.start,
        "regions": scores.region_shares(trace.pseudo_label),
        "affinity_label": _areas(trace, trace.affinity_label),
        "pseudo_label": _areas(trace, trace.pseudo_label),
        "prediction": None if trace.seg is None else _areas(trace, trace.seg),
        "miou": known and _finite({stage: score["miou"] for stage, score in known.items()}),
        "coverage": known and {stage: score["coverage"] for stage, score in known.items()},
        "precision": known and {name: _finite(of) for name, of in (scores.label_precision(trace) or {}).items()},
        "changes": known and scores.stage_changes(known, trace.config, parts=trace.parts),
        "affinity_head": affinity_head(trace),
        "steps": scores.compared_stages(trace.config, trace.parts),
        "left_out": list(scores.disabled_stages(trace.config, trace.parts)),
        "trained_on": {"affinity": trace.affinity_trained_on, "decoder": trace.decoder_trained_on},
        "checkpoint_id": trace.checkpoint_id,
        "parts": dataclasses.asdict(trace.parts),
        "lacks": trace.parts.lacks,
        "predictions": None
        if trace.predictions is None
        else [{"name": name, "probability": round(share, 6)} for name, share in trace.predictions],
    }


def edits(trace: Trace) -> dict[str, Any]:
    """What is changed by hand, as it was asked for; null: nothing."""
    values = {name: getattr(trace.config, name) for name in edit_settings.FIELDS}
    if values["class_thresholds"] is not None:
        values["class_thresholds"] = dict(values["class_thresholds"])
    return values


def affinity_head(trace: Trace) -> dict[str, Any] | None:
    """Weights and bias that made the affinity, the learned ones, and symmetry; None where it is not learned."""
    if trace.affinity_weight is None or trace.affinity_bias is None:
        return None
    weight, bias = trace.used_affinity_head
    return {
        "weights": weight.tolist(), "bias": float(bias), "symmetric": trace.config.symmetric,
        "learned_weights": trace.affinity_weight.tolist(), "learned_bias": float(trace.affinity_bias),
    }  # fmt: skip


def _finite(values: dict[str, float]) -> dict[str, float]:
    """Only the finite values."""
    return {name: value for name, value in values.items() if math.isfinite(value)}


def _areas(trace: Trace, label: Tensor) -> dict[str, float]:
    names = dict(enumerate(trace.class_names)) | {255: "uncertain"}
    return {names[int(found)]: float((label == found).float().mean()) for found in label.unique()}


def cell_numbers(trace: Trace, block: int, cell: maps.Cell) -> dict[str, Any]:
    """The numbers of one cell: attention of every head of a block, affinity to all cells, scores and labels.

    None for what the method lacks, with its sentence in `lacks`.
    """
    has_attention, has_affinity = trace.parts.attention is not None, trace.parts.affinity is not None
    heads = range(len(trace.logits(block))) if has_attention else ()
    return {
        "grid": list(trace.grid),
        "cell": list(cell),
        "block": block if has_attention else None,
        "key_grid": list(trace.key_grids[block]) if has_attention else None,
        "attention": [_numbers(maps.attention(trace, block, h, cell)) for h in heads] if has_attention else None,
        "affinity": _numbers(maps.affinity(trace, cell)) if has_affinity else None,
        "lacks": trace.parts.lacks,
        "scores": _scores(trace, cell),
        "labels": _labels(trace, cell),
    }


def _numbers(values: Tensor) -> list[float]:
    return [round(float(value), 6) for value in values.flatten()]


def _middle(trace: Trace, cell: maps.Cell) -> tuple[int, int]:
    """The pixel at the centre of a cell."""
    top, bottom, left, right = maps.cell_box((trace.image.shape[0], trace.image.shape[1]), trace.grid, cell)
    return (top + bottom) // 2, (left + right) // 2


def _scores(trace: Trace, cell: maps.Cell) -> dict[str, dict[str, float]]:
    """Scores by stage and class name: of the cell after the walk, of its central pixel for the other stages."""
    pixel = _middle(trace, cell)
    found = {"cam": {trace.class_names[i]: trace.cam[i - 1][pixel] for i in trace.present}}
    for stage, values, place in (("cam_rw", trace.cam_rw, cell), ("cam_par", trace.cam_par, pixel)):
        found[stage] = {trace.class_names[i]: values[i][place] for i in maps.channels(trace)}
    return {stage: {name: round(float(v), 6) for name, v in by.items()} for stage, by in found.items()}


def _labels(trace: Trace, cell: maps.Cell) -> dict[str, str]:
    """Class names of the central pixel of a cell, by stage."""
    names = dict(enumerate(trace.class_names)) | {255: "uncertain"}
    pixel = _middle(trace, cell)
    found = {stage: names[int(label[pixel])] for stage, label in scores.stage_labels(trace).items()}
    if trace.target is not None:
        truth = int(trace.target[pixel])
        found["target"] = "not counted" if truth == 255 else names[truth]
    return found
