"""Which image files are read: one place of limits and sentences for uploads, the command line and data sets."""

from __future__ import annotations

import io
import struct

import image_bytes as made
import numpy as np
import pytest
from image_bytes import encoded
from PIL import Image

from afa_viz import image_files
from afa_viz.data.file_index import IMAGE_EXTENSIONS
from afa_viz.image_files import FORMATS, MAX_BYTES, SENTENCES, ImageFileError, can_read, limits, open_image
from afa_viz.inputs import read_image, to_rgb
from afa_viz.jpeg_header import read_jpeg_header
from afa_viz.ui.localization import texts

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def test_the_page_says_the_same_sentences():
    assert {key: texts()[f"refused.{key}"] for key in SENTENCES} == SENTENCES


def test_data_sets_and_the_file_chooser_take_what_is_read():
    assert {".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff", ".heic"} <= set(
        IMAGE_EXTENSIONS
    )
    accepted = limits()["accept"].split(",")
    assert {".avif", "image/png"} <= set(accepted)
    assert (".heic" in accepted) == can_read(image_files.HEIC)  # elsewhere phones turn them into JPEG for the page
    assert limits()["megapixels"]["JPEG"] == 100 and limits()["mb"] == 40


def scan(channels: int) -> bytes:
    return b"\xff\xda" + struct.pack(">H", 6 + 2 * channels) + bytes([channels]) + bytes(2 * channels + 3) + b"\x12\x34"


def frame(marker: int, channels: int) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">HBHHB", 8 + 3 * channels, 8, 90, 90, channels) + bytes(3 * channels)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (frame(0xC0, 3) + scan(3), (3, 1, False)),
        (frame(0xC1, 1) + scan(1), (1, 1, False)),
        (frame(0xC0, 3) + 3 * scan(1), (3, 3, True)),  # baseline, one channel after the other
        (frame(0xC2, 4) + scan(4) + 5 * scan(1), (4, 6, True)),
        (frame(0xC0, 3) + scan(3) + b"\xff\xd9" + frame(0xC2, 3) + scan(1), (3, 1, False)),  # a film behind the end
        (b"\xff\xe1\0\x08" + frame(0xC2, 3)[:6] + frame(0xC0, 3) + scan(3), (3, 1, False)),  # a thumbnail in a note
        (b"\xff\xfe\0\x02" * 60_000, (0, 101, False)),
        (b"", (0, 0, False)),
    ],
)
def test_the_header_of_a_jpeg_tells_its_passes(tmp_path, content, expected):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xd8" + content)
    with path.open("rb") as file:
        header = read_jpeg_header(file, 100)
    assert (header.components, header.scans, header.is_multi_scan) == expected


def sentence(path) -> str:
    """What `read_image`, and with it the command line and data sets, say of a file; the file is named first."""
    with pytest.raises(ImageFileError) as refused, open_image(path):
        pass
    with pytest.raises(ValueError, match=path.name) as same:
        read_image(path)
    assert str(same.value).endswith(str(refused.value))
    return str(refused.value)


def test_the_command_line_has_the_limits_of_uploads(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    path.write_bytes(bytes(MAX_BYTES + 1))
    assert sentence(path) == "This file has 41 MB; please choose one of at most 40 MB."
    path.write_bytes(made.claims(encoded(PICTURE, "JPEG"), 10100, 10000))
    assert sentence(path).startswith("This JPEG image has 10100 × 10000 pixels; please choose one of at most 100 ")
    path.write_bytes(made.claims(encoded(PICTURE, "JPEG", progressive=True), 8200, 5000, marker=0xC2))
    assert "save it as a baseline JPEG" in sentence(path)
    path.write_bytes(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(200))
    if not can_read(image_files.HEIC):
        assert "HEIC" in sentence(path) and "export this one as JPEG" in sentence(path)
    path.write_bytes(encoded(PICTURE, "AVIF"))
    monkeypatch.setattr(image_files, "find_spec", lambda name: None)
    assert "AVIF" in sentence(path) and "save this one as JPEG or PNG" in sentence(path)


@pytest.mark.parametrize("known", [known for known in FORMATS if can_read(known)], ids=lambda known: known.name)
def test_every_format_is_read(tmp_path, known):
    if known is image_files.HEIC:
        import pillow_heif

        pillow_heif.register_heif_opener()
    path = tmp_path / "photograph"  # without an ending: the content tells
    path.write_bytes(encoded(np.full((48, 64, 3), 200, np.uint8), known.pillow[0]))
    assert np.abs(read_image(path).astype(int) - 200).max() <= 4


def test_a_large_image_is_made_smaller_as_if_at_once():
    """Band by band: means over blocks, on white where it is transparent."""
    rows = np.linspace(0, 255, 700)[:, None, None]
    pixels = np.broadcast_to(rows, (700, 900, 4)).astype(np.uint8).copy()
    pixels[:, 450:, 3] = 0
    whole = to_rgb(Image.fromarray(pixels, "RGBA"))
    small = to_rgb(Image.fromarray(pixels, "RGBA"), long_side=90)
    assert small.shape == (70, 90, 3)
    expected = whole.reshape(70, 10, 90, 10, 3).mean((1, 3))
    assert np.abs(small - expected)[:, 2:-2].mean() < 2 and small[:, 60:].min() == 255


def test_a_huge_jpeg_may_be_decoded_at_a_half(tmp_path):
    path = tmp_path / "wide.jpg"
    file = io.BytesIO()
    Image.new("RGB", (8400, 600), "red").save(file, "JPEG")
    path.write_bytes(file.getvalue())
    assert read_image(path, may_reduce=True).shape == (300, 4200, 3) and read_image(path).shape == (600, 8400, 3)
