"""Trace -> JSON for the browser: deflated uint8 maps, each with the values that its 0 and 255 stand for.

There are several parts, so that a changed setting sends only what has changed, and tabs load their data when they are
opened: `stages` (everything from the CAM on), `scene` (image, prediction, ground truth, blocks), `par` (all
iterations), `crf`, and in `payload_attention` the maps of the attention and affinity tabs.

Symbols: H W pixels, h w cells, N = h * w, P present classes including background.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import io
import itertools
import math
import time
import zlib
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from afa_viz import stage_scores as scores
from afa_viz.figures import maps
from afa_viz.inspection import crf_steps, par_steps, step_labels
from afa_viz.ops import dense_crf, random_walk
from afa_viz.ops import par as par_op
from afa_viz.trace import Trace
from afa_viz.ui.handlers.answer_texts import to_json as to_json
from afa_viz.ui.page import edit_settings

Packed = dict[str, Any]
MAX_CELLS = 1024  # of grids whose whole matrices are sent on demand, as in explorer/core/recompute.js
WHOLE_CELLS = 400  # up to 20 x 20 cells the whole affinity is sent at once, at most 160 kB
WINDOW = 8  # cells; the published radius
LABELLED_STAGES = (
    "cam",
    "walk_start",
    "cam_rw",
    "par_start",
    "cam_par",
)  # whose label the page needs beside their scores


def deflate_base64(array: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes(), 1)).decode("ascii")


def pack_labels(label: Tensor) -> Packed:
    """(H, W) or (n, H, W) uint8 labels, unchanged."""
    return {"data": deflate_base64(label.numpy()), "shape": list(label.shape)}


def pack_scores(values: Tensor, low: float, high: float) -> Packed:
    """Numbers of any shape as uint8: 0 means `low` or less, 255 means `high` or more."""
    share = (values - low).div_(high - low) if high > low else torch.zeros_like(values)
    quantised = share.clamp_(0, 1).mul_(255).round_().to(torch.uint8)
    return {"data": deflate_base64(quantised.numpy()), "shape": list(values.shape), "low": low, "high": high}


def finite(value: Any) -> Any:
    """Numbers for JSON: NaN becomes None; floats keep six digits, more than the explorer displays."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def score_limits(trace: Trace) -> tuple[float, float]:
    """Smallest and largest score of walk and PAR together: one colour scale for both."""
    limits = [maps.shared_limits(trace, trace.cam_rw), maps.shared_limits(trace, trace.cam_par)]
    return min(low for low, _ in limits), max(high for _, high in limits)


def stages(trace: Trace, key: str, scene_key: str) -> dict[str, Any]:
    """Everything below the network: classes, maps, labels and numbers."""
    low, high = score_limits(trace)
    channels = maps.channels(trace)
    packed, table = score_table(trace)
    return {
        "key": key,
        "scene": scene_key,
        "size": list(trace.image.shape[:2]),
        "grid": list(trace.grid),
        "num_blocks": len(trace.attn_logits),
        "first_block": trace.kept_blocks.start,
        "labels_given": trace.labels_given,
        "main": maps.main_label(trace),
        "classes": classes(trace),
        "names": list(trace.class_names),
        "palette": [list(colour) for colour in trace.palette],
        "radius": trace.config.radius,
        "use_walk": trace.config.use_walk,
        "use_par": trace.config.use_par,
        "num_iters": trace.config.num_iters,
        "num_steps": trace.config.num_steps,
        "symmetric": trace.config.symmetric,
        "head_weights": trace.config.head_weights,
        "affinity_bias": trace.config.affinity_bias,
        **edits(trace),
        "low": trace.config.bkg_score_low,
        "high": trace.config.bkg_score_high,
        "chain": pipeline_settings(trace),
        "cam": pack_cam(trace),
        "affinity": local_affinity(trace),
        "cam_rw": pack_scores(trace.cam_rw[channels], low, high),
        "cam_par": pack_scores(trace.cam_par[channels], low, high),
        "labels": packed,
        "trained_on": trained_on(trace),
        "parts": parts(trace),
        "predictions": predictions(trace),
        **table,
    }


