"""What the notebooks share: the bundled model and examples, pictures in a row, and guesses that are compared.

Runs from a clone; nothing needs to be installed beyond requirements.txt and Jupyter.
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

FAST = os.environ.get("AFA_LABS") == "fast"  # only checks that a notebook runs: too small to learn from
COLOURS = "cividis"
DIFFERENCE = "RdBu_r"


def amount(lesson: int, fast: int) -> int:
    """How much of something a lesson takes: the second number under AFA_LABS=fast."""
    return fast if FAST else lesson


def bundled_model() -> AFA:
    """The model that ships with the repository, on the CPU."""
    return afa_viz.load_model(ROOT / "checkpoints" / "sandbox", device="cpu")


@dataclass(frozen=True)
class Picture:
    """One bundled example.

    image (H, W, 3) uint8; mask (H, W) uint8 truth; labels: class names; title: for people.
    """

    image: np.ndarray
    mask: np.ndarray
    labels: tuple[str, ...]
    title: str


def example(pathology: str = "") -> Picture:
    """The bundled example of a pathology, such as "part" or "leak"; the first one of all without a name."""
    known = [e for e in read_examples(ROOT / "afa_viz" / "examples") if e.mask_path is not None]
    fitting = [e for e in known if not pathology or e.pathology == pathology]
    if not fitting:
        names = sorted({e.pathology for e in known if e.pathology})
        raise ValueError(f"no example shows {pathology!r}; expected one of {', '.join(names)}.")
    return _read(fitting[0])


def _read(entry: Example) -> Picture:
    found = entry.read()
    assert found.mask is not None
    return Picture(found.image.copy(), found.mask.copy(), found.labels or (), found.title)  # torch wants its own


def class_iou(label: torch.Tensor, mask: np.ndarray | torch.Tensor, number: int) -> float:
    """IoU of one class between a label map and the truth, both (H, W)."""
    scores = ConfusionMatrix(256, ignore_index=255).update(torch.as_tensor(mask), torch.as_tensor(label)).scores()
    return float(scores.iou[number])


def compare(what: str, guess: float, truth: float, within: float) -> bool:
    """Say how near a guess came; returns whether it was within reach."""
    near = abs(guess - truth) <= within
    verdict = "Well guessed" if near else "Look again"
    print(f"{verdict}: {what} is {truth:.3g}, you said {guess:.3g}.")
    return near


def show(
    pictures: Mapping[str, np.ndarray | torch.Tensor],
    over: np.ndarray | None = None,
    signed: bool = False,
    limits: tuple[float, float] | None = None,
) -> None:
    """Pictures in a row under their names; maps get a colour bar.

    Args:
        pictures: (H, W, 3) images or (H, W) maps by name.
        over: an image that the maps are laid over.
        signed: maps are differences: white is 0.
        limits: of the colours, one scale for all maps; None: each its own.
    """
    figure, axes = plt.subplots(1, len(pictures), figsize=(3.2 * len(pictures), 3.4), squeeze=False)
    for axis, (name, values) in zip(axes[0], pictures.items(), strict=True):
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
        if over is not None:
            axis.imshow(Image.fromarray(over).convert("L"), cmap="gray")
        drawn = axis.imshow(
            array, cmap=DIFFERENCE if signed else COLOURS, vmin=low, vmax=high, alpha=1 if over is None else 0.75,
            extent=None if over is None else (-0.5, over.shape[1] - 0.5, over.shape[0] - 0.5, -0.5),
        )  # fmt: skip
        figure.colorbar(drawn, ax=axis, fraction=0.046, pad=0.03)
    figure.tight_layout()
    plt.show()
