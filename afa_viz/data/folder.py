"""Own data: a folder of images and a file of labels, masks optional.

images/…          or JPEGImages/, or the folder itself; subfolders are looked into
labels.csv        or .tsv or .json: see `label_files`
classes.txt       names of the classes in the order of the masks' numbers, one a line (optional)
masks/…           or SegmentationClass/: PNG files of the same names (optional)
train.txt, …      or ImageSets/Segmentation/train.txt, …: names of a split (optional)
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from afa_viz.data.file_names import readable_name
from afa_viz.data.images import (
    PHOTOGRAPHS,
    LabelledImages,
    LabelSource,
    choose_source,
    find_files,
    labels_of_masks,
    nearest_of,
    read_lines,
    require_all,
)
from afa_viz.data.label_files import WrittenLabels, read_label_file

IMAGES, MASKS = ("images", "JPEGImages"), ("masks", "SegmentationClass")
LABEL_FILES = ("labels.csv", "labels.tsv", "labels.json")
CLASS_FILE = "classes.txt"
LISTS = ("ImageSets/Segmentation", "splits", "")
VAL_OF = 10  # without lists one image in so many is for validation


def image_folder(root: Path) -> Path:
    """Where the images lie: one of the usual folders, or the root."""
    return next((root / name for name in IMAGES if (root / name).is_dir()), root)


def mask_folder(root: Path) -> Path | None:
    """Where the masks lie, if there are any."""
    return next((root / name for name in MASKS if (root / name).is_dir()), None)


def label_file(root: Path) -> Path | None:
    """The file of labels, if there is one."""
    return next((root / name for name in LABEL_FILES if (root / name).is_file()), None)


def split_lists(root: Path) -> dict[str, Path]:
    """List files by name of the split."""
    found: dict[str, Path] = {}
    for place in LISTS:
        for path in sorted((root / place).glob("*.txt")):
            if path.name != CLASS_FILE:
                found.setdefault(path.stem, path)
    return found


def open_folder(root: str | os.PathLike[str], split: str = "all", labels: str = "auto") -> LabelledImages:
    """The labelled images of a folder.

    Args:
        split: "all", or the name of a list file. In a folder without lists "train" and "val" part the images by their
            names, nine to one: an image stays where it is when others come.
        labels: "file" (labels.csv, .tsv or .json), "masks", or "auto": the first of these that is there.
    Raises: FileNotFoundError or ValueError: for what is missing or does not fit, with the first names.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}; expected one with images and labels.csv.")
    images = images_of(root)
    masks_at, file = mask_folder(root), label_file(root)
    masks = find_files(masks_at, (".png",), deep=True) if masks_at else {}
    known = _class_file(root)
    written = read_label_file(file, known) if file else WrittenLabels({})
    class_names = known or written.class_names()
    table = _by_image(written, images, file or root)
    sources = [
        LabelSource("file", f"the file {file.name if file else LABEL_FILES[0]}", bool(table),
                    lambda names: _multi_hot([table[name] for name in names], class_names, file or root)),
        LabelSource("masks", f"the masks in {masks_at.name if masks_at else MASKS[0]}", bool(masks),
                    lambda names: labels_of_masks([masks.get(n) for n in names], names, len(class_names))),
    ]  # fmt: skip
    source = choose_source(labels, sources, root)
    if len(class_names) < 2:
        raise ValueError(f"{root} does not name its classes; expected {CLASS_FILE} with one name a line.")
    names = _split(root, split, list(table) if source.key == "file" else [name for name in images if name in masks])
    return LabelledImages(
        title=f"{readable_name(root.resolve().name)} {split}",
        class_names=class_names,
        names=tuple(names),
        image_paths=tuple(images[name] for name in names),
        mask_paths=tuple(masks.get(name) for name in names),
        labels=source.read(names),
        label_source=source.words,
        upright=True,
    )


def images_of(root: Path) -> dict[str, Path]:
    """Images by name: their path in the folder of images, without ending. Masks are none of them."""
    folder, masks = image_folder(root), mask_folder(root)
    found = find_files(folder, PHOTOGRAPHS, deep=True)
    return {name: path for name, path in found.items() if masks is None or masks not in path.parents}


def _class_file(root: Path) -> tuple[str, ...]:
    """Background and the names in classes.txt; empty without the file."""
    path = root / CLASS_FILE
    if not path.is_file():
        return ()
    names = [name for name in read_lines(path) if name != "background"]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{path} names {twice[0]!r} twice; expected every class once.")
    return ("background", *names)


def _plain(name: str) -> str:
    """A name without ending, with forward slashes."""
    name = readable_name(name).replace("\\", "/").removeprefix("./")
    return name.rsplit(".", 1)[0] if name.lower().endswith(PHOTOGRAPHS) else name


def _known_name(name: str, images: Mapping[str, Path]) -> str | None:
    """The image that is meant by a name in a file: its path, with or without ending and folder of images."""
    plain = _plain(name)
    return next((n for n in (plain, plain.partition("/")[2]) if n in images), None)


def _by_image(written: WrittenLabels, images: Mapping[str, Path], file: Path) -> dict[str, tuple[str, ...]]:
    names = [_known_name(name, images) for name in written.classes]
    require_all(list(written.classes), names, f"file beside {file}")
    table: dict[str, tuple[str, ...]] = {}
    for name, classes in zip(names, written.classes.values(), strict=True):
        assert name is not None
        table[name] = tuple(dict.fromkeys((*table.get(name, ()), *classes)))
    return table


def _multi_hot(rows: Sequence[Sequence[str]], class_names: Sequence[str], file: Path) -> np.ndarray:
    labels = np.zeros((len(rows), len(class_names) - 1), np.float32)
    number = {name: i - 1 for i, name in enumerate(class_names)}
    for row, words in zip(labels, rows, strict=True):
        for word in words:
            if word not in number:
                raise ValueError(
                    f"{file} has a class {word!r}, which {CLASS_FILE} lacks; {nearest_of(word, class_names[1:])}."
                )
            if word != "background":
                row[number[word]] = 1
    return labels


def _split(root: Path, split: str, names: Sequence[str]) -> list[str]:
    lists = split_lists(root)
    if split == "all":
        chosen = list(names)
    elif split in lists:
        there = dict.fromkeys(names, root)
        listed = [(line, _known_name(line, there)) for line in read_lines(lists[split])]
        require_all([line for line, _ in listed], [name for _, name in listed], f"image with labels ({lists[split]})")
        chosen = [name for _, name in listed if name is not None]
    elif not lists and split in ("train", "val"):
        chosen = [name for name in names if (zlib.crc32(name.encode()) % VAL_OF == 0) == (split == "val")]
    else:
        raise ValueError(f"there is no split {split!r} in {root}; {nearest_of(split, ['all', *lists])}.")
    if not chosen:
        raise ValueError(f"the split {split!r} of {root} is empty; expected an image with labels: write a {split}.txt.")
    return chosen
