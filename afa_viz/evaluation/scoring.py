"""Scoring a model on samples: every image is explained and its stages counted, in one process or in many."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from afa_viz import stage_scores
from afa_viz.atomic_files import atomic_write
from afa_viz.config import ExplainConfig
from afa_viz.evaluation.affinity_calibration import AffinityCalibration
from afa_viz.evaluation.bootstrap import PairedBootstrap
from afa_viz.evaluation.boundaries import BoundaryScores
from afa_viz.evaluation.protocols import multi_scale_label
from afa_viz.evaluation.scores_by_stage import EVALUATED_STAGES, PAR_OF_LABEL, SAME_RULE, StageScores
from afa_viz.evaluation.thresholds import BestThresholds
from afa_viz.model.afa import AFA
from afa_viz.model.interface import Network
from afa_viz.ops.pseudo_label import IGNORE
from afa_viz.pipeline import explain
from afa_viz.trace import Trace


class Sample(NamedTuple):
    """One image with its ground truth.

    image (H, W, 3) uint8 RGB; image_labels (C,) multi-hot; target (H, W) uint8, 255 = ignore;
    parts (H, W) uint8 ids of `classes.SANDBOX_PARTS`, or None where they are not known; context: what kind of scene
    it is, "" where that is not known.
    """

    image: np.ndarray
    image_labels: np.ndarray
    target: np.ndarray
    parts: np.ndarray | None = None
    context: str = ""


OnTrace = Callable[[Trace], Any]
OnLabels = Callable[[Trace, dict[str, Tensor]], Any]


def score_samples(
    model: Network,
    samples: Iterable[Sample],
    config: ExplainConfig | None = None,
    multi_scale: bool = False,
    on_trace: OnTrace | None = None,
    on_labels: OnLabels | None = None,
) -> Iterator[tuple[Sample, StageScores]]:
    """Explain every sample with its image labels; yields each with the scores of that image.

    Args:
        model: with its card.
        samples: images with labels and truth, at any size.
        config: settings of the stages.
        multi_scale: also the decoder over three scales and flips, as stage `seg_multi_scale`.
        on_trace: called with every trace. on_labels: also with the (H, W) label of every stage.
    """
    stages = stages_of(model, multi_scale)
    config = config or ExplainConfig.for_model(model)
    config = dataclasses.replace(config, keep_attention="last_stage")  # attention is not scored
    for sample in samples:
        trace = explain(model, sample.image, sample.image_labels, config, target=sample.target)
        assert trace.target is not None
        labels = stage_scores.stage_labels(trace)
        if multi_scale:
            assert isinstance(model, AFA)
            labels["seg_multi_scale"] = multi_scale_label(model, trace.image.numpy())
        parts = None if sample.parts is None else _resized(sample.parts, trace.target)
        scores = StageScores.empty(stages, trace.class_names)
        for stage in stages:
            scores.matrices[stage].update(trace.target, labels[stage])
            if parts is not None:
                scores.parts[stage].update(trace.target, parts, labels[stage])
        for label, par in PAR_OF_LABEL.items():
            scores.same_pixels[label].update(trace.target, labels[par].masked_fill(labels[label] == IGNORE, IGNORE))
        scores.config = trace.config
        scores.logits.append(trace.class_logits)
        scores.image_labels.append(trace.image_labels)
        if on_trace is not None:
            on_trace(trace)
        if on_labels is not None:
            on_labels(trace, labels)
        yield sample, scores


def stages_of(model: Network, multi_scale: bool = False) -> tuple[str, ...]:
    """`EVALUATED_STAGES` that a network has.

    Raises: ValueError: for several scales without a decoder, or too many classes.
    """
    if multi_scale:
        model.parts.require("decoder")
        if not isinstance(model, AFA):
            raise ValueError("several scales are of AFA's decoder; expected an AFA network, or one scale.")
    if model.num_fg_classes > model.max_kept_classes:
        raise ValueError(
            f"the network has {model.num_fg_classes} classes; expected at most {model.max_kept_classes}, since scores "
            "are counted over the classes of a label map."
        )
    stages = EVALUATED_STAGES if multi_scale else EVALUATED_STAGES[:-1]
    return tuple(stage for stage in stages if model.parts.decoder or stage != "seg")


def evaluate_samples(
    model: Network,
    samples: Iterable[Sample],
    config: ExplainConfig | None = None,
    multi_scale: bool = False,
    on_trace: OnTrace | None = None,
    diagnose: bool = False,
) -> StageScores:
    """Scores over all samples, and over those of each context; arguments as `score_shards`."""
    return score_shards(model, samples, lambda scores: [scores], config, multi_scale, on_trace, diagnose)


def score_shards(
    model: Network,
    samples: Iterable[Sample],
    gather: Callable[[StageScores | None], list[StageScores | None]],
    config: ExplainConfig | None = None,
    multi_scale: bool = False,
    on_trace: OnTrace | None = None,
    diagnose: bool = False,
) -> StageScores:
    """`evaluate_samples` over the samples of several processes, of which this one has its share.

    Args:
        gather: scores of this process, None where it had no sample -> those of all processes.
        diagnose: also intervals of the scores and of what each step changes, every stage at its own best threshold,
            scores of boundaries, and the calibration of the affinity.
    Raises: ValueError: if none of them had a sample.
    """
    stages = stages_of(model, multi_scale)
    radius = (config or ExplainConfig.for_model(model)).radius
    thresholds = BestThresholds(("cam", *SAME_RULE), model.num_classes)
    boundaries, calibration = BoundaryScores(stages, model.num_classes), AffinityCalibration(radius)
    mine: StageScores | None = None

    def watched(trace: Trace, labels: dict[str, Tensor]) -> None:
        assert trace.target is not None
        thresholds.update(trace)
        boundaries.update(trace.target, labels)
        calibration.update(trace)

    for sample, one in score_samples(model, samples, config, multi_scale, on_trace, watched if diagnose else None):
        if mine is None:
            mine = StageScores.empty(one.matrices, one.class_names)
            if diagnose:
                mine.thresholds, mine.boundaries, mine.calibration = thresholds, boundaries, calibration
                mine.bootstrap = PairedBootstrap(stages, model.num_classes)
        if mine.bootstrap is not None:
            mine.bootstrap.update({stage: one.matrices[stage].matrix for stage in stages}, sample.image)
        if sample.context:
            one.contexts[sample.context] = dataclasses.replace(one, contexts={})
        mine.add(one)
    all_scores = [scores for scores in gather(mine) if scores is not None]
    if not all_scores:
        raise ValueError("there is no sample to evaluate; expected at least one image with ground truth.")
    whole = StageScores.empty(all_scores[0].matrices, all_scores[0].class_names)
    for scores in all_scores:
        whole.add(scores)
    return whole


def write_scores(
    scores: StageScores | None, path: str | os.PathLike[str], facts: Mapping[str, Any] | None = None
) -> None:
    """All scores as JSON after some facts about how they were made, atomically; None: the facts alone."""
    with atomic_write(path) as partial, open(partial, "w", encoding="utf-8") as file:
        json.dump({**(facts or {}), **(scores.data() if scores else {})}, file, indent=2, allow_nan=False)
        file.write("\n")


def _resized(parts: np.ndarray, target: Tensor) -> Tensor:
    """(H, W) ids at the size of the target, by nearest, as the target was."""
    size = (target.shape[1], target.shape[0])
    return torch.from_numpy(np.array(Image.fromarray(parts).resize(size, Image.Resampling.NEAREST)))
