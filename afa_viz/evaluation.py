"""The stage ladder: how good every stage is on a set of images with ground truth, and the published protocols.

Symbols: B batch, C foreground classes, K = C + 1, H W pixels.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from afa_viz.config import ExplainConfig
from afa_viz.explain import explain, multi_scale_cam, network_input
from afa_viz.model.afa import AFA
from afa_viz.ops import affinity as aff
from afa_viz.ops import pseudo_label, random_walk
from afa_viz.ops.cam import resize
from afa_viz.ops.metrics import ConfusionMatrix, Scores, average_precision, f1_per_image
from afa_viz.steps import stage_labels

STAGES = ("cam", "cam_rw", "cam_par", "pseudo_label", "seg", "seg_multi_scale")
SEG_SCALES = (1.0, 0.5, 0.75)  # SPEC.md section 13, `msc_flip_test`
VALIDATION_BETA = 0.35  # background score of the walk in `validate`, whatever the thresholds are; SPEC.md section 13


class Sample(NamedTuple):
    """image (H, W, 3) uint8 RGB; image_labels (C,) multi-hot; target (H, W) uint8 with 255 for "do not count"."""

    image: np.ndarray
    image_labels: np.ndarray
    target: np.ndarray


@dataclass
class Ladder:
    """Scores of every stage on the same images; the stages before `seg` know the image labels.

    Attributes:
        matrices: confusion matrix by stage.
        logits, image_labels: (n, C), for F1 and average precision of the classifier.
        class_names: K names, background first.
    """

    matrices: dict[str, ConfusionMatrix]
    class_names: tuple[str, ...]
    logits: list[Tensor] = field(default_factory=list)
    image_labels: list[Tensor] = field(default_factory=list)

    def scores(self) -> dict[str, Scores]:
        """Scores by stage."""
        return {stage: matrix.scores() for stage, matrix in self.matrices.items()}

    def summary(self) -> dict[str, float]:
        """mIoU by stage as `miou_<stage>`, and `map` and `f1` of the image labels, in percent, two decimals."""
        logits, labels = torch.stack(self.logits), torch.stack(self.image_labels)
        numbers = {f"miou_{stage}": scores.miou for stage, scores in self.scores().items()}
        numbers["map"] = float(average_precision(logits, labels).nanmean())
        numbers["f1"] = float(f1_per_image(logits, labels).mean())
        return {name: round(100 * value, 2) for name, value in numbers.items()}

    def table(self) -> str:
        """IoU in percent, a row a class and a column a stage, for reading."""
        scores = self.scores()
        rows = [f"{'':14s}" + "".join(f"{stage:>16s}" for stage in scores)]
        for i, name in enumerate(self.class_names):
            rows.append(f"{name:14s}" + "".join(f"{100 * float(s.iou[i]):16.1f}" for s in scores.values()))
        rows.append(f"{'mIoU':14s}" + "".join(f"{100 * s.miou:16.1f}" for s in scores.values()))
        return "\n".join(rows)


def evaluate_samples(
    model: AFA, samples: Iterable[Sample], config: ExplainConfig | None = None, multi_scale: bool = False
) -> Ladder:
    """Explain every sample with its true image labels and count each stage's pixels.

    Args:
        model: with its card.
        samples: images with labels and truth, at any size.
        config: settings of the stages.
        multi_scale: also the decoder over three scales and flips, as stage `seg_multi_scale`.
    Returns: the ladder.
    """
    stages = STAGES if multi_scale else STAGES[:-1]
    ladder: Ladder | None = None
    for sample in samples:
        trace = explain(model, sample.image, sample.image_labels, config, target=sample.target)
        if ladder is None:
            matrices = {stage: ConfusionMatrix(len(trace.class_names)) for stage in stages}
            ladder = Ladder(matrices, trace.class_names)
        assert trace.target is not None
        labels = stage_labels(trace)
        if multi_scale:
            labels["seg_multi_scale"] = multi_scale_label(model, trace.image.numpy())
        for stage in stages:
            ladder.matrices[stage].update(trace.target, labels[stage])
        ladder.logits.append(trace.class_logits)
        ladder.image_labels.append(trace.image_labels)
    if ladder is None:
        raise ValueError("there is no sample to evaluate; expected at least one image with ground truth.")
    return ladder


def multi_scale_label(model: AFA, image: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 -> (H, W) int64 label of the decoder over scales and flips."""
    pixels = network_input(model, torch.tensor(image))
    return resize(multi_scale_seg(model, pixels), image.shape[:2]).max(dim=1).indices[0].cpu()


