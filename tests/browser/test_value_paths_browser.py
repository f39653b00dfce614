"""From a value down to single products in Chromium: the affinity of a pair, and what the walk gave a cell."""

from __future__ import annotations

import numpy as np
import pytest
from browser import browser, expect, pytestmark, visit  # noqa: F401  (fixtures)
from change_panels import PATH, open_weights, pair_logit, press_pair
from uneven_example import CELLS, COLS, address  # noqa: F401  (fixture)

from afa_viz.value_paths import affinity_path, walk_path


def test_the_steps_of_a_pair_multiply_out(visit, uneven_page):  # noqa: F811
    page, plain = open_weights(visit), uneven_page.explained()
    for i, j in ((1, 10), (CELLS - 1, 0)):
        affinity, logit = press_pair(page, i, j), pair_logit(page)
        real = affinity_path(plain, divmod(i, COLS), divmod(j, COLS))
        page.locator(f"{PATH} .afa-path-heads button").nth(11).click()
        q, k, products = (
            np.array([float(value) for value in row.split()])
            for row in page.locator(f'{PATH} [data-step="product"] .afa-bars').evaluate_all(
                "rows => rows.map((row) => row.dataset.values)"
            )
        )
        assert len(q) == len(k) == 32
        np.testing.assert_allclose(q, real.query[11], atol=1e-3)
        np.testing.assert_allclose(k, real.key[11], atol=1e-3)
        np.testing.assert_allclose(products, q * k, atol=1e-4)
        assert products.sum() == pytest.approx(float(real.logits[11]), abs=1e-2)
        parts = page.locator(f"{PATH} .afa-path-heads tbody tr").evaluate_all(
            "rows => rows.map((row) => Number(row.dataset.part))"
        )
        np.testing.assert_allclose(parts, [*real.contributions, real.bias], atol=1e-2)
        assert sum(parts) == pytest.approx(logit, abs=1e-4) and logit == pytest.approx(real.logit, abs=1e-2)
        assert affinity == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)
        words = page.locator(PATH).inner_text()
        assert f"{affinity:.3f}" in words and "The 32 products add up to" in words
    page.locator(f'{PATH} input[data-end="to 1"]').fill("99")  # beyond the grid: its last column
    page.keyboard.press("Tab")
    assert page.locator(PATH).get_attribute("data-pair") == f"{CELLS - 1} {COLS - 1}"


def test_what_the_neighbours_gave_a_cell(visit, uneven_page):  # noqa: F811
    page, plain = visit(query="example=scene0&tab=walk&class=cat&cell=2,4"), uneven_page.explained()
    box = page.locator('[data-tab="walk"] [data-for="path"]')
    for cell in ((1, 3), (0, 0)):
        if cell == (0, 0):  # not that of the address
            for name in ("row", "col"):
                page.locator(f'[data-do="{name}"]').fill("1")
                page.locator(f'[data-do="{name}"]').press("Enter")
        real = walk_path(plain, cell, plain.class_names.index("cat"))
        expect(box).to_have_attribute("data-cell", str(cell[0] * COLS + cell[1]))
        assert float(box.get_attribute("data-value")) == pytest.approx(real.value, abs=5e-3)
        given = box.locator("tbody tr").evaluate_all(
            "rows => rows.map((row) => Number(row.lastElementChild.textContent))"
        )
        assert sum(given[:-1]) == pytest.approx(given[-1], abs=1e-3)  # the last line is their sum
        best = np.unravel_index(int(real.contributions.argmax()), plain.grid)
        first = "itself" if tuple(best) == cell else f"row {best[0] + 1}, column {best[1] + 1}"
        expect(box.locator("tbody tr").first).to_contain_text(first)
