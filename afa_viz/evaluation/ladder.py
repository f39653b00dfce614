"""The stage ladder: how good every stage is on a set of images with ground truth, by class, part and context.

Symbols: C foreground classes, K = C + 1, H W pixels, n images.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from afa_viz.atomic_files import atomic_write
from afa_viz.classes import SANDBOX_QUADRUPEDS
from afa_viz.config import ExplainConfig
from afa_viz.evaluation.parts import UNCERTAIN, PartCounts
from afa_viz.evaluation.protocols import multi_scale_label
from afa_viz.evaluation.tables import iou_table, percent, text_table
from afa_viz.model.afa import AFA
from afa_viz.ops.metrics import ConfusionMatrix, Scores, average_precision, f1_per_image
from afa_viz.pipeline import explain
from afa_viz.steps import stage_labels
from afa_viz.trace import Trace

STAGES = ("cam", "cam_rw", "cam_par", "pseudo_label", "seg", "seg_multi_scale")
COMPARED_PARTS = ("head", "body")  # of the quadrupeds, in `Ladder.summary`


class Sample(NamedTuple):
    """One image with its truth.

    image (H, W, 3) uint8 RGB; image_labels (C,) multi-hot; target (H, W) uint8 with 255 for "do not count";
    parts (H, W) uint8 ids of `classes.SANDBOX_PARTS`, or None where they are not known; context: what kind of scene
    it is, "" where that is not known.
    """

    image: np.ndarray
    image_labels: np.ndarray
    target: np.ndarray
    parts: np.ndarray | None = None
    context: str = ""


@dataclass
class Ladder:
    """Scores of every stage on the same images; the stages before `seg` know the image labels.

    Attributes:
        matrices: confusion matrix by stage.
        class_names: K names, background first.
        logits, image_labels: n of (C,), for F1 and average precision of the classifier.
        parts: pixels by class and part, by stage; of the images whose parts are known.
        contexts: the same ladder over the images of one context each.
    """

    matrices: dict[str, ConfusionMatrix]
    class_names: tuple[str, ...]
    logits: list[Tensor] = field(default_factory=list)
    image_labels: list[Tensor] = field(default_factory=list)
    parts: dict[str, PartCounts] = field(default_factory=dict)
    contexts: dict[str, Ladder] = field(default_factory=dict)

    @classmethod
    def empty(cls, stages: Iterable[str], class_names: Sequence[str]) -> Ladder:
        """A ladder in which nothing is counted yet."""
        stages, count = list(stages), len(class_names)
        return cls(
            {stage: ConfusionMatrix(count) for stage in stages},
            tuple(class_names),
            parts={stage: PartCounts(count) for stage in stages},
        )

    def add(self, other: Ladder) -> Ladder:
        """Count what another ladder with the same stages counted, contexts too. Returns itself."""
        for stage, matrix in other.matrices.items():
            self.matrices[stage].matrix += matrix.matrix
            self.parts[stage].counts += other.parts[stage].counts
        self.logits += other.logits
        self.image_labels += other.image_labels
        for name, ladder in other.contexts.items():
            self.contexts.setdefault(name, Ladder.empty(ladder.matrices, ladder.class_names)).add(ladder)
        return self

    def scores(self) -> dict[str, Scores]:
        """Scores by stage."""
        return {stage: matrix.scores() for stage, matrix in self.matrices.items()}

    def uncertain(self) -> float:
        """Share of the pixels with known truth that the pseudo label leaves out; NaN where there are none."""
        all_pixels = int(self.matrices["seg"].matrix.sum())
        return 1 - int(self.matrices["pseudo_label"].matrix.sum()) / all_pixels if all_pixels else float("nan")

    def quadrupeds(self) -> list[int]:
        """Labels of the classes that share a body; empty where there are none."""
        return [i for i, name in enumerate(self.class_names) if name in SANDBOX_QUADRUPEDS]

    def has_parts(self) -> bool:
        """Whether any pixel of any part was counted."""
        return any(int(counts.counts[1:, 1:].sum()) > 0 for counts in self.parts.values())

    def summary(self) -> dict[str, float]:
        """The numbers to follow, in percent, two decimals.

        `miou_<stage>`; `map` and `f1` of the image labels; `uncertain`, see the method; where parts are known also
        `head_<stage>` and `body_<stage>`: which share of them has the right class, over the quadrupeds.
        """
        logits, labels = torch.stack(self.logits), torch.stack(self.image_labels)
        numbers = {f"miou_{stage}": scores.miou for stage, scores in self.scores().items()}
        numbers["map"] = float(average_precision(logits, labels).nanmean())
        numbers["f1"] = float(f1_per_image(logits, labels).mean())
        numbers["uncertain"] = self.uncertain()
        if self.has_parts():
            for part in COMPARED_PARTS:
                for stage, counts in self.parts.items():
                    numbers[f"{part}_{stage}"] = counts.share(self.quadrupeds())[part]
        return {name: round(100 * value, 2) for name, value in numbers.items()}

    def data(self) -> dict[str, Any]:
        """Everything that was counted, in percent, ready for JSON; None where nothing was counted.

        summary; iou by stage and class; parts, parts_of_quadrupeds, parts_by_class: share of each part with the right
        class by stage; uncertain_parts: share of each part that the pseudo label leaves out; contexts: number of
        images, mIoU and share of the heads by stage.
        """
        scores = self.scores()
        found: dict[str, Any] = {
            "images": len(self.logits),
            "summary": {name: None if value != value else value for name, value in self.summary().items()},
            "iou": {
                stage: _percents(dict(zip(self.class_names, s.iou.tolist(), strict=True)))
                for stage, s in scores.items()
            },
        }
        if self.has_parts():
            found["parts"] = {stage: _percents(counts.share()) for stage, counts in self.parts.items()}
            found["parts_of_quadrupeds"] = {
                stage: _percents(counts.share(self.quadrupeds())) for stage, counts in self.parts.items()
            }
            found["parts_by_class"] = {
                stage: {name: _percents(counts.share([i])) for i, name in enumerate(self.class_names) if i}
                for stage, counts in self.parts.items()
            }
            found["uncertain_parts"] = _percents(self.parts["pseudo_label"].share(kind=UNCERTAIN))
        if self.contexts:
            found["contexts"] = {
                name: {
                    "images": len(ladder.logits),
                    "miou": _percents({stage: s.miou for stage, s in ladder.scores().items()}),
                    "head": _percents({stage: counts.share()["head"] for stage, counts in ladder.parts.items()}),
                }
                for name, ladder in sorted(self.contexts.items())
            }
        return found

    def table(self) -> str:
        """IoU in percent, a row a class and a column a stage, for reading."""
        return iou_table(self.class_names, self.scores())

    def part_table(self) -> str:
        """Share in percent of each part that has the right class: a row a part, a column a stage.

        The last column is the share that the pseudo label leaves uncertain; two more rows are the quadrupeds alone.
        """
        rows = _part_rows(self.parts, None)
        of_quadrupeds = _part_rows(self.parts, self.quadrupeds())
        rows |= {f"quadruped {part}": of_quadrupeds[part] for part in COMPARED_PARTS if part in of_quadrupeds}
        return text_table(rows, [*self.parts, "uncertain"])

    def context_table(self) -> str:
        """mIoU by stage and share of the heads with the right class, in percent: two rows a context."""
        rows = {}
        for name, ladder in sorted(self.contexts.items()):
            rows[f"{name} ({len(ladder.logits)})"] = [s.miou for s in ladder.scores().values()]
            rows[f"  {name} heads"] = [counts.share()["head"] for counts in ladder.parts.values()]
        return text_table(rows, list(self.matrices))


def _part_rows(parts: Mapping[str, PartCounts], classes: Sequence[int] | None) -> dict[str, list[float]]:
    """A row for each part that was seen."""
    shares = [counts.share(classes) for counts in parts.values()]
    shares.append(parts["pseudo_label"].share(classes, UNCERTAIN))
    return {part: [share[part] for share in shares] for part in shares[0] if shares[0][part] == shares[0][part]}


Watch = Callable[[Trace], Any]


def score_samples(
    model: AFA,
    samples: Iterable[Sample],
    config: ExplainConfig | None = None,
    multi_scale: bool = False,
    watch: Watch | None = None,
) -> Iterator[tuple[Sample, Ladder]]:
    """Explain every sample with its image labels; yields each with the ladder of that one image.

    Args:
        model: with its card.
        samples: images with labels and truth, at any size.
        config: settings of the stages.
        multi_scale: also the decoder over three scales and flips, as stage `seg_multi_scale`.
        watch: is shown every trace.
    """
    stages = STAGES if multi_scale else STAGES[:-1]
    for sample in samples:
        trace = explain(model, sample.image, sample.image_labels, config, target=sample.target)
        assert trace.target is not None
        labels = stage_labels(trace)
        if multi_scale:
            labels["seg_multi_scale"] = multi_scale_label(model, trace.image.numpy())
        parts = None if sample.parts is None else _resized(sample.parts, trace.target)
        ladder = Ladder.empty(stages, trace.class_names)
        for stage in stages:
            ladder.matrices[stage].update(trace.target, labels[stage])
            if parts is not None:
                ladder.parts[stage].update(trace.target, parts, labels[stage])
        ladder.logits.append(trace.class_logits)
        ladder.image_labels.append(trace.image_labels)
        if watch is not None:
            watch(trace)
        yield sample, ladder


def evaluate_samples(
    model: AFA,
    samples: Iterable[Sample],
    config: ExplainConfig | None = None,
    multi_scale: bool = False,
    watch: Watch | None = None,
) -> Ladder:
    """The ladder over all samples, and over those of each context; arguments as `score_samples`."""
    return score_shards(model, samples, lambda ladder: [ladder], config, multi_scale, watch)


def score_shards(
    model: AFA,
    samples: Iterable[Sample],
    gather: Callable[[Ladder | None], list[Ladder | None]],
    config: ExplainConfig | None = None,
    multi_scale: bool = False,
    watch: Watch | None = None,
) -> Ladder:
    """`evaluate_samples` over the samples of several processes, of which this one has its share.

    Args:
        gather: the ladder of this process, None where it had no sample -> those of all processes.
    Raises: ValueError: if none of them had a sample.
    """
    mine: Ladder | None = None
    for sample, one in score_samples(model, samples, config, multi_scale, watch):
        if mine is None:
            mine = Ladder.empty(one.matrices, one.class_names)
        if sample.context:
            one.contexts[sample.context] = dataclasses.replace(one, contexts={})
        mine.add(one)
    ladders = [ladder for ladder in gather(mine) if ladder is not None]
    if not ladders:
        raise ValueError("there is no sample to evaluate; expected at least one image with ground truth.")
    whole = Ladder.empty(ladders[0].matrices, ladders[0].class_names)
    for ladder in ladders:
        whole.add(ladder)
    return whole


def write_scores(ladder: Ladder | None, path: str | os.PathLike[str], facts: Mapping[str, Any] | None = None) -> None:
    """All scores as JSON after some facts about how they were made, whole or not at all; None: the facts alone."""
    with atomic_write(path) as partial, open(partial, "w", encoding="utf-8") as file:
        json.dump({**(facts or {}), **(ladder.data() if ladder else {})}, file, indent=2, allow_nan=False)
        file.write("\n")


def _resized(parts: np.ndarray, target: Tensor) -> Tensor:
    """(H, W) ids at the size of the target, by nearest, as the target was."""
    size = (target.shape[1], target.shape[0])
    return torch.from_numpy(np.array(Image.fromarray(parts).resize(size, Image.Resampling.NEAREST)))


def _percents(shares: Mapping[str, float]) -> dict[str, float | None]:
    return {name: percent(value) for name, value in shares.items()}