@torch.no_grad()
def multi_scale_seg(model: AFA, image: Tensor, scales: tuple[float, ...] = SEG_SCALES) -> Tensor:
    """Segmentation logits over scales and flips: mean of the two flips, maximum of the scales.

    Args:
        model: in evaluation mode.
        image: (B, 3, H, W) normalised.
        scales: of the input; the first gives the size of the result. Coordinates are mapped with the scale itself.
    Returns: (B, K, H / 4, W / 4) at the first scale.
    Source: SPEC.md section 13, `msc_flip_test`.
    """
    best: Tensor | None = None
    for scale in scales:
        scaled = image
        if scale != 1:
            scaled = torch.nn.functional.interpolate(
                image, scale_factor=scale, mode="bilinear", align_corners=False, recompute_scale_factor=False
            )
        logits = model.forward_seg(torch.cat([scaled, scaled.flip(-1)]))
        if best is not None:
            logits = resize(logits, (best.shape[-2], best.shape[-1]))
        straight, mirrored = logits.chunk(2)
        mean = (straight + mirrored.flip(-1)) / 2
        best = mean if best is None else torch.maximum(best, mean)
    assert best is not None
    return best


@torch.no_grad()
def validation_labels(
    model: AFA, image: Tensor, image_labels: Tensor, size: tuple[int, int], config: ExplainConfig
) -> dict[str, Tensor]:
    """Labels of the pass that the reference runs while it trains; no PAR in it.

    Args:
        model: in evaluation mode.
        image: (B, 3, H, W) normalised, original size.
        image_labels: (B, C), the true ones.
        size: (rows, columns) of the label.
    Returns: `class_logits` (B, C) and (B, *size) labels `seg`, `cam` and `cam_rw`.
    Source: SPEC.md section 13, `validate`.
    """
    output = model(image)
    cam, _ = multi_scale_cam(model, image, config.scales, config.flip)
    cam = resize(cam, size)
    grid = aff.token_grid(image.shape[-2], image.shape[-1])
    mask = aff.radius_mask(*grid, radius=config.radius, device=image.device)
    walked = random_walk.propagate_with_background(
        resize(cam, grid), output.affinity, image_labels, VALIDATION_BETA, mask=mask
    )
    return {
        "class_logits": output.class_logits,
        "seg": resize(output.seg_logits, size).argmax(dim=1),
        "cam": pseudo_label.from_cam(cam, image_labels, config.bkg_score),
        "cam_rw": resize(walked, size).argmax(dim=1),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `python -m afa_viz evaluate`."""
    parser.add_argument("--checkpoint", default="checkpoints/sandbox", help="weights (default: checkpoints/sandbox)")
    parser.add_argument("--data", default="sandbox", choices=["sandbox"], help="data set (default: sandbox)")
    parser.add_argument("--split", default="test", choices=["train", "val", "test"], help="(default: test)")
    parser.add_argument("--limit", type=int, default=400, help="images at most (default: 400)")
    parser.add_argument(
        "--set", dest="settings", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="see explain"
    )
    parser.add_argument("--multi-scale", action="store_true", help="also the decoder over three scales and flips")
    parser.add_argument("--json", default=None, help="write all scores to this file")
    parser.add_argument("--cache", default="cache", help="where rendered images are kept (default: cache)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")


def run(args: argparse.Namespace) -> int:
    """Score every stage on a data set and print the ladder; returns the exit code."""
    from tqdm import tqdm

    from afa_viz.data.sandbox import SandboxDataset
    from afa_viz.model.checkpoint import load_model
    from afa_viz.settings import apply_settings

    if args.limit < 1:
        raise ValueError(f"--limit is {args.limit}; expected at least 1 image.")
    model = load_model(args.checkpoint, device=args.device)
    size = model.card.input_size if model.card is not None else 256
    scenes = SandboxDataset(args.split, args.limit, size=size, cache_dir=args.cache)
    if model.num_fg_classes != len(scenes[0].image_labels):
        raise ValueError(
            f"the checkpoint knows {model.num_fg_classes} classes but the sandbox has {len(scenes[0].image_labels)}; "
            "evaluate a checkpoint that was trained on the sandbox."
        )
    bar = tqdm(range(len(scenes)), desc="explain", unit="image")
    samples = (Sample(s.image, s.image_labels, s.mask) for s in (scenes[i] for i in bar))
    config = apply_settings(ExplainConfig(), args.settings)
    ladder = evaluate_samples(model, samples, config, multi_scale=args.multi_scale)
    summary = ladder.summary()
    print(f"IoU in percent, sandbox {args.split}, {len(scenes)} images; stages before seg know the image labels")
    print(ladder.table())
    print(f"mAP {summary['map']:.1f}   F1 {summary['f1']:.1f}")
    if args.json:
        write_scores(ladder, args.json)
    return 0


def write_scores(ladder: Ladder, path: str) -> None:
    """All scores as JSON, whole or not at all."""
    scores = ladder.scores()
    data = {
        "summary": {name: None if value != value else value for name, value in ladder.summary().items()},
        "iou": {
            stage: {name: _percent(value) for name, value in zip(ladder.class_names, s.iou.tolist(), strict=True)}
            for stage, s in scores.items()
        },
    }
    partial = f"{path}.partial"
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=2)
    os.replace(partial, path)


def _percent(value: float) -> float | None:
    return None if value != value else round(100 * value, 2)
