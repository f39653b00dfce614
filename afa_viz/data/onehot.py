"""Files `cls_labels_onehot.npy` and `cls_labels.npy`: a dictionary with one value per class for each image.

AFA, ToCo, SeCo, SEAM and MCTformer look an image up by its name, IRN by its number: 2007_000032 is 2007000032 there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from afa_viz.atomic_files import atomic_write
from afa_viz.data.file_index import stem_of
from afa_viz.data.images import LabelledImages, require_all_found
from afa_viz.data.pickles import load_array_dictionary
from afa_viz.data.text_files import format_count, format_list, normalize_unicode

ONEHOT_FILES = ("cls_labels_onehot.npy", "cls_labels.npy")
VOC_NAME = re.compile(r"\d{4}_\d{6}")


def onehot_path(root: Path) -> Path | None:
    """The file of a folder, if it has one."""
    return next((root / name for name in ONEHOT_FILES if (root / name).is_file()), None)


def image_number(name: str) -> int | None:
    """The number under which IRN knows an image: its name without "_", if that is a number."""
    digits = name.rsplit("/", 1)[-1].replace("_", "")
    return int(digits) if digits.isascii() and digits.isdecimal() else None


def names_with_labels(path: Path, names: Sequence[str]) -> list[str]:
    """Those of some names that a file has an entry for. Raises: ValueError: as `read_onehot`."""
    table = _OnehotTable(path)
    return [name for name in names if table.get(name) is not None]


def read_onehot(path: Path, names: Sequence[str], count: int, numbers: Mapping[str, int] | None = None) -> np.ndarray:
    """(n, count) float32 from a dictionary name -> one value per class, saved by `numpy.save`.

    A value for the background may stand first; it is left out.

    Args:
        names: of the images, with or without ending in the file; or numbers there, as IRN writes them.
        count: C.
        numbers: name -> number, where numbers are no spelling of names.
    Raises: ValueError: if the file holds anything else, not every name, or a value that is neither 0 nor 1.
    """
    table = _OnehotTable(path, numbers)
    rows = [table.get(name) for name in names]
    require_all_found(names, rows, f"entry in {path}{table.advice}")
    sizes = {np.size(row) for row in rows}
    if len(sizes) != 1 or not sizes <= {count, count + 1}:
        raise ValueError(
            f"{path} has {', '.join(map(str, sorted(sizes)))} values per image; expected {count}, one per class, or "
            f"{count + 1} with the background first: name as many classes in classes.txt."
        )
    try:
        values = np.stack([np.ravel(row) for row in rows]).astype(np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} holds values that are not numbers ({error}); expected 0 and 1.") from error
    wrong = np.argwhere((values != 0) & (values != 1))
    if len(wrong):
        image, place = wrong[0].tolist()
        raise ValueError(
            f"{path} has {values[image, place]:g} for {names[image]} ({format_count(len(wrong), 'such value')}); "
            "expected 0 "
            'or 1 for each class: 255 and other marks for "not known" cannot be trained on, correct the file.'
        )
    return values[:, -count:]


class _OnehotTable:
    """Entries of a file by the spellings of a name."""

    def __init__(self, path: Path, numbers: Mapping[str, int] | None = None) -> None:
        held = load_array_dictionary(path)
        self.by_number: dict[int, Any] = {int(key): v for key, v in held.items() if isinstance(key, Integral)}
        self.by_name: dict[str, Any] = {}
        for key, value in held.items():
            if isinstance(key, str):
                self.by_name.setdefault(normalize_unicode(key), value)
                self.by_name.setdefault(stem_of(key), value)
        self.numbers = numbers
        self.advice = " (its keys are numbers)" if self.by_number and not self.by_name else ""

    def get(self, name: str) -> Any:
        last = name.rsplit("/", 1)[-1]
        for spelling in (name, stem_of(name), last, stem_of(last)):
            if spelling in self.by_name:
                return self.by_name[spelling]
        number = image_number(name) if self.numbers is None else self.numbers.get(name)
        return None if number is None else self.by_number.get(number)


def require_npy(path: Path) -> None:
    """Raise ValueError unless a path ends in .npy, as the programs that read the file expect."""
    if path.suffix != ".npy":
        raise ValueError(f"got {path.name}; expected a name that ends in .npy: rename it.")


def write_onehot(path: Path, sets: Sequence[LabelledImages]) -> int:
    """Write the image labels of some sets as AFA, ToCo, SEAM and IRN read them; returns how many images.

    Args:
        path: ends in .npy; images whose names are like VOC's also stand under their number.
        sets: splits of one data set; an image of several stands once.
    Raises: ValueError: if the sets have other classes, or an image other labels in two of them.
    """
    require_npy(path)
    names = {images.class_names for images in sets}
    if len(names) != 1:
        raise ValueError(f"{format_list([images.title for images in sets])} have other classes; expected the same.")
    table: dict[str | int, np.ndarray] = {}
    for images in sets:
        for name, row in zip(images.names, images.labels, strict=True):
            if name in table and (table[name] != row).any():
                raise ValueError(
                    f"{name} has other labels in {images.title} than before; expected the same in all splits."
                )
            table[name] = row.astype(np.float32)
    count = len(table)
    table |= {number: table[name] for name in [*table] if isinstance(name, str) and VOC_NAME.fullmatch(name)
              and (number := image_number(name)) is not None}  # fmt: skip
    with atomic_write(path) as partial, open(partial, "wb") as file:
        np.save(file, table)  # type: ignore[arg-type]
    return count
