"""A second image that the same query cell is compared with, in Chromium: the affinity is that of `two_images`."""

from __future__ import annotations

import json
import re

import numpy as np
from browser import (  # noqa: F401  (fixtures)
    Page,
    browser,
    click_and_recompute,
    expect,
    keep_picture,
    next_frame,
    pytestmark,
    requests,
    small_targets,
    visit,
)  # fmt: skip
from change_panels import ACROSS, WEIGHTS, move_weight, open_weights, scored
from uneven_example import CELLS, COLS, address  # noqa: F401  (fixture)

from afa_viz.two_images import affinity_between


def across(page: Page, name: str) -> list[float]:
    """Affinities of the query cell in this image ("own") or in the second one ("other"), row by row."""
    page.wait_for_selector(f"{ACROSS}[data-state=ready]")
    next_frame(page)
    return [float(value) for value in page.locator(ACROSS).get_attribute(f"data-{name}").split()]


def fits(page: Page, width: int, theme: str) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not small_targets(page, ACROSS)
    words = page.locator(ACROSS).inner_text()
    assert "{" not in words and "across." not in words
    keep_picture(page.locator(ACROSS), f"two_images_{width}_{theme}")


def test_a_second_image_is_asked_by_the_same_query(visit, uneven_page):  # noqa: F811
    page, plain, other = open_weights(visit, "&cell=2,4"), uneven_page.explained(), uneven_page.second_example()
    expect(page.locator(f"{ACROSS} figure").first).to_be_hidden()
    page.locator(f"{ACROSS} select").select_option("scene1")
    expected = affinity_between(plain, other).numpy()
    at = 1 * COLS + 3
    np.testing.assert_allclose(across(page, "own"), plain.affinity[at], atol=2e-3)
    np.testing.assert_allclose(across(page, "other"), expected[at], atol=2e-3)
    expect(page.locator(ACROSS)).to_contain_text("never attended from one image to the other")
    expect(page.locator(f"{ACROSS} [data-part=words]")).to_contain_text(
        f"{(expected[at] > 0.5).sum()} of {other.grid[0] * other.grid[1]} of the second"
    )
    asked = requests(page)
    page.locator('[data-do="col"]').fill("6")
    page.locator('[data-do="col"]').press("Enter")
    at = 1 * COLS + 5
    np.testing.assert_allclose(across(page, "other"), expected[at], atol=2e-3)
    shown = move_weight(page, 3, -0.12)  # a weight that a hand moves counts here, too
    moved = uneven_page.explained(head_weights=tuple(shown if head == 3 else None for head in range(16)))
    np.testing.assert_allclose(across(page, "other"), affinity_between(moved, other)[at], atol=2e-3)
    np.testing.assert_allclose(across(page, "own"), moved.affinity[at], atol=2e-3)
    assert not asked, asked
    page.wait_for_url("**second=scene1**")
    page.locator(f"{ACROSS} [data-do=undo-second]").click()
    expect(page.locator(f"{ACROSS} figure").first).to_be_hidden()
    expect(page.locator(f"{ACROSS} select")).to_have_value("")
    page.wait_for_function("!location.search.includes('second=')")


def test_the_second_image_of_an_address_and_the_one_before(visit):  # noqa: F811
    page = open_weights(visit, "&second=scene1")
    assert len(across(page, "other")) == 36
    fits(page, 1440, "light")
    expect(page.locator(f"{ACROSS} option[value='scene0']")).to_have_count(0)  # not with itself
    click_and_recompute(page, "#afa-gallery .thumbnail-item >> nth=1")
    scored(page, WEIGHTS)
    select = page.locator(f"{ACROSS} select")
    expect(select).to_have_value("")  # the second image is the first one now
    select.select_option(index=1)  # the one that was open before
    expect(page.locator(f"{ACROSS} option:checked")).to_have_text("before: Scene 0")
    assert len(across(page, "other")) == CELLS
    page.wait_for_url("**second=scene0**")


def test_two_images_fit_a_phone_in_another_language(visit):  # noqa: F811
    page = open_weights(visit, "&second=scene1&lang=ko", width=390, theme="dark")
    across(page, "other")
    fits(page, 390, "dark")


def test_what_two_images_need_is_said(visit):  # noqa: F811
    page = open_weights(visit, "&second=nowhere")
    expect(page.locator(".afa-status")).to_contain_text("ignored: second")

    def without_factors(route) -> None:
        if route.request.post_data_json["fn_name"] != "heads":
            return route.continue_()
        sent = route.fetch()
        answer = {**json.loads(sent.json()), "blocks": [{"logits": None}] * 2}
        return route.fulfill(response=sent, json=json.dumps(answer))

    page.route(re.compile("component_server"), without_factors)
    page.locator(f"{ACROSS} select").select_option("scene1")
    expect(page.locator(f"{ACROSS} .afa-lacks")).to_contain_text("Queries and keys are not held here")
    expect(page.locator(f"{ACROSS} figure").first).to_be_hidden()
    page.unroute(re.compile("component_server"))
