"""Mask files: class indices, colours of a table or of VOC's palette, and black and white with one class.

Symbols: K classes with background, H W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from afa_viz.classes import Colour, palette
from afa_viz.data.class_lists import IGNORE, ClassList
from afa_viz.data.text_files import format_list

MASK_EXTENSIONS = (".png", ".bmp", ".tif", ".tiff", ".gif", ".jpg", ".jpeg")
LOSSY = (".jpg", ".jpeg")
SAMPLED, FEW = 200, 10  # masks that tell whether a set of one class, of several is black and white
VOC_IGNORE = (224, 224, 192)  # entry 255 of VOC's palette
HALF = 128  # grey level from which a JPEG's pixel is white


@dataclass(frozen=True)
class MaskCoding:
    """What the pixels of a set of masks mean.

    Attributes:
        colours: colour -> label, of a table that came with the masks; empty: VOC's palette.
        table: the file of that table, for people.
        numbered: single-channel masks hold class indices. False where only the colours are known.
        binary: there is one class, and 255 is its pixels.
    """

    colours: Mapping[Colour, int] = field(default_factory=dict)
    table: str = ""
    numbered: bool = True
    binary: bool = False


CLASS_INDEX_CODING = MaskCoding()


def detect_coding(
    paths: Sequence[Path | None], class_names: Sequence[str], classes: ClassList | None, notes: list[str]
) -> MaskCoding:
    """What the pixels of masks mean: a list of classes may bring colours, and with one class 255 may be that class.

    Args:
        paths: every mask of the set, not of one split alone; None where there is none.
        class_names: K names, background first.
        notes: gets what is not the usual way.
    """
    files = [path for path in paths if path is not None]
    if not files:
        return CLASS_INDEX_CODING
    if classes is not None and classes.colours:
        notes.append(f"masks in colour are read with the colours of {classes.origin}")
        return MaskCoding(classes.colours, classes.origin, classes.numbered)
    if _black_and_white(files, SAMPLED if len(class_names) == 2 else FEW):
        if len(class_names) > 2:
            notes.append("masks hold 0 and 255 alone, which name no class: they are read as background and as pixels "
                         "that do not count")  # fmt: skip
            return CLASS_INDEX_CODING
        lossy = any(path.suffix.lower() in LOSSY for path in files)
        notes.append(
            f"masks are black and white: 255 is {class_names[1]}" + (f", JPEGs cut at {HALF}" if lossy else "")
        )
        return MaskCoding(binary=True)
    if any(_in_colour(path) for path in files[:FEW]):
        notes.append("masks in colour are read with VOC's palette")
    return CLASS_INDEX_CODING


def _black_and_white(paths: Sequence[Path], sampled: int) -> bool:
    """Whether masks hold 0 and 255 and never 1; those of JPEG files are near black and white."""
    seen: set[int] = set()
    for i in np.unique(np.linspace(0, len(paths) - 1, min(sampled, len(paths))).round().astype(int)).tolist():
        try:
            pixels = _grey(_pixels(paths[i])[0])
        except ValueError:
            continue  # said when it is read
        if pixels is None:
            return False
        seen |= set(np.unique(_binarize(pixels, paths[i])).tolist())
        if seen - {0, IGNORE}:
            return False
    return IGNORE in seen


def _in_colour(path: Path) -> bool:
    try:
        return _grey(_pixels(path)[0]) is None
    except ValueError:
        return False


def _binarize(pixels: np.ndarray, path: Path) -> np.ndarray:
    return np.where(pixels >= HALF, IGNORE, 0) if path.suffix.lower() in LOSSY else pixels


def read_mask(path: Path, num_classes: int, coding: MaskCoding = CLASS_INDEX_CODING) -> np.ndarray:
    """(H, W) uint8 label map: 0 to C, and 255 for ignored pixels.

    Args:
        num_classes: K.
        coding: what the pixels mean.
    Raises: ValueError: for a file that is not an image, and for numbers or colours that mean nothing here.
    """
    pixels, mode, colours = _pixels(path)
    lossy = path.suffix.lower() in LOSSY
    if lossy and not coding.binary:
        raise ValueError(
            f"the mask {path} is a JPEG, which changes the numbers of pixels; expected a PNG of class indices: save "
            "the masks as PNG."
        )
    grey = _grey(pixels)
    if coding.colours:
        known = _by_colour(pixels if colours is None else colours[pixels], coding.colours)
        if known is not None:
            return known
        if pixels.ndim == 3 or not coding.numbered:
            raise ValueError(
                f"the mask {path} holds "
                f"{_unknown_colours(pixels if colours is None else colours[pixels], coding.colours)}; expected the "
                f"colours of {coding.table}: add them there."
            )
    if coding.binary and grey is not None:
        return _black_and_white_labels(_binarize(grey, path), path)
    if grey is not None and not _unknown_indices(grey, num_classes):
        swapped = None if colours is None else _by_palette(pixels, colours, num_classes)
        return grey.astype(np.uint8) if swapped is None else swapped
    by_palette = _by_colour(pixels, _voc_colours(num_classes)) if pixels.ndim == 3 else None
    if by_palette is not None:
        return by_palette
    if grey is not None:
        raise ValueError(
            f"the mask {path} holds {format_list([str(i) for i in _unknown_indices(grey, num_classes)])}; expected 0 "
            f"to {num_classes - 1}, the numbers of the classes with background first, and {IGNORE} for "
            "ignored pixels."
        )
    raise ValueError(
        f"the mask {path} is an image of mode {mode} with {_unknown_colours(pixels, _voc_colours(num_classes))}; "
        "expected a palette or grey PNG whose pixels are class indices, or colours that are known: write them into "
        "labelmap.txt, a line like `cat:128,0,0` for each class."
    )


def present_labels(mask: np.ndarray, count: int) -> np.ndarray:
    """(count,) float32: which of the classes 1 to count a label map shows."""
    return (np.bincount(mask.ravel(), minlength=256)[1 : count + 1] > 0).astype(np.float32)


def _pixels(path: Path) -> tuple[np.ndarray, str, np.ndarray | None]:
    """(H, W) numbers or (H, W, 3) uint8 colours, the mode of the file, and (256, 3) colours if it has a palette."""
    try:
        with Image.open(path) as opened:
            mode = opened.mode
            opened.load()
            colours = _palette(opened) if mode == "P" else None
            image = opened.convert("RGBA") if mode in ("LA", "PA", "RGBA", "La", "RGBa") else opened
            if mode not in ("1", "L", "P", "I", "RGB", "RGBA") and not mode.startswith("I;16") and image is opened:
                image = opened.convert("RGB")
            pixels = np.asarray(image)
            if colours is not None and not _has_distinct_colours(colours, pixels):
                colours = None
    except Exception as error:  # a broken file may raise anything
        raise ValueError(f"the mask {path} cannot be read ({error}); expected a PNG of class indices.") from error
    if mode == "F":
        raise ValueError(f"the mask {path} is an image of mode F; expected whole numbers: save the class indices.")
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        if (pixels[..., 3] != 255).any():
            raise ValueError(
                f"the mask {path} has transparent pixels; expected a number or a colour everywhere: paint the "
                "background."
            )
        pixels = pixels[..., :3]
    return (pixels.astype(np.uint8) if pixels.dtype == bool else pixels), mode, colours


def _palette(image: Image.Image) -> np.ndarray:
    """(256, 3) uint8: the colours of a palette; those that it lacks are grey levels."""
    found = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    entries = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)[:256]
    found[: len(entries)] = entries
    return found


def _has_distinct_colours(colours: np.ndarray, pixels: np.ndarray) -> bool:
    """Whether a palette gives the values of an image different colours, and not just their grey levels."""
    used = np.unique(pixels)
    if (colours == np.arange(256)[:, None]).all():
        return False
    return len(np.unique(_packed(colours[None]))) > 1 and len(np.unique(_packed(colours[None, used]))) == len(used)


def _grey(pixels: np.ndarray) -> np.ndarray | None:
    """(H, W) numbers; None for a colour image."""
    if pixels.ndim == 2:
        return pixels
    same = (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 0] == pixels[..., 2]).all()
    return pixels[..., 0] if same else None


def _unknown_indices(numbers: np.ndarray, num_classes: int) -> list[int]:
    """Numbers that are neither a class nor 255."""
    return np.unique(numbers[(numbers < 0) | (numbers >= num_classes) & (numbers != IGNORE)]).tolist()


def _black_and_white_labels(pixels: np.ndarray, path: Path) -> np.ndarray:
    foreign = np.unique(pixels[(pixels != 0) & (pixels != IGNORE)]).tolist()
    if foreign:
        raise ValueError(
            f"the mask {path} holds {format_list([str(i) for i in foreign])}; expected 0 and 255, as the other masks "
            "of this one class have, or 0 and 1 in all of them."
        )
    return (pixels == IGNORE).astype(np.uint8)


def _voc_colours(num_classes: int) -> dict[Colour, int]:
    """VOC's palette for K classes and its colour of pixels that do not count."""
    return {colour: i for i, colour in enumerate(palette(num_classes))} | {VOC_IGNORE: IGNORE}


