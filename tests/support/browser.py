"""What tests in a real browser share: the served page, and a visit that fails for console errors and failed requests.

A test file imports `pytestmark` and the fixtures `address`, `browser`, `visit`.
"""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
SCREENSHOTS = Path(__file__).parents[2] / "screenshots"  # where it exists, pictures of what is tested are kept
HOW = "install it with `pip install playwright` and `apt-get install chromium` (or name a Chromium in $CHROMIUM)"

try:
    from playwright.sync_api import Locator, Page, expect, sync_playwright

    missing = "" if CHROMIUM.exists() else f"there is no Chromium at {CHROMIUM}; {HOW}"
except ImportError:
    Locator = Page = expect = None  # the tests are skipped
    missing = f"playwright is missing; {HOW}"
if missing and "CI" in os.environ:
    raise RuntimeError(missing)
pytestmark = [
    pytest.mark.skipif(bool(missing), reason=missing),
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),  # an option that gradio sets in pandas
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),  # of pandas, in gradio's counts of requests
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # event loops that the server leaves to the collector
]

NO_GPU = "No available adapters."  # what Chromium says by itself where a page looks for a GPU
READ_OFTEN = "Canvas2D: Multiple readback operations"  # its advice to a test that looks at pixels

EXPECTED_WITHIN = 20_000  # milliseconds until `expect` gives up; Playwright's five are few for a busy machine

shared: dict[str, Any] = {}  # what is running
ends = ExitStack()  # of that; conftest.py closes it where the next file needs no browser
LATER_SCRIPT = re.compile(r"/scripts/(tabs|more|lab|pipeline|edits|device)-[0-9a-f]{12}\.js$")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="module")
def address(request):
    """Of the page that many files share; a file that needs another one has a fixture of this name itself."""
    if missing:
        pytest.skip(missing)
    return request.getfixturevalue("plain_page")


def running_playwright():
    """Playwright, started when it is first asked for; `ends` ends it."""
    if missing:
        pytest.skip(missing)
    if "playwright" not in shared:
        ends.callback(shared.clear)
        shared["playwright"] = ends.enter_context(sync_playwright())
        expect.set_options(timeout=EXPECTED_WITHIN)
    return shared["playwright"]


@pytest.fixture(scope="module")
def browser():
    """The Chromium of this worker, which file after file uses; what a file opens in it is closed behind it."""
    playwright = running_playwright()
    if "chromium" not in shared:
        shared["chromium"] = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        ends.callback(shared["chromium"].close)
    yield shared["chromium"]
    for context in shared["chromium"].contexts:
        if context is not shared.get("visitors"):
            context.close()


def take_page(browser) -> Page:
    """One of the pages that visit after visit uses: a new one would load and compile every script again."""
    if "visitors" not in shared:
        shared["visitors"], shared["idle"] = browser.new_context(), []
    return shared["idle"].pop() if shared["idle"] else shared["visitors"].new_page()


def give_back(page: Page) -> None:
    """End a visit: the page's streams are cut, and the next visit finds nothing of it."""
    page.goto("about:blank")
    shared["idle"].append(page)


@pytest.fixture
def visit(browser, address, tmp_path):
    """Open the page; at the end nothing may have gone wrong behind it.

    Args:
        tmp_path: its files are removed after the visit, whose page may still read what it was given of them.
    """
    troubles: list[str] = []
    watched = {
        "console": lambda m: troubles.append(f"console: {m.text}") if m.type in ("error", "warning") else None,
        "pageerror": lambda error: troubles.append(f"page: {error}"),
        "requestfailed": lambda r: troubles.append(f"failed: {r.url} {r.failure}"),
        "response": lambda r: troubles.append(f"{r.status}: {r.url}") if r.status >= 400 else None,
        "request": lambda r: (
            None if r.url.startswith((address, "data:", "blob:")) else troubles.append(f"foreign: {r.url}")
        ),
    }
    pages: list[Page] = []

    def go(width: int = 1440, height: int = 900, theme: str = "light", query: str = "") -> Page:
        page = take_page(browser)
        page.bring_to_front()  # Chromium draws a page that stands behind another about once a second
        pages.append(page)
        for event, listener in watched.items():
            page.on(event, listener)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=theme)
        page.goto(f"{address}?__theme={theme}&{query}")
        ready(page)
        return page

    yield go
    for page in pages:
        if not page.is_closed():
            # all that the app keeps; and what has happened until now is told
            page.evaluate("sessionStorage.clear(), localStorage.clear()")
    # a page that was reloaded has cut its streams
    found = [text for text in troubles if "ERR_ABORTED" not in text and not text.endswith(NO_GPU)]
    for page in pages:
        for event, listener in watched.items():
            page.remove_listener(event, listener)
        if not page.is_closed():
            give_back(page)
    if pages:
        shared["visitors"].clear_cookies()
        shared["visitors"].clear_permissions()
    assert not found, found


