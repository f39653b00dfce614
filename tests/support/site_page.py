"""The page of a static site of the small network in a real browser."""

from __future__ import annotations

import re

import pytest
from browser import tab
from static_site import build_small, served

try:
    from playwright.sync_api import Page, expect
except ImportError:  # the tests are skipped
    Page = expect = None


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return build_small(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def address(root):
    with served(root) as base:
        yield base


def panel(page: Page, name: str) -> str:
    """Open a tab and wait until all of it is here; its selector."""
    selector = tab(page, name)
    state = page.locator(selector)
    if state.get_attribute("data-state") is not None:
        expect(state).to_have_attribute("data-state", re.compile("ready|none"), timeout=20_000)
    return selector
