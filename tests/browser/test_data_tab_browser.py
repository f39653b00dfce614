"""The Data set tab in a browser: pages, sorting, scoring, opening an image, the keyboard, a permalink."""

from __future__ import annotations

import re

import pytest
from browser import (  # noqa: F401  (fixtures)
    Page,
    address,
    browser,
    expect,
    keep_picture,
    key,
    pytestmark,
    recomputed,
    requests,
    small_targets,
    tab,
    visit,
)

WAIT = 30_000  # milliseconds; scenes are rendered while the test waits


def cards(page: Page, panel: str):
    found = page.locator(f"{panel} .afa-cards button")
    expect(found).to_have_count(24, timeout=WAIT)
    return found


def figure_trace(page: Page, panel: str) -> None:
    """Wait until every card has its picture."""
    expect(page.locator(f'{panel} .afa-thumb[style*="data:image/jpeg"]')).to_have_count(24, timeout=WAIT)


@pytest.mark.parametrize("width, theme", [(1440, "light"), (390, "light"), (1440, "dark"), (390, "dark")])
def test_a_page_of_images_fits(visit, width, theme):  # noqa: F811
    page = visit(width, 900, theme)
    panel = tab(page, "data")
    cards(page, panel)
    figure_trace(page, panel)
    expect(page.locator(f"{panel} .afa-tags span").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not small_targets(page, panel)
    assert "{" not in page.locator(panel).inner_text()
    keep_picture(page.locator(panel), f"data_{width}_{theme}")


def test_pages_are_turned_by_hand_and_by_key(visit):  # noqa: F811
    page = visit()
    panel = tab(page, "data")
    found = cards(page, panel)
    expect(page.locator(f"{panel} [data-turn='-1']")).to_be_disabled()
    page.locator(f"{panel} [data-turn='1']").click()
    expect(found.first).to_contain_text("val_0024", timeout=WAIT)
    found.first.focus()
    page.keyboard.press("ArrowRight")
    expect(found.nth(1)).to_be_focused()
    page.keyboard.press("End")
    expect(found.nth(23)).to_be_focused()
    page.keyboard.press("PageUp")
    expect(found.first).to_contain_text("val_0000", timeout=WAIT)
    expect(found.first).to_be_focused()
    page.locator(f"{panel} .afa-pager input").fill("999")
    page.locator(f"{panel} .afa-pager input").press("Enter")
    expect(page.locator(f"{panel} .afa-cards button")).to_have_count(400 % 24, timeout=WAIT)
    expect(page.locator(f"{panel} [data-turn='1']")).to_be_disabled()


def test_an_image_opens_and_its_address_leads_back(visit, address):  # noqa: F811
    page = visit()
    panel = tab(page, "data")
    found, before = cards(page, panel), key(page)
    found.nth(2).focus()
    page.keyboard.press("Enter")
    recomputed(page, before)
    expect(page.get_by_role("heading", name="val_0002")).to_be_visible()
    expect(found.nth(2)).to_have_attribute("aria-current", "true", timeout=WAIT)
    expect(page.locator("#afa-gallery .selected")).to_have_count(0)
    page.get_by_role("button", name="Thumbnail 1 of").click()  # the example that was open before
    expect(page.get_by_role("heading", name="Scene 0")).to_be_visible(timeout=WAIT)
    before = key(page)
    found.nth(2).click()
    recomputed(page, before)
    tab(page, "seg")
    page.wait_for_function("location.search.includes('tab=seg')")
    query, old = page.evaluate("location.search"), key(page)
    assert "data=val_0002" in query and "example=" not in query
    again = visit(query=query.removeprefix("?"))
    expect(again.get_by_role("heading", name="val_0002")).to_be_visible(timeout=WAIT)
    expect(again.locator('[role=tab][data-tab="seg"]')).to_have_attribute("aria-selected", "true")
    again.wait_for_function("(key) => document.querySelector('.afa').dataset.key === key", arg=old)


def test_the_set_is_scored_sorted_and_stopped(visit):  # noqa: F811
    page = visit()
    panel = tab(page, "data")
    found = cards(page, panel)
    work = page.locator(f'{panel} [data-fill="work"]')
    expect(work).to_contain_text("Nothing is scored yet")
    page.locator(f'{panel} [data-do="score"]').click()
    expect(page.locator(f'{panel} [data-do="score"]')).to_have_text("Stop scoring", timeout=WAIT)
    expect(found.nth(1)).to_contain_text("→", timeout=WAIT)
    page.locator(f'{panel} [data-do="score"]').click()
    expect(work).to_contain_text("images are scored with this model", timeout=WAIT)
    expect(page.locator(f'{panel} [data-for="overview"]')).to_be_visible()
    page.locator(f'{panel} [data-set="order"]').select_option("worst")
    page.locator(f'{panel} [data-set="stage"]').select_option("seg")
    expect(found.first).to_contain_text("→", timeout=WAIT)
    page.wait_for_function(
        """(panel) => {
             const scores = [...document.querySelectorAll(`${panel} .afa-points`)]
               .map((e) => e.textContent.match(/→ ([\\d.]+)/)).filter(Boolean).map((m) => Number(m[1]));
             return scores.length > 1 && scores.every((s, i) => !i || s >= scores[i - 1]);
           }""",
        arg=panel,
        timeout=WAIT,
    )
    expect(page.locator(f'{panel} [data-fill="changes"]')).to_contain_text(re.compile(r"Better in \d+ of \d+ images"))
    page.locator(f'{panel} [data-set="class_name"]').select_option("horse")
    expect(page.locator(f'{panel} [data-fill="found"]')).to_contain_text("known to show horse", timeout=WAIT)


def test_nothing_is_asked_while_another_tab_is_open(visit):  # noqa: F811
    page = visit()
    panel = tab(page, "data")
    cards(page, panel)
    figure_trace(page, panel)
    tab(page, "cam")
    seen = requests(page)
    page.wait_for_timeout(2500)
    assert seen == []
