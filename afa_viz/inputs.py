"""What a user hands in, made ready: pictures of any kind, image labels in any form."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

ImageLike = Image.Image | np.ndarray | str | os.PathLike[str]
Labels = Sequence[str] | Sequence[int] | np.ndarray | Tensor


def read_image(image: ImageLike) -> np.ndarray:
    """PIL image, array or path -> (H, W, 3) uint8 RGB, upright.

    Raises: FileNotFoundError: for a missing file. ValueError: for anything that is not a colour or grey image.
    """
    if isinstance(image, (str, os.PathLike)):
        path = os.fspath(image)
        if not os.path.isfile(path):
            raise FileNotFoundError(f"there is no image {path}; expected the path of a PNG, JPEG or WebP file.")
        try:
            with Image.open(path) as opened:
                return read_image(ImageOps.exif_transpose(opened).convert("RGB"))
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError(
                f"{os.path.basename(path)} can not be read as an image ({error}); expected a PNG, JPEG or WebP file."
            ) from error
    if isinstance(image, Image.Image):
        return np.asarray(image.convert("RGB"))
    array = np.asarray(image)
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] not in (3, 4) or 0 in array.shape or array.dtype != np.uint8:
        raise ValueError(
            f"got an array of shape {array.shape} and type {array.dtype}; expected (H, W, 3) uint8 RGB in 0..255."
        )
    return np.ascontiguousarray(array[..., :3])


def fit_size(array: np.ndarray, long_side: int | None) -> tuple[int, int]:
    """Size (height, width) with the longer side at `long_side`; no side under 16 pixels (one cell)."""
    height, width = array.shape[:2]
    factor = 1.0 if long_side is None else long_side / max(height, width)
    return max(16, round(height * factor)), max(16, round(width * factor))


def multi_hot(labels: Labels, class_names: Sequence[str]) -> Tensor:
    hot = torch.zeros(len(class_names) - 1)
    if isinstance(labels, (np.ndarray, Tensor)) and len(labels) == len(hot):
        return (torch.as_tensor(labels).float() > 0).float()
    for label in labels:
        if isinstance(label, str):
            if label not in class_names[1:]:
                raise ValueError(
                    f"{label!r} is not a class of this model; expected some of {', '.join(class_names[1:])}."
                )
            number = class_names.index(label)
        else:
            number = int(label)
        if not 1 <= number < len(class_names):
            raise ValueError(f"label {number} is not a class of this model; expected 1 to {len(class_names) - 1}.")
        hot[number - 1] = 1
    return hot
