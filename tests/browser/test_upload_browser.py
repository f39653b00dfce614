"""Photographs as people have them, in Chromium: chosen, dropped, pasted; large, turned, in every format, on a phone."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from app_fixtures import scene
from browser import address, browser, expect, keep_picture, key, phone, pytestmark, recomputed, show_overview, visit  # noqa: F401
from image_bytes import encoded, exif
from PIL import Image

from afa_viz.image_files import MAX_MB, SENTENCES
from afa_viz.ui.sessions.images import LONG_SIDE

FILE = "#afa-pick input[type=file]"
SENDING = ".afa-sending"
GIVE = """([letters, name, type, how, more]) => {
  const bytes = Uint8Array.from(atob(letters), (c) => c.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], name, { type }));
  const target = document.querySelector(".afa canvas");
  if (how === "paste") {
    target.dispatchEvent(new ClipboardEvent("paste", { clipboardData: files, bubbles: true, cancelable: true }));
    return true;
  }
  const options = { dataTransfer: files, bubbles: true, cancelable: true };
  const drag = (kind) => target.dispatchEvent(new DragEvent(kind, options));
  const taken = !drag("dragover");
  window.hint = document.querySelector(".afa-drop")?.checkVisibility();
  drag("drop");
  return taken;
}"""


def give(page, content: bytes, name: str, how: str) -> None:
    """Drop a file onto the image, or paste it."""
    taken = page.evaluate(GIVE, [base64.b64encode(content).decode(), name, "", how])
    assert taken, "the browser would open the file itself"


def shown_size(page) -> tuple[int, int]:
    """(width, height) of the photograph that was sent: the server keeps it at most at `LONG_SIDE`."""
    words = page.locator('[data-fill="grid"]').inner_text()
    width, height = re.search(r"(\d+) × (\d+) pixels", words).groups()
    return int(width), int(height)


def watch_uploads(page) -> None:
    """Note the bytes of every upload from now on."""
    page.evaluate(
        """() => {
          window.sent = [];
          const own = XMLHttpRequest.prototype.send;
          XMLHttpRequest.prototype.send = function (form) {
            window.sent.push(form.get("files").size);
            own.call(this, form);
          };
        }"""
    )


def sent(page) -> list[int]:
    return page.evaluate("window.sent")


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_a_photograph_is_dropped_onto_the_image_or_pasted(visit, how):  # noqa: F811
    page = visit()
    before = key(page)
    give(page, encoded(scene(1)[0].resize((96, 64)), "PNG"), "mine.png", how)
    recomputed(page, before)
    expect(page.get_by_role("heading", name="Your photograph")).to_be_visible()
    assert shown_size(page) == (96, 64)
    expect(page.locator(SENDING)).to_be_hidden()
    if how == "drop":
        assert page.evaluate("window.hint"), "the page shows that it takes the file"
        expect(page.locator(".afa-drop")).to_be_hidden()


@pytest.mark.parametrize("how", ["text", "link"])
def test_what_is_no_file_gets_a_sentence_or_is_left_alone(visit, how):  # noqa: F811
    page = visit()
    page.evaluate(
        """(how) => {
          const data = new DataTransfer();
          data.setData(how === "link" ? "text/uri-list" : "text/plain", "http://example.org/a.png");
          for (const kind of ["dragover", "drop"]) {
            document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
          }
          document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
        }""",
        how,
    )
    if how == "link":
        expect(page.locator(SENDING)).to_contain_text("There is no image file")
    else:
        expect(page.locator(SENDING)).to_be_hidden()


@pytest.fixture(scope="module")
def phone_photograph(tmp_path_factory) -> Path:
    """48 megapixels, held upright: stored lying, with a note how to turn it; red above, blue below."""
    path = tmp_path_factory.mktemp("phone") / "IMG_0001.jpg"
    upright = Image.new("RGB", (6048, 8064), "blue")
    upright.paste("red", (0, 0, 6048, 4032))
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), dtype=np.uint8))
    upright.paste(noise, (0, 0))  # more than is sent as it is
    upright.transpose(Image.Transpose.ROTATE_90).save(path, quality=90, exif=exif(6))
    assert path.stat().st_size > 2**20
    return path


@pytest.mark.parametrize("width", [1440, 390])
def test_a_photograph_of_48_megapixels_arrives_small_and_upright(visit, phone_photograph, width):  # noqa: F811
    page = visit(width=width, height=844)
    watch_uploads(page)
    before = key(page)
    page.locator(FILE).set_input_files(phone_photograph)
    expect(page.locator(".afa")).not_to_have_attribute("data-key", before, timeout=60_000)
    recomputed(page, before)
    shown = shown_size(page)
    assert shown[1] > shown[0], "upright"
    show_overview(page)
    top, bottom = page.locator('[data-stage="image"] canvas').first.evaluate(
        """(canvas) => {
             const copy = new OffscreenCanvas(1, 10).getContext("2d");
             copy.drawImage(canvas, 0, 0, 1, 10);
             const { data } = copy.getImageData(0, 0, 1, 10);
             return [2, 7].map((row) => [...data.slice(4 * row, 4 * row + 3)]);
           }"""
    )
    assert top[0] > top[2] + 50 and bottom[2] > bottom[0] + 50, "red above, blue below"
    (size,) = sent(page)
    assert size < 2**20 < phone_photograph.stat().st_size
    kept = json.loads(page.evaluate("sessionStorage.getItem('afa-photo')"))
    assert max(Image.open(_stream(kept["text"])).size) == LONG_SIDE
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    keep_picture(page, f"upload_{width}")


def _stream(address_: str):
    return io.BytesIO(base64.b64decode(address_.partition(",")[2]))


def test_a_small_file_is_sent_as_it_is(visit, tmp_path):  # noqa: F811
    page = visit()
    path = tmp_path / "mine.png"
    scene(1)[0].resize((120, 90)).save(path)
    watch_uploads(page)
    before = key(page)
    page.locator(FILE).set_input_files(path)
    recomputed(page, before)
    assert shown_size(page) == (96, 72) or shown_size(page) == (120, 90)
    assert sent(page) == [path.stat().st_size], "not made smaller or larger"


FORMATS = [
    ("photo.avif", "AVIF"),
    ("photo.gif", "GIF"),
    ("photo.bmp", "BMP"),
    ("photo.tiff", "TIFF"),
    ("photo", "WEBP"),
]


@pytest.mark.parametrize(("name", "kind"), FORMATS, ids=[kind for _, kind in FORMATS])
def test_formats_of_photographs(visit, name, kind):  # noqa: F811
    page = visit()
    before = key(page)
    give(page, encoded(scene(2)[0].resize((96, 64)), kind), name, "drop")
    recomputed(page, before)
    assert shown_size(page) == (96, 64)


def test_a_large_file_that_the_browser_cannot_decode_is_sent_with_progress(visit, tmp_path):  # noqa: F811
    page = visit()
    page.evaluate(
        """() => {
          window.seen = [];
          const bar = document.querySelector(".afa-sending");
          new MutationObserver(() => window.seen.push(bar.innerText)).observe(bar, { subtree: true, childList: true });
        }"""
    )
    page.context.new_cdp_session(page).send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 3 * 2**20},
    )
    noise = np.random.default_rng(0).integers(0, 256, (1100, 1100, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "scan.tif")
    before = key(page)
    page.locator(FILE).set_input_files(tmp_path / "scan.tif")
    recomputed(page, before)
    shares = [int(found[1]) for words in page.evaluate("window.seen") if (found := re.search(r": (\d+)\s%", words))]
    assert shares == sorted(shares) and len(set(shares)) > 2 and shares[-1] == 100, shares
    expect(page.locator(SENDING)).to_be_hidden()


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)


@pytest.mark.parametrize("width", [1440, 390])
def test_an_heic_photograph_says_how_phones_export_jpeg(visit, width):  # noqa: F811

    page = visit(width=width)
    give(page, HEIC, "IMG_0002.HEIC", "drop")
    words = page.get_by_text(re.compile("please export this one as JPEG|damaged"))
    expect(words.first).to_be_visible()
    keep_picture(page, f"heic_{width}")
    expect(page.get_by_role("heading", name="Scene 0")).to_be_visible()  # nothing else has changed


def test_a_file_beyond_the_limit_is_not_sent(visit, tmp_path):  # noqa: F811
    page = visit()
    watch_uploads(page)
    (tmp_path / "large.jpg").write_bytes(bytes(MAX_MB * 2**20 + 1))
    page.locator(FILE).set_input_files(tmp_path / "large.jpg")
    expect(page.locator(SENDING)).to_have_text(SENTENCES["file_size"].format(size=MAX_MB + 1, most=MAX_MB))
    assert not sent(page)
    page.get_by_role("button", name="Thumbnail 2").click()
    expect(page.locator(SENDING)).to_be_hidden()


def test_the_limits_are_said_and_the_camera_is_offered_on_a_phone(phone):  # noqa: F811
    page = phone()
    expect(page.locator(".afa-upload small")).to_contain_text(f"up to {MAX_MB} MB, JPEG up to 100 megapixels")
    camera = page.get_by_role("button", name="Take a photograph")
    expect(camera).to_be_visible()
    assert camera.bounding_box()["height"] >= 44
    with page.expect_file_chooser() as chooser:
        camera.click()
    before = key(page)
    chooser.value.set_files({"name": "a.png", "mimeType": "image/png", "buffer": encoded(scene(2)[0], "PNG")})
    recomputed(page, before)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    keep_picture(page, "upload_phone")