def _packed(pixels: np.ndarray) -> np.ndarray:
    """Colours as one number each."""
    wide = pixels.astype(np.int32)
    if wide.ndim == 2:
        wide = np.repeat(wide[..., None], 3, axis=2)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _by_colour(pixels: np.ndarray, table: Mapping[Colour, int]) -> np.ndarray | None:
    """(H, W) uint8 labels; None if a colour is in no table."""
    if pixels.ndim == 2 and (pixels.min(initial=0) < 0 or pixels.max(initial=0) > 255):
        return None
    codes, place = np.unique(_packed(pixels), return_inverse=True)
    label = {red << 16 | green << 8 | blue: value for (red, green, blue), value in table.items()}
    if not all(code in label for code in codes.tolist()):
        return None
    labels = np.array([label[code] for code in codes.tolist()], np.uint8)
    return labels[place].reshape(pixels.shape[:2])


def _by_palette(pixels: np.ndarray, colours: np.ndarray, num_classes: int) -> np.ndarray | None:
    """Labels by colour where a file's palette has known colours in another order, as a converted image may."""
    table = _voc_colours(num_classes)
    if num_classes == 2 and (colours[:2] == np.array([[255], [0]])).all():  # white first, as in some GIF files
        table |= {(255, 255, 255): 1}
    labels = _by_colour(colours[pixels], table)
    return None if labels is None or (labels == pixels).all() else labels


def _unknown_colours(pixels: np.ndarray, table: Mapping[Colour, int]) -> str:
    """Colours that are in no table, for people."""
    codes = np.unique(_packed(pixels)).tolist()
    colours = [(code >> 16, code >> 8 & 255, code & 255) for code in codes]
    return "the colour " + format_list([str(colour) for colour in colours if colour not in table])
