"""Photographs as people have them: which image files are read, up to which size, and what is said of others.

The only place of these limits and sentences: uploads, `explain`, the command line and data sets open files here, the
page and the docs take the numbers from here. Everything is checked before a pixel is decoded. The limits keep the
memory for one photograph, decoded and made smaller by `inputs.to_rgb`, under 300 MB (`tests/robustness/test_uploads.py`
measures it): they differ since decoders do.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING, Any

from afa_viz.jpeg_header import read_jpeg_header

if TYPE_CHECKING:
    from PIL import Image

MAX_MB = 40
MAX_BYTES = MAX_MB * 2**20
MAX_SCANS = 100  # of a JPEG, each a pass over all its pixels; encoders write about ten
HEAD = 512  # bytes that tell the format
COLOURS = 3  # channels that the limit of a JPEG in several passes is for; a printer's fourth takes as much again


@dataclass(frozen=True)
class ImageFormat:
    """One format of image files.

    Attributes:
        name: for people.
        pillow: names of Pillow's plugins for it.
        extensions: of its files.
        mime: its media types, for a browser's file chooser.
        megapixels: the most that is decoded.
    """

    name: str
    pillow: tuple[str, ...]
    extensions: tuple[str, ...]
    mime: tuple[str, ...]
    megapixels: int


JPEG = ImageFormat("JPEG", ("JPEG", "MPO"), (".jpg", ".jpeg"), ("image/jpeg",), 100)  # decoded at reduced scale
PNG = ImageFormat("PNG", ("PNG",), (".png",), ("image/png",), 40)
WEBP = ImageFormat("WebP", ("WEBP",), (".webp",), ("image/webp",), 12)  # its decoder takes 17 bytes a pixel
AVIF = ImageFormat("AVIF", ("AVIF",), (".avif",), ("image/avif",), 20)  # 14 bytes a pixel
HEIC = ImageFormat("HEIC", ("HEIF",), (".heic", ".heif"), ("image/heic", "image/heif"), 24)
GIF = ImageFormat("GIF", ("GIF",), (".gif",), ("image/gif",), 40)
BMP = ImageFormat("BMP", ("BMP",), (".bmp",), ("image/bmp",), 40)
TIFF = ImageFormat("TIFF", ("TIFF",), (".tif", ".tiff"), ("image/tiff",), 20)  # whole strips of 16-bit numbers
FORMATS = (JPEG, PNG, WEBP, AVIF, HEIC, GIF, BMP, TIFF)
PROGRESSIVE_MEGAPIXELS = 40  # of a JPEG in several passes: its decoder holds all coefficients, 2 bytes each
EXTENSIONS = tuple(extension for known in FORMATS for extension in known.extensions)
NAMES = ", ".join(known.name for known in FORMATS)

SENTENCES = {  # key -> English; `ui/texts/en.json` has the same under "refused.KEY", for other languages
    "file_size": "This file has {size} MB; please choose one of at most {most} MB.",
    "far_too_many": "This image has far too many pixels; please choose one of at most {most} megapixels.",
    "no_picture_file": "This file is damaged or of no known format ({formats}); please choose another one.",
    "passes": "This JPEG has more than {most} progressive passes; please save it again.",
    "damaged": "This image is damaged and cannot be read; please choose another file.",
    "pixels": "This {format} image has {width} × {height} pixels; please choose one of at most {most} megapixels.",
    "progressive": "This progressive JPEG has {width} × {height} pixels; please save it as a baseline JPEG, or with at "
    "most {most} megapixels.",
    "heic": "HEIC photographs cannot be read here; please export this one as JPEG: on a phone, share or copy it as "
    "JPEG, or choose Settings, Camera, Formats, Most Compatible.",
    "avif": "AVIF images cannot be read here, where Pillow lacks a decoder; please save this one as JPEG or PNG.",
}


class ImageFileError(ValueError):
    """An image file that is not read; the message is one sentence of `SENTENCES`.

    Attributes:
        key, places: of the sentence, and what it is filled with.
    """

    def __init__(self, key: str, **places: object) -> None:
        self.key, self.places = key, places
        super().__init__(SENTENCES[key].format(**places))


@contextmanager
def open_image(path: str | os.PathLike[str]) -> Iterator[Image.Image]:
    """An image file as Pillow opens it, within the limits, its pixels not yet decoded.

    Raises: ImageFileError: if it is too large, damaged, or of another format. OSError: if it cannot be opened.
    """
    from PIL import Image

    with open(path, "rb") as file:  # Pillow leaves a file open that fails at once
        found = _checked_format(file)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of sizes that are checked here, and of notes in the file
                opened = Image.open(file, formats=found.pillow)
        except Image.DecompressionBombError:
            raise ImageFileError("far_too_many", most=found.megapixels) from None
        except Exception:  # a damaged or malicious file may raise anything
            raise _not_an_image() from None
        with opened:
            _check_pixels(opened.size, found, file)
            yield opened


def can_read(known: ImageFormat) -> bool:
    """Whether this installation has a decoder for a format."""
    if known is HEIC:
        return find_spec("pillow_heif") is not None
    return known is not AVIF or find_spec("PIL._avif") is not None


def limits() -> dict[str, Any]:
    """The limits for the page: megabytes of a file, megapixels and media types of the formats that can be read."""
    readable = [known for known in FORMATS if can_read(known)]
    return {
        "mb": MAX_MB,
        "megapixels": {known.name: known.megapixels for known in readable},
        "accept": ",".join(part for known in readable for part in (*known.mime, *known.extensions)),
    }


def _not_an_image() -> ImageFileError:
    return ImageFileError("no_picture_file", formats=NAMES)


def _checked_format(file: IO[bytes]) -> ImageFormat:
    """The format of a file; the file is at its start again. Raises: ImageFileError."""
    size = os.fstat(file.fileno()).st_size
    if size > MAX_BYTES:
        raise ImageFileError("file_size", size=-(-size // 2**20), most=MAX_MB)
    found = _format_of(file.read(HEAD))
    file.seek(0)
    if found is None:
        raise _not_an_image()
    if not can_read(found):
        raise ImageFileError(found.name.lower())
    if found is HEIC:
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False)
    return found


def _format_of(head: bytes) -> ImageFormat | None:
    """The format by the first bytes of a file; its name says nothing."""
    if head[4:8] == b"ftyp":
        end = min(int.from_bytes(head[:4], "big"), len(head))
        brands = {head[start : start + 4] for start in (8, *range(16, end, 4))}
        if brands & {b"avif", b"avis"}:
            return AVIF
        heif = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
        return HEIC if brands & heif else None
    if head[:4] == b"RIFF":
        return WEBP if head[8:12] == b"WEBP" else None
    starts = {
        b"\xff\xd8\xff": JPEG, b"\x89PNG\r\n\x1a\n": PNG, b"GIF87a": GIF, b"GIF89a": GIF, b"BM": BMP,
        b"II*\0": TIFF, b"MM\0*": TIFF, b"II+\0": TIFF, b"MM\0+": TIFF,
    }  # fmt: skip
    return next((known for start, known in starts.items() if head.startswith(start)), None)


def _check_pixels(size: tuple[int, int], found: ImageFormat, file: IO[bytes]) -> None:
    """Raises: ImageFileError: for more pixels than the format may have, or a JPEG of too many passes."""
    (width, height), most, key = size, found.megapixels, "pixels"
    if found is JPEG:
        header = read_jpeg_header(file, MAX_SCANS)
        if header.scans > MAX_SCANS:
            raise ImageFileError("passes", most=MAX_SCANS)
        if header.is_multi_scan and width * height <= most * 10**6:
            most = PROGRESSIVE_MEGAPIXELS * COLOURS // max(COLOURS, header.components)
            key = "progressive"
    if width * height > most * 10**6:
        raise ImageFileError(key, format=found.name, width=width, height=height, most=most)
