"""Label maps of any stage at the original image size, for second-stage training and test servers.

Stages are computed at the size that the model explains; their scores are resized to the original size, and the label is
decided there. For images explained at their original size the labels equal those of the trace.

Symbols: H W pixels of the image, P kept classes (background and the present ones).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from afa_viz.atomic_files import atomic_write
from afa_viz.classes import Colour
from afa_viz.evaluation.protocols import multi_scale_seg
from afa_viz.model.afa import AFA
from afa_viz.ops import pseudo_label
from afa_viz.ops.cam import resize
from afa_viz.ops.dense_crf import dense_crf
from afa_viz.parts import LABEL_STAGES
from afa_viz.stage_scores import stage_maps
from afa_viz.stages.one_image import network_input
from afa_viz.stages.refine import present_channels
from afa_viz.trace import Trace

SOURCE = "afa_viz"  # name of a text in a PNG
TWO_SCORES = {"affinity_label": "cam_refined", "pseudo_label": "cam_par"}  # labels cut by a low and a high score


@dataclass(frozen=True)
class LabelMap:
    """Label and scores of one stage at an image's own size.

    Attributes:
        label: (H, W) uint8, 0 background, 1..C classes, 255 uncertain.
        scores: (P, H, W) float32, what the label was decided from; of a label that is cut by two background scores,
            those of the low one. The CAM has the constant `bkg_score` as its background.
        classes: (P,) int64, the class of each channel.
    """

    label: Tensor
    scores: Tensor
    classes: Tensor


def label_map(
    trace: Trace, image: np.ndarray, stage: str, *, crf: bool = False, multi_scale: AFA | None = None
) -> LabelMap:
    """The label of a stage at the size of the image.

    Args:
        trace: of the image.
        image: (H, W, 3) uint8 RGB, at its own size.
        stage: one of `parts.LABEL_STAGES`.
        crf: a dense CRF over the image decides, from the stage's scores as probabilities.
        multi_scale: for `seg`, the model: logits over three scales and flips in place of the trace's.
    Raises: ValueError: for another stage, or `multi_scale` with a stage that has none.
    """
    if stage not in LABEL_STAGES:
        raise ValueError(f"there is no stage {stage!r} with a label; expected one of {', '.join(LABEL_STAGES)}.")
    if multi_scale is not None and stage != "seg":
        raise ValueError(f"several scales are of the decoder; expected stage 'seg', got {stage!r}.")
    if stage == "seg":
        trace.parts.require("decoder")
    size = (image.shape[0], image.shape[1])
    classes = torch.arange(len(trace.class_names)) if stage == "seg" else present_channels(trace.image_labels)
    versions = [resize(scores[None].float(), size)[0] for scores in _scores(trace, stage, classes, multi_scale)]
    if crf:
        scores = torch.stack([_probabilities(scores, stage) for scores in versions])
        versions = list(dense_crf(torch.tensor(image), scores))
    if stage == "cam" and not crf:
        cam = resize(trace.cam[None], size)
        label = pseudo_label.from_cam(cam, trace.image_labels[None], trace.config.bkg_score)[0]
    else:
        labels = [pseudo_label.argmax_label(scores, classes)[None] for scores in versions]
        label = labels[0][0] if len(labels) == 1 else pseudo_label.merge_low_high(labels[0], labels[1])[0]
    return LabelMap(label.to(torch.uint8), versions[0], classes)


def _scores(trace: Trace, stage: str, classes: Tensor, multi_scale: AFA | None) -> list[Tensor]:
    """(P, h, w) scores of the classes, background first; two of them, low and high, for a label cut by two."""
    if stage == "seg":
        if multi_scale is None:
            assert trace.seg_logits is not None
            return [trace.seg_logits]
        return [multi_scale_seg(multi_scale, network_input(multi_scale, trace.image))[0].cpu()]
    if stage == "cam":
        cam = trace.cam[classes[1:] - 1]
        return [torch.cat([torch.full((1, *cam.shape[-2:]), trace.config.bkg_score), cam])]
    if stage in TWO_SCORES:
        name = TWO_SCORES[stage]
        return [getattr(trace, field)[classes] for field in (name, f"{name}_high")]
    return [stage_maps(trace)[stage]]


def _probabilities(scores: Tensor, stage: str) -> Tensor:
    """Scores that are not negative and positive somewhere, as the CRF takes them."""
    return scores.softmax(dim=0) if stage == "seg" else scores.clamp_min(0) + 1e-6


def write_label_map(
    path: str | os.PathLike[str], label: Tensor, palette: Sequence[Colour], source: str | None = None
) -> None:
    """Write a (H, W) label as an 8-bit palette PNG, atomically; 255 has the colour of VOC's ignore index.

    Args:
        source: what the map was made of, kept as a text of the PNG; see `source_of`.
    """
    colours = [value for colour in palette for value in colour]
    colours += [0] * (3 * 255 - len(colours)) + [224, 224, 192]
    image = Image.fromarray(label.to(torch.uint8).numpy()).convert("P")
    image.putpalette(colours)
    notes = PngInfo()
    if source is not None:
        notes.add_text(SOURCE, source)
    with atomic_write(path) as partial:
        image.save(partial, format="PNG", pnginfo=notes)


def source_of(path: str | os.PathLike[str]) -> str | None:
    """What `write_label_map` kept in a PNG; None for any other file."""
    try:
        with Image.open(path) as image:
            found = image.info.get(SOURCE) if image.format == "PNG" else None
    except (OSError, ValueError, SyntaxError):
        return None
    return found if isinstance(found, str) else None


def write_scores(path: str | os.PathLike[str], found: LabelMap) -> None:
    """Write `scores` (P, H, W) in half precision and `classes` (P,) to a compressed .npz, atomically."""
    with atomic_write(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, scores=found.scores.half().numpy(), classes=found.classes.numpy())
