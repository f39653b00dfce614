"""A report from the disk in Chromium: weights of heads and regions change without a server; what needs one is said."""

from __future__ import annotations

import dataclasses

import expected_affinity
import pytest
from browser import Page, browser, click_and_recompute, expect, key, pytestmark, ready, recomputed, tab  # noqa: F401
from change_panels import (
    ACROSS,
    EDITS,
    PATH,
    REGIONS,
    WEIGHTS,
    choose,
    drag_over,
    move_weight,
    open_panel,
    press_pair,
    scored,
)


@pytest.fixture
def opened(browser, tmp_path):  # noqa: F811
    """Open the Affinity tab of the report of a trace; at the end its script may have failed nowhere."""
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 1240, "height": 900})

    def go(trace) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(trace.report(tmp_path / "report.html").as_uri())
        ready(page)
        tab(page, "affinity")
        scored(page, WEIGHTS)
        return page

    yield go
    context.close()
    assert not errors


def moves_a_head(page: Page, plain, used: dict[int, float]) -> None:
    """Of a trace whose heads have the weights `used`, as the learned ones of `plain` elsewhere."""
    assert press_pair(page, 1, 8) == pytest.approx(expected_affinity.of_trace(plain, used)[1, 8], abs=2e-3)
    before = key(page)
    weight = move_weight(page, 6, 0.09, release=True)
    recomputed(page, before)
    scored(page, WEIGHTS)
    expected = expected_affinity.of_trace(plain, used | {6: weight})
    assert press_pair(page, 1, 8) == pytest.approx(expected[1, 8], abs=2e-3)


def joins_a_cell(page: Page, plain, edits: list) -> None:
    """Of a trace that was edited before, as `plain` but for these edits."""
    affinity = plain.affinity.numpy()
    open_panel(page, REGIONS)
    assert press_pair(page, 0, 1) == pytest.approx(expected_affinity.after_edits(affinity, edits)[0, 1], abs=3e-3)
    choose(page, what="join", against="rest", brush="a")
    drag_over(page, REGIONS, [10])
    click_and_recompute(page, f'{REGIONS} [data-do="apply"]')
    expected = expected_affinity.after_edits(affinity, [*edits, ("join", (10,), None)])
    for i, j in ((0, 1), (10, 3), (2, 10)):
        assert press_pair(page, i, j) == pytest.approx(expected[i, j], abs=3e-3)
    tab(page, "cam")
    page.locator(f"{EDITS['cam']} summary").click()
    expect(page.locator(f'{EDITS["cam"]} [data-part="lacks"]')).to_contain_text("the network has to run again")
    click_and_recompute(page, '[data-do="as-computed"]')
    tab(page, "affinity")
    assert press_pair(page, 0, 1) == pytest.approx(affinity[0, 1], abs=3e-3)


def test_a_report_of_a_trace_as_computed(opened, uneven_page):
    plain = uneven_page.explained()
    page = opened(plain)
    expect(page.locator(ACROSS)).to_contain_text("only one image is available")
    moves_a_head(page, plain, {})
    assert "not available here" not in page.locator(f'{PATH} [data-step="product"]').inner_text()
    click_and_recompute(page, f'{WEIGHTS} [data-preset="learned"]')
    joins_a_cell(page, plain, [])


def test_a_report_of_a_trace_that_was_changed(opened, uneven_page):
    plain, edits = uneven_page.explained(), [("separate", (0,), (1,))]
    changed = uneven_page.explained(
        head_weights=(0.0, *([None] * 15)), affinity_edits=edits, class_thresholds={"cat": 0.4}
    )
    page = opened(changed)
    moves_a_head(page, plain, {0: 0.0})
    assert "not available here" not in page.locator(f'{PATH} [data-step="product"]').inner_text()
    click_and_recompute(page, f'{WEIGHTS} [data-preset="learned"]')
    assert press_pair(page, 1, 8) == pytest.approx(expected_affinity.of_trace(plain)[1, 8], abs=2e-3)
    joins_a_cell(page, plain, edits)


def test_a_report_without_queries_and_keys(opened, uneven_page):
    plain = uneven_page.explained()
    page = opened(dataclasses.replace(plain, queries=None, keys=None))
    moves_a_head(page, plain, {})
    assert "not available here" in page.locator(f'{PATH} [data-step="product"]').inner_text()
