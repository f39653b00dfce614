"""Intermediate steps of the walk and PAR of a trace, recomputed on request, and a dense CRF in place of PAR."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from afa_viz.ops import affinity as aff
from afa_viz.ops import banded_walk, dense_crf, par, pseudo_label
from afa_viz.ops import cam as cams
from afa_viz.stages.edits import foreground_thresholds
from afa_viz.stages.refine import par_size, present_cams, present_channels
from afa_viz.stages.walk import walk_start
from afa_viz.trace import Trace


def walk_steps(trace: Trace, num_steps: int, bkg_score: float | None = None) -> Iterator[Tensor]:
    """Yield (K, h, w) scores before the walk of a trace and after each of `num_steps` steps.

    Args:
        bkg_score: background score at the start; None: the low one of the trace.
    """
    config = trace.config
    beta = config.bkg_score_low if bkg_score is None else bkg_score
    trace.parts.require("affinity")
    assert trace.affinity is not None
    start = walk_start(trace.cam[None], trace.image_labels[None], trace.grid, beta)
    steps = banded_walk.windowed_walk_steps(
        start, trace.affinity[None], config.radius, config.power, num_steps=num_steps
    )
    for scores in steps:
        yield scores[0]


def par_steps(trace: Trace, num_iters: int) -> Iterator[Tensor]:
    """Yield (P, h', w') scores of the present classes, background first, before PAR and after each iteration.

    They are on the grid that PAR runs on, the image divided by `par_downscale`, and belong to the low background
    score, as `cam_par` does. Without the walk they start from the CAM.
    """
    config = trace.config
    image01 = trace.image.permute(2, 0, 1).float()[None] / 255
    size = par_size(trace.image.shape[:2], config)
    kernel = par.pixel_affinity(cams.resize(image01, size), dilations=config.dilations)
    for scores in par.refine_steps(_start(trace, size)[None], kernel, dilations=config.dilations, num_iters=num_iters):
        yield scores[0]


def crf_steps(trace: Trace, num_iters: int = dense_crf.NUM_ITERS) -> Iterator[Tensor]:
    """Yield (P, H, W) scores of the present classes before a dense CRF in PAR's place and after each iteration.

    It starts from the scores that PAR starts from, at image size; compare `par_steps`.
    """
    yield from dense_crf.dense_crf_steps(trace.image, _start(trace, trace.image.shape[:2]), num_iters)


def _start(trace: Trace, size: Sequence[int]) -> Tensor:
    """(P, *size) scores of the present classes, low background score: walked, or without the walk of the CAM."""
    labels, config = present_channels(trace.image_labels), trace.config
    if not config.use_walk:
        return pseudo_label.initial_scores(trace.cam[labels[1:] - 1], (config.bkg_score_low,), size)[0]
    walked = cams.resize(trace.cam_rw[labels][None], tuple(trace.image.shape[:2]))
    return torch.nn.functional.interpolate(walked, size=tuple(size), mode="bilinear", align_corners=True)[0]


def step_labels(trace: Trace, steps: Iterable[Tensor]) -> Tensor:
    """(steps, H, W) uint8 label of each of some (P, h', w') scores of the present classes, resized to the image."""
    labels, size = present_channels(trace.image_labels), tuple(trace.image.shape[:2])
    found = (pseudo_label.argmax_label(cams.resize(scores[None], size)[0], labels) for scores in steps)
    return torch.stack([label.to(torch.uint8) for label in found])


def par_label(trace: Trace) -> Tensor:
    """(H, W) uint8 label after PAR, low background score, recomputed by `par_steps`; compare `crf_label`."""
    *_, last = par_steps(trace, trace.config.num_iters)
    return step_labels(trace, [last])[0]


def crf_label(trace: Trace) -> Tensor:
    """(H, W) uint8 label after a dense CRF in PAR's place, low background score, by `crf_steps`."""
    *_, last = crf_steps(trace)
    return step_labels(trace, [last])[0]


