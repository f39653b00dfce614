"""Trace -> what the browser draws: JSON with deflated uint8 maps, each with the numbers its 0 and 255 stand for.

Three parts, so that a changed setting sends only what changed: `stages` (everything from the CAM down), `scene` (image,
prediction, truth, the blocks) and, each asked for once, `attention` of one block and `par` (all iterations).

Symbols: H W pixels, h w cells, N = h * w, P present classes with background.
"""

from __future__ import annotations

import base64
import io
import itertools
import json
import math
import time
import zlib
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from afa_viz.figures import maps, scores
from afa_viz.ops import dense_crf, random_walk
from afa_viz.ops import par as par_op
from afa_viz.steps import crf_label, par_label, par_steps, stage_labels
from afa_viz.trace import Trace

Packed = dict[str, Any]
CELLS_MAX = 1024  # of grids whose affinity is sent for comparisons and snapshots, as in explorer/live.js
LABELLED = ("cam", "cam_rw", "cam_par")  # stages whose label the page needs beside their scores


def _bytes(array: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes(), 1)).decode("ascii")


def pack_labels(label: Tensor) -> Packed:
    """(H, W) uint8 labels as they are."""
    return {"data": _bytes(label.numpy()), "shape": list(label.shape)}


def pack_scores(values: Tensor, low: float, high: float) -> Packed:
    """Numbers of any shape as uint8: 0 is `low` and less, 255 is `high` and more."""
    share = (values - low) / (high - low) if high > low else torch.zeros_like(values)
    quantised = (share.clamp(0, 1) * 255).round().to(torch.uint8)
    return {"data": _bytes(quantised.numpy()), "shape": list(values.shape), "low": low, "high": high}


def _finite(value: Any) -> Any:
    """Numbers for JSON: NaN, "not known", becomes null; floats keep four digits."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value


def score_limits(trace: Trace) -> tuple[float, float]:
    """Smallest and largest score of walk and PAR together: one colour scale for both views."""
    limits = [maps.shared_limits(trace, trace.cam_rw), maps.shared_limits(trace, trace.cam_par)]
    return min(low for low, _ in limits), max(high for _, high in limits)


def stages(trace: Trace, key: str, scene_key: str) -> dict[str, Any]:
    """Everything below the network, for the class buttons, maps, labels and numbers of the page."""
    low, high = score_limits(trace)
    channels = maps.channels(trace)
    return {
        "key": key,
        "scene": scene_key,
        "size": list(trace.image.shape[:2]),
        "grid": list(trace.grid),
        "num_blocks": len(trace.attn_logits),
        "labels_given": trace.labels_given,
        "main": maps.main_label(trace),
        "classes": [
            {
                "label": label,
                "cell": list(maps.strongest_cell(trace, label)),
                "logit": _finite(float(trace.class_logits[label - 1])),
            }
            for label in trace.present
        ],
        "names": list(trace.class_names),
        "palette": [list(colour) for colour in trace.palette],
        "radius": trace.config.radius,
        "use_walk": trace.config.use_walk,
        "use_par": trace.config.use_par,
        "num_iters": trace.config.num_iters,
        "num_steps": trace.config.num_steps,
        "symmetric": trace.config.symmetric,
        "low": trace.config.bkg_score_low,
        "high": trace.config.bkg_score_high,
        "chain": chain_settings(trace),
        "cam": pack_scores(trace.cam[[label - 1 for label in trace.present]], 0.0, 1.0),
        "affinity": pack_scores(trace.affinity, 0.0, 1.0),
        "cam_rw": pack_scores(trace.cam_rw[channels], low, high),
        "cam_par": pack_scores(trace.cam_par[channels], low, high),
        "pseudo_label": pack_labels(trace.pseudo_label),
        "labels": {stage: pack_labels(label) for stage, label in stage_labels(trace).items() if stage in LABELLED},
        "scores": _finite(scores.stage_scores(trace)),
        "shares": _finite(scores.region_shares(trace)),
        "precision": _finite(scores.certain_precision(trace)),
    }


def chain_settings(trace: Trace) -> dict[str, Any]:
    """What walk and PAR need beside the numbers above to be computed in the browser."""
    config = trace.config
    return {
        "bkg_score": config.bkg_score,
        "power": config.power,
        "eps": random_walk.EPS,
        "dilations": list(config.dilations),
        "par_downscale": config.par_downscale,
        "w1": par_op.W1,
        "w2": par_op.W2,
    }


def blocks(trace: Trace) -> list[dict[str, Any]]:
    """Every block of the network: its stage, heads, grids, and the weights of its heads in the affinity."""
    result: list[dict[str, Any]] = []
    weights = maps.head_weights(trace)
    first_weighted = len(trace.attn_logits) - len(weights)
    kinds = [
        (logits.shape[0], queries, keys)
        for logits, queries, keys in zip(trace.attn_logits, trace.query_grids, trace.key_grids, strict=True)
    ]
    for stage, (kind, group) in enumerate(itertools.groupby(enumerate(kinds), key=lambda item: item[1]), start=1):
        heads, queries, keys = kind
        for place, (block, _) in enumerate(group, start=1):
            weight = weights[block - first_weighted].tolist() if block >= first_weighted else None
            result.append(
                {
                    "stage": stage,
                    "place": place,
                    "heads": heads,
                    "queries": list(queries),
                    "keys": list(keys),
                    "weights": weight and [_finite(w) for w in weight],
                }
            )
    return result


def scene(trace: Trace, scene_key: str) -> dict[str, Any]:
    """What settings below the network do not change."""
    file = io.BytesIO()
    Image.fromarray(trace.image.numpy()).save(file, format="PNG", compress_level=6)
    return {
        "key": scene_key,
        "image": "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii"),
        "seg": pack_labels(trace.seg),
        "target": None if trace.target is None else pack_labels(trace.target),
        "blocks": blocks(trace),
    }


def cell_maps(trace: Trace, block: int, logits: bool = False) -> Tensor:
    """Attention or its logits of every cell in every head: (heads, N, keys). Fine stages: mean of a cell's queries."""
    maps_of = trace.attn_logits[block] if logits else trace.attn_probs(block)
    rows, cols = trace.grid
    height, width = trace.query_grids[block]
    if (height, width) == (rows, cols):
        return maps_of
    row = torch.arange(height) * rows // height
    col = torch.arange(width) * cols // width
    cell = (row[:, None] * cols + col[None, :]).flatten()
    count = torch.bincount(cell, minlength=rows * cols).clamp_min(1)
    total = maps_of.new_zeros(maps_of.shape[0], rows * cols, maps_of.shape[2]).index_add_(1, cell, maps_of)
    return total / count[None, :, None]


