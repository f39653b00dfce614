"""A large image, whose attention of stages 1 to 3 is not kept, in a real browser."""

from __future__ import annotations

import pytest
from app_fixtures import launched, prepare
from browser import browser, expect, pytestmark, tab, visit  # noqa: F401  (fixtures)

from afa_viz.ui.sessions import session as session_module


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    options = prepare(tmp_path_factory.mktemp("page"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(session_module, "LARGE", 1000)  # as if these small pictures were large ones
        with launched(options) as served:
            yield served


@pytest.mark.parametrize("query", ["", "block=2&tab=attention"], ids=["", "a link to an early block"])
def test_the_tab_says_so_and_shows_the_rest(visit, query):  # noqa: F811
    page = visit(query=query)
    panel = tab(page, "attention")
    page.wait_for_selector(f'{panel}[data-state="ready"] .afa-matrix button')
    expect(page.locator(f'{panel} [data-fill="not_kept"]')).to_have_text(
        "The attention of stages 1 to 3 was not kept: it would take about 0.0 GB of memory for this image. "
        "Everything else is unaffected."
    )
    block = page.locator('[data-do="block"]')
    assert block.locator("option:disabled").count() == 6 and block.input_value() == "7"
    assert page.locator(f"{panel} .afa-matrix tbody tr").count() == 2
    block.select_option("6")
    page.wait_for_selector(f'{panel}[data-state="ready"]')
    for name in ("cam", "affinity", "walk", "par", "regions", "seg", "compare", "lab"):
        tab(page, name)
    assert "undefined" not in page.locator(panel).inner_text()
