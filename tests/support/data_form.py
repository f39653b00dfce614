"""One form in which a data set may come, what must come of it, and the small files that forms are made of."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from afa_viz.classes import palette

SIDE = (6, 8)  # rows, columns of every image
Content = str | bytes
Labels = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Form:
    """One form.

    Attributes:
        given: what it is, in words.
        files: what lies in the folder, by path; images are written for `images` beside them.
        labels: names of the classes by image, as they must be read; None where the form is refused.
        refused: a part of the sentence that it gets.
        classes: names of the classes in their order; none: not tested.
        masks: values of the first pixels of a mask, by image.
        note: a part of what is said about it.
        kind, split, source: as `open_images` takes them.
        shown: what the page shows in the place of the first text file.
    """

    given: str
    files: Mapping[str, Content] = field(default_factory=dict)
    labels: Labels | None = None
    refused: str = ""
    images: Sequence[str] = ("images/a.jpg", "images/b.jpg")
    classes: Sequence[str] = ()
    masks: Mapping[str, Sequence[int]] = field(default_factory=dict)
    note: str = ""
    kind: str = "folder"
    split: str = "all"
    source: str = "auto"
    shown: str = ""

    def write(self, root: Path) -> None:
        """Write the folder."""
        for i, name in enumerate(self.images):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", SIDE[::-1], (40 * i % 256, 90, 160)).save(path)
        for name, content in self.files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)


def npy(held: object) -> bytes:
    """A `.npy` file that holds a Python object."""
    file = io.BytesIO()
    np.save(file, held)  # type: ignore[arg-type]
    return file.getvalue()


def hot(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def mask(*values: int, mode: str = "L", colours: Sequence[tuple[int, int, int]] = (), ending: str = "PNG") -> bytes:
    """A mask whose first pixels are these; `colours`: of a palette, or of an RGB picture whose numbers index it."""
    pixels = np.zeros(SIDE, np.uint8)
    pixels.ravel()[: len(values)] = values
    if mode == "RGB":
        picture = Image.fromarray(np.array(colours, np.uint8)[pixels])
    elif mode == "P":
        picture = Image.fromarray(pixels).convert("P")
        table = [value for colour in colours or palette(256) for value in colour]
        picture.putpalette(table)
    else:
        picture = Image.fromarray(pixels).convert(mode)
    file = io.BytesIO()
    picture.save(file, ending)
    return file.getvalue()


def blocks(value: int, ending: str = "JPEG") -> bytes:
    """A mask of one value in its left half."""
    pixels = np.zeros((32, 32), np.uint8)
    pixels[:, :16] = value
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, ending, quality=90)
    return file.getvalue()


AB = {"a": ("cat", "dog"), "b": ("dog",)}
CD = ("cat", "dog")
TEN = [f"images/{i}.jpg" for i in range(1, 12)]
