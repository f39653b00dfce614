"""The input pipeline of training: rescale, flip, pad and crop, with every random draw made by the caller's generator.

Images are (H, W, 3) uint8 RGB arrays until the last step. Source: docs/spec.md section 10.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image


def rescale(image: np.ndarray, ratio: float) -> np.ndarray:
    """(H, W, 3) uint8 -> (int(ratio H), int(ratio W), 3) uint8, Pillow's bilinear filter."""
    height, width = image.shape[:2]
    size = (max(1, int(ratio * width)), max(1, int(ratio * height)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


@dataclass(frozen=True)
class CropPlan:
    """Where an image lies on the padded canvas and where the crop is cut, in pixels."""

    pad_top: int
    pad_left: int
    crop_top: int
    crop_left: int


def draw_crop(height: int, width: int, size: int, rng: np.random.Generator) -> CropPlan:
    """Uniformly random place of the image on a canvas of at least size x size, and of the crop on the canvas."""
    canvas_h, canvas_w = max(size, height), max(size, width)
    return CropPlan(
        pad_top=int(rng.integers(0, canvas_h - height + 1)),
        pad_left=int(rng.integers(0, canvas_w - width + 1)),
        crop_top=int(rng.integers(0, canvas_h - size + 1)),
        crop_left=int(rng.integers(0, canvas_w - size + 1)),
    )


def pad_and_crop(image: np.ndarray, size: int, plan: CropPlan) -> tuple[np.ndarray, np.ndarray]:
    """The planned crop, black where the image does not reach, and the box of real pixels.

    Args:
        image: (H, W, 3).
        size: of the square crop.
    Returns: (size, size, 3) of the same type; box (4,) int64 top, bottom, left, right. On an axis that was cropped
        the end may lie beyond the crop, as in the reference.
    """
    height, width = image.shape[:2]
    canvas = np.zeros((max(size, height), max(size, width), 3), image.dtype)
    canvas[plan.pad_top : plan.pad_top + height, plan.pad_left : plan.pad_left + width] = image
    crop = canvas[plan.crop_top : plan.crop_top + size, plan.crop_left : plan.crop_left + size]
    box = (
        max(plan.pad_top - plan.crop_top, 0),
        min(plan.crop_top + size, plan.pad_top + height),
        max(plan.pad_left - plan.crop_left, 0),
        min(plan.crop_left + size, plan.pad_left + width),
    )
    return np.ascontiguousarray(crop), np.array(box, dtype=np.int64)


def augment(
    image: np.ndarray, size: int, rng: np.random.Generator, scale_range: tuple[float, float] = (0.5, 2.0)
) -> tuple[np.ndarray, np.ndarray]:
    """Random rescale, flip and crop of one training image: the crop (size, size, 3) uint8 and its box (4,)."""
    image = rescale(image, rng.uniform(*scale_range))
    if rng.random() < 0.5:
        image = image[:, ::-1]
    return pad_and_crop(image, size, draw_crop(image.shape[0], image.shape[1], size, rng))
