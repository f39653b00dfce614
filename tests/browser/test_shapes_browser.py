"""Pictures of any shape and letters of any size: the page stays usable."""

from __future__ import annotations

import pytest
from app_fixtures import scene
from browser import address, browser, key, pytestmark, recomputed, tab, visit  # noqa: F401  (fixtures)

TALLEST = 530  # pixels of a large map
STRIP = 300  # pixels of the whole strip, two rows of pictures, on a wide window


@pytest.mark.parametrize("size", [(80, 480), (480, 80)], ids=["tall", "wide"])
def test_an_extreme_shape_leaves_the_page_usable(visit, tmp_path, size):  # noqa: F811
    scene(0)[0].resize(size).save(tmp_path / "upload.png")
    page = visit()
    before = key(page)
    page.locator("#afa-pick input[type=file]").set_input_files(tmp_path / "upload.png")
    recomputed(page, before)
    strip = page.locator(".afa-strip").bounding_box()
    assert strip and strip["height"] < STRIP
    for name in ("cam", "attention", "walk", "regions"):
        for canvas in page.locator(f"{tab(page, name)} figure canvas[role=img]:visible").all():
            box = canvas.bounding_box()
            assert box and 0 < box["height"] < TALLEST, (name, box)
            assert canvas.evaluate("c => Math.abs(c.width / c.height - c.clientWidth / c.clientHeight)") < 0.1 * max(
                size[0] / size[1], 1
            ), name  # not squeezed


def test_letters_of_twice_the_size_do_not_overlap(visit):  # noqa: F811
    page = visit()
    page.add_style_tag(content="html { font-size: 200% !important } .afa { font-size: 28px !important }")
    page.wait_for_function("document.querySelector('.afa-caption').getBoundingClientRect().height > 20")
    over = page.evaluate(
        """() => [...document.querySelectorAll(".afa-arrow, .afa-stage [data-open], .afa-step input")]
             .filter((e) => e.clientWidth && e.scrollWidth > e.clientWidth + 1).map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert over == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
