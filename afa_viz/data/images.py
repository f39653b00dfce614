"""Sets of photographs with image-level labels: a table of files, of which one at a time is read.

Symbols: n images, C foreground classes, K = C + 1, H W pixels of one image.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from afa_viz.classes import Colour, colours_for
from afa_viz.data.file_names import readable_name
from afa_viz.data.pickles import load_array_dictionary
from afa_viz.inputs import read_image
from afa_viz.settings import nearest

IGNORE = 255  # of a mask: "do not count"
PHOTOGRAPHS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")  # in the order in which they are looked for
SHOWN = 3  # names in a message


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """n images, what is in each, and where its mask lies if it has one.

    Attributes:
        title: data set and split, for people.
        class_names: K names, background first.
        names: n names.
        image_paths: n files.
        mask_paths: n files; None where an image has no mask.
        labels: (n, C) float32 multi-hot.
        label_source: where the labels come from, for people.
        upright: photographs are turned as their EXIF note says. False where masks belong to the pixels as stored.
    """

    title: str
    class_names: tuple[str, ...]
    names: tuple[str, ...]
    image_paths: tuple[Path, ...]
    mask_paths: tuple[Path | None, ...]
    labels: np.ndarray
    label_source: str
    upright: bool = False

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
        return None if path is None else read_mask(path, len(self.class_names))


def read_mask(path: Path, num_classes: int) -> np.ndarray:
    """(H, W) uint8 label map of a palette or grey PNG.

    Raises: ValueError: for a file that is no picture, one in colour, or ids that are neither class nor 255.
    """
    try:
        with Image.open(path) as opened:
            mode, mask = opened.mode, np.asarray(opened)
    except Exception as error:  # a broken file may raise anything
        raise ValueError(f"the mask {path} can not be read ({error}); expected a PNG of class numbers.") from error
    if mask.ndim != 2 or mask.dtype.kind not in "bui":
        raise ValueError(
            f"the mask {path} is a picture of mode {mode}; expected a palette or grey PNG whose pixels are class "
            "numbers: save the numbers, not the colours."
        )
    foreign = np.unique(mask[(mask >= num_classes) & (mask != IGNORE)])
    if foreign.size:
        raise ValueError(
            f"the mask {path} holds {listed([str(i) for i in foreign])}; expected 0 to {num_classes - 1}, the numbers "
            f"of the classes with background first, and {IGNORE} for pixels that do not count."
        )
    return mask.astype(np.uint8)


def present_labels(mask: np.ndarray, count: int) -> np.ndarray:
    """(count,) float32: which of the classes 1 to count a label map shows."""
    return (np.bincount(mask.ravel(), minlength=256)[1 : count + 1] > 0).astype(np.float32)


def find_files(folder: Path, endings: Sequence[str] = PHOTOGRAPHS, deep: bool = False) -> dict[str, Path]:
    """Files of a folder by name without ending, where two share a name the one whose ending comes first.

    Args:
        deep: look into subfolders too; a name is then a path with forward slashes.
    Raises: ValueError: for two files whose names are the same as text, see `readable_name`.
    """
    found: dict[str, Path] = {}
    rank = {ending: i for i, ending in enumerate(endings)}
    for path in _walk(folder) if deep else folder.iterdir() if folder.is_dir() else ():
        ending = path.suffix.lower()
        if ending not in rank or path.name.startswith("."):
            continue
        name = readable_name(str(PurePosixPath(path.relative_to(folder)).with_suffix("")))
        if name in found and found[name].with_suffix("") != path.with_suffix(""):
            raise ValueError(f"two files of {folder} are called {name}, in two ways to write it; rename one of them.")
        if name not in found or rank[ending] < rank[found[name].suffix.lower()]:
            found[name] = path
    return dict(sorted(found.items()))


def _walk(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)


def read_lines(path: Path) -> list[str]:
    """Lines of a text file that hold something, stripped. Raises: ValueError: if there is none."""
    try:
        lines = [readable_name(line.strip()) for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text; expected one name a line.") from error
    lines = [line for line in lines if line]
    if not lines:
        raise ValueError(f"{path} is empty; expected one name a line.")
    return lines


def read_names(path: Path) -> list[str]:
    """Names of a list file, one a line: `NAME`, or paths of an image and its mask as DeepLab's lists have them."""
    names = [PurePosixPath(line.split()[0].replace("\\", "/")).name for line in read_lines(path)]
    return [name.rsplit(".", 1)[0] if name.lower().endswith(PHOTOGRAPHS) else name for name in names]


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


def nearest_of(word: str, words: Iterable[str]) -> str:
    """Half a sentence that names the word that was probably meant, or all of them."""
    words = list(words)
    close = nearest(word, words)
    return f"the nearest is {close!r}" if close else f"expected one of {', '.join(words) or 'none: there are none'}"


def read_onehot(path: Path, names: Sequence[str], count: int) -> np.ndarray:
    """(n, count) float32 from a dictionary name -> one value a class, saved by `numpy.save`.

    Raises: ValueError: if the file holds anything else, or not every name.
    """
    table = {str(key): value for key, value in load_array_dictionary(path).items()}
    rows = [table.get(name) for name in names]
    require_all(names, rows, f"entry in {path}")
    sizes = {np.size(row) for row in rows}  # type: ignore[arg-type]
    if sizes != {count}:
        raise ValueError(f"{path} has {sorted(sizes)} values an image; expected {count}, one a class.")
    return (np.stack([np.ravel(row) for row in rows]) > 0).astype(np.float32)  # type: ignore[arg-type]


def labels_of_masks(paths: Sequence[Path | None], names: Sequence[str], num_classes: int) -> np.ndarray:
    """(n, C) float32: the classes that each mask shows."""
    require_all(names, paths, "mask to take labels from")
    masks = (read_mask(path, num_classes) for path in paths if path is not None)
    return np.stack([present_labels(mask, num_classes - 1) for mask in masks])


def listed(words: Sequence[str]) -> str:
    """The first few words, and how many more."""
    rest = len(words) - SHOWN
    return ", ".join(words[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
