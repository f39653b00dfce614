"""Data sets of photographs with image-level labels: a table of files that are read one at a time.

Symbols: n images, C foreground classes, K = C + 1, H W pixels of one image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from afa_viz.classes import Colour, colours_for
from afa_viz.data.file_index import FileIndex, stem_of
from afa_viz.data.masks import CLASS_INDEX_CODING, MaskCoding, present_labels, read_mask
from afa_viz.data.text_files import format_count, format_list, read_lines
from afa_viz.inputs import read_image
from afa_viz.spelling import did_you_mean


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """n images with their labels and, where available, masks.

    Attributes:
        title: data set and split, for people.
        class_names: K names, background first.
        names: n names, all different.
        image_paths: n files.
        mask_paths: n files; None where an image has no mask.
        labels: (n, C) float32 multi-hot.
        label_source: where the labels come from, for people.
        upright: photographs are turned as their EXIF note says. False where masks belong to the pixels as stored.
        coding: what the pixels of the mask files mean.
        notes: messages about what was left out or read in an unusual way.
        tables: files from which labels and class names were read.
    """

    title: str
    class_names: tuple[str, ...]
    names: tuple[str, ...]
    image_paths: tuple[Path, ...]
    mask_paths: tuple[Path | None, ...]
    labels: np.ndarray
    label_source: str
    upright: bool = False
    coding: MaskCoding = CLASS_INDEX_CODING
    notes: tuple[str, ...] = ()
    tables: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def palette(self) -> tuple[Colour, ...]:
        """K colours to draw labels with."""
        return colours_for(len(self.class_names))

    def image(self, index: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB. Raises: ValueError or OSError: if the file cannot be read; the message names it."""
        return read_image(self.image_paths[index], upright=self.upright)

    def image_labels(self, index: int) -> np.ndarray:
        """(C,) float32 multi-hot."""
        return self.labels[index]

    def has_mask(self, index: int) -> bool:
        """Whether the image has a mask."""
        return self.mask_paths[index] is not None

    def mask(self, index: int) -> np.ndarray | None:
        """(H, W) uint8 of 0 to C and 255, or None. Raises: ValueError: if the file is no such map."""
        path = self.mask_paths[index]
        return None if path is None else read_mask(path, len(self.class_names), self.coding)


def unique_names(names: Iterable[str], origin: object, notes: list[str]) -> list[str]:
    """Names without duplicates; a note lists those that were repeated."""
    names = list(names)
    unique = list(dict.fromkeys(names))
    if len(unique) < len(names):
        again = [name for name, count in Counter(names).items() if count > 1]
        notes.append(
            f"{origin} names {format_count(len(again), 'image')} more than once, which count once: {format_list(again)}"
        )
    return unique


def read_names(path: Path, notes: list[str]) -> list[str]:
    """Names of a list file, one a line: `NAME`, or paths of an image and its mask as DeepLab's lists have them."""
    lines = [line for line in read_lines(path) if not line.startswith("#")]
    return unique_names([PurePosixPath(stem_of(line.split()[0])).name for line in lines], path.name, notes)


def resolve_list(path: Path, index: FileIndex, what: str, notes: list[str]) -> list[str]:
    """Names of the files in a list: one per line, or paths of an image and its mask as DeepLab's lists have them.

    Args:
        index: the available files.
        what: noun for them in messages.
    Raises: ValueError: for a line that matches no file or several, and for an empty list.
    """
    lines = [line for line in read_lines(path) if not line.startswith("#")]
    found = [index.find(line) or index.find(line.split()[0]) for line in lines]
    require_all_found(lines, found, f"{what} ({path.name})")
    return unique_names([name for name in found if name is not None], path.name, notes)


def require_all_found(names: Sequence[str], found: Sequence[object | None], what: str) -> None:
    """Raise ValueError if something was not found; the message gives count and first names."""
    missing = [name for name, item in zip(names, found, strict=True) if item is None]
    if missing:
        raise ValueError(f"{len(missing)} of {len(names)} images have no {what}: {format_list(missing)}.")


@dataclass(frozen=True)
class LabelSource:
    """One source of image labels.

    Attributes:
        key: value of `--labels` that selects it.
        description: for messages.
        exists: whether its files exist.
        read: names -> (n, C) float32 multi-hot; ValueError if a name is not known there.
    """

    key: str
    description: str
    exists: bool
    read: Callable[[Sequence[str]], np.ndarray]


class MissingLabelsError(ValueError):
    """A data set, or a split of it, has no image labels of the kind that is asked for."""


NO_LABELS = "none"  # asked for by name alone: what predicts them needs none


def no_labels(wanted: str, num_classes: Callable[[], int]) -> LabelSource:
    """The source of a test split, whose labels nobody gives away: all zero, and only where it is asked for.

    Args:
        num_classes: C + 1, known once the source is read.
    """
    return LabelSource(
        NO_LABELS, "no labels", wanted == NO_LABELS,
        lambda names: np.zeros((len(names), num_classes() - 1), np.float32),
    )  # fmt: skip


def choose_source(wanted: str, sources: Sequence[LabelSource], root: Path) -> LabelSource:
    """The requested label source, or with "auto" the first that exists.

    Raises: ValueError: for an unknown key; MissingLabelsError: if its files are missing.
    """
    by_key = {source.key: source for source in sources}
    if wanted != "auto" and wanted not in by_key:
        raise ValueError(f"there is no label source {wanted!r}; {did_you_mean(wanted, ['auto', *by_key])}.")
    candidates = [source for source in sources if source.exists and wanted in ("auto", source.key)]
    if not candidates:
        words = (
            ", ".join(s.description for s in sources if s.key != NO_LABELS)
            if wanted == "auto"
            else by_key[wanted].description
        )
        raise MissingLabelsError(f"{root} has no image labels; expected {words}.")
    return candidates[0]


def note_other_sources(chosen: LabelSource, sources: Sequence[LabelSource], notes: list[str]) -> None:
    """Note other available label sources."""
    others = [
        source.description for source in sources if source.exists and source is not chosen and source.key != "masks"
    ]
    if others:
        notes.append(f"image labels come from {chosen.description}, not from {' or '.join(others)}")


def note_unused(files: Mapping[str, Path], used: Iterable[Path | None], what: str, why: str, notes: list[str]) -> None:
    """Note files that nothing uses."""
    taken = set(used)
    rest = [path.name for path in files.values() if path not in taken]
    if rest:
        why = why.replace("belongs", "belong").replace(" is ", " are ") if len(rest) > 1 else why
        notes.append(f"{format_count(len(rest), what)} {why}: {format_list(rest)}")


def labels_from_masks(
    paths: Sequence[Path | None], names: Sequence[str], num_classes: int, coding: MaskCoding = CLASS_INDEX_CODING
) -> np.ndarray:
    """(n, C) float32: the classes that each mask shows."""
    require_all_found(names, paths, "mask to take labels from")
    masks = (read_mask(path, num_classes, coding) for path in paths if path is not None)
    return np.stack([present_labels(mask, num_classes - 1) for mask in masks])
