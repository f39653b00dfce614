"""The scores by stage on a set of images with ground truth, by class, part and context.

Symbols: C foreground classes, K = C + 1, H W pixels, n images.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from afa_viz import stage_scores
from afa_viz.classes import SANDBOX_QUADRUPEDS
from afa_viz.config import ExplainConfig
from afa_viz.evaluation.affinity_calibration import AffinityCalibration
from afa_viz.evaluation.bootstrap import PairedBootstrap
from afa_viz.evaluation.boundaries import BoundaryScores
from afa_viz.evaluation.parts import UNCERTAIN, PartCounts
from afa_viz.evaluation.stage_text import stage_text
from afa_viz.evaluation.tables import percent, text_table
from afa_viz.evaluation.thresholds import BestThresholds
from afa_viz.ops.metrics import ConfusionMatrix, Scores, average_precision, f1_per_image

EVALUATED_STAGES = (*stage_scores.SCORED_STAGES, "seg_multi_scale")
SAME_RULE = (
    "walk_start",
    "cam_rw",
    "par_start",
    "cam_refined",
    "cam_par",
)  # decided by the same rule at one background score
ALL_PIXELS = (*SAME_RULE, "seg")  # label every pixel by their strongest score
PAR_OF_LABEL = {
    "affinity_label": "cam_refined",
    "pseudo_label": "cam_par",
}  # label -> PAR result that it was merged from
COMPARED_PARTS = ("head", "body")  # of the quadrupeds, in `StageScores.summary`


@dataclass
class StageScores:
    """Scores of every stage on the same images; the stages before `seg` are given the image labels.

    Only stages of `ALL_PIXELS` may be compared: see `afa_viz.stage_scores`.

    Attributes:
        matrices: confusion matrix by stage; that of a label counts its certain pixels.
        class_names: K names, background first.
        logits, image_labels: n of (C,), for F1 and average precision of the classifier.
        parts: pixels by class and part, by stage; of the images whose parts are known.
        contexts: scores over the images of each context.
        same_pixels: by label, confusion matrix of the PAR it was merged from, over its certain pixels.
        config: settings of the images, None before the first.
        bootstrap, thresholds, boundaries, calibration: over all images, None where they were not asked for.
    """

    matrices: dict[str, ConfusionMatrix]
    class_names: tuple[str, ...]
    logits: list[Tensor] = field(default_factory=list)
    image_labels: list[Tensor] = field(default_factory=list)
    parts: dict[str, PartCounts] = field(default_factory=dict)
    contexts: dict[str, StageScores] = field(default_factory=dict)
    same_pixels: dict[str, ConfusionMatrix] = field(default_factory=dict)
    config: ExplainConfig | None = None
    bootstrap: PairedBootstrap | None = None
    thresholds: BestThresholds | None = None
    boundaries: BoundaryScores | None = None
    calibration: AffinityCalibration | None = None

    @classmethod
    def empty(cls, stages: Iterable[str], class_names: Sequence[str]) -> StageScores:
        """Empty scores."""
        stages, count = list(stages), len(class_names)
        return cls(
            {stage: ConfusionMatrix(count) for stage in stages},
            tuple(class_names),
            parts={stage: PartCounts(count) for stage in stages},
            same_pixels={label: ConfusionMatrix(count) for label in PAR_OF_LABEL},
        )

    def add(self, other: StageScores) -> StageScores:
        """Add the counts of other scores with the same stages, contexts included. Returns itself."""
        for stage, matrix in other.matrices.items():
            self.matrices[stage].matrix += matrix.matrix
            self.parts[stage].counts += other.parts[stage].counts
        for label, matrix in other.same_pixels.items():
            self.same_pixels[label].matrix += matrix.matrix
        for name in ("bootstrap", "thresholds", "boundaries", "calibration"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if theirs is not None:
                setattr(self, name, theirs if mine is None else mine)
                if mine is not None:
                    mine.add(theirs)
        self.config = self.config or other.config
        self.logits += other.logits
        self.image_labels += other.image_labels
        for name, context in other.contexts.items():
            self.contexts.setdefault(name, StageScores.empty(context.matrices, context.class_names)).add(context)
        return self

    def scores(self) -> dict[str, Scores]:
        """Scores by stage."""
        return {stage: matrix.scores() for stage, matrix in self.matrices.items()}

    def confusion(self, stage: str, normalised: bool = False) -> np.ndarray:
        """(K, K) confusion matrix of a stage: rows ground truth, columns label; pixels, or shares of each row."""
        matrix = self.matrices[stage]
        return matrix.normalised().numpy() if normalised else matrix.matrix.numpy().copy()

    def uncertain(self) -> float:
        """Share of the pixels with ground truth that the pseudo label marks uncertain; NaN without such pixels."""
        all_pixels = int(self.matrices["cam_par"].matrix.sum())
        return 1 - int(self.matrices["pseudo_label"].matrix.sum()) / all_pixels if all_pixels else float("nan")

    def quadrupeds(self) -> list[int]:
        """Labels of the classes that share a body; empty where there are none."""
        return [i for i, name in enumerate(self.class_names) if name in SANDBOX_QUADRUPEDS]

    def has_parts(self) -> bool:
        """Whether any pixel of any part was counted."""
        return any(int(counts.counts[1:, 1:].sum()) > 0 for counts in self.parts.values())

    def summary(self) -> dict[str, float]:
        """The main scores, in percent, two decimals.

        `miou_<stage>`; `coverage_<label>` and `precision_<label>` of the certain pixels of both labels; `map` and `f1`
        of the image labels; `uncertain`, see the method; where parts are known also `head_<stage>` and
        `body_<stage>`: which share of them has the right class, over the quadrupeds.
        """
        logits, labels = torch.stack(self.logits), torch.stack(self.image_labels)
        numbers = {f"miou_{stage}": scores.miou for stage, scores in self.scores().items()}
        for label in self.same_pixels:
            found = self.label_scores(label)
            numbers |= {f"{name}_{label}": found[name] for name in ("coverage", "precision")}
        numbers["map"] = float(average_precision(logits, labels).nanmean())
        numbers["f1"] = float(f1_per_image(logits, labels).mean())
        numbers["uncertain"] = self.uncertain()
        if self.has_parts():
            for part in COMPARED_PARTS:
                for stage, counts in self.parts.items():
                    numbers[f"{part}_{stage}"] = counts.share(self.quadrupeds())[part]
        return {name: round(100 * value, 2) for name, value in numbers.items()}

    def label_scores(self, label: str) -> dict[str, float]:
        """Of the certain pixels of a label, as fractions.

        coverage: share of the pixels with known truth; precision: share of them that is right, also of the background
        and of the foreground alone; miou there; par_precision and par_miou: of the PAR it was merged from, there.
        """
        matrix, same = self.matrices[label].matrix.double(), self.same_pixels[label].scores()
        right = matrix.diag()
        return {
            "coverage": float(matrix.sum() / self.matrices["cam_par"].matrix.sum()),
            "precision": float(right.sum() / matrix.sum()),
            "precision_background": float(right[0] / matrix[:, 0].sum()),
            "precision_foreground": float(right[1:].sum() / matrix[:, 1:].sum()),
            "miou": self.matrices[label].scores().miou,
            "par_precision": same.pixel_accuracy,
            "par_miou": same.miou,
        }

    def changes(self) -> dict[str, dict[str, Any]]:
        """What each step changes of the mIoU, in points, with its interval: the steps of
        `stage_scores.compared_stages`, and `walk_after_par`, what the walk is worth after PAR. A stage that is left out
        has none."""
        if self.bootstrap is None or self.config is None:
            return {}
        pairs = {stage: (before, stage) for stage, before in stage_scores.compared_stages(self.config).items()}
        pairs = {stage: pair for stage, pair in pairs.items() if stage in self.matrices}
        if not stage_scores.disabled_stages(self.config):
            pairs["walk_after_par"] = ("cam_refined", "cam_par")
        found = {name: self.bootstrap.change(*pair) for name, pair in pairs.items()}
        return {
            name: {"before": pairs[name][0], "after": pairs[name][1], "change": percent(change.value),
                   "interval": [percent(change.low), percent(change.high)]}
            for name, change in found.items()
        }  # fmt: skip

    def intervals(self) -> dict[str, dict[str, Any]]:
        """By stage the ends of the intervals of its mIoU and of the IoU of each class, in percent."""
        if self.bootstrap is None:
            return {}
        return {
            stage: {
                "miou": list(map(percent, self.bootstrap.interval(stage)[1:])),
                "iou": {
                    name: list(map(percent, ends))
                    for name, ends in zip(self.class_names, self.bootstrap.iou_intervals(stage), strict=True)
                },
            }
            for stage in self.bootstrap.stages
        }

    def data(self) -> dict[str, Any]:
        """Everything that was counted, in percent, ready for JSON; None where nothing was counted.

        rule: background scores in use, stages under one rule and what is left out; summary; iou by stage and class;
        intervals of the mIoU by stage and of each class; confusion: (K, K) pixels by stage; labels, see `label_scores`;
        changes; boundaries, see `BoundaryScores`; affinity_calibration, see `AffinityCalibration`, as fractions;
        best_thresholds: chosen with masks; parts, parts_of_quadrupeds,
        parts_by_class: share of each part with the right class by stage; uncertain_parts: share of each part that the
        pseudo label leaves out; contexts: number of images, mIoU and share of the heads by stage.
        """
        scores = self.scores()
        found: dict[str, Any] = {
            "images": len(self.logits),
            "summary": {name: None if value != value else value for name, value in self.summary().items()},
            "iou": {
                stage: _percents(dict(zip(self.class_names, s.iou.tolist(), strict=True)))
                for stage, s in scores.items()
            },
            "intervals": self.intervals(),
            "labels": {label: _percents(self.label_scores(label)) for label in self.same_pixels},
            "changes": self.changes(),
            "confusion": {stage: matrix.matrix.tolist() for stage, matrix in self.matrices.items()},
        }
        if self.boundaries is not None:
            found["boundaries"] = self.boundaries.data(self.class_names)
        if self.calibration is not None:
            found["affinity_calibration"] = self.calibration.data()
        if self.config is not None:
            found["rule"] = {
                **{name: getattr(self.config, name) for name in ("bkg_score", "bkg_score_low", "bkg_score_high")},
                "whole": [stage for stage in self.matrices if stage in ALL_PIXELS or stage == "seg_multi_scale"],
                "left_out": list(stage_scores.disabled_stages(self.config)),
            }
        if self.thresholds is not None:
            best = {stage: self.thresholds.best(stage) for stage in self.thresholds.counts}
            found["best_thresholds"] = {
                stage: {"threshold": None if one.miou != one.miou else one.threshold, "miou": percent(one.miou)}
                for stage, one in best.items()
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
                    "images": len(context.logits),
                    "miou": _percents({stage: s.miou for stage, s in context.scores().items()}),
                    "head": _percents({stage: counts.share()["head"] for stage, counts in context.parts.items()}),
                }
                for name, context in sorted(self.contexts.items())
            }
        return found

    def table(self) -> str:
        """For reading: the stages under one rule, what each step changes, the labels, the CAM cut once."""
        return stage_text(self.data())

    def part_table(self) -> str:
        """Share in percent of each part that has the right class: a row a part, a column a stage.

        The last column is the share that the pseudo label leaves uncertain; two more rows are the quadrupeds alone.
        """
        parts = {stage: self.parts[stage] for stage in self._distinct()}
        rows = _part_rows(parts, None)
        of_quadrupeds = _part_rows(parts, self.quadrupeds())
        rows |= {f"quadruped {part}": of_quadrupeds[part] for part in COMPARED_PARTS if part in of_quadrupeds}
        return text_table(rows, [*parts, "uncertain"])

    def context_table(self) -> str:
        """mIoU by stage and share of the heads with the right class, in percent: two rows a context."""
        rows, stages = {}, self._distinct()
        for name, context in sorted(self.contexts.items()):
            scores = context.scores()
            rows[f"{name} ({len(context.logits)})"] = [scores[stage].miou for stage in stages]
            rows[f"  {name} heads"] = [context.parts[stage].share()["head"] for stage in stages]
        return text_table(rows, stages)

    def _distinct(self) -> list[str]:
        return stage_scores.distinct_stages(
            list(self.matrices), stage_scores.disabled_stages(self.config or ExplainConfig())
        )


def _part_rows(parts: Mapping[str, PartCounts], classes: Sequence[int] | None) -> dict[str, list[float]]:
    """A row for each part that was seen."""
    shares = [counts.share(classes) for counts in parts.values()]
    shares.append(parts["pseudo_label"].share(classes, UNCERTAIN))
    return {part: [share[part] for share in shares] for part in shares[0] if shares[0][part] == shares[0][part]}


def _percents(shares: Mapping[str, float]) -> dict[str, float | None]:
    return {name: percent(value) for name, value in shares.items()}
