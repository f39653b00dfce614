"""The passes behind published numbers, each scored at the size of the truth and labelled with what it is.

They differ from the scores by stage, which are computed at the explained size: "validate" runs while the reference
trains, "test" gives its final numbers. The reference column holds what was published or logged for the same pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from afa_viz.config import ExplainConfig
from afa_viz.evaluation.bootstrap import PairedBootstrap
from afa_viz.evaluation.protocols import VALIDATION_BETA, multi_scale_seg, validation_labels
from afa_viz.evaluation.scoring import Sample
from afa_viz.evaluation.tables import iou_table, percent
from afa_viz.inputs import multi_hot
from afa_viz.model.afa import AFA
from afa_viz.ops.cam import resize
from afa_viz.ops.dense_crf import dense_crf
from afa_viz.ops.metrics import ConfusionMatrix, f1_per_image
from afa_viz.stages.one_image import network_input

LONG_SIDE = 512  # of "test", pixels; docs/spec.md section 13, `msc_flip_test`
PASSES = {
    "cam": "CAM, validate: own size, scales and flip, image labels given, one threshold, {bkg_score:g}",
    "cam_rw": f"CAM + affinity walk, validate: labels given, beta {VALIDATION_BETA}, another rule than cam; no PAR",
    "seg": "decoder, validate: own size, one scale, no labels given",
    "seg_test": f"decoder, test: long side {LONG_SIDE}, one scale",
    "seg_multi_scale": f"decoder, test: long side {LONG_SIDE}, scales 1, .5, .75 and flip, largest logit",
    "seg_crf": "decoder, test, and dense CRF",
}


class Reference(NamedTuple):
    """mIoU in percent and where it stands."""

    miou: float
    source: str


LOG = "log of a public run, iteration 18000, with the regularised loss"
REFERENCES: Mapping[tuple[str, str], Mapping[str, Reference]] = {  # docs/spec.md section 15
    ("voc", "val"): {
        "cam": Reference(64.40, LOG),
        "cam_rw": Reference(65.23, LOG),
        "seg": Reference(63.85, LOG),
        "seg_multi_scale": Reference(62.6, "the author: no regularised loss, no CRF"),
        "seg_crf": Reference(66.0, "paper, abstract"),
        "pseudo_label": Reference(66.5, "notes on a later paper's table, not checked"),
    },
    ("voc", "train"): {"pseudo_label": Reference(68.7, "notes on a later paper's table, not checked")},
    ("coco", "val"): {"seg_crf": Reference(38.9, "paper, abstract")},
}


@torch.no_grad()
def published_labels(
    model: AFA, sample: Sample, config: ExplainConfig, with_crf: bool = False
) -> tuple[dict[str, Tensor], Tensor]:
    """Labels (H, W) of every pass of `PASSES` at the size of the image, and class logits (C,).

    Args:
        model: put into evaluation mode.
        config: scales, flip, bkg_score and radius of "validate".
        with_crf: also "seg_crf".
    Source: docs/spec.md section 13.
    """
    model.eval()
    size = (sample.image.shape[0], sample.image.shape[1])
    pixels = network_input(model, torch.tensor(sample.image))
    names = model.card.class_names if model.card is not None else [str(i) for i in range(model.num_classes)]
    given = multi_hot(sample.image_labels, names)[None].to(pixels)
    found = validation_labels(model, pixels, given, size, config)
    logits = found.pop("class_logits")[0].float().cpu()
    labels = {stage: label[0].cpu() for stage, label in found.items()}
    ratio = LONG_SIDE / max(size)
    scaled = resize(pixels, (max(1, int(size[0] * ratio)), max(1, int(size[1] * ratio))))
    labels["seg_test"] = resize(model.forward_seg(scaled), size)[0].argmax(dim=0).cpu()
    merged = resize(multi_scale_seg(model, scaled), size)[0]
    labels["seg_multi_scale"] = merged.argmax(dim=0).cpu()
    if with_crf:
        probabilities = merged.float().softmax(dim=0).cpu()
        labels["seg_crf"] = dense_crf(torch.tensor(sample.image), probabilities).argmax(dim=0)
    return labels, logits


class PublishedScores:
    """Confusion matrices of the published passes over a set of images.

    Args:
        class_names: K names, background first.
        with_crf: see `published_labels`.
    Attributes:
        matrices: by pass. bootstrap: over the images. f1: sum over the images of the F1 of their labels. images: how
            many there were. bkg_score: that the CAM is cut at.
    """

    def __init__(self, class_names: Sequence[str], with_crf: bool = False) -> None:
        self.class_names, self.with_crf = tuple(class_names), with_crf
        passes = [name for name in PASSES if with_crf or name != "seg_crf"]
        self.matrices = {name: ConfusionMatrix(len(self.class_names)) for name in passes}
        self.bootstrap = PairedBootstrap(passes, len(self.class_names))
        self.f1, self.images = 0.0, 0
        self.bkg_score = ExplainConfig.bkg_score

    def update(self, model: AFA, sample: Sample, config: ExplainConfig) -> None:
        """Count one image."""
        labels, logits = published_labels(model, sample, config, self.with_crf)
        target, count = torch.from_numpy(sample.target), len(self.class_names)
        own = {name: ConfusionMatrix(count).update(target, labels[name]).matrix for name in self.matrices}
        for name, matrix in self.matrices.items():
            matrix.matrix += own[name]
        self.bootstrap.update(own, sample.image)
        self.f1 += float(f1_per_image(logits[None], torch.from_numpy(sample.image_labels)[None]))
        self.images += 1
        self.bkg_score = config.bkg_score

    def add(self, other: PublishedScores) -> None:
        """Count what another process counted."""
        for name, matrix in self.matrices.items():
            matrix.matrix += other.matrices[name].matrix
        self.bootstrap.add(other.bootstrap)
        self.bkg_score = other.bkg_score if other.images else self.bkg_score
        self.f1, self.images = self.f1 + other.f1, self.images + other.images

    def data(self, references: Mapping[str, Reference]) -> dict[str, Any]:
        """Every pass in percent: what it is, mIoU, accuracies, IoU by class, the published number; ready for JSON."""
        found: dict[str, Any] = {}
        for name, matrix in self.matrices.items():
            scores = matrix.scores()
            found[name] = {
                "protocol": PASSES[name].format(bkg_score=self.bkg_score),
                "miou": percent(scores.miou),
                "interval": [percent(end) for end in self.bootstrap.interval(name)[1:]],
                "pixel_accuracy": percent(scores.pixel_accuracy),
                "mean_accuracy": percent(scores.mean_accuracy),
                "iou": dict(zip(self.class_names, map(percent, scores.iou.tolist()), strict=True)),
                "confusion": matrix.matrix.tolist(),
                "reference": references[name]._asdict() if name in references else None,
            }
        return {"images": self.images, "f1": percent(self.f1 / max(1, self.images)), "passes": found}

    def table(self, references: Mapping[str, Reference]) -> str:
        """For reading: mIoU of every pass beside the published number, and IoU by class."""
        data = self.data(references)
        lines = [f"{'':16s}{'mIoU':>8s}{'95 % interval':>16s}{'published':>11s}"]
        for name, row in data["passes"].items():
            reference = references.get(name)
            published = f"{reference.miou:11.1f}" if reference else f"{'–':>11s}"
            miou = "–" if row["miou"] is None else f"{row['miou']:.1f}"
            interval = "–" if None in row["interval"] else "[{:.1f}, {:.1f}]".format(*row["interval"])
            lines.append(f"{name:16s}{miou:>8s}{interval:>16s}{published}  {row['protocol']}")
        lines += [f"  published {name}: {references[name].source}" for name in data["passes"] if name in references]
        lines += [f"F1 of the image labels {data['f1']:.1f}", ""]
        lines.append(iou_table(self.class_names, {name: matrix.scores() for name, matrix in self.matrices.items()}))
        return "\n".join(lines)
