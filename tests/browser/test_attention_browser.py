"""Attention and affinity in a real browser: linked to one query cell, hover without a request, right numbers."""

from __future__ import annotations

import itertools
import re

import pytest
from browser import (  # noqa: F401  (fixtures)
    Page,
    address,
    browser,
    changes,
    drawn_and_fits,
    expect,
    key,
    pixels,
    pytestmark,
    recomputed,
    requests,
    tab,
    visit,
)
from pointing import box_at_rest

FRAME = 100  # milliseconds; the target is 16, a test machine may be busy


def opened(page: Page, name: str) -> str:
    """Open a tab and wait for what it asks for; the selector of its panel."""
    panel = tab(page, name)
    page.wait_for_selector(f'{panel}[data-state="ready"]')
    if name == "attention":
        page.wait_for_selector(f"{panel} .afa-matrix button")
    else:  # a script of its own, which moves what stands below
        page.wait_for_selector(f'{panel} [data-for="weights"] [data-part="body"]:not([hidden])')
    return panel


def hover(page: Page, canvas: str, row: float, col: float) -> None:
    """Point at a place of a canvas, in shares of its sides."""
    box = box_at_rest(page.locator(canvas))
    page.mouse.move(box["x"] + box["width"] * col, box["y"] + box["height"] * row)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width, height", [(1440, 900), (390, 844)])
def test_both_tabs_are_drawn_and_fit(visit, width, height, theme):  # noqa: F811
    page = visit(width, height, theme)
    for name in ("attention", "affinity"):
        panel = opened(page, name)
        drawn_and_fits(page, panel, "figure canvas[role=img]:visible", f"{name}_{width}_{theme}")
        assert not re.search(r"undefined|NaN|attention\.\w|affinity\.\w", page.locator(panel).inner_text())
        for table in page.locator(f"{panel} .afa-scroll").all():  # nothing is hidden behind a scroll bar
            assert table.evaluate("e => e.scrollWidth <= e.clientWidth")


@pytest.mark.parametrize(
    "name, links",
    [
        ("attention", [('[data-view="query"] canvas', '[data-view="large"] canvas[role=img]'),
                       ('[data-view="large"] canvas[role=img]', ".afa-heads button:nth-child(4) canvas")]),
        ("affinity", [('[data-view="raw"] canvas[role=img]', '[data-view="learned"] canvas[role=img]'),
                      ('[data-view="labels"] canvas[role=img]', '[data-view="change"] canvas[role=img]'),
                      ('[data-view="matrix"] canvas[role=img]', '[data-view="symmetric"] canvas[role=img]')]),
    ],
)  # fmt: skip
def test_one_query_moves_every_map_without_a_request(visit, name, links):  # noqa: F811
    page = visit()
    panel = opened(page, name)
    for source, follower in links:
        the_query_moves(page, panel, source, follower)
        page.mouse.move(5, 5)
        page.keyboard.press("Escape")
        expect(page.locator(".afa-status")).not_to_contain_text("pinned")


def the_query_moves(page: Page, panel: str, source: str, follower: str) -> None:
    """A map that is pointed at moves the query of another one, without a request."""
    if "matrix" in source:
        expect(page.locator(f'{panel} [data-fill="pair"]')).to_have_text("Point at the matrix to see a pair.")
    seen, before = requests(page), pixels(page, f"{panel} {follower}")
    hover(page, f"{panel} {source}", 0.05, 0.05)
    changes(page, f"{panel} {follower}", before)
    expect(page.locator(".afa-status")).to_contain_text(re.compile(r"Row 1, column [12]:"))
    before = pixels(page, f"{panel} {follower}")
    hover(page, f"{panel} {source}", 0.95, 0.95)
    changes(page, f"{panel} {follower}", before)
    page.mouse.down()
    page.mouse.up()
    expect(page.locator(".afa-status")).to_contain_text("pinned")
    if "matrix" in source:
        pair = page.locator(f'{panel} [data-fill="pair"]')
        expect(pair).to_have_text(re.compile(r"Row 6, column \d with row 6, column \d: raw .*; label: "))
    assert seen == []


def test_a_moved_query_is_drawn_at_once(visit):  # noqa: F811
    page = visit()
    for name in ("attention", "affinity"):
        opened(page, name)
        assert median_frame(page) < FRAME, name


def median_frame(page: Page) -> float:
    """Median milliseconds from a key that moves the query to the next frame, of 20."""
    return page.evaluate(
        """async () => {
             const views = document.querySelector(".afa-views");
             const times = [];
             for (let i = 0; i < 20; i++) {
               views.dispatchEvent(new KeyboardEvent("keydown", {key: i % 2 ? "ArrowLeft" : "ArrowRight"}));
               const start = performance.now();
               await new Promise(requestAnimationFrame);
               await 0;
               times.push(performance.now() - start);
             }
             return times.sort((a, b) => a - b)[10];
           }"""
    )


def test_only_softmaxed_maps_are_called_attention(visit):  # noqa: F811
    page = visit()
    panel = opened(page, "attention")
    large, title = (
        f'{panel} [data-view="large"] canvas[role=img]',
        page.locator(f'{panel} [data-view="large"] figcaption'),
    )
    expect(title).to_have_text("Stage 4, block 2, mean of the heads: attention")
    expect(page.locator(f'{panel} [data-fill="words"]')).to_contain_text("of its attention")
    before = pixels(page, large)
    page.locator(f'{panel} [data-logits="yes"]').click()
    changes(page, large, before)
    expect(title).to_have_text("Stage 4, block 2, mean of the heads: logits")
    expect(page.locator(f'{panel} [data-fill="words"]')).to_contain_text("logits range from")
    expect(page.locator(f"{panel} .afa-heads")).not_to_contain_text("%")


