"""Save and share in a browser: pictures, files, the program and the address of what is shown."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from browser import Page, address, browser, expect, keep_picture, key, pytestmark, recomputed, tab, visit  # noqa: F401  (fixtures)
from PIL import Image

from afa_viz.trace import Trace


def choose(page: Page, name: str) -> None:
    """Open the menu and press one of its buttons."""
    menu = page.locator(".afa-share")
    if not menu.evaluate("(menu) => menu.open"):
        menu.locator("summary").click()
    menu.get_by_role("button", name=name).click()


def saved(page: Page, name: str) -> tuple[str, bytes]:
    """The file that a button of the menu gives: its name and content."""
    with page.expect_download() as download:
        choose(page, name)
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


@pytest.mark.parametrize("width, theme", [(1440, "light"), (390, "dark")])
def test_the_menu_fits_and_closes(visit, width, theme):  # noqa: F811
    page = visit(width, 844, theme)
    page.locator(".afa-share summary").click()
    box = page.locator(".afa-share > div").bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for button in page.locator(".afa-share button").all():
        size = button.bounding_box()
        assert size and size["height"] >= 24
    keep_picture(page, f"share_{width}_{theme}")
    page.keyboard.press("Escape")
    expect(page.locator(".afa-share > div")).to_be_hidden()
    page.locator(".afa-share summary").press("Enter")
    expect(page.locator(".afa-share > div")).to_be_visible()
    page.locator(".afa-story h2").click()
    expect(page.locator(".afa-share > div")).to_be_hidden()


def test_the_open_tab_is_saved_as_it_is_seen(visit):  # noqa: F811
    page = visit()
    for name in ("walk", "par", "regions", "seg"):
        is_saved_as_it_is_seen(page, name)


def is_saved_as_it_is_seen(page: Page, name: str) -> None:
    panel = tab(page, name)
    figures = page.locator(f"{panel} figure canvas[role=img]:visible")
    expect(figures.first).to_be_visible()
    file, content = saved(page, "Image of this tab")
    assert file == f"afa-viz-{name}.png"
    picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert picture.shape[1] >= 700 and (picture[:3] == picture[0, 0]).all()  # a margin around
    assert len(np.unique(picture[30:60].reshape(-1, 3), axis=0)) > 3  # the title is written
    letters = figures.first.evaluate("(canvas) => canvas.toDataURL()").partition(",")[2]
    shown = Image.open(io.BytesIO(base64.b64decode(letters))).convert("RGB")

    def coarse(image: Image.Image) -> np.ndarray:
        return np.asarray(image.resize((36, 36), Image.Resampling.BOX)).astype(float)

    apart = [np.abs(coarse(Image.fromarray(picture[y : y + 360, 24:384])) - coarse(shown)) for y in range(90, 160)]
    assert min(gap.mean() for gap in apart) < 4, name  # the first figure lies there, whatever the height of its caption


def test_files_of_the_server(visit, tmp_path):  # noqa: F811
    page = visit()
    name, content = saved(page, "Image of the pipeline")
    assert name == "afa-viz.png" and Image.open(io.BytesIO(content)).width > 800
    name, content = saved(page, "Data")
    path = tmp_path / "afa-viz.npz"
    path.write_bytes(content)
    assert name == "afa-viz.npz" and Trace.load(path).present == (2, 6)
    name, content = saved(page, "Report")
    assert name == "afa-viz.html" and b"<html" in content[:300]


def test_the_program_and_the_link_are_copied(visit, address):  # noqa: F811
    page = visit()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address.rstrip("/"))
    tab(page, "regions")
    choose(page, "Copy as Python")
    expect(page.locator(".afa-status")).to_contain_text("Program copied")
    code = page.evaluate("navigator.clipboard.readText()")
    assert "stages.regions(trace)" in code and "labels=['bird', 'cat']" in code
    compile(code, "copied", "exec")

    before = key(page)
    page.locator("#afa-bkg_score_low input[type=number]").fill("0.2")
    recomputed(page, before)
    choose(page, "Copy link")
    expect(page.locator(".afa-status")).to_contain_text("Link copied")
    link = page.evaluate("navigator.clipboard.readText()")
    assert all(part in link for part in ("example=scene0", "tab=regions", "bkg_score_low=0.2", "class="))
    again = visit(query=link.partition("?")[2])
    again.wait_for_function("(key) => document.querySelector('.afa').dataset.key === key", arg=key(page))
    expect(again.get_by_role("tabpanel")).to_have_attribute("data-tab", "regions")
    expect(again.locator("#afa-bkg_score_low input[type=number]")).to_have_value("0.2")


def test_without_a_clipboard_the_program_is_shown(visit):  # noqa: F811
    page = visit()
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    choose(page, "Copy as Python")
    area = page.locator(".afa-code textarea")
    expect(area).to_be_focused()
    assert "import afa_viz" in area.input_value()
    page.get_by_role("button", name="Close").click()
    expect(area).to_be_hidden()


def test_an_upload_has_no_link_and_says_so(visit, tmp_path):  # noqa: F811
    page = visit()
    Image.new("RGB", (120, 90), (90, 120, 60)).save(tmp_path / "mine.png")
    before = key(page)
    page.locator("#afa-pick input[type=file]").set_input_files(tmp_path / "mine.png")
    recomputed(page, before)
    choose(page, "Copy link")
    expect(page.locator(".afa-status")).to_contain_text("Your photograph stays in this browser tab")


def test_a_tab_without_pictures_says_so(visit):  # noqa: F811
    page = visit()
    tab(page, "train")  # training is off here, so that it has no chart either
    choose(page, "Image of this tab")
    expect(page.locator(".afa-status")).to_contain_text("has no image to save")
