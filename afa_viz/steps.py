"""Looking into a trace: the label of every stage, and the steps inside the walk and PAR, recomputed on request."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor

from afa_viz.ops import affinity as aff
from afa_viz.ops import banded_walk, dense_crf, par, pseudo_label, random_walk
from afa_viz.ops import cam as cams
from afa_viz.stages.refine import kept_channels
from afa_viz.trace import Trace


def stage_labels(trace: Trace) -> dict[str, Tensor]:
    """(H, W) uint8 label that every stage would give, in order.

    cam: cut at `bkg_score`. cam_rw: resized to the image, then the strongest score, low background score. cam_par:
    the strongest score, likewise. pseudo_label and seg as they are.
    """
    used = kept_channels(trace.image_labels)
    cut = pseudo_label.from_cam(trace.cam[None], trace.image_labels[None], trace.config.bkg_score)[0]
    walked = cams.resize(trace.cam_rw[used][None], (trace.image.shape[0], trace.image.shape[1]))[0]
    labels = {
        "cam": cut,
        "cam_rw": pseudo_label.label_of(walked, used),
        "cam_par": pseudo_label.label_of(trace.cam_par[used], used),
        "pseudo_label": trace.pseudo_label,
        "seg": trace.seg,
    }
    return {stage: label.to(torch.uint8) for stage, label in labels.items()}


def walk_steps(trace: Trace, num_steps: int, bkg_score: float | None = None) -> Iterator[Tensor]:
    """Yield (K, h, w) scores before the walk of a trace and after each of `num_steps` steps.

    Args:
        bkg_score: background score at the start; None: the low one of the trace.
    """
    config = trace.config
    beta = config.bkg_score_low if bkg_score is None else bkg_score
    small = cams.resize(trace.cam[None], trace.grid)
    start = random_walk.with_background(small, trace.image_labels[None], beta)
    steps = banded_walk.walk_steps_near(start, trace.affinity[None], config.radius, config.power, num_steps=num_steps)
    for scores in steps:
        yield scores[0]


def par_steps(trace: Trace, num_iters: int) -> Iterator[Tensor]:
    """Yield (P, h', w') scores of the present classes, background first, before PAR and after each iteration.

    They are on the grid that PAR runs on, the image divided by `par_downscale`, and belong to the low background
    score, as `cam_par` does. Without the walk they start from the CAM.
    """
    config = trace.config
    labels = kept_channels(trace.image_labels)
    image01 = trace.image.permute(2, 0, 1).float()[None] / 255
    size = tuple(max(1, side // config.par_downscale) for side in trace.image.shape[:2])
    small = cams.resize(image01, size)
    if config.use_walk:
        start = cams.resize(trace.cam_rw[labels][None], tuple(trace.image.shape[:2]))
        start = torch.nn.functional.interpolate(start, size=size, mode="bilinear", align_corners=True)
    else:
        start = pseudo_label.start_of_cam(trace.cam[labels[1:] - 1], (config.bkg_score_low,), size)
    kernel = par.pixel_affinity(small, dilations=config.dilations)
    for scores in par.refine_steps(start, kernel, dilations=config.dilations, num_iters=num_iters):
        yield scores[0]


def par_label(trace: Trace) -> Tensor:
    """(H, W) uint8 label after PAR, low background score, computed from the walk on: the rival of `crf_label`."""
    labels = kept_channels(trace.image_labels)
    *_, last = par_steps(trace, trace.config.num_iters)
    scores = cams.resize(last[None], tuple(trace.image.shape[:2]))[0]
    return pseudo_label.label_of(scores, labels).to(torch.uint8)


def crf_label(trace: Trace) -> Tensor:
    """(H, W) uint8 label that a dense CRF makes of the walked scores in PAR's place, low background score.

    Raises: ModuleNotFoundError: where pydensecrf2 is not installed; its text says how to.
    """
    labels = kept_channels(trace.image_labels)
    walked = cams.resize(trace.cam_rw[labels][None], tuple(trace.image.shape[:2]))[0]
    return pseudo_label.label_of(dense_crf.dense_crf(trace.image, walked), labels).to(torch.uint8)


def with_crf(trace: Trace) -> Trace:
    """The trace with a dense CRF in PAR's place, for both background scores; all above it is shared.

    It starts from the walked scores at image size, without the walk from the softmax of the CAM, as PAR does.

    Raises: ModuleNotFoundError: where pydensecrf2 is not installed; its text says how to.
    """
    labels = kept_channels(trace.image_labels)
    size = tuple(trace.image.shape[:2])
    betas = (trace.config.bkg_score_low, trace.config.bkg_score_high)
    if trace.config.use_walk:
        starts = [cams.resize(scores[labels][None], size)[0] for scores in (trace.cam_rw, trace.cam_rw_high)]
    else:
        starts = list(pseudo_label.start_of_cam(trace.cam[labels[1:] - 1], betas, size))
    refined = torch.zeros(2, len(trace.class_names), *size)
    refined[:, labels] = torch.stack([dense_crf.dense_crf(trace.image, start) for start in starts])
    low, high = (pseudo_label.label_of(scores[labels], labels)[None] for scores in refined)
    merged = pseudo_label.merge_low_high(low, high)[0]
    return dataclasses.replace(
        trace,
        cam_par=refined[0],
        cam_par_high=refined[1],
        pseudo_label=merged.to(torch.uint8),
        regions=pseudo_label.regions(merged),
    )


def target_cells(trace: Trace, at_centre: bool = False) -> Tensor:
    """(h, w) uint8 pseudo label of every cell, from which its affinity labels are made; 255 uncertain.

    Args:
        at_centre: as the model was trained, see `ops.affinity.cell_labels`; `Card.affinity_at_centre` says it.
    """
    return label_cells(trace.pseudo_label, trace.grid, at_centre)


def label_cells(label: Tensor, grid: tuple[int, int], at_centre: bool = False) -> Tensor:
    """(h, w) uint8 label of every cell of a grid, 255 where the cell reaches beyond the (H, W) label map.

    Args:
        at_centre: see `target_cells`.
    """
    return aff.cell_labels(_padded(label, grid), at_centre=at_centre)[0].reshape(grid).to(torch.uint8)


def target_affinity(trace: Trace, at_centre: bool = False) -> Tensor:
    """(N, N) uint8 affinity labels of a trace's pseudo label: 1 same class, 0 different, 255 not trained on.

    Args:
        at_centre: see `target_cells`.
    """
    mask = aff.radius_mask(*trace.grid, radius=trace.config.radius)
    label = _padded(trace.pseudo_label, trace.grid)
    return aff.affinity_labels(label, mask=mask, at_centre=at_centre)[0].to(torch.uint8)


def _padded(label: Tensor, grid: tuple[int, int]) -> Tensor:
    """(1, 16 h, 16 w) label map, uncertain where the last cells reach beyond the image."""
    rows, cols = grid
    padded = torch.full((1, rows * aff.STRIDE, cols * aff.STRIDE), pseudo_label.IGNORE, dtype=torch.int64)
    padded[0, : label.shape[0], : label.shape[1]] = label.long()
    return padded
