"""Normalises user input: images of any kind and image labels in any form."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
from PIL import Image

from afa_viz.image_files import JPEG, NAMES, ImageFileError, open_image
from afa_viz.scalars import as_float, as_int, preview, to_python

if TYPE_CHECKING:  # a program that only reads images does without torch
    from torch import Tensor

ImageLike = Image.Image | np.ndarray | str | os.PathLike[str]
Labels: TypeAlias = "str | int | np.integer | Sequence[str] | Sequence[int] | np.ndarray | Tensor"

MAX_16_BIT = 65535
MANY_CLASSES, SIMILAR = 100, 6  # more names than that are not listed, only similar ones
REDUCED_SIDE = 4096  # pixels that a JPEG's longer side keeps at least where it may be reduced
BAND = 2**22  # pixels that are converted at a time
ORIENTATION = 0x0112  # EXIF: how the camera was held, 1 to 8
EXIF_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_image(image: ImageLike, upright: bool = True, may_reduce: bool = False) -> np.ndarray:
    """PIL image, array or path -> (H, W, 3) uint8 RGB, upright as its EXIF note says or else as stored.

    Transparent pixels are composited on white. Grey levels of 16 bits become 8 bits (divided by 257). Of an animation,
    the frame that is open: the first one of a file. Formats and limits of files: `image_files`.

    Args:
        may_reduce: decode a JPEG file with a side over 2 * `REDUCED_SIDE` at a half, quarter or eighth of its size.
    Raises: FileNotFoundError: for a missing file. ValueError: for anything that is not a colour or grey image.
    """
    if isinstance(image, (str, os.PathLike)):
        path = os.fspath(image)
        if not os.path.isfile(path):
            raise FileNotFoundError(f"there is no image {path}; expected the path of a {NAMES} file.")
        name = os.path.basename(path)
        try:
            with open_image(path) as opened:
                if may_reduce:
                    _draft(opened, REDUCED_SIDE)
                return to_rgb(opened, upright)
        except ImageFileError as error:
            raise ValueError(f"{name} cannot be read as an image: {error}") from error
        except Exception as error:  # a broken or hostile file may raise anything
            reason = str(error).rstrip(".")
            raise ValueError(f"{name} cannot be read as an image ({reason}); expected a {NAMES} file.") from error
    if isinstance(image, Image.Image):
        return to_rgb(image, upright)
    array = np.asarray(image)
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] not in (3, 4) or 0 in array.shape or array.dtype != np.uint8:
        raise ValueError(
            f"got an array of shape {array.shape} and type {array.dtype}; expected (H, W, 3) uint8 RGB in 0..255."
        )
    return to_rgb(Image.fromarray(np.ascontiguousarray(array)))


def to_rgb(image: Image.Image, upright: bool = True, long_side: int | None = None) -> np.ndarray:
    """(H, W, 3) uint8 of the open frame of an image, on white where it is transparent.

    Args:
        upright: turn it as its EXIF note says; a note that cannot be read says nothing.
        long_side: make it smaller if it is longer, in pixels; nothing else is made at full size.
    Raises: ValueError: for grey levels that are not 8 or 16 bits. Whatever PIL raises for a damaged file.
    """
    if long_side is not None:
        _draft(image, long_side)
    image.load()  # first: a note may lie behind the pixels, and their damage must not be taken for that of the note
    turn = EXIF_TRANSPOSES.get(_orientation(image)) if upright else None
    if image.mode == "F":
        raise ValueError("the image has grey levels that are not whole numbers; expected 8 or 16 bits: convert it.")
    factor = 1 if long_side is None else max(image.size) // (2 * long_side)
    image = _on_white(image) if factor < 2 else _reduced(image, factor)
    longest = max(image.size)
    if long_side is not None and longest > long_side:
        size = (max(1, round(image.width * long_side / longest)), max(1, round(image.height * long_side / longest)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    return np.asarray(image if turn is None else image.transpose(turn))


def _draft(image: Image.Image, long_side: int) -> None:
    """Have a JPEG decoded at the smallest scale at which its longer side keeps `long_side` pixels."""
    if image.format in JPEG.pillow:
        longest = max(image.size)
        width, height = (min(side, max(1, side * long_side // longest)) for side in image.size)
        image.draft("RGB", (width, height))


def _on_white(image: Image.Image) -> Image.Image:
    """An image of any mode as RGB. Raises: ValueError: for grey levels that are not 16 bits."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        levels = np.asarray(image)
        if levels.min() < 0 or levels.max() > MAX_16_BIT:
            raise ValueError(f"the image has grey levels {levels.min()} to {levels.max()}; expected 0 to {MAX_16_BIT}.")
        image = Image.fromarray(((levels.astype(np.int32) + 128) // 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    """The same, smaller by a whole factor: means over blocks of pixels, made of one band of rows after the other."""
    width, height = image.size
    small = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    rows = max(1, BAND // width // factor) * factor
    for top in range(0, height, rows):
        band = _on_white(image.crop((0, top, width, min(top + rows, height))))
        small.paste(band.reduce(factor), (0, top // factor))
    return small


def _orientation(image: Image.Image) -> int:
    """How the camera was held, as the EXIF note says; 1, upright, without one that can be read."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # a broken or hostile note may raise anything
        return 1


def read_target(target: np.ndarray | Tensor | Image.Image, size: tuple[int, ...]) -> np.ndarray:
    """Ground truth -> (H, W) uint8.

    Args:
        size: (H, W) of the image that it belongs to.
    Raises: ValueError: for another shape, or values that are no labels 0 to 255.
    """
    array = target.detach().cpu().numpy() if _is_tensor(target) else np.asarray(target)
    if array.shape != tuple(size):
        raise ValueError(f"target has shape {array.shape} but the image {tuple(size)}; expected the same size.")
    if array.dtype.kind not in "biu" or array.min() < 0 or array.max() > 255:
        raise ValueError(
            f"target has type {array.dtype} and values {array.min()} to {array.max()}; expected integers from 0 to "
            '255, where 255 means "ignored".'
        )
    return array.astype(np.uint8)


def fit_size(array: np.ndarray, long_side: int | None) -> tuple[int, int]:
    """Size (height, width) with the longer side at `long_side`; no side under 16 pixels (one cell)."""
    height, width = array.shape[:2]
    factor = 1.0 if long_side is None else long_side / max(height, width)
    return max(16, round(height * factor)), max(16, round(width * factor))


def multi_hot(labels: Labels, class_names: Sequence[str]) -> Tensor:
    """Image labels in any form -> (C,) float32 of 0 and 1.

    Args:
        labels: class names or numbers 1..C, one alone or several, in any order; or one value per class, 1 where it is
            present and else 0: an array or tensor of length C, or a list of that length of zeros and ones.
        class_names: K names, background first.
    Raises: ValueError: for a name or number that is not a class, or another form.
    """
    import torch

    values = _values(labels)
    count = len(class_names) - 1
    numeric = all(isinstance(value, (bool, int, float)) for value in values)
    vector = numeric and (_is_array(labels) or all(value in (0, 1) for value in values))
    if vector and len(values) == count:
        if not all(isinstance(value, bool) or as_float(value) is not None for value in values):
            raise ValueError("labels hold NaN or infinite values; expected 0 and 1, one for each class.")
        if foreign := [value for value in values if value not in (0, 1)]:
            raise ValueError(f"labels hold {foreign[0]:g}; expected 0 and 1, one for each class, or their names.")
        return torch.tensor([float(value > 0) for value in values])
    hot = torch.zeros(count)
    for value in values:
        hot[_class_number(value, class_names) - 1] = 1
    return hot


def expected_classes(name: str, class_names: Sequence[str]) -> str:
    """What was expected in the place of an unknown class, part of a sentence: all names, or similar ones of many."""
    if len(class_names) <= MANY_CLASSES:
        return f"expected some of {', '.join(class_names)}"
    found = similar_classes(name, class_names)
    if not found:
        return f"expected some of its {len(class_names)} classes, and no name of them is similar"
    return f"expected some of its {len(class_names)} classes, such as {', '.join(found)}"


def similar_classes(name: str, class_names: Sequence[str]) -> list[str]:
    """A few of very many class names: those that hold a word of the name, then those that are spelled like it."""
    from difflib import get_close_matches

    words = [word for word in name.lower().split() if len(word) > 2]
    same = [other for other in class_names if any(word in other.lower() for word in words)]
    near = get_close_matches(name, class_names, SIMILAR)
    return list(dict.fromkeys([*same, *near]))[:SIMILAR]


def _values(labels: Labels) -> list:
    """Image labels as a list of names, numbers or booleans, all of them Python's own."""
    labels = to_python(labels)
    if _is_array(labels):
        return labels.tolist()
    if isinstance(labels, (str, bool, int, float)):
        return [labels]
    if isinstance(labels, (bytes, Mapping)) or not isinstance(labels, Iterable):
        raise ValueError(f"labels are {preview(labels)}; expected class names or numbers, one alone or a list of them.")
    return [to_python(label) for label in labels]


def _is_tensor(value: Any) -> TypeGuard[Tensor]:
    return hasattr(value, "detach") and hasattr(value, "tolist")


def _is_array(value: Any) -> TypeGuard[Tensor | np.ndarray]:
    return isinstance(value, np.ndarray) or _is_tensor(value)


def _class_number(label: object, class_names: Sequence[str]) -> int:
    if isinstance(label, str):
        if label not in class_names[1:]:
            raise ValueError(f"{label!r} is not a class of this model; {expected_classes(label, class_names[1:])}.")
        return class_names.index(label, 1)
    number = as_int(label)
    if number is None or not 1 <= number < len(class_names):
        raise ValueError(
            f"label {preview(label)} is not a class of this model; expected 1 to {len(class_names) - 1}, names, or one "
            "value for each class."
        )
    return number
