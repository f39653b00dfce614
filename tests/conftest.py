"""One thread (two are slower on a busy machine), fixed seeds, a folder of its own for uploads, one page for many."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from uneven_example import UnevenPage

IN_EVERY_RUN = ("test_app_browser.py",)  # of the tests in a browser: that the page opens, draws and answers

torch.set_num_threads(1)
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
os.environ["GRADIO_SERVER_PORT"] = str(7860 + 100 * WORKER)  # two workers that try the same ports may take one at once


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what no marker asks for
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that open a browser; slow ones are marked as such already."""
    for item in items:
        opens = "browser" in getattr(item, "fixturenames", ())
        if opens and item.path.name not in IN_EVERY_RUN and item.get_closest_marker("slow") is None:
            item.add_marker("browser")


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def same_priority() -> Iterator[None]:
    """No test may lower the priority of its worker: on a busy machine all that follow would be slower."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    yield
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


@pytest.fixture(scope="session", autouse=True)
def uploads_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Uploads, thumbnails and downloads lie in this session's own folder, which no other process sweeps."""
    os.environ["GRADIO_TEMP_DIR"] = str(tmp_path_factory.mktemp("uploads"))


@pytest.fixture(scope="session")
def plain_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page with the small network and two examples: one per worker, for tests that change nothing."""
    from app_fixtures import launched, prepare

    with launched(prepare(tmp_path_factory.mktemp("page"))) as address:
        yield address


@pytest.fixture(scope="session")
def uneven_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UnevenPage]:
    """The same with a first example that is not square, and what Python and the API compute for it."""
    from uneven_example import uneven_app

    with uneven_app(tmp_path_factory.mktemp("uneven")) as page:
        yield page


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """End Chromium and Playwright where the next file needs none: Playwright's event loop is in the way of others."""
    try:
        return (yield)
    finally:
        needed = nextitem is not None and (nextitem.path == item.path or "browser" in nextitem.fixturenames)
        if not needed and "browser" in sys.modules:
            sys.modules["browser"].ends.close()
