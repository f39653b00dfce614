"""Shared code of the notebooks: the bundled model and examples, rows of images, and the comparison of guesses.

Runs from a clone; requirements.txt and Jupyter are sufficient.
"""

# ruff: noqa: E402 (the clone is put on the path before it is imported)
from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image

import afa_viz
from afa_viz.model.afa import AFA
from afa_viz.ops.metrics import ConfusionMatrix
from afa_viz.ui.sessions.examples import Example, read_examples

QUICK_CHECK = os.environ.get("AFA_LABS") == "fast"  # only checks that a notebook runs
COLOURS = "cividis"
DIFFERENCE = "RdBu_r"


def lesson_size(lesson: int, fast: int) -> int:
    """A size for a lesson: the second number with AFA_LABS=fast, else the first."""
    return fast if QUICK_CHECK else lesson


def bundled_model() -> AFA:
    """The model that ships with the repository, on the CPU."""
    return afa_viz.load_model(ROOT / "checkpoints" / "sandbox", device="cpu")


@dataclass(frozen=True)
class BundledExample:
    """One bundled example.

    Attributes:
        image: (H, W, 3) uint8.
        mask: (H, W) uint8 ground truth.
        labels: class names.
        title: of the example.
    """

    image: np.ndarray
    mask: np.ndarray
    labels: tuple[str, ...]
    title: str


def example(pathology: str = "") -> BundledExample:
    """The bundled example of a pathology, such as "part" or "leak"; "": the first example."""
    known = [e for e in read_examples(ROOT / "afa_viz" / "examples") if e.mask_path is not None]
    fitting = [e for e in known if not pathology or e.pathology == pathology]
    if not fitting:
        names = sorted({e.pathology for e in known if e.pathology})
        raise ValueError(f"no example shows {pathology!r}; expected one of {', '.join(names)}.")
    return _read(fitting[0])


def _read(entry: Example) -> BundledExample:
    found = entry.read()
    assert found.mask is not None
    return BundledExample(
        found.image.copy(), found.mask.copy(), found.labels or (), found.title
    )  # copies: torch wants writable arrays


def class_iou(label: torch.Tensor, mask: np.ndarray | torch.Tensor, number: int) -> float:
    """IoU of one class between a label map and the ground truth, both (H, W)."""
    scores = ConfusionMatrix(256, ignore_index=255).update(torch.as_tensor(mask), torch.as_tensor(label)).scores()
    return float(scores.iou[number])


def compare(what: str, guess: float, value: float, tolerance: float) -> bool:
    """Print how close a guess is; returns whether it is within the tolerance."""
    near = abs(guess - value) <= tolerance
    verdict = "Well guessed" if near else "Not quite"
    print(f"{verdict}: {what} is {value:.3g}, your guess was {guess:.3g}.")
    return near


def show(
    images: Mapping[str, np.ndarray | torch.Tensor],
    background: np.ndarray | None = None,
    signed: bool = False,
    limits: tuple[float, float] | None = None,
) -> None:
    """Show images in a row with their names; maps get a colour bar.

    Args:
        images: (H, W, 3) images or (H, W) maps by name.
        background: an image below the maps.
        signed: maps are differences: white is 0.
        limits: of one colour scale for all maps; None: a scale per map.
    """
    figure, axes = plt.subplots(1, len(images), figsize=(3.2 * len(images), 3.4), squeeze=False)
    for axis, (name, values) in zip(axes[0], images.items(), strict=True):
        array = np.asarray(values)
        axis.set_title(name, fontsize=9)
        axis.axis("off")
        if array.ndim == 3:
            axis.imshow(array)
            continue
        low, high = limits or (float(array.min()), float(array.max()))
        if signed:
            high = max(abs(low), abs(high), 1e-9)
            low = -high
        if background is not None:
            axis.imshow(Image.fromarray(background).convert("L"), cmap="gray")
        drawn = axis.imshow(
            array, cmap=DIFFERENCE if signed else COLOURS, vmin=low, vmax=high, alpha=1 if background is None else 0.75,
            extent=None if background is None else (-0.5, background.shape[1] - 0.5, background.shape[0] - 0.5, -0.5),
        )  # fmt: skip
        figure.colorbar(drawn, ax=axis, fraction=0.046, pad=0.03)
    figure.tight_layout()
    plt.show()
