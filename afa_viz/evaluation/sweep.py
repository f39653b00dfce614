"""Scores over all background scores at once: of the cut CAM, and of the pseudo label over pairs of them.

The network runs once an image. The cut CAM is counted from a histogram of its scores; walk and PAR run once for each
background score, and a pseudo label is then merged from any two of them.

Symbols: K classes with background, S background scores, H W pixels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from afa_viz.config import ExplainConfig
from afa_viz.evaluation.tables import percent
from afa_viz.evaluation.thresholds import THRESHOLDS, cam_scores, threshold_counts
from afa_viz.ops import pseudo_label
from afa_viz.ops.metrics import ConfusionMatrix
from afa_viz.pipeline import recompute
from afa_viz.stages.refine import present_channels
from afa_viz.trace import Trace

LABEL_SCORES = tuple(i / 20 for i in range(1, 20, 2))  # the published .35, .45 and .55 are among them
WARNING = (
    "Choosing thresholds by these numbers uses masks, so the result is no longer weakly supervised. Report the "
    "published thresholds, or choose on images that you do not report on, and say so."
)


class ThresholdSweep:
    """Counts of (true class, label) for every background score; pass its `update` as `watch` of `evaluate_samples`.

    Args:
        num_classes: K.
        cam_scores: background scores of the CAM with one threshold, rising.
        label_scores: background scores of the pseudo label, rising; each pair of a lower and a higher one is scored.
    Attributes:
        cam: (S, K, K) counts.
        pairs: (K, K + 1) counts by (low, high), the last column uncertain.
        config: settings of the images seen, None before the first.
    """

    def __init__(
        self,
        num_classes: int,
        cam_scores: Sequence[float] = THRESHOLDS,
        label_scores: Sequence[float] = LABEL_SCORES,
    ) -> None:
        for name, values in (("cam_scores", cam_scores), ("label_scores", label_scores)):
            if not values or list(values) != sorted(set(values)) or values[0] < 0 or values[-1] > 1:
                raise ValueError(f"{name} are {tuple(values)}; expected rising numbers from 0 to 1.")
        self.num_classes, self.images = num_classes, 0
        self.cam_scores, self.label_scores = tuple(cam_scores), tuple(label_scores)
        self.cam = torch.zeros(len(self.cam_scores), num_classes, num_classes, dtype=torch.int64)
        self.pairs = {
            (low, high): torch.zeros(num_classes, num_classes + 1, dtype=torch.int64)
            for i, low in enumerate(self.label_scores)
            for high in self.label_scores[i:]
        }
        self.config: ExplainConfig | None = None

    def update(self, trace: Trace) -> None:
        """Count one image with known truth."""
        assert trace.target is not None
        known = trace.target != pseudo_label.IGNORE
        true = trace.target[known].long()
        self.config, self.images = trace.config, self.images + 1
        score, best = cam_scores(trace)
        self.cam += threshold_counts(true, score[known], best[known], self.cam_scores, self.num_classes)
        labels = {beta: label[known] for beta, label in self._labels(trace).items()}
        for (low, high), counts in self.pairs.items():
            merged = pseudo_label.merge_low_high(labels[low][None], labels[high][None])[0]
            guess = torch.where(merged == pseudo_label.IGNORE, self.num_classes, merged)
            counts += _joint(true, guess, self.num_classes, self.num_classes + 1)

    def add(self, other: ThresholdSweep) -> None:
        """Count what another sweep over the same scores counted."""
        self.cam += other.cam
        for pair, counts in self.pairs.items():
            counts += other.pairs[pair]
        self.config, self.images = self.config or other.config, self.images + other.images

    def _labels(self, trace: Trace) -> dict[float, Tensor]:
        """(H, W) int64 label after walk and PAR for each background score, two at a time."""
        used, found = present_channels(trace.image_labels), {}
        scores = self.label_scores
        for low, high in zip(scores[::2], [*scores[1::2], scores[-1]], strict=False):
            config = dataclasses.replace(trace.config, bkg_score_low=low, bkg_score_high=high, class_thresholds=None)
            again = recompute(trace, config)
            found[low] = pseudo_label.argmax_label(again.cam_par[used], used)
            found[high] = pseudo_label.argmax_label(again.cam_par_high[used], used)
        return found

    def data(self) -> dict[str, Any]:
        """Scores in percent by background score: `cam` and `pseudo_label` lists, those in use, the warning."""
        config = self.config or ExplainConfig()
        return {
            "images": self.images,
            "warning": WARNING,
            "in_use": {name: getattr(config, name) for name in ("bkg_score", "bkg_score_low", "bkg_score_high")},
            "cam": [
                {"bkg_score": score, **_numbers(counts)}
                for score, counts in zip(self.cam_scores, self.cam, strict=True)
            ],
            "pseudo_label": [{"low": low, "high": high, **_numbers(c)} for (low, high), c in self.pairs.items()],
        }

    def table(self) -> str:
        """For reading: the cut CAM by background score; the pseudo label by one score, and two squares over pairs."""
        data = self.data()
        lines = ["cut CAM, by background score; precision and recall of the foreground, percent"]
        lines.append(" " * 9 + "".join(f"{name:>12s}" for name in ("mIoU", "precision", "recall")))
        for row in data["cam"]:
            mark = "  <- in use" if row["bkg_score"] == data["in_use"]["bkg_score"] else ""
            numbers = "".join(f"{_format_percent(row[key]):>12s}" for key in ("miou", "precision", "recall"))
            lines.append(f"{row['bkg_score']:9.2f}{numbers}{mark}")
        cells = {(row["low"], row["high"]): row for row in data["pseudo_label"]}
        lines += ["", "pseudo label: foreground for a score as beta_h, background for a score as beta_l, percent"]
        names = ("fg precision", "fg recall", "bg precision", "bg recall")
        lines.append(" " * 9 + "".join(f"{name:>14s}" for name in names))
        for score in self.label_scores:
            row = cells[score, score]
            keys = ("precision", "recall", "background_precision", "background_recall")
            lines.append(f"{score:9.2f}" + "".join(f"{_format_percent(row[key]):>14s}" for key in keys))
        for key, title in (("miou", "mIoU of the certain pixels"), ("coverage", "share of the pixels that is certain")):
            lines += ["", f"pseudo label: {title}, percent; rows beta_l, columns beta_h"]
            lines.append(" " * 9 + "".join(f"{high:7.2f}" for high in self.label_scores))
            for low in self.label_scores:
                shown = (
                    _format_percent(cells[low, high][key]) if (low, high) in cells else "" for high in self.label_scores
                )
                lines.append(f"{low:9.2f}" + "".join(f"{text:>7s}" for text in shown))
        return "\n".join(lines)


def _joint(rows: Tensor, columns: Tensor, num_rows: int, num_columns: int) -> Tensor:
    """(num_rows, num_columns) counts of pairs."""
    counts = torch.bincount(rows * num_columns + columns, minlength=num_rows * num_columns)
    return counts.reshape(num_rows, num_columns)


def _numbers(counts: Tensor) -> dict[str, float | None]:
    """Of (K, K) or (K, K + 1) counts by true class and label, a last column more being uncertain; in percent.

    miou over the certain pixels; precision: share of the certain foreground that has the right class; recall: share of
    the true foreground that is certain and right; the same of the background; coverage: share that is certain.
    """
    classes = len(counts)
    certain = counts[:, :classes]
    matrix = ConfusionMatrix(classes)
    matrix.matrix = certain
    right = certain.diag().double()

    def share(part: Tensor, whole: Tensor) -> float:
        return float(part.sum()) / (float(whole.sum()) or float("nan"))

    shares = {
        "miou": matrix.scores().miou,
        "precision": share(right[1:], certain[:, 1:]),
        "recall": share(right[1:], counts[1:]),
        "background_precision": share(right[:1], certain[:, :1]),
        "background_recall": share(right[:1], counts[:1]),
        "coverage": share(certain, counts),
    }
    return {name: percent(value) for name, value in shares.items()}


def _format_percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
