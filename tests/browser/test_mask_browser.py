"""A ground truth for one's own photograph: chosen, dropped beside it, or painted; then every score uses it."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from app_fixtures import scene
from browser import (  # noqa: F401  (fixtures)
    address,
    browser,
    expect,
    keep_picture,
    key,
    pytestmark,
    ready,
    recomputed,
    show_overview,
    tab,
    visit,
)
from image_bytes import encoded
from PIL import Image
from pointing import box_at_rest

from afa_viz.classes import SANDBOX_CLASSES

FILE = "#afa-pick input[type=file]"
SIZE = (96, 72)
SHAPE = np.zeros((SIZE[1], SIZE[0]), np.uint8)
SHAPE[20:50, 30:70] = 1
CAT, BIRD = SANDBOX_CLASSES.index("cat"), SANDBOX_CLASSES.index("bird")


def palette_png() -> bytes:
    image = Image.fromarray(SHAPE * CAT)
    image.putpalette([v for i in range(256) for v in (i, 255 - i, (37 * i) % 256)])
    return encoded(image, "PNG")


MASKS = {
    "palette": palette_png(),
    "index": encoded(SHAPE * CAT, "PNG"),
    "black and white": encoded(SHAPE * 255, "PNG"),
    "coloured": encoded(np.where(SHAPE[..., None], [200, 30, 90], [10, 60, 200]).astype(np.uint8), "PNG"),
    "twice the size": encoded(np.kron(SHAPE, np.full((2, 2), 255, np.uint8)), "PNG"),
}


def open_photograph(page) -> None:
    before = key(page)
    page.locator(FILE).set_input_files(
        {"name": "mine.png", "mimeType": "image/png", "buffer": encoded(scene(1)[0].resize(SIZE), "PNG")}
    )
    recomputed(page, before)


def sent_masks(page) -> None:
    """Keep what the page sends from now on."""
    page.evaluate(
        """() => {
          window.masks = [];
          const own = XMLHttpRequest.prototype.send;
          XMLHttpRequest.prototype.send = function (form) {
            const reader = new FileReader();
            reader.onload = () => window.masks.push(reader.result);
            reader.readAsDataURL(form.get("files"));
            own.call(this, form);
          };
        }"""
    )


def last_mask(page) -> np.ndarray:
    return np.asarray(
        Image.open(io.BytesIO(base64.b64decode(page.evaluate("window.masks.at(-1)").partition(",")[2]))).convert("L")
    )


@pytest.mark.parametrize("kind", MASKS)
def test_values_are_assigned_to_classes_and_every_score_uses_the_mask(visit, kind):  # noqa: F811
    page = visit()
    open_photograph(page)
    expect(page.locator('[data-stage="target"]')).to_be_hidden()
    sent_masks(page)
    page.get_by_role("button", name="Add a ground-truth mask").click()
    dialog = page.locator("dialog.afa-mask")
    dialog.locator("input[type=file]").set_input_files(
        {"name": "m.png", "mimeType": "image/png", "buffer": MASKS[kind]}
    )
    rows = dialog.locator(".afa-mask-values label")
    expect(rows).to_have_count(2)
    share = f"{100 * SHAPE.mean():.1f} %"
    own = rows.filter(has_text=share)
    expect(own).to_have_count(1)
    own.locator("select").select_option(label="cat")
    rows.filter(has_not_text=share).locator("select").select_option(label="background")
    before = key(page)
    keep_picture(page, f"mask_{kind.replace(' ', '_')}")
    dialog.get_by_role("button", name="Use this mask").click()
    recomputed(page, before)
    sent = last_mask(page)
    step = sent.shape[0] // SIZE[1]
    assert set(np.unique(sent)) == {0, CAT} and np.array_equal(sent[::step, ::step] == CAT, SHAPE == 1)
    expect(page.locator('[data-stage="target"]')).to_be_visible()
    expect(page.locator('[data-fill="story"]')).to_have_text("Your upload, with the ground truth that you have given.")
    expect(page.locator('[data-fill="labels"]').first).to_contain_text("cat")
    expect(page.locator('[data-stage="cam_par"], [data-stage="cam"]').first).to_contain_text("IoU")
    if kind == "palette":
        panel = tab(page, "seg")
        expect(page.locator(f"{panel} [data-view=errors]")).to_be_visible()
        panel = tab(page, "lab")
        expect(page.locator(f"{panel}")).not_to_contain_text(re.compile("no ground truth", re.IGNORECASE))


def test_a_mask_is_painted_and_kept_by_the_browser_tab(browser, address):  # noqa: F811
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(address)
    ready(page)
    open_photograph(page)
    sent_masks(page)
    page.get_by_role("button", name="Add a ground-truth mask").click()
    dialog = page.locator("dialog.afa-mask")
    dialog.locator('[data-mask="brush"]').select_option(label="bird")
    dialog.locator('[data-mask="size"]').fill("10")
    canvas = dialog.locator("canvas")
    box = box_at_rest(canvas)
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.5 * box["height"], steps=3)
    page.mouse.up()
    keep_picture(page, "mask_painted_390")
    before = key(page)
    dialog.get_by_role("button", name="Use this mask").click()
    recomputed(page, before)
    painted = last_mask(page)
    height, width = painted.shape
    assert set(np.unique(painted)) == {0, BIRD}
    assert (painted[height // 2, int(0.3 * width) : int(0.7 * width)] == BIRD).all()
    assert 0.1 < (painted == BIRD).mean() < 0.4 and painted[0, 0] == 0
    page.wait_for_function("JSON.parse(sessionStorage.getItem('afa-photo') ?? '{}').mask")
    page.wait_for_function(  # the address follows a moment later
        "new URLSearchParams(location.search).get('photo') === sessionStorage.getItem('afa-photo-mark')"
    )
    shown = key(page)
    page.evaluate(
        """() => {
          const read = window.createImageBitmap;
          window.createImageBitmap = async (...asked) => {
            await new Promise((done) => { setTimeout(done, 500); });
            return read(...asked);
          };
        }"""
    )
    page.get_by_role("button", name="Add a ground-truth mask").click()  # it opens with the mask that was given
    for name in ("Save the mask", "Use this mask"):  # there is none until it is read
        assert dialog.get_by_role("button", name=name).is_disabled()
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Save the mask").click()
    assert download.value.suggested_filename == "mask.png"
    saved = np.asarray(Image.open(download.value.path()).convert("L"))
    assert np.array_equal(saved, painted)
    dialog.get_by_role("button", name="Cancel").click()
    page.reload()
    ready(page)
    expect(page.locator(".afa")).to_have_attribute("data-key", shown)
    show_overview(page)
    expect(page.locator('[data-stage="target"]')).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_a_photograph_and_its_mask_are_dropped_together(visit):  # noqa: F811
    page = visit()
    before = key(page)
    files = [("mine.png", encoded(scene(1)[0].resize(SIZE), "PNG")), ("mine_mask.png", MASKS["black and white"])]
    page.evaluate(
        """(files) => {
          const data = new DataTransfer();
          for (const [name, letters] of files) {
            const bytes = Uint8Array.from(atob(letters), (c) => c.charCodeAt(0));
            data.items.add(new File([bytes], name, { type: "image/png" }));
          }
          const options = { dataTransfer: data, bubbles: true, cancelable: true };
          document.body.dispatchEvent(new DragEvent("drop", options));
        }""",
        [[name, base64.b64encode(content).decode()] for name, content in files],
    )
    recomputed(page, before)
    expect(page.locator("dialog.afa-mask .afa-mask-values label")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(page.locator("dialog.afa-mask")).to_be_hidden()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (encoded(SHAPE.T.copy(), "PNG"), "please choose a mask with the proportions of the photograph"),
        (encoded(np.random.default_rng(0).integers(0, 256, (72, 96, 3), dtype=np.uint8), "PNG"), "too many colours"),
        (b"no picture", "please save it as PNG"),
    ],
    ids=["shape", "photograph", "no picture"],
)
def test_what_is_no_mask_gets_a_sentence(visit, content, words):  # noqa: F811
    page = visit()
    open_photograph(page)
    page.get_by_role("button", name="Add a ground-truth mask").click()
    dialog = page.locator("dialog.afa-mask")
    dialog.locator("input[type=file]").set_input_files({"name": "m.png", "mimeType": "image/png", "buffer": content})
    expect(dialog.locator(".afa-mask-words")).to_contain_text(words)
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
