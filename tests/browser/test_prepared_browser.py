"""A page whose examples are prepared: every tab in Chromium, and the server has no torch until somebody uploads."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from app_fixtures import scene
from app_process import App, started
from browser import browser, key, pytestmark, tab, visit  # noqa: F401

from afa_viz.ui.page.assets import TABS

OPENED = [name for name in TABS if name != "training"]  # which explains the image by every snapshot of the run
FILE = "#afa-pick input[type=file]"
WAIT = 120_000  # milliseconds; a test machine may be busy
pytestmark = [*pytestmark, pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")]


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    with started(tmp_path_factory.mktemp("prepared"), "--port", "0") as served:
        served.address()
        served.until(lambda: not children(served))
        yield served


@pytest.fixture
def address(app) -> str:
    return f"{app.address()}/"


def children(app: App) -> list[str]:
    """Processes that prepare."""
    tasks = Path(f"/proc/{app.process.pid}/task").glob("*/children")
    return [child for task in tasks for child in task.read_text().split()]


def has_torch(app: App) -> bool:
    return "libtorch" in Path(f"/proc/{app.process.pid}/maps").read_text()


def changed(page, before: str) -> None:
    """Wait until another explanation is here, and all of it."""
    page.wait_for_function(
        "before => document.querySelector('.afa').dataset.settled !== before", arg=before, timeout=WAIT
    )


def test_nothing_is_loaded_until_somebody_uploads(app, visit, tmp_path):  # noqa: F811
    page = visit()
    asked, answered = [], []
    page.on("request", lambda request: asked.append(request.url) if "component_server" in request.url else None)
    page.on("requestfinished", lambda sent: answered.append(sent.url) if "component_server" in sent.url else None)
    for place in range(3):
        if place:
            before = key(page)
            page.locator("#afa-gallery .thumbnail-item").nth(place).click()
            changed(page, before)
        for name in OPENED:
            page.wait_for_selector(f"{tab(page, name)}:not([hidden])")
            page.wait_for_timeout(100)  # the tab asks in the next frame
            while len(answered) < len(asked):
                page.wait_for_timeout(50)
    assert len(answered) > 3 * 4 and not has_torch(app), "the examples were prepared"
    before = key(page)
    scene(3)[0].save(tmp_path / "photograph.png")
    page.locator(FILE).set_input_files(tmp_path / "photograph.png")
    changed(page, before)  # torch is loaded meanwhile
    assert has_torch(app)
