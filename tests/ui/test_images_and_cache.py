"""What comes in and what is kept: uploads as pictures, refusals, and the cache that makes a value once."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from app_fixtures import scene
from image_bytes import huge_png
from PIL import Image

from afa_viz.image_files import MAX_BYTES, MAX_MB
from afa_viz.ui.errors import UserError
from afa_viz.ui.sessions.cache import SingleFlightCache
from afa_viz.ui.sessions.examples import THUMBNAIL, Example
from afa_viz.ui.sessions.images import read_upload

# --- uploads ---------------------------------------------------------------------------------------------------------


def save(path: Path, image: Image.Image, **how) -> Path:
    image.save(path, **how)
    return path


def test_an_upload_is_upright_rgb_and_capped(tmp_path):
    image = Image.new("L", (3000, 1500), 90)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by 90 degrees
    picture = read_upload(save(tmp_path / "turned.jpg", image, exif=exif))
    assert picture.image.shape == (1024, 512, 3) and picture.image.dtype == np.uint8
    assert not picture.image.flags.writeable and picture.mask is None and picture.labels is None


def test_transparency_becomes_white_and_equal_pixels_equal_names(tmp_path):
    clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    one, two = (read_upload(save(tmp_path / name, clear)) for name in ("a.png", "b.webp"))
    assert (one.image == 255).all()
    assert one.sha == read_upload(save(tmp_path / "c.png", Image.new("RGB", (40, 40), "white"))).sha
    assert two.image.shape == (40, 40, 3)


def test_the_gallery_loads_small_pictures_and_a_broken_one_is_refused_later(tmp_path):
    def example(path: Path) -> Example:
        return Example("x", path, None, None, "X", "", "photograph")

    small = example(save(tmp_path / "a.png", Image.new("RGBA", (640, 320), (9, 9, 9, 255)))).thumbnail()
    assert small.size == (THUMBNAIL, THUMBNAIL // 2) and small.mode == "RGB"
    broken = tmp_path / "b.png"
    broken.write_bytes(b"no picture")
    assert example(broken).thumbnail().getextrema() == ((128, 128),) * 3  # no file that the gallery would publish
    with pytest.raises(UserError):
        example(broken).read()


def test_refusals_are_one_sentence_each(tmp_path):
    text = tmp_path / "a.png"
    text.write_text("<svg onload=alert(1)>")
    cut = save(tmp_path / "cut.png", scene(0)[0])
    cut.write_bytes(cut.read_bytes()[:2000])
    heavy = tmp_path / "heavy.png"
    heavy.write_bytes(b"\0" * (MAX_BYTES + 1))
    for path, words in {
        text: "of no known format",
        save(tmp_path / "icon.ico", Image.new("L", (64, 64))): "of no known format",
        huge_png(tmp_path / "bomb.png"): "13000 × 13000",
        save(tmp_path / "tiny.png", Image.new("RGB", (64, 9))): "at least 16",
        save(tmp_path / "long.png", Image.new("RGB", (1024, 32))): "at most 8 times",
        cut: "damaged",
        heavy: f"at most {MAX_MB} MB",
    }.items():
        with pytest.raises(UserError, match=words) as refused:
            read_upload(path)
        assert str(refused.value).count(".") == 1 and str(tmp_path) not in str(refused.value)


# --- cache -----------------------------------------------------------------------------------------------------------


def test_many_readers_make_a_value_once():
    cache: SingleFlightCache[str, int] = SingleFlightCache(100, len)
    made = []

    def slow() -> int:
        made.append(1)
        time.sleep(0.05)
        return 7

    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(cache.get("a", slow))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [7] * 8 and made == [1]


def test_an_error_reaches_the_reader_and_is_not_kept():
    cache: SingleFlightCache[str, int] = SingleFlightCache(100, len)
    with pytest.raises(ZeroDivisionError):
        cache.get("a", lambda: 1 // 0)
    assert cache.get("a", lambda: 3) == 3


def test_the_oldest_goes_first_and_bytes_are_bounded():
    cache: SingleFlightCache[str, str] = SingleFlightCache(6, lambda texts: sum(map(len, texts)))
    for key in "abc":
        cache.get(key, lambda: "xx")
    cache.get("a", lambda: "never made")
    cache.get("d", lambda: "xx")
    assert [key for key, _ in cache.items()] == ["d", "a", "c"]
    cache.get("e", lambda: "x" * 50)  # larger than all: kept alone, as somebody is looking at it
    assert [key for key, _ in cache.items()] == ["e"]
