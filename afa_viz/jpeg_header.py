"""What the markers of a JPEG file say before it is decoded: its channels and its passes."""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from typing import IO

MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])", re.DOTALL)  # pixel data contains only 00 and D0 to D7
ALONE = (b"\x01", b"\xd8")  # markers that no length follows
END, SCAN = b"\xd9", b"\xda"
FRAMES = tuple(bytes([code]) for code in range(0xC0, 0xD0) if code not in (0xC4, 0xC8, 0xCC))
PROGRESSIVE = (b"\xc2", b"\xc6", b"\xca", b"\xce")
MAX_SEGMENTS = 50_000  # a file of more, which nobody writes, counts as one of too many passes


@dataclass(frozen=True)
class JpegHeader:
    """Facts of a JPEG file.

    Attributes:
        components: channels.
        scans: passes over the image; counting stops one above what was asked for.
        is_multi_scan: whether a decoder has to hold all coefficients: the image is progressive, or its channels come
            one after the other.
    """

    components: int
    scans: int
    is_multi_scan: bool


def read_jpeg_header(file: IO[bytes], max_scans: int) -> JpegHeader:
    """Read the markers of a JPEG file on the disk; its position stays.

    Args:
        max_scans: counting stops one above it.
    """
    components, scans, is_multi_scan, position = 0, 0, False, 2
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for _ in range(MAX_SEGMENTS):
            found = MARKER.search(data, position)
            if scans > max_scans or not found or found[1] == END:
                return JpegHeader(components, scans, is_multi_scan)
            marker, position = found[1], found.end()
            if marker in ALONE:
                continue
            segment = data[position : position + 8]  # length, then of a frame: depth, height, width, channels
            if marker in FRAMES and not components and len(segment) == 8:
                components, is_multi_scan = segment[7], marker in PROGRESSIVE
            if marker == SCAN:
                is_multi_scan |= scans == 0 and len(segment) > 2 and segment[2] < components
                scans += 1
            position += int.from_bytes(segment[:2], "big")
    return JpegHeader(components, max_scans + 1, is_multi_scan)
