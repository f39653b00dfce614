"""How well each stage follows edges: boundary IoU, and accuracy in narrow bands around the true boundaries (trimaps).

Symbols: K classes with background, S stages, T trimap widths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from afa_viz.evaluation.tables import percent
from afa_viz.ops.boundaries import DILATION_RATIO, TRIMAP_WIDTHS, boundary_counts, boundary_width, trimap
from afa_viz.ops.pseudo_label import IGNORE


class BoundaryScores:
    """Counts of every stage over the same images; a label with uncertain pixels is scored on those that it decides.

    Boundary IoU: intersections and unions of the boundary regions of each class, summed over the images; the mean over
    the classes in the ground truth. Trimap accuracy: share of the pixels near a true boundary that have their label.

    Args:
        stages: S names.
        num_classes: K.
        widths: T trimap widths in pixels of the explained image, rising.
    Attributes:
        boundary: (S, K, 3) int64: intersection, union, true boundary. trimap: (S, T, 2) int64: right, counted.
    """

    def __init__(self, stages: Sequence[str], num_classes: int, widths: Sequence[int] = TRIMAP_WIDTHS) -> None:
        self.stages, self.widths = tuple(stages), tuple(widths)
        self.boundary = torch.zeros(len(self.stages), num_classes, 3, dtype=torch.int64)
        self.trimap = torch.zeros(len(self.stages), len(self.widths), 2, dtype=torch.int64)

    def update(self, target: Tensor, labels: Mapping[str, Tensor]) -> None:
        """Count one image: (H, W) ground truth, 255 = ignore, and (H, W) label by stage."""
        target = target.long()
        width = boundary_width(*target.shape)
        bands = [trimap(target, band) & (target != IGNORE) for band in self.widths]
        for i, stage in enumerate(self.stages):
            label = labels[stage].long()
            classes = torch.cat([target.unique(), label.unique()]).unique()
            classes = classes[classes != IGNORE]
            self.boundary[i, classes] += boundary_counts(target, label, classes, width, IGNORE)
            decided, right = label != IGNORE, label == target
            for k, band in enumerate(bands):
                self.trimap[i, k] += torch.stack([(band & right).sum(), (band & decided).sum()])

    def add(self, other: BoundaryScores) -> None:
        """Count what another process counted over the same stages."""
        self.boundary += other.boundary
        self.trimap += other.trimap

    def boundary_iou(self, stage: str) -> Tensor:
        """(K,) float64 boundary IoU of a stage; NaN for classes without a boundary in the ground truth."""
        shared, union, true = self.boundary[self.stages.index(stage)].double().unbind(dim=-1)
        return torch.where(true > 0, shared / union, torch.nan)

    def mean_boundary_iou(self, stage: str) -> float:
        """The mean over the classes with a boundary in the ground truth."""
        return float(self.boundary_iou(stage).nanmean())

    def trimap_accuracy(self, stage: str) -> dict[int, float]:
        """Share of the pixels in each band that are right, by its width in pixels; NaN where none was counted."""
        right, counted = self.trimap[self.stages.index(stage)].double().unbind(dim=-1)
        return dict(zip(self.widths, (right / counted).tolist(), strict=True))

    def data(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Everything in percent, ready for JSON."""
        return {
            "dilation_ratio": DILATION_RATIO,
            "trimap_widths": list(self.widths),
            "stages": {
                stage: {
                    "boundary_iou": percent(self.mean_boundary_iou(stage)),
                    "boundary_iou_by_class": dict(
                        zip(class_names, map(percent, self.boundary_iou(stage).tolist()), strict=True)
                    ),
                    "trimap_accuracy": {str(w): percent(v) for w, v in self.trimap_accuracy(stage).items()},
                }
                for stage in self.stages
            },
        }