def edits(trace: Trace) -> dict[str, Any]:
    """What is changed by hand: its texts, and what the browser computes and draws with."""
    names = trace.class_names
    own = {names.index(name): score for name, score in trace.config.class_thresholds or () if name in names}
    return {
        "edits": edit_settings.to_texts(trace.config),
        "thresholds": own or None,  # by label
        "scales": {"offered": list(edit_settings.DEFAULTS.scales), "used": list(trace.config.scales)},
        "flip": trace.config.flip,
    }


def parts(trace: Trace) -> dict[str, Any]:
    """What the method has, see `Parts`, and which of `parts.LACKS` it lacks."""
    return {**dataclasses.asdict(trace.parts), "lacks": list(trace.parts.lacks)}


def predictions(trace: Trace) -> list[dict[str, Any]] | None:
    """The most probable classes of a network whose trace has but some, to be offered as image labels."""
    if trace.predictions is None:
        return None
    return [{"name": name, "probability": finite(share)} for name, share in trace.predictions]


def classes(trace: Trace) -> list[dict[str, Any]]:
    """The image labels, each with its strongest cell and its logit."""
    return [
        {
            "label": label,
            "cell": list(maps.strongest_cell(trace, label)),
            "logit": finite(float(trace.class_logits[label - 1])),
            "probability": _probability(trace, label),
        }
        for label in trace.present
    ]


def _probability(trace: Trace, label: int) -> float | None:
    return None if trace.class_probs is None else finite(float(trace.class_probs[label - 1]))


def pack_cam(trace: Trace) -> Packed:
    """(P - 1, H, W) CAMs of the image labels."""
    return pack_scores(trace.cam[[label - 1 for label in trace.present]], 0.0, 1.0)


def trained_on(trace: Trace) -> dict[str, str | None]:
    """The labels that affinity and decoder were trained on last, see `model.card.Card`; None: unknown."""
    return {"affinity": trace.affinity_trained_on, "decoder": trace.decoder_trained_on}


def score_table(trace: Trace) -> tuple[dict[str, Packed], dict[str, Any]]:
    """Labels of the stages that decide every pixel, and the results of `stage_scores` that are displayed.

    steps: which stage is compared with which; left_out: stages that the settings switch off. The label par_start is
    included only if PAR does not start from the walk.
    """
    labels = scores.stage_labels(trace)
    packed = {stage: pack_labels(labels[stage]) for stage in LABELLED_STAGES}
    if trace.config.use_walk:
        del packed["par_start"]
    steps = scores.compared_stages(trace.config, trace.parts).items()
    return packed, {
        "affinity_label": pack_labels(trace.affinity_label),
        "pseudo_label": pack_labels(trace.pseudo_label),
        "scores": finite(scores.stage_scores(trace, labels)),
        "steps": [{"stage": stage, "before": before} for stage, before in steps],
        "left_out": list(scores.disabled_stages(trace.config, trace.parts)),
        "shares": finite(scores.label_shares(trace)),
        "precision": finite(scores.label_precision(trace)),
    }


