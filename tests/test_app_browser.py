"""The page in a real browser. Console errors, failed requests and requests to other hosts fail every test."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from app_fixtures import launched, prepare, scene

from afa_viz.ui.panels import PANELS

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
SCREENSHOTS = Path(__file__).parents[1] / "screenshots"
HOW = "install it with `pip install playwright` and `apt-get install chromium` (or name a Chromium in $CHROMIUM)"

try:
    from playwright.sync_api import Page, expect, sync_playwright

    missing = "" if CHROMIUM.exists() else f"there is no Chromium at {CHROMIUM}; {HOW}"
except ImportError:
    missing = f"playwright is missing; {HOW}"
if missing and "CI" in os.environ:
    raise RuntimeError(missing)
pytestmark = [
    pytest.mark.skipif(bool(missing), reason=missing),
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),  # an option that gradio sets in pandas
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # event loops that the server leaves to the collector
]

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
AFFINITY = '[data-panel="affinity"] > canvas'


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    if missing:
        pytest.skip(missing)
    with launched(prepare(tmp_path_factory.mktemp("page"))) as served:
        yield served


@pytest.fixture(scope="module")
def browser(address):
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, address):
    """Open the page; at the end nothing may have gone wrong behind it."""
    troubles: list[str] = []
    contexts = []

    def go(width: int = 1440, height: int = 900, theme: str = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: troubles.append(f"console: {m.text}") if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: troubles.append(f"page: {error}"))
        page.on("requestfailed", lambda r: troubles.append(f"failed: {r.url} {r.failure}"))
        page.on("response", lambda r: troubles.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
        page.on(
            "request",
            lambda r: None if r.url.startswith((address, "data:", "blob:")) else troubles.append(f"foreign: {r.url}"),
        )
        page.goto(f"{address}?__theme={theme}")
        ready(page)
        return page

    yield go
    # An event stream is cut when its page closes; whatever failed before counts.
    found = [text for text in troubles if "ERR_ABORTED" not in text]
    for context in contexts:
        context.close()
    assert not found


def ready(page: Page) -> None:
    expect(page.locator(".afa")).to_have_attribute("data-state", "ready", timeout=20_000)


def key(page: Page) -> str:
    return page.locator(".afa").get_attribute("data-key") or ""


def pixels(page: Page, canvas: str) -> str:
    """A fingerprint of what a canvas shows."""
    return page.locator(canvas).first.evaluate("canvas => canvas.toDataURL()")


def changes(page: Page, canvas: str, before: str) -> None:
    """Wait until a canvas shows something else."""
    page.wait_for_function(
        "([selector, before]) => document.querySelector(selector).toDataURL() !== before", arg=[canvas, before]
    )


def recomputed(page: Page, before: str) -> None:
    """Wait until the page shows another explanation."""
    expect(page.locator(".afa")).not_to_have_attribute("data-key", before, timeout=15_000)


def requests(page: Page) -> list[str]:
    """Everything that the page asks for from now on."""
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    return seen


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width, height", [(1440, 900), (390, 844)])
def test_opens_with_an_example_explained(visit, width, height, theme):
    page = visit(width, height, theme)
    expect(page.get_by_role("heading", name="Scene 0")).to_be_visible()
    expect(page.locator(".afa-status")).to_contain_text("affinity above ½ with")
    for name in (panel.key for panel in PANELS if panel.kind != "wide"):
        canvas = page.locator(f'[data-panel="{name}"] > canvas')
        expect(canvas).to_be_visible()
        colours = canvas.evaluate(
            "c => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size"
        )
        assert colours > 20, name
    expect(page.locator(".afa-heads button")).to_have_count(9)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    small = page.evaluate(
        """[...document.querySelectorAll(".afa button, .afa select, .afa input, .afa summary")].filter((e) => {
             const box = (e.closest("label") ?? e).getBoundingClientRect();
             return box.width && (box.width < 24 || box.height < 24);
           }).map((e) => e.outerHTML)"""
    )
    assert not small
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"page_{width}_{theme}.png", full_page=True)
    if width == 1440:  # between a laptop and a phone
        page.set_viewport_size({"width": 1024, "height": 768})
        page.wait_for_function("matchMedia('(width: 1024px)').matches")
        assert page.evaluate("document.documentElement.scrollWidth") <= 1024
        page.screenshot(path=SCREENSHOTS / f"page_1024_{theme}.png", full_page=True)


def test_the_pointer_asks_the_server_for_nothing(visit):
    page = visit()
    expect(page.locator('[data-do="play"]')).to_be_enabled()
    canvas = page.locator('[data-panel="cam"] > canvas')
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    before, seen = pixels(page, AFFINITY), requests(page)
    heads = pixels(page, ".afa-heads canvas")
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    changes(page, AFFINITY, before)
    assert pixels(page, ".afa-heads canvas") != heads
    expect(page.locator(".afa-status")).to_contain_text("row 1, column 1:")
    before = pixels(page, AFFINITY)
    for step in range(6):
        page.mouse.move(box["x"] + box["width"] * (step + 0.5) / 6, box["y"] + box["height"] - 5)
    expect(page.locator(".afa-status")).to_contain_text("row 6, column 6:")
    changes(page, AFFINITY, before)
    page.mouse.click(box["x"] + 5, box["y"] + 5)
    page.mouse.move(5, 5)
    expect(page.locator(".afa-status")).to_contain_text("row 1, column 1, pinned")
    assert seen == []


def test_redrawing_a_cell_is_fast(visit):
    page = visit()
    page.locator(".afa-panels").focus()
    longest = page.evaluate(
        """async () => {
             const panels = document.querySelector(".afa-panels");
             const frame = () => new Promise(requestAnimationFrame);
             const times = [];
             for (let i = 0; i < 20; i++) {
               panels.dispatchEvent(new KeyboardEvent("keydown", {key: i % 2 ? "ArrowLeft" : "ArrowRight"}));
               const start = performance.now();
               await frame();
               await 0;
               times.push(performance.now() - start);
             }
             return times.sort((a, b) => a - b)[10];
           }"""
    )
    assert longest < 100  # the target is one frame; a test machine may be busy


def test_the_keyboard_reaches_everything(visit):
    page = visit()
    status = page.locator(".afa-status")
    page.locator(".afa-panels").focus()
    page.keyboard.press("Escape")
    for _ in range(6):
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowLeft")
    expect(status).to_contain_text("row 1, column 1:")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(status).to_contain_text("row 2, column 1, pinned")
    page.keyboard.press("]")
    expect(status).to_contain_text("head 2")
    expect(page.locator('.afa-heads button[aria-pressed="true"]')).to_have_text(re.compile(r"^2"))
    page.keyboard.press("[")
    page.keyboard.press("[")
    expect(status).to_contain_text("mean attention")
    page.keyboard.press("?")
    expect(page.locator(".afa-keys table")).to_be_visible()
    page.keyboard.press("Escape")
    expect(status).not_to_contain_text("pinned")
    expect(page.locator(".afa-aloud")).to_contain_text("Cell in row")


def test_class_block_head_and_iteration(visit):
    page = visit()
    expect(page.locator('[data-do="play"]')).to_be_enabled()
    before = pixels(page, '[data-panel="cam"] > canvas')
    page.get_by_role("button", name="bird", exact=True).click()
    changes(page, '[data-panel="cam"] > canvas', before)
    expect(page.get_by_role("button", name="bird", exact=True)).to_have_attribute("aria-pressed", "true")
    before = pixels(page, '[data-panel="attention"] > canvas')
    page.locator(".afa-heads button").nth(5).click()
    changes(page, '[data-panel="attention"] > canvas', before)
    page.locator('[data-do="block"]').select_option("0")
    expect(page.locator(".afa-heads button")).to_have_count(2)
    before = pixels(page, '[data-panel="cam_par"] > canvas')
    page.locator('[data-do="iteration"]').fill("0")
    expect(page.locator('[data-fill="iteration"]')).to_have_text("0 of 10")
    changes(page, '[data-panel="cam_par"] > canvas', before)
    page.locator('[data-do="play"]').click()
    expect(page.locator('[data-fill="iteration"]')).to_have_text("10 of 10")


def test_settings_change_what_lies_below(visit):
    page = visit()
    for change in (
        lambda: page.locator("#afa-bkg_score_low input[type=number]").fill("0.1"),
        lambda: page.locator("#afa-bkg_score_low input[type=range]").press("ArrowRight"),
        lambda: page.get_by_role("checkbox", name="random walk").check(),
        lambda: page.get_by_role("checkbox", name="symmetry of the affinity").check(),
    ):
        before = key(page)
        change()
        recomputed(page, before)
    expect(page.locator('[data-panel="cam_rw"] h3')).to_contain_text("No walk")
    expect(page.locator('[data-panel="affinity"] h3')).to_contain_text("Unsymmetric")
    before = key(page)
    page.get_by_role("button", name="Published settings").click()
    recomputed(page, before)
    expect(page.locator('[data-panel="cam_rw"] h3')).to_contain_text("Random walk")
    expect(page.locator("#afa-bkg_score_low input[type=number]")).to_have_value("0.35")


def test_another_example_and_a_photograph_of_ones_own(visit, tmp_path):
    page = visit()
    page.get_by_role("button", name="Thumbnail 3").click()
    expect(page.get_by_role("heading", name="A photograph")).to_be_visible()
    expect(page.locator(".afa-domain")).to_have_text("photograph, outside the training world")
    expect(page.locator('[data-panel="target"]')).to_be_hidden()
    expect(page.locator('[data-panel="ladder"]')).to_contain_text("nothing to score")
    scene(1)[0].resize((200, 120)).save(tmp_path / "mine.jpg")
    page.locator("#afa-pick input[type=file]").set_input_files(tmp_path / "mine.jpg")
    expect(page.get_by_role("heading", name="Your photograph")).to_be_visible(timeout=15_000)
    expect(page.locator('[data-panel="image"]')).to_contain_text("96 × 58 pixels, 6 × 4 cells")
    (tmp_path / "fake.png").write_text("no picture")
    page.locator("#afa-pick input[type=file]").set_input_files(tmp_path / "fake.png")
    expect(page.get_by_text("not a PNG, JPEG or WebP picture")).to_be_visible()
    expect(page.get_by_role("heading", name="Your photograph")).to_be_visible()


def test_files_can_be_downloaded(visit):
    page = visit()
    for name, suffix in (("↓ Report", ".html"), ("↓ Data", ".npz")):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        assert download.value.suggested_filename == f"afa-viz{suffix}"
        assert Path(download.value.path()).stat().st_size > 10_000