def with_crf(trace: Trace) -> Trace:
    """The trace with a dense CRF in PAR's place, for both labels and background scores; all above it is shared.

    It starts from the walked scores at image size, without the walk from the softmax of the CAM, as PAR does.
    """
    labels = present_channels(trace.image_labels)
    size = tuple(trace.image.shape[:2])
    thresholds = foreground_thresholds(trace.config, trace.class_names)
    maps = present_cams(trace.cam, labels, trace.config, thresholds)
    betas = (trace.config.bkg_score_low, trace.config.bkg_score_high)
    starts = list(pseudo_label.initial_scores(maps, betas, size))
    if trace.config.use_walk:
        starts += [cams.resize(scores[labels][None], size)[0] for scores in (trace.cam_rw, trace.cam_rw_high)]
    found = torch.zeros(len(starts), len(trace.class_names), *size)
    found[:, labels] = dense_crf.dense_crf(trace.image, torch.stack(starts))
    refined, par = found[:2], found[-2:]
    affinity_label, label = (_label_of(scores, labels) for scores in (refined, par))
    return dataclasses.replace(
        trace,
        cam_par=par[0],
        cam_par_high=par[1],
        pseudo_label=label,
        regions=pseudo_label.regions(label),
        cam_refined=refined[0],
        cam_refined_high=refined[1],
        affinity_label=affinity_label,
    )


def _label_of(both: Tensor, labels: Tensor) -> Tensor:
    """(H, W) uint8: the label of (2, K, H, W) scores of the low and the high background score."""
    low, high = (pseudo_label.argmax_label(scores[labels], labels)[None] for scores in both)
    return pseudo_label.merge_low_high(low, high)[0].to(torch.uint8)


def affinity_label_source(trace: Trace) -> str:
    """Name of the label that the affinity is trained on: from the model's card, by default the published one, R_cam."""
    return "pseudo_label" if trace.affinity_trained_on == "pseudo_label" else "affinity_label"


def parts_trained_on(trace: Trace, label: str) -> tuple[str, ...] | None:
    """Which of "affinity" and "decoder" were last trained on a label, "affinity_label" or "pseudo_label".

    None where that is not known; empty where neither was.
    """
    known = {"affinity": trace.affinity_trained_on, "decoder": trace.decoder_trained_on}
    found = tuple(part for part, source in known.items() if source == label)
    return found if found or None not in known.values() else None


def target_cells(trace: Trace, at_centre: bool | None = None) -> Tensor:
    """(h, w) uint8 label of every cell, from which affinity labels are made; 255 uncertain or beyond the image.

    Args:
        at_centre: see `ops.affinity.cell_labels`; None: as the model was trained, as published where that is not known.
    """
    return label_cells(trace, getattr(trace, affinity_label_source(trace)), at_centre)


def label_cells(trace: Trace, label: Tensor, at_centre: bool | None = None) -> Tensor:
    """(h, w) uint8 label of every cell of a trace in an (H, W) label map, read as `target_cells` reads."""
    centre = bool(trace.affinity_at_centre) if at_centre is None else at_centre
    cells = aff.cell_labels(label[None], trace.parts.stride, at_centre=centre, grid=trace.grid)
    return cells[0].reshape(trace.grid).to(torch.uint8)


def target_affinity(trace: Trace, at_centre: bool | None = None) -> Tensor:
    """(N, N) uint8 affinity labels of a trace, as its model was trained: 1 same class, 0 different, 255 not trained on.

    Args:
        at_centre: see `target_cells`.
    """
    centre = bool(trace.affinity_at_centre) if at_centre is None else at_centre
    mask = aff.radius_mask(*trace.grid, radius=trace.config.radius)
    label = getattr(trace, affinity_label_source(trace))
    return aff.affinity_labels(label[None], mask=mask, stride=trace.parts.stride, at_centre=centre)[0].to(torch.uint8)
