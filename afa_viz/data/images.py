"""Sets of photographs with image-level labels: a table of files, of which one at a time is read.

Symbols: n images, C foreground classes, K = C + 1, H W pixels of one image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from afa_viz.classes import Colour, colours_for
from afa_viz.config_io import nearest
from afa_viz.data.file_index import FileIndex, stem_of
from afa_viz.data.masks import NUMBERS, MaskCoding, present_labels, read_mask
from afa_viz.data.text_files import counted, listed, read_lines
from afa_viz.inputs import read_image


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """n images, what is in each, and where its mask lies if it has one.

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
        notes: sentences about what was left out or read in a way that is not the usual one.
        tables: files that labels and class names were read from.
    """

    title: str
    class_names: tuple[str, ...]
    names: tuple[str, ...]
    image_paths: tuple[Path, ...]
    mask_paths: tuple[Path | None, ...]
    labels: np.ndarray
    label_source: str
    upright: bool = False
    coding: MaskCoding = NUMBERS
    notes: tuple[str, ...] = ()
    tables: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def palette(self) -> tuple[Colour, ...]:
        """K colours to draw labels with."""
        return colours_for(len(self.class_names))

    def image(self, index: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB. Raises: ValueError or OSError: if the file can not be read; its name is said."""
        return read_image(self.image_paths[index], upright=self.upright)

    def image_labels(self, index: int) -> np.ndarray:
        """(C,) float32 multi-hot."""
        return self.labels[index]

    def has_mask(self, index: int) -> bool:
        """Whether `mask` would find one."""
        return self.mask_paths[index] is not None

    def mask(self, index: int) -> np.ndarray | None:
        """(H, W) uint8 of 0 to C and 255, or None. Raises: ValueError: if the file is no such map."""
        path = self.mask_paths[index]
        return None if path is None else read_mask(path, len(self.class_names), self.coding)


def once(names: Iterable[str], origin: object, notes: list[str]) -> list[str]:
    """Names without repetition; a note says which came again."""
    names = list(names)
    unique = list(dict.fromkeys(names))
    if len(unique) < len(names):
        again = [name for name, count in Counter(names).items() if count > 1]
        notes.append(f"{origin} names {counted(len(again), 'image')} more than once, which count once: {listed(again)}")
    return unique


def read_names(path: Path, notes: list[str]) -> list[str]:
    """Names of a list file, one a line: `NAME`, or paths of an image and its mask as DeepLab's lists have them."""
    lines = [line for line in read_lines(path) if not line.startswith("#")]
    return once([PurePosixPath(stem_of(line.split()[0])).name for line in lines], path.name, notes)


def resolve_list(path: Path, index: FileIndex, what: str, notes: list[str]) -> list[str]:
    """Names of the files that a list means: one a line, or paths of an image and its mask as DeepLab's lists have them.

    Args:
        index: the files that may be meant.
        what: they are, for people.
    Raises: ValueError: for a line that means no file or several, and for an empty list.
    """
    lines = [line for line in read_lines(path) if not line.startswith("#")]
    found = [index.find(line) or index.find(line.split()[0]) for line in lines]
    require_all(lines, found, f"{what} ({path.name})")
    return once([name for name in found if name is not None], path.name, notes)


def require_all(names: Sequence[str], found: Sequence[object | None], what: str) -> None:
    """Raises: ValueError: if something was not found; it says what, how many and the first names."""
    missing = [name for name, thing in zip(names, found, strict=True) if thing is None]
    if missing:
        raise ValueError(f"{len(missing)} of {len(names)} images have no {what}: {listed(missing)}.")


@dataclass(frozen=True)
class LabelSource:
    """One way to know what is in an image.

    Attributes:
        key: how it is chosen.
        words: what it is, for people.
        there: whether its files exist.
        read: names -> (n, C) float32 multi-hot; ValueError if a name is not known there.
    """

    key: str
    words: str
    there: bool
    read: Callable[[Sequence[str]], np.ndarray]


def choose_source(wanted: str, sources: Sequence[LabelSource], root: Path) -> LabelSource:
    """The wanted label source, or with "auto" the first one that is there.

    Raises: ValueError: for an unknown key, and if its files are missing.
    """
    by_key = {source.key: source for source in sources}
    if wanted != "auto" and wanted not in by_key:
        raise ValueError(f"there is no label source {wanted!r}; {nearest_of(wanted, ['auto', *by_key])}.")
    candidates = [source for source in sources if source.there and wanted in ("auto", source.key)]
    if not candidates:
        words = ", ".join(s.words for s in sources) if wanted == "auto" else by_key[wanted].words
        raise ValueError(f"{root} has no image labels; expected {words}.")
    return candidates[0]


def note_other_sources(chosen: LabelSource, sources: Sequence[LabelSource], notes: list[str]) -> None:
    """A note where labels could have come from another file too."""
    others = [source.words for source in sources if source.there and source is not chosen and source.key != "masks"]
    if others:
        notes.append(f"image labels come from {chosen.words}, not from {' or '.join(others)}")


def note_unused(files: Mapping[str, Path], used: Iterable[Path | None], what: str, why: str, notes: list[str]) -> None:
    """A note that names the files that nothing uses."""
    taken = set(used)
    rest = [path.name for path in files.values() if path not in taken]
    if rest:
        why = why.replace("belongs", "belong").replace(" is ", " are ") if len(rest) > 1 else why
        notes.append(f"{counted(len(rest), what)} {why}: {listed(rest)}")


def nearest_of(word: str, words: Iterable[str]) -> str:
    """Half a sentence that names the word that was probably meant, or all of them."""
    words = list(words)
    close = nearest(word, words)
    return f"the nearest is {close!r}" if close else f"expected one of {', '.join(words) or 'none: there are none'}"


def labels_of_masks(
    paths: Sequence[Path | None], names: Sequence[str], num_classes: int, coding: MaskCoding = NUMBERS
) -> np.ndarray:
    """(n, C) float32: the classes that each mask shows."""
    require_all(names, paths, "mask to take labels from")
    masks = (read_mask(path, num_classes, coding) for path in paths if path is not None)
    return np.stack([present_labels(mask, num_classes - 1) for mask in masks])