def attention(trace: Trace, block: int, logits: bool = False) -> dict[str, Any]:
    """All heads of one block in uint8: of each (head, cell) 0 stands for `lows` and 255 for `peaks`.

    Args:
        logits: q k^T before scale and softmax in place of the attention, whose lows are 0.
    """
    values = cell_maps(trace, maps.check_block(trace, block), logits)
    peaks = values.amax(dim=2)
    lows = values.amin(dim=2) if logits else torch.zeros_like(peaks)
    span = (peaks - lows).clamp_min(torch.finfo(torch.float32).tiny)
    quantised = ((values - lows[:, :, None]) / span[:, :, None] * 255).round().to(torch.uint8)
    return {
        "block": block,
        "logits": logits,
        "data": _bytes(quantised.numpy()),
        "shape": list(quantised.shape),
        "lows": _bytes(lows.numpy().astype("<f4")),
        "peaks": _bytes(peaks.numpy().astype("<f4")),
    }


def par(trace: Trace, key: str) -> dict[str, Any]:
    """Scores of all present classes before PAR and after each iteration: (iterations + 1, P, h', w')."""
    iterations = trace.config.num_iters if trace.config.use_par else 0
    low, high = score_limits(trace)
    return {"key": key, **pack_scores(torch.stack(list(par_steps(trace, iterations))), low, high)}


def crf(trace: Trace) -> dict[str, Any]:
    """The label of a dense CRF in PAR's place beside PAR's own, with the seconds and the IoU of each.

    Without the package only `missing`: a sentence that says how to install it.
    """
    if not dense_crf.available():
        return {"missing": dense_crf.HOW_TO_INSTALL}
    result: dict[str, Any] = {"iterations": dense_crf.NUM_ITERS, "par_iterations": trace.config.num_iters}
    for prefix, make in (("par_", par_label), ("", crf_label)):
        began = time.perf_counter()
        label = make(trace)
        result[f"{prefix}seconds"] = _finite(time.perf_counter() - began)
        result[f"{prefix}label"] = pack_labels(label)
        if trace.target is not None:
            result[f"{prefix}iou"] = _finite(scores.label_score(trace.target, label, len(trace.class_names))["iou"])
    return result


def frame(trace: Trace) -> dict[str, Any]:
    """What one snapshot makes of a picture: CAMs of the image labels, affinity, prediction, scores of CAM and that."""
    present, known = trace.present, scores.stage_scores(trace)
    return {
        "labels": list(present),
        "cam": pack_scores(trace.cam[[label - 1 for label in present]], 0.0, 1.0),
        "affinity": pack_affinity(trace),
        "seg": pack_labels(trace.seg),
        "scores": known and _finite({stage: known[stage] for stage in ("cam", "seg")}),
    }


def compared(trace: Trace) -> dict[str, Any]:
    """Every stage of the other side of a comparison, for the maps and numbers of the page."""
    low, high = score_limits(trace)
    channels = maps.channels(trace)
    return {
        **frame(trace),
        "names": list(trace.class_names),
        "palette": [list(colour) for colour in trace.palette],
        "cam_rw": pack_scores(trace.cam_rw[channels], low, high),
        "cam_par": pack_scores(trace.cam_par[channels], low, high),
        "stage_labels": {
            stage: pack_labels(label) for stage, label in stage_labels(trace).items() if stage in LABELLED
        },
        "pseudo_label": pack_labels(trace.pseudo_label),
        "scores": _finite(scores.stage_scores(trace)),
    }


def pack_affinity(trace: Trace) -> Packed | None:
    """The learned affinity, or None for grids of more than `CELLS_MAX` cells, whose matrix would be megabytes."""
    return pack_scores(trace.affinity, 0.0, 1.0) if len(trace.affinity) <= CELLS_MAX else None


def to_json(data: dict[str, Any]) -> str:
    """Compact JSON; refuses NaN, which browsers can not read."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
