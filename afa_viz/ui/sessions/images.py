"""Uploaded photographs: validated, decoded and identified by their content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from afa_viz.image_files import ImageFileError, open_image
from afa_viz.inputs import to_rgb
from afa_viz.ui.errors import UserError
from afa_viz.ui.localization import error_message, texts

MAX_RATIO = 8
MIN_SIDE = 16  # pixels: one cell
MASK_SHAPE = 0.05  # by which the shapes of a mask and its photograph may differ
LONG_SIDE = 1024  # pixels; larger uploads are scaled down, networks use less


@dataclass(frozen=True)
class InputImage:
    """One image to explain.

    Attributes:
        sha: hash of pixels and mask; identifies the image in every cache.
        image: (H, W, 3) uint8 RGB, read-only.
        mask: (H, W) uint8 ground truth, class indices, 255 = ignore; or None.
        labels: its image labels as class names, or None.
        title, story: texts for the user.
        domain: "sandbox", "photograph" or "data set".
        class_names: of the indices in the mask, background first; None: those of the model.
    """

    sha: str
    image: np.ndarray
    mask: np.ndarray | None = None
    labels: tuple[str, ...] | None = None
    title: str = texts()["side.own_title"]
    story: str = texts()["side.own_story"]
    domain: str = "photograph"
    class_names: tuple[str, ...] | None = None

    def mask_in(self, names: Sequence[str]) -> np.ndarray | None:
        """The mask in the class indices of a model with these class names; None if it lacks one of the classes."""
        if self.mask is None or self.labels is None:
            return None
        indices = np.flatnonzero(np.bincount(self.mask.ravel(), minlength=256)).tolist()
        indices = [index for index in indices if index not in (0, 255)]
        if self.class_names is not None:
            present = [self.class_names[i] if i < len(self.class_names) else "" for i in indices]
            if not set(present) <= set(names[1:]):
                return None
            table = np.zeros(256, np.uint8)
            table[255] = 255
            table[indices] = [names.index(name) for name in present]
            return table[self.mask]
        known = all(index < len(names) and names[index] in self.labels for index in indices)
        return self.mask.copy() if known else None  # torch wants writable arrays

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return self.image.nbytes + (0 if self.mask is None else self.mask.nbytes)


@dataclass(frozen=True)
class PythonSource:
    """Python code that loads an image: imports, lines that define `image`, and an expression for its mask, or ""."""

    lines: tuple[str, ...]
    target: str = ""
    imports: tuple[str, ...] = ()


UPLOAD_SOURCE = PythonSource(('image = "photograph.jpg"  # the photograph that was uploaded',))
MASKED_SOURCE = PythonSource(
    (
        'image = read_image("photograph.jpg")  # the photograph that was uploaded',
        'mask = Image.open("mask.png").convert("L")  # its ground truth, from "Save the mask" in the page',
    ),
    "np.asarray(mask.resize(image.shape[1::-1], Image.Resampling.NEAREST))",
    ("import numpy as np", "from afa_viz.inputs import read_image"),
)


def _frozen(array: np.ndarray) -> np.ndarray:
    frozen = np.array(array, order="C")  # a copy: the caller's array stays writable
    frozen.setflags(write=False)
    return frozen


def _sha(image: np.ndarray, mask: np.ndarray | None) -> str:
    digest = hashlib.sha256(f"{image.shape}{mask is not None}".encode())
    digest.update(image.tobytes())
    if mask is not None:
        digest.update(mask.tobytes())
    return digest.hexdigest()[:16]


def new_input_image(image: np.ndarray, mask: np.ndarray | None = None, **facts: Any) -> InputImage:
    """An input image with read-only copies of the arrays; `facts` are its other fields."""
    image, mask = _frozen(image), None if mask is None else _frozen(mask)
    return InputImage(_sha(image, mask), image, mask, **facts)


def read_upload(path: str | os.PathLike[str]) -> InputImage:
    """Read a photograph from an untrusted file: first frame, upright, RGB, long side at most `LONG_SIDE`.

    Raises: UserError: if it is no image file within the limits of `image_files`, or too small or too narrow.
        FileNotFoundError.
    """
    try:
        with open_image(path) as opened:
            check_shape(*opened.size)
            try:
                return new_input_image(to_rgb(opened, long_side=LONG_SIDE))
            except Exception:  # a damaged or malicious file may raise anything
                raise UserError(error_message("refused.damaged")) from None
    except ImageFileError as error:
        raise UserError(error_message(f"refused.{error.key}", **error.places)) from None


def with_mask(image: InputImage, path: str | os.PathLike[str], names: Sequence[str]) -> InputImage:
    """A photograph with the mask of an untrusted file, and the classes in it as its image labels.

    Args:
        path: class indices as grey levels or entries of a palette, 255 = ignore, in the photograph's shape; resized
            to it.
        names: of the classes, background first.
    Raises: UserError: for another shape, colours, an index without a class, or as `open_image`. FileNotFoundError.
    """
    height, width = image.image.shape[:2]
    try:
        with open_image(path) as opened:
            size = opened.size
            if abs(size[0] * height / (size[1] * width) - 1) > MASK_SHAPE:
                raise UserError(error_message("refused.mask_shape", width=size[0], height=size[1]))
            try:
                grey = opened.convert("L") if opened.mode in ("1", "LA") else opened
                values = np.asarray(grey)  # of a palette its indices
            except Exception:  # a damaged or malicious file may raise anything
                raise UserError(error_message("refused.damaged")) from None
    except ImageFileError as error:
        raise UserError(error_message(f"refused.{error.key}", **error.places)) from None
    colours = values if values.ndim == 3 else values[..., None]
    levels = colours[..., 0]
    if (colours[..., :3] != levels[..., None]).any():
        raise UserError(error_message("refused.mask_colours"))
    present = np.unique(levels).tolist()
    if unknown := [level for level in present if level not in (*range(len(names)), 255)]:
        raise UserError(error_message("refused.mask_values", value=unknown[0], most=len(names) - 1))
    resized = Image.fromarray(levels.astype(np.uint8)).resize((width, height), Image.Resampling.NEAREST)
    mask = np.asarray(resized)
    labels = tuple(names[level] for level in present if level not in (0, 255))
    story = texts()["side.masked_story"]
    return new_input_image(image.image, mask, labels=labels, story=story, class_names=tuple(names))


def check_shape(width: int, height: int) -> None:
    """Raises: UserError: for an image that is too small or too narrow."""
    size = {"width": width, "height": height}
    if min(width, height) < MIN_SIDE:
        raise UserError(error_message("refused.small", **size, least=MIN_SIDE))
    if max(width, height) > MAX_RATIO * min(width, height):
        raise UserError(error_message("refused.narrow", **size, times=MAX_RATIO))
