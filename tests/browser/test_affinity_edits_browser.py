"""Regions joined and separated by hand in Chromium: page, API and Python agree with NumPy on the trace's affinity."""

from __future__ import annotations

import expected_affinity
import numpy as np
import pytest
from browser import browser, click_and_recompute, expect, key, phone, pytestmark, recomputed, requests, tab, visit  # noqa: F401
from change_panels import (
    EDITS,
    PATH,
    REGIONS,
    WEIGHTS,
    choose,
    drag_over,
    open_edits,
    open_panel,
    press_pair,
    score_table,
    scored,
)
from uneven_example import COLS, ROWS, address  # noqa: F401  (fixture)

from afa_viz.stage_scores import stage_scores

APPLY = f'{REGIONS} [data-do="apply"]'


def test_regions_are_joined_and_separated_by_brush(visit, uneven_page):  # noqa: F811
    page, plain = open_edits(visit), uneven_page.explained()
    assert plain.grid == (ROWS, COLS)
    affinity = plain.affinity.numpy()
    expect(page.locator(APPLY)).to_be_disabled()
    asked = requests(page)
    drag_over(page, REGIONS, [0, 1, 7])
    expect(page.locator(f'{REGIONS} [data-part="pending"]')).to_contain_text("Brush over the cells of region B")
    choose(page, brush="b")
    drag_over(page, REGIONS, [21, 23], steps=1)  # a fast hand: the cell between them is brushed as well
    drag_over(page, REGIONS, [14])
    choose(page, brush="erase")
    drag_over(page, REGIONS, [14])
    expect(page.locator(f'{REGIONS} [data-part="pending"]')).to_contain_text(
        "Joined: region A of 3 cells with region B of 3."
    )
    scored(page)
    assert not asked, asked  # nothing is asked of the server while a hand brushes
    edits = [("join", (0, 1, 7), (21, 22, 23))]
    made = uneven_page.explained(affinity_edits=edits)
    assert np.array_equal(made.affinity.numpy(), expected_affinity.after_edits(affinity, edits))
    real = [stage_scores(one) for one in (plain, made)]
    shown = score_table(page, REGIONS)
    for name, stage in (("walk_mean", "cam_rw"), ("par_mean", "cam_par")):
        for column, scores in enumerate(real):
            assert shown[name][column] == pytest.approx(100 * scores[stage]["miou"], abs=1.0)  # of maps of 8 bits
        assert shown[name][2] == pytest.approx(shown[name][1] - shown[name][0], abs=0.11)

    click_and_recompute(page, APPLY)
    choose(page, what="separate", against="rest", brush="a")
    drag_over(page, REGIONS, [8])
    click_and_recompute(page, APPLY)
    page.wait_for_function("() => location.search.includes('affinity_edits=j1-2.8_22-24,s9')")
    edits.append(("separate", (8,), None))
    expected = expected_affinity.after_edits(affinity, edits)
    for i, j in ((0, 21), (23, 7), (8, 2), (3, 8), (2, 3), (10, 10)):
        assert press_pair(page, i, j) == pytest.approx(expected[i, j], abs=2e-3), (i, j)
    press_pair(page, 8, 2)
    expect(page.locator(f'{PATH} [data-step="sigmoid"]')).to_contain_text("You separated these two cells")
    expect(page.locator(".afa-edited")).to_contain_text("Changed by you: regions joined: 1, regions separated: 1.")
    asked_of_api = {"affinity_edits": [[kind, list(own), others and list(others)] for kind, own, others in edits]}
    found = uneven_page.api(asked_of_api, cells=(0, 7))
    assert found["key"] == key(page)  # the same explanation as the page's
    for cell, row in found["rows"].items():
        np.testing.assert_allclose(row, expected[cell], atol=1e-6)

    scored(page)
    kept = score_table(page, REGIONS)
    page.reload()
    scored(page)
    assert score_table(page, REGIONS)["par_mean"] == pytest.approx(kept["par_mean"], abs=0.2)
    click_and_recompute(page, f"{REGIONS} [data-list=edits] button >> nth=0")  # the join is taken back
    page.wait_for_function("() => /affinity_edits=s9(&|$)/.test(location.search)")
    before = key(page)
    page.keyboard.press("Control+z")
    recomputed(page, before)
    page.wait_for_function("() => location.search.includes('affinity_edits=j1-2.8_22-24,s9')")
    click_and_recompute(page, '[data-do="as-computed"]')
    page.wait_for_function("() => !location.search.includes('affinity_edits')")
    expect(page.locator(".afa-edited")).to_be_hidden()
    assert press_pair(page, 8, 2) == pytest.approx(affinity[8, 2], abs=2e-3)


def test_weights_of_heads_move_below_the_edits(visit, uneven_page):  # noqa: F811
    page = open_edits(visit, query="&affinity_edits=s1_2&head_weights=3:0")
    scored(page, WEIGHTS)
    made = uneven_page.explained(
        head_weights=(None, None, 0.0, *([None] * 13)), affinity_edits=[("separate", (0,), (1,))]
    )
    assert press_pair(page, 0, 1) == 0
    assert press_pair(page, 0, 2) == pytest.approx(float(made.affinity[0, 2]), abs=2e-3)
    click_and_recompute(page, f'{WEIGHTS} [data-preset="learned"]')
    page.wait_for_function(
        "() => location.search.includes('affinity_edits=s1_2') && !location.search.includes('head_weights')"
    )
    assert press_pair(page, 1, 0) == 0


def test_keys_mark_cells_and_draw_rectangles(visit):  # noqa: F811
    page = open_edits(visit, query="&cell=2,2")
    page.locator(f"{REGIONS} canvas.afa-cells").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.down("Shift")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.up("Shift")
    choose(page, what="separate", against="rest")
    click_and_recompute(page, APPLY)
    page.wait_for_function("() => location.search.includes('affinity_edits=s8-10.16')")
    assert page.locator('[data-do="row"]').input_value() == "2"  # the query cell stays where it is

    tab(page, "cam")
    open_panel(page, EDITS["cam"])
    page.locator(f"{EDITS['cam']} canvas.afa-cells").focus()
    before = key(page)
    page.keyboard.down("Shift")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.up("Shift")
    recomputed(page, before)
    page.wait_for_function("() => location.search.includes('occlude=16,48,16,48')")
    assert "affinity_edits=s8-10.16" in page.url  # one edit keeps the other


def test_a_finger_brushes(phone):  # noqa: F811
    page = phone("example=scene0&tab=affinity")
    open_panel(page, REGIONS)
    canvas = page.locator(f"{REGIONS} canvas.afa-cells")
    canvas.scroll_into_view_if_needed()
    width, height = canvas.evaluate("canvas => [canvas.clientWidth, canvas.clientHeight]")
    canvas.tap(position={"x": 0.5 * width / COLS, "y": 0.5 * height / ROWS})  # once it stays where it is
    page.locator(f'{REGIONS} [data-against="rest"]').tap()
    expect(page.locator(f'{REGIONS} [data-part="pending"]')).to_contain_text("region A of 1 cells")
    assert canvas.evaluate("canvas => getComputedStyle(canvas).touchAction") == "none"