def local_affinity(trace: Trace) -> Packed | None:
    """The affinity, (N, N), None without one; on large grids only the window around every cell: (N, side, side), side =
    2 * band + 1.

    The window is never smaller than that of the walk. Values outside the grid are 0.
    """
    if trace.affinity is None:
        return None
    rows, cols = trace.grid
    cells = rows * cols
    band = max(trace.config.radius, WINDOW)
    side = 2 * band + 1
    if cells <= WHOLE_CELLS or side * side >= cells:
        return pack_scores(trace.affinity, 0.0, 1.0)
    beyond = torch.nn.functional.pad(trace.affinity.reshape(cells, rows, cols), (band, band, band, band))
    windows = [beyond[i, i // cols : i // cols + side, i % cols : i % cols + side] for i in range(cells)]
    return {**pack_scores(torch.stack(windows), 0.0, 1.0), "band": band}


def pipeline_settings(trace: Trace) -> dict[str, Any]:
    """Further settings that the browser needs to compute walk and PAR."""
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
    """Every block of the network: its stage, heads, grids, and the weights of its heads in the affinity.

    A block whose attention was not kept has no heads.
    """
    result: list[dict[str, Any]] = []
    weights = maps.head_weights(trace)
    first_weighted = len(trace.attn_logits) - len(weights)
    kinds = [
        (0 if logits is None else logits.shape[0], queries, keys)
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
                    "ratio": maps.key_ratio(trace, block),
                    "weights": weight and [finite(w) for w in weight],
                }
            )
    return result


def scene(trace: Trace, scene_key: str) -> dict[str, Any]:
    """Everything that does not depend on settings below the network."""
    file = io.BytesIO()
    Image.fromarray(trace.image.numpy()).save(file, format="PNG", compress_level=2)
    return {
        "key": scene_key,
        "image": "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii"),
        "seg": None if trace.seg is None else pack_labels(trace.seg),
        "target": None if trace.target is None else pack_labels(trace.target),
        "blocks": blocks(trace),
    }


def par(trace: Trace, key: str) -> dict[str, Any]:
    """Scores of all present classes before PAR and after each iteration: (iterations + 1, P, h', w')."""
    iterations = trace.config.num_iters if trace.config.use_par else 0
    low, high = score_limits(trace)
    return {"key": key, **pack_scores(torch.stack(list(par_steps(trace, iterations))), low, high)}


def crf(trace: Trace) -> dict[str, Any]:
    """The labels of a dense CRF and of PAR before and after each iteration, (iterations + 1, H, W), with the seconds of
    each and its IoU by label for every iteration."""
    result: dict[str, Any] = {"iterations": dense_crf.NUM_ITERS, "par_iterations": trace.config.num_iters}
    par_scores = functools.partial(par_steps, trace, trace.config.num_iters)
    for prefix, run in (("par_", par_scores), ("", functools.partial(crf_steps, trace))):
        began = time.perf_counter()
        steps = list(run())
        result[f"{prefix}seconds"] = finite(time.perf_counter() - began)
        labels = step_labels(trace, steps)
        result[f"{prefix}labels"] = pack_labels(labels)
        if trace.target is not None:
            classes = len(trace.class_names)
            result[f"{prefix}iou"] = [finite(scores.label_score(trace.target, one, classes)["iou"]) for one in labels]
    return result


def frame(trace: Trace) -> dict[str, Any]:
    """The results of one snapshot: CAMs of the image labels, affinity, prediction, scores of CAM and prediction."""
    present, known = trace.present, scores.stage_scores(trace)
    return {
        "labels": list(present),
        "cam": pack_cam(trace),
        "affinity": pack_affinity(trace),
        "seg": None if trace.seg is None else pack_labels(trace.seg),
        "scores": known and finite({stage: known[stage] for stage in ("cam", "seg") if stage in known}),
    }


def comparison(trace: Trace) -> dict[str, Any]:
    """Every stage of side B of a comparison."""
    low, high = score_limits(trace)
    channels = maps.channels(trace)
    packed, table = score_table(trace)
    return {
        **frame(trace),
        "names": list(trace.class_names),
        "palette": [list(colour) for colour in trace.palette],
        "grid": list(trace.grid),
        "parts": parts(trace),
        "cam_rw": pack_scores(trace.cam_rw[channels], low, high),
        "cam_par": pack_scores(trace.cam_par[channels], low, high),
        "stage_labels": packed,
        "trained_on": trained_on(trace),
        **table,
    }


def pack_affinity(trace: Trace) -> Packed | None:
    """The affinity; None without one, and for grids of more than `MAX_CELLS` cells, whose matrix takes megabytes."""
    whole = trace.affinity is not None and len(trace.affinity) <= MAX_CELLS
    return pack_scores(trace.affinity, 0.0, 1.0) if whole and trace.affinity is not None else None