def test_the_overview_leads_to_a_head(visit):  # noqa: F811
    page = visit()
    panel = opened(page, "attention")
    expect(page.locator(f"{panel} .afa-matrix tbody tr")).to_have_count(8)
    expect(page.locator(f"{panel} .afa-matrix tbody button")).to_have_count(2 * (1 + 2 + 5 + 8))
    expect(page.locator(f"{panel} .afa-matrix .afa-read")).to_have_count(2)
    before = pixels(page, f'{panel} [data-view="large"] canvas[role=img]')
    page.locator(f'{panel} [data-block="4"][data-head="3"]').click()
    changes(page, f'{panel} [data-view="large"] canvas[role=img]', before)
    expect(page.locator('[data-do="block"]')).to_have_value("4")
    expect(page.locator('[data-do="head"]')).to_have_value("3")
    expect(page.locator(f'{panel} [data-view="large"] figcaption')).to_have_text("Stage 3, block 1, head 4: attention")
    expect(page.locator(f'{panel} [data-fill="grids"]')).to_contain_text("6 × 6 queries and 3 × 3 keys")
    page.get_by_role("button", name="asymmetry", exact=True).click()
    expect(page.locator(f'{panel} [data-block="4"][data-head="3"]')).to_have_text("–")
    expect(page.locator(f'{panel} [data-block="7"][data-head="0"]')).to_have_text(re.compile(r"^\d*\.\d\d$"))
    page.get_by_role("button", name="distance", exact=True).click()
    expect(page.locator(f'{panel} [data-fill="kind"]')).to_contain_text("in cells of 16 pixels")


def test_one_scale_for_all_heads(visit):  # noqa: F811
    page = visit()
    panel = opened(page, "attention")
    tops = page.locator(f"{panel} .afa-heads small")
    assert len(set(tops.all_inner_texts())) > 1
    page.locator('[data-do="shared"]').click()
    expect(page.locator('[data-do="shared"]')).to_have_text("Colours: one scale for all")
    first = tops.first.inner_text()
    expect(tops).to_have_text([first] * 9)


def test_learning_and_symmetrising_in_numbers(visit):  # noqa: F811
    page = visit()
    panel = opened(page, "affinity")
    rows = page.locator(f'{panel} [data-list="numbers"] tr')
    expect(rows).to_have_count(3)
    uneven = [float(row.locator("td").first.inner_text()) for row in rows.all()]
    assert uneven[0] > 0 and uneven[1:] == [0, 0]
    before = pixels(page, f'{panel} [data-view="change"] canvas[role=img]')
    page.locator(f'{panel} [data-step="symmetric"]').click()
    changes(page, f'{panel} [data-view="change"] canvas[role=img]', before)
    low, high = page.locator(f'{panel} [data-view="change"] .afa-scale span').all_inner_texts()
    assert low.strip("−") == high.strip("+")  # centred on 0
    for name in ("raw", "symmetric", "labels"):
        before = pixels(page, f'{panel} [data-view="matrix"] canvas[role=img]')
        page.locator(f'{panel} [data-matrix="{name}"]').click()
        changes(page, f'{panel} [data-view="matrix"] canvas[role=img]', before)
    page.locator(f"{panel} .afa-weights button").nth(10).click()  # leads to that head
    expect(page.get_by_role("tabpanel")).to_have_attribute("data-tab", "attention")
    expect(page.locator('[data-do="head"]')).to_have_value("2")


def test_where_no_label_is_seen_the_page_leads_to_a_query_with_both(visit):  # noqa: F811
    page = visit(query="bkg_score_low=0.4&bkg_score_high=0.4&radius=1")
    panel = opened(page, "affinity")
    leads = page.locator(f'{panel} [data-do="find"]')
    for row, col in itertools.product(range(1, 7), repeat=2):  # to a cell without both kinds around it
        page.locator('.afa-bar [data-do="row"]').fill(str(row))
        page.locator('.afa-bar [data-do="col"]').fill(str(col))
        if leads.is_visible():
            break
    expect(leads).to_be_visible()
    leads.click()
    expect(leads).to_be_hidden()
    expect(page.locator(".afa-status")).to_contain_text("pinned")
    counts = page.locator(f'{panel} [data-list="labels"]').inner_text()
    same, another = (int(re.search(rf"{kind} class (\d+)", counts)[1]) for kind in ("same", "another"))
    assert same and another


def test_left_out_symmetry_is_seen(visit):  # noqa: F811
    page = visit()
    panel = opened(page, "affinity")
    before = key(page)
    page.get_by_role("checkbox", name="symmetry of the affinity").check()
    recomputed(page, before)
    expect(page.locator(f'{panel} [data-view="learned"] figcaption')).to_contain_text("without the transpose")
    expect(page.locator(f'{panel} [data-list="numbers"] tr').last.locator("td").first).not_to_have_text("0.00")


def test_keys_and_touch_move_the_query(visit):  # noqa: F811
    page = visit(390, 844)
    panel = opened(page, "affinity")
    page.locator(f'{panel} [data-view="raw"] canvas[role=img]').scroll_into_view_if_needed()
    before = pixels(page, f'{panel} [data-view="raw"] canvas[role=img]')
    page.locator(".afa-views").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    changes(page, f'{panel} [data-view="raw"] canvas[role=img]', before)
    page.locator(f'{panel} [data-view="learned"] canvas[role=img]').click(position={"x": 8, "y": 8})
    expect(page.locator(".afa-status")).to_contain_text("Row 1, column 1, pinned")