@pytest.fixture
def phone(browser, address):
    """Open the page on a phone, which has a touch screen; at the end its script may have reported nothing."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    troubles: list[str] = []

    def go(query: str = "") -> Page:
        page = context.new_page()
        page.on("console", lambda m: troubles.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(f"{address}?{query}")
        ready(page)
        return page

    yield go
    context.close()
    assert not [text for text in troubles if not text.endswith(NO_GPU) and not text.startswith(READ_OFTEN)], troubles


def ready(page: Page) -> None:
    """Wait until everything is here that the page asks for by itself."""
    page.wait_for_selector(".afa[data-settled]", timeout=20_000)


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
    """Wait until the page shows another explanation, and all of it is here."""
    page.wait_for_function(  # in every frame; `expect` looks once a second in the end
        "before => (({ key, settled }) => key !== before && settled === key)(document.querySelector('.afa').dataset)",
        arg=before,
        timeout=30_000,
    )


def next_frame(page: Page) -> None:
    """Wait until what has changed is drawn."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def click_and_recompute(page: Page, selector: str) -> None:
    """Click what leads to another explanation, and wait until all of that is here."""
    before = key(page)
    page.locator(selector).click()
    recomputed(page, before)


def query_cell(page: Page) -> tuple[str, str]:
    """Row and column of the query cell as their fields show them, which are drawn in the next frame."""
    next_frame(page)
    row, col = (page.locator(f'[data-do="{name}"]').input_value() for name in ("row", "col"))
    return row, col


def tab(page: Page, name: str) -> str:
    """Open a tab; the selector of its panel."""
    page.locator(f'[role=tab][data-tab="{name}"]').click()
    return f'[role=tabpanel][data-tab="{name}"]'


def set_range(page: Page, selector: str, value: float, release: bool = True) -> None:
    """Drag a slider to a value, and let it go."""
    page.locator(selector).evaluate(
        """(slider, [value, release]) => {
             slider.value = value;
             slider.dispatchEvent(new Event("input", { bubbles: true }));
             if (release) slider.dispatchEvent(new Event("change", { bubbles: true }));
           }""",
        [value, release],
    )


def show_overview(page: Page) -> None:
    """Unfold toolbar and strip, which begin folded on a phone."""
    fold = page.locator("[data-do=fold]")
    if fold.get_attribute("aria-expanded") == "false":
        fold.click()
    page.wait_for_function("document.querySelector('[data-stage=cam] [data-open] canvas').clientWidth > 20")


def requests(page: Page) -> list[str]:
    """Everything that the page asks for from now on, but for later scripts, each of which may be loaded once."""
    seen: list[str] = []
    scripts: set[str] = set()

    def note(request: Any) -> None:
        later = LATER_SCRIPT.search(request.url)
        if later and later[1] not in scripts:
            scripts.add(later[1])
        else:
            seen.append(request.url)

    page.on("request", note)
    return seen


def small_targets(page: Page, panel: str, tags: str = "button, select, input, summary") -> list[str]:
    """What of a panel a finger would miss: shown, and less than 24 pixels wide or high."""
    return page.locator(panel).evaluate(
        """(panel, tags) => [...panel.querySelectorAll(tags)].filter((e) => {
             const box = (e.closest("label") ?? e).getBoundingClientRect();
             return box.width && (box.width < 24 || box.height < 24);
           }).map((e) => e.outerHTML)""",
        tags,
    )


def keep_picture(target: Page | Locator, name: str, **options: Any) -> None:
    """Keep a screenshot for people to look at, where there is a folder for it: each costs as much as half a visit."""
    if SCREENSHOTS.is_dir():
        target.screenshot(path=SCREENSHOTS / f"{name}.png", **options)


def drawn_and_fits(page: Page, panel: str, canvases: str, shot: str, colours: int = 20) -> None:
    """A tab is whole: canvases hold a picture and its words, nothing runs over the page, targets are large enough.

    Args:
        panel: selector of the tab. canvases: those of it that hold pictures.
        shot: name of its screenshot.
        colours: every canvas shows more than these.
    """
    for canvas in page.locator(f"{panel} {canvases}").all():
        canvas.scroll_into_view_if_needed()
        page.wait_for_function(  # a tab is drawn in the frames after it is opened
            """([canvas, colours]) => {
                 const { width, height } = canvas;
                 const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
                 copy.drawImage(canvas, 0, 0);
                 return new Set(new Uint32Array(copy.getImageData(0, 0, width, height).data.buffer)).size > colours;
               }""",
            arg=[canvas.element_handle(), colours],
        )
        assert canvas.get_attribute("aria-label"), panel
    assert page.viewport_size and page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    assert not small_targets(page, panel)
    assert "{" not in page.locator(panel).inner_text()  # every text was found and filled
    keep_picture(page.locator(panel), shot)
