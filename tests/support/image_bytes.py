"""Picture files made byte by byte, for what no encoder here writes: depths, interlacing, broken parts, false claims."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6  # colour types of PNG
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))  # of Adam7


def chunk(kind: bytes, data: bytes, crc: int | None = None) -> bytes:
    """A part of a PNG file; `crc` in place of the right checksum."""
    check = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def header(width: int, height: int, depth: int = 8, colour: int = RGB, interlaced: bool = False) -> bytes:
    """The first part of a PNG file."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))


def rows_of(samples: np.ndarray, depth: int) -> bytes:
    """Rows of a PNG without a filter: (H, W) or (H, W, samples), packed to 1, 2, 4, 8 or 16 bits."""
    flat = samples.reshape(len(samples), -1)
    if depth == 16:
        packed = flat.astype(">u2").view(np.uint8)
    elif depth == 8:
        packed = flat.astype(np.uint8)
    else:
        bits = (flat[..., None] >> np.arange(depth - 1, -1, -1)) & 1
        packed = np.packbits(bits.reshape(len(flat), -1).astype(np.uint8), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in packed)


def png(
    samples: np.ndarray, depth: int = 8, colour: int = RGB, before: bytes = b"", after: bytes = b"", adam7: bool = False
) -> bytes:
    """A whole PNG file of samples; `before` and `after` are parts around its pixels."""
    parts = [samples[y::dy, x::dx] for y, x, dy, dx in PASSES] if adam7 else [samples]
    pixels = zlib.compress(b"".join(rows_of(part, depth) for part in parts if part.size), 1)
    start = header(samples.shape[1], samples.shape[0], depth, colour, adam7)
    return SIGNATURE + start + before + chunk(b"IDAT", pixels) + after + chunk(b"IEND", b"")


def plain_png(width: int, height: int, colour: int = RGB, depth: int = 8) -> bytes:
    """A PNG of zeros of any size, made without holding its pixels."""
    samples = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}[colour]
    row = bytes(1 + width * samples * depth // 8)
    packer = zlib.compressobj(1)
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    table = chunk(b"PLTE", bytes(768)) if colour == PALETTE else b""
    return SIGNATURE + header(width, height, depth, colour) + table + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def apng(frames: list[np.ndarray], hidden: np.ndarray | None = None) -> bytes:
    """An animated PNG of RGB frames; `hidden` is what a viewer shows that knows no animations."""

    def control(number: int, frame: np.ndarray) -> bytes:
        height, width = frame.shape[:2]
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 10, 0, 0))

    height, width = frames[0].shape[:2]
    parts = [SIGNATURE, header(width, height), chunk(b"acTL", struct.pack(">II", len(frames), 0))]
    number = 0
    if hidden is not None:
        parts.append(chunk(b"IDAT", zlib.compress(rows_of(hidden, 8))))
    for place, frame in enumerate(frames):
        parts.append(control(number, frame))
        number += 1
        data = zlib.compress(rows_of(frame, 8))
        if place == 0 and hidden is None:
            parts.append(chunk(b"IDAT", data))
        else:
            parts.append(chunk(b"fdAT", struct.pack(">I", number) + data))
            number += 1
    return b"".join([*parts, chunk(b"IEND", b"")])


def encoded(image: Image.Image | np.ndarray, kind: str, **how) -> bytes:
    """A file as PIL writes it."""
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, format=kind, **how)
    return file.getvalue()


def exif(orientation: int) -> bytes:
    """An EXIF note about how the camera was held."""
    note = Image.Exif()
    note[0x0112] = orientation
    return note.tobytes()


def with_segment(jpeg: bytes, marker: int, data: bytes, times: int = 1) -> bytes:
    """A JPEG with one more segment at its beginning, perhaps many times."""
    segment = bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data
    return jpeg[:2] + segment * times + jpeg[2:]


def many_scans(side: int, times: int) -> bytes:
    """A progressive JPEG whose last pass over the picture comes again and again."""
    whole = encoded(Image.new("L", (side, side), 90), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:-2] + whole[last:-2] * times + whole[-2:]


def claims(jpeg: bytes, width: int, height: int, depth: int = 8, marker: int = 0xC0) -> bytes:
    """A JPEG whose frame says another size, depth or kind."""
    place = next(at for frame in (b"\xff\xc0\0", b"\xff\xc2\0") if (at := jpeg.find(frame)) > 0)
    return jpeg[:place] + bytes([0xFF, marker, 0, 17, depth]) + struct.pack(">HH", height, width) + jpeg[place + 9 :]


def webp_claim(width: int, height: int) -> bytes:
    """A WebP file of a few bytes whose canvas is as large as that."""
    canvas = b"\x10\0\0\0" + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    parts = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + canvas
    inner = encoded(Image.new("RGB", (16, 16)), "WEBP", lossless=True)[12:]
    return b"RIFF" + struct.pack("<I", len(parts + inner)) + parts + inner


def huge_png(path: Path) -> Path:
    """A few hundred bytes that claim 13000 x 13000 pixels."""
    path.write_bytes(SIGNATURE + header(13000, 13000) + chunk(b"IDAT", zlib.compress(b"")))
    return path
