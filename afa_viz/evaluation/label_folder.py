"""Scores of label maps that lie in a folder: ours, or those of another method.

A file for each image, named like it: `.png` label maps (0 background, 1..C classes, 255 uncertain; grey or palette),
`.npz` scores of `predict --scores`, or `.npy` dictionaries of CAMs as other methods write them:

    {class: (h, w)}                                     SEAM, MCTformer; classes count from 0, without background
    {"keys": (P,), "cam" or "high_res": (P, h, w)}      IRN and ToCo; keys count from 0, without background

CAMs are enlarged to the size of the mask, cut at `bkg_score`, and at every other threshold as a diagnosis.

Symbols: K classes with background, C without, P classes of one image, H W pixels of the mask.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from afa_viz.data.images import LabelledImages
from afa_viz.data.masks import read_mask
from afa_viz.data.pickles import load_array_dictionary
from afa_viz.evaluation.bootstrap import PairedBootstrap
from afa_viz.evaluation.boundaries import BoundaryScores
from afa_viz.evaluation.stage_text import CHOSEN_WITH_MASKS, boundary_line
from afa_viz.evaluation.tables import iou_table, percent
from afa_viz.evaluation.thresholds import THRESHOLDS, threshold_counts
from afa_viz.ops.cam import resize
from afa_viz.ops.metrics import ConfusionMatrix
from afa_viz.ops.pseudo_label import IGNORE

EXTENSIONS = (".png", ".npz", ".npy")
MAX_BYTES = 2**31  # bytes of the arrays of one file


@dataclass
class FolderScores:
    """Counts over the images of a data set.

    Attributes:
        matrix: of the label maps on the pixels that they decide. bootstrap, boundaries: of the same, as "label".
        decided, known: pixels with a label that is not uncertain, and pixels with ground truth.
        thresholds: (S, K, K) counts of CAMs cut at `THRESHOLDS`; all 0 where the files are label maps.
        images: how many were scored. missing, broken: names without a file, and sentences about unreadable ones.
    """

    class_names: tuple[str, ...]
    bkg_score: float
    matrix: ConfusionMatrix = field(init=False)
    bootstrap: PairedBootstrap = field(init=False)
    boundaries: BoundaryScores = field(init=False)
    thresholds: Tensor = field(init=False)
    decided: int = 0
    known: int = 0
    images: int = 0
    missing: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        classes = len(self.class_names)
        self.matrix = ConfusionMatrix(classes)
        self.bootstrap, self.boundaries = PairedBootstrap(("label",), classes), BoundaryScores(("label",), classes)
        self.thresholds = torch.zeros(len(THRESHOLDS), classes, classes, dtype=torch.int64)

    def update(self, path: Path, target: np.ndarray, image: np.ndarray) -> None:
        """Count one file.

        Args:
            target: (H, W), the mask. image: as `PairedBootstrap.update` takes it.
        Raises: ValueError or OSError: if it cannot be read or does not fit the mask.
        """
        truth = torch.from_numpy(target).long()
        known = truth != IGNORE
        if path.suffix.lower() == ".png":
            label = torch.from_numpy(read_mask(path, len(self.class_names))).long()
            if label.shape != truth.shape:
                raise ValueError(
                    f"{path} has {tuple(label.shape)} pixels and the mask {tuple(truth.shape)}; expected the same."
                )
        else:
            scores, classes, background = read_class_scores(path, len(self.class_names) - 1)
            strongest = resize(scores[None].float(), tuple(truth.shape))[0].max(dim=0)
            best = classes[strongest.indices]
            if background is None:
                label = torch.where(strongest.values > self.bkg_score, best, 0)
                counts = threshold_counts(
                    truth[known], strongest.values[known], best[known], THRESHOLDS, len(self.class_names)
                )
                self.thresholds += counts
            else:
                own = resize(background[None, None].float(), tuple(truth.shape))[0, 0]
                label = torch.where(strongest.values > own, best, 0)
        own = ConfusionMatrix(len(self.class_names)).update(truth, label).matrix
        self.matrix.matrix += own
        self.bootstrap.update({"label": own}, image)
        self.boundaries.update(truth, {"label": label})
        self.known += int(known.sum())
        self.decided += int((known & (label != IGNORE)).sum())
        self.images += 1

    def data(self) -> dict[str, Any]:
        """Everything in percent, ready for JSON; `best` is the threshold with the highest mIoU, chosen with masks."""
        scores = self.matrix.scores()
        curve = [_miou(counts) for counts in self.thresholds] if self.thresholds.any() else []
        top = int(np.nanargmax(curve)) if curve else None
        return {
            "images": self.images,
            "missing": self.missing,
            "broken": self.broken,
            "miou": percent(scores.miou),
            "interval": [percent(end) for end in self.bootstrap.interval("label")[1:]],
            "pixel_accuracy": percent(scores.pixel_accuracy),
            "mean_accuracy": percent(scores.mean_accuracy),
            "coverage": percent(self.decided / self.known) if self.known else None,
            "iou": dict(zip(self.class_names, map(percent, scores.iou.tolist()), strict=True)),
            "confusion": {"label": self.matrix.matrix.tolist()},
            "boundaries": self.boundaries.data(self.class_names),
            "bkg_score": self.bkg_score if curve else None,
            "thresholds": [
                {"bkg_score": score, "miou": percent(miou)}
                for score, miou in zip(THRESHOLDS, curve, strict=bool(curve))
            ],
            "best": None if top is None else {"bkg_score": THRESHOLDS[top], "miou": percent(curve[top])},
        }

    def table(self) -> str:
        """For reading: IoU per class, coverage, and the best threshold of CAMs."""
        data = self.data()
        lines = [iou_table(self.class_names, {"label": self.matrix.scores()})]
        if None not in data["interval"]:
            lines.append("95 % interval of the mIoU over images [{:.1f}, {:.1f}]".format(*data["interval"]))
        lines.append(boundary_line(data["boundaries"], "label"))
        accuracy, coverage = ("–" if data[name] is None else data[name] for name in ("pixel_accuracy", "coverage"))
        lines.append(f"pixel accuracy {accuracy}   on the {coverage} % of the pixels it decides")
        if data["best"] is not None:
            lines.append(
                f"CAMs cut at {self.bkg_score:g}; best at {data['best']['bkg_score']:g}: mIoU {data['best']['miou']} "
                f"({CHOSEN_WITH_MASKS})"
            )
        return "\n".join(lines)


def score_folder(folder: Path, images: LabelledImages, chosen: Iterable[int], bkg_score: float) -> FolderScores:
    """Score the files of a folder against the masks of a data set.

    Args:
        chosen: which images of the set; all must have a mask.
        bkg_score: threshold of CAMs, in [0, 1].
    """
    found = FolderScores(images.class_names, bkg_score)
    for index in chosen:
        name = images.names[index]
        path = file_of(folder, name)
        if path is None:
            found.missing.append(name)
            continue
        try:
            mask = images.mask(index)
            assert mask is not None
            found.update(path, mask, _drawn_by(images, index))
        except (ValueError, OSError) as error:
            found.broken.append(f"{name}: {error}")
    return found


def _drawn_by(images: LabelledImages, index: int) -> np.ndarray:
    """What the bootstrap draws an image by: its pixels, as where a model is scored on it; its name without them."""
    try:
        return images.image(index)
    except (ValueError, OSError):
        return np.frombuffer(images.names[index].encode(), np.uint8)


def file_of(folder: Path, name: str) -> Path | None:
    """The file of an image; a label map goes before scores, and `.PNG` is `.png`."""
    paths = (folder / f"{name}{form}" for end in EXTENSIONS for form in (end, end.upper(), end.title()))
    return next((path for path in paths if path.is_file()), None)


def read_class_scores(path: Path, num_fg_classes: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """Scores of the classes of one image from a `.npy` or `.npz` file.

    Returns: (P, h, w) scores, (P,) classes 1..C, and the (h, w) score of the background where the file holds one.
        Without any class one channel of zeros, for class 1.
    Raises: ValueError: in one sentence, for a file of another form.
    """
    of_predict = path.suffix.lower() == ".npz"
    held, classes = _of_predict(path) if of_predict else _of_dictionary(load_array_dictionary(path), path)
    if held.ndim != 3 or len(held) != len(classes) or 0 in held.shape[1:]:
        raise ValueError(
            f"{path} holds scores of shape {held.shape} for {len(classes)} classes; expected (classes, h, w)."
        )
    with np.errstate(over="ignore"):
        scores = torch.from_numpy(np.ascontiguousarray(held, dtype=np.float32))
    if not scores.isfinite().all():
        raise ValueError(f"{path} holds NaN or infinite scores; expected numbers.")
    if foreign := [c for c in classes if not 0 <= c <= num_fg_classes]:
        raise ValueError(f"{path} names class {foreign[0]}; expected 1 to {num_fg_classes}, 0 for background.")
    if again := [c for c in classes if classes.count(c) > 1]:
        raise ValueError(f"{path} names class {again[0]} more than once; expected each class once.")
    kept = torch.tensor(classes, dtype=torch.int64)
    background = scores[kept == 0][0] if 0 in classes else None
    scores, kept = scores[kept > 0], kept[kept > 0]
    if not len(kept):
        scores, kept = torch.zeros(1, *scores.shape[1:]), torch.ones(1, dtype=torch.int64)
    return scores, kept, background


def _of_predict(path: Path) -> tuple[np.ndarray, list[int]]:
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                raise ValueError("it is larger than 2 GB")
        with np.load(path) as arrays:
            if not {"scores", "classes"} <= set(arrays.files):
                raise ValueError(f"it holds {', '.join(arrays.files) or 'nothing'}")
            return _numbers(arrays["scores"]), _whole(arrays["classes"])
    except Exception as error:  # a broken or hostile file may raise anything
        raise ValueError(
            f"{path} cannot be read ({_reason(error)}); expected a file of `predict --scores`: scores (P, h, w) and P "
            "whole numbers as classes."
        ) from error


def _of_dictionary(held: dict[Any, Any], path: Path) -> tuple[np.ndarray, list[int]]:
    """Scores and classes, which count from 1, of a dictionary of CAMs."""
    try:
        if "keys" in held:
            if not {"high_res", "cam"} & set(held):
                raise ValueError(f"it holds {', '.join(map(str, held))}")
            return _numbers(held.get("high_res", held.get("cam"))), [key + 1 for key in _whole(held["keys"])]
        keys = [int(key) if isinstance(key, str) and key.isdecimal() else key for key in held]
        classes = [_whole([key])[0] + 1 for key in keys]
        if not classes:
            return np.zeros((0, 1, 1), np.float32), []
        maps = list(map(_numbers, held.values()))
        order = sorted(range(len(maps)), key=classes.__getitem__)
        return np.stack([maps[i] for i in order]), [classes[i] for i in order]
    except Exception as error:  # a dictionary may hold anything
        raise ValueError(
            f"{path} is not a dictionary of CAMs ({_reason(error)}); expected {{class: (h, w)}} with whole numbers as "
            "classes, or keys with cam or high_res."
        ) from error


def _numbers(held: Any) -> np.ndarray:
    """Scores as they are. Raises: ValueError: for text, objects and complex numbers."""
    scores = np.asarray(held)
    if scores.dtype.kind not in "biuf":
        raise ValueError(f"its scores are of type {scores.dtype}, not real numbers")
    return scores


def _whole(held: Any) -> list[int]:
    """Classes of a list, also those written as 3.0. Raises: ValueError: for anything but whole numbers."""
    numbers = np.asarray(held)
    if numbers.ndim != 1 or (numbers.dtype.kind not in "iuf" and numbers.size):
        raise ValueError(f"its classes are {numbers.dtype} of shape {numbers.shape}, not a list of whole numbers")
    found = numbers.tolist()
    if broken := [number for number in found if number != number or number in (np.inf, -np.inf) or number % 1]:
        raise ValueError(f"it names class {broken[0]:g}, which is not a whole number")
    return [int(number) for number in found]


def _reason(error: Exception) -> str:
    text = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
    return "it holds Python objects" if text.startswith("Object arrays") else text


def _miou(counts: Tensor) -> float:
    matrix = ConfusionMatrix(counts.shape[-1])
    matrix.matrix += counts
    return matrix.scores().miou
