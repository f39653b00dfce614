"""Weights per head in Chromium: page, API and Python give the affinity that follows from the trace's logits."""

from __future__ import annotations

import expected_affinity
import numpy as np
import pytest
from browser import browser, click_and_recompute, drawn_and_fits, expect, key, pytestmark, recomputed, requests, visit  # noqa: F401
from change_panels import (
    AFFINITY,
    PATH,
    WEIGHTS,
    move_weight,
    number,
    open_weights,
    pair_logit,
    press_pair,
    score_table,
    scored,
)
from uneven_example import CELLS, address  # noqa: F401  (fixture)

from afa_viz.evaluation.head_worth import head_worth
from afa_viz.stage_scores import stage_scores


def test_page_api_and_python_give_the_affinity_of_the_logits(visit, uneven_page):  # noqa: F811
    page, plain = open_weights(visit), uneven_page.explained()
    table = score_table(page, WEIGHTS)
    learned = {name: before for name, (before, _, _) in table.items()}
    assert {name: after for name, (_, after, _) in table.items()} == learned
    assert not any(change for _, _, change in table.values())
    asked = requests(page)
    given: dict[int, float] = {}
    for head, value in ((1, -0.11), (9, 0.07), (15, 0.0)):
        given[head] = move_weight(page, head, value)
        assert given[head] == pytest.approx(value, abs=2e-3)
        expected = expected_affinity.of_trace(plain, given)
        for i, j in ((0, 1), (CELLS - 1, 3), (7, 7)):
            assert press_pair(page, i, j) == pytest.approx(expected[i, j], abs=2e-3)
            assert pair_logit(page) == pytest.approx(np.log(expected[i, j] / (1 - expected[i, j])), abs=2e-2)
    bias = move_weight(page, "bias", -0.3)
    expected = expected_affinity.of_trace(plain, given, bias)
    assert press_pair(page, 2, 11) == pytest.approx(expected[2, 11], abs=2e-3)
    assert not asked, asked  # nothing is asked of the server while a hand moves
    expect(page.locator(f'{WEIGHTS} [data-part="state"]')).to_contain_text("Changed by you: 4")
    scored(page, WEIGHTS)
    weights = tuple(given.get(head) for head in range(16))
    moved = uneven_page.explained(head_weights=weights, affinity_bias=bias)
    np.testing.assert_allclose(moved.affinity.numpy(), expected, atol=2e-5)
    table, real = score_table(page, WEIGHTS), stage_scores(moved)
    for name, stage in (("walk_mean", "cam_rw"), ("par_mean", "cam_par")):
        _, after, change = table[name]
        assert after == pytest.approx(100 * real[stage]["miou"], abs=1.0)  # of maps of 8 bits
        assert change == pytest.approx(after - learned[name], abs=0.11)

    before = key(page)
    move_weight(page, "bias", bias, release=True)
    recomputed(page, before)
    scored(page, WEIGHTS)
    page.wait_for_url("**head_weights=**")
    assert "2:" in page.url and "10:" in page.url and "16:0" in page.url and "affinity_bias=" in page.url
    assert press_pair(page, 2, 11) == pytest.approx(expected[2, 11], abs=2e-3)
    found = uneven_page.api({"head_weights": list(weights), "affinity_bias": bias}, cells=[2])
    assert found["key"] == key(page)  # the same explanation as the page's
    np.testing.assert_allclose(found["rows"][2], expected[2], atol=2e-5)

    page.reload()
    scored(page, WEIGHTS)
    expect(page.locator(f'{WEIGHTS} [data-part="state"]')).to_contain_text("Changed by you: 4")
    kept = {name: before for name, (before, _, _) in score_table(page, WEIGHTS).items()}
    assert kept == pytest.approx(learned, abs=0.5)  # the learned side stays the learned one
    click_and_recompute(page, f'{WEIGHTS} [data-preset="learned"]')
    page.wait_for_function("() => !location.href.includes('head_weights')")


def test_presets_and_symmetry(visit, uneven_page):  # noqa: F811
    page, plain = open_weights(visit), uneven_page.explained()
    learned = plain.affinity_weight.tolist()
    page.locator(f'{WEIGHTS} [data-head="4"] input').focus()
    expect(page.locator(f'{WEIGHTS} [data-preset="only"]')).to_have_text("Only head 5")
    cases = {
        "without": {4: 0.0},
        "only": {head: 0.0 for head in range(16) if head != 4},
        "equal": {head: float(np.abs(learned).mean()) for head in range(16)},
        "learned": {},
    }
    for name, weights in cases.items():
        click_and_recompute(page, f'{WEIGHTS} [data-preset="{name}"]')
        scored(page, WEIGHTS)
        assert press_pair(page, 3, 9) == pytest.approx(expected_affinity.of_trace(plain, weights)[3, 9], abs=2e-3), name
    click_and_recompute(page, f"{WEIGHTS} input[type=checkbox]")
    one_way = expected_affinity.of_trace(plain, symmetric=False)
    assert press_pair(page, 3, 9) == pytest.approx(one_way[3, 9], abs=2e-3)
    expect(page.locator(f'{PATH} [data-step="transposed"]')).to_contain_text("The transpose is left out")
    assert page.locator("#afa-left-out input").nth(2).is_checked()  # the setting of the sidebar is the same one


@pytest.mark.parametrize("width, theme, language", [(1440, "light", "en"), (390, "dark", "ko")])
def test_what_each_head_is_worth_is_computed_and_fits(visit, uneven_page, width, theme, language):  # noqa: F811
    page = open_weights(visit, f"&lang={language}", width=width, theme=theme)
    page.locator('[data-do="path"]').click()
    page.locator('[data-do="worth"]').click()
    page.wait_for_selector(f'{WEIGHTS} [data-part="worth"][data-state=ready]', timeout=30_000)
    rows = page.locator(f'{WEIGHTS} [data-part="worth"] tbody tr').evaluate_all(
        "rows => rows.map((row) => [...row.querySelectorAll('td')].map((box) => box.textContent))"
    )
    assert len(rows) == 16
    real = head_worth(uneven_page.explained())
    for head, cells in enumerate(rows, start=1):
        expected = [
            100 * (real[f"{kind} {head}"][stage] - real["as used"][stage])
            for kind in ("without", "only")
            for stage in ("cam_rw", "cam_par")
        ]
        assert [number(text) for text in cells] == pytest.approx(expected, abs=1.5)
    drawn_and_fits(page, AFFINITY, '[data-for="weights"] canvas[role=img]', f"weights_{width}_{theme}", colours=3)
