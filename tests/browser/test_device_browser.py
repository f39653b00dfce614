"""The switch "On my device" of the app: the visitor's browser explains a photograph as the server would."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import numpy as np
import pytest
from browser import (  # noqa: F401
    browser,
    expect,
    keep_picture,
    key,
    recomputed,
    requests,
    set_range,
    show_overview,
    tab,
    visit,
)
from browser import pytestmark as browser_marks
from image_bytes import encoded
from network_site import EXAMPLES, PACKAGE, exported_once, require_network_packages
from PIL import Image

from afa_viz.bundled import bundled_checkpoint
from afa_viz.ui.localization import texts
from afa_viz.ui.page.assets import TABS
from afa_viz.ui.server.app import build, serve
from afa_viz.ui.server.options import Options

pytestmark = [*browser_marks, pytest.mark.slow]
SWITCH = ".afa-device input"
FILE = "#afa-pick .afa-choose input"


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    require_network_packages()
    options = Options(
        checkpoints=(str(bundled_checkpoint()),), device="cpu", warm=False, offered=None,
        cache=tmp_path_factory.mktemp("cache"), onnxruntime_web=PACKAGE,
    )  # fmt: skip
    page = build(options)
    with exported_once():
        _, served, _ = serve(page, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
        yield served.rstrip("/") + "/"
        page.demo.close(verbose=False)


def photograph(name: str = "biased_041.png", size: tuple[int, int] = (201, 143)) -> bytes:
    return encoded(Image.open(EXAMPLES / name).convert("RGB").resize(size), "PNG")


def bring(page, data: bytes) -> None:
    page.locator(FILE).set_input_files({"name": "mine.png", "mimeType": "image/png", "buffer": data})


def drawn(page) -> dict[str, str]:
    """What the strip shows of every stage, as pixels."""
    return page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll(".afa-strip [data-stage]")]
             .map((e) => [e.dataset.stage, e.querySelector("canvas")?.toDataURL() ?? ""]))"""
    )


def apart(one: str, other: str) -> float:
    """Share of the pixels of two pictures that differ visibly."""
    first, second = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))).convert("RGB")).astype(int)
        for data in (one, other)
    )
    assert first.shape == second.shape
    return float((np.abs(first - second).max(axis=-1) > 12).mean())


def test_the_same_photograph_here_and_there_is_explained_alike(visit):  # noqa: F811
    page = visit()
    expect(page.locator(SWITCH)).not_to_be_checked()
    before = key(page)
    bring(page, photograph())
    recomputed(page, before)
    at_server, server_key = drawn(page), key(page)
    words = page.locator('[data-list="classes"]').inner_text()

    page.locator(SWITCH).check()
    asked_for = requests(page)
    bring(page, photograph())
    expect(page.locator(".afa-sending")).to_contain_text("WebAssembly", timeout=120_000)
    assert key(page).startswith("photo-") and key(page) != server_key
    assert not [url for url in asked_for if "/upload" in url or "queue/join" in url], "nothing is sent"
    here = drawn(page)
    assert set(here) == set(at_server) and any(here.values())
    for stage, picture in here.items():
        if picture and at_server[stage]:
            assert apart(picture, at_server[stage]) <= 0.01, stage
    assert page.locator('[data-list="classes"]').inner_text() == words
    keep_picture(page, "device_1440")

    bring_back = key(page)
    slider = page.locator("#afa-device-radius")
    page.locator(".afa-device-settings summary", has_text="andom walk").first.click()
    slider.fill("3")
    slider.dispatch_event("change")
    recomputed(page, bring_back)
    assert '"radius":3' in key(page)
    expect(page.locator("#afa-settings")).to_be_hidden()
    page.locator(".afa-device-settings .afa-reset").click()
    expect(page.locator(".afa")).to_have_attribute("data-key", bring_back)
    for name in TABS[1:]:
        tab(page, name)
        page.wait_for_timeout(200)
        assert texts()["gone"] not in page.locator(".afa-status").inner_text(), name
    expect(page.locator('[role=tabpanel][data-tab="lab"]')).to_contain_text("On my device")

    tab(page, "affinity")  # heads are moved here, too
    page.wait_for_selector('[data-for="weights"] [data-part="results"][data-state=ready]')
    set_range(page, '[data-for="weights"] [data-head="0"] input', 0)
    recomputed(page, bring_back)
    assert '"head_weights":"1:0"' in key(page)
    card = page.locator(".afa-photo-cards button")  # of the photograph that the server explained
    card.click()
    expect(page.locator(".afa")).to_have_attribute("data-key", server_key)
    page.locator(SWITCH).check()
    bring(page, photograph())
    expect(page.locator(".afa-device-settings")).to_be_visible(timeout=120_000)

    shown = key(page)
    page.locator("#afa-gallery .thumbnail-item").nth(1).click()  # the server explains again
    recomputed(page, shown)
    expect(page.locator("#afa-settings")).to_be_visible()
    expect(page.locator(".afa-device-settings")).to_be_hidden()
    page.locator(SWITCH).uncheck()


@pytest.mark.parametrize("language, theme", [("ko", "dark"), ("en", "light")])
def test_it_fits_a_phone_and_takes_labels_and_a_mask(visit, language, theme):  # noqa: F811
    page = visit(390, 844, theme, f"lang={language}")
    said = texts(language)
    expect(page.locator(".afa-device b")).to_have_text(said["side.on_device"])
    page.locator(SWITCH).check()
    before = key(page)
    bring(page, photograph("default_004.png", (120, 90)))
    done = said["site.own_done"].format(runtime="WebAssembly")
    expect(page.locator(".afa-sending")).to_have_text(done, timeout=120_000)
    recomputed(page, before)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    keep_picture(page, f"device_390_{theme}", full_page=True)
    first = key(page)
    page.locator(".afa-own-labels summary").click()
    page.locator(".afa-own-labels input[value='6']").check()
    recomputed(page, first)
    assert key(page).endswith(":6")
    page.locator(".afa-add-mask").click()
    dialog = page.locator("dialog.afa-mask")
    mask = np.zeros((90, 120), np.uint8)
    mask[30:60, 40:80] = 6
    dialog.locator("input[type=file]").set_input_files(
        {"name": "m.png", "mimeType": "image/png", "buffer": encoded(mask, "PNG")}
    )
    expect(dialog.locator(".afa-mask-values label")).to_have_count(2)
    before = key(page)
    dialog.locator('[data-mask="use"]').click()
    recomputed(page, before)
    show_overview(page)
    expect(page.locator('[data-stage="target"]')).to_be_visible()
    page.locator(".afa-add-mask").click()  # it opens with the mask that was given
    expect(dialog.locator(".afa-mask-values label")).to_have_count(2)
    dialog.locator('[data-mask="cancel"]').click()
    page.locator(SWITCH).uncheck()
