"""The guided tour and the presentation: what they open and move, how they end, and that they leave nothing behind."""

from __future__ import annotations

import numpy as np
import pytest
from app_fixtures import scene, tiny
from browser import address, browser, expect, keep_picture, pytestmark, query_cell, ready, requests, visit  # noqa: F401
from static_site import build_small, served

import afa_viz
from afa_viz.ui import localization

STOPS = ("cam", "cam", "attention", "affinity", "walk", "par", "regions", "seg")  # the tab of each
CARD = ".afa-tour"
SPOT = ".afa-tour-spot"
OFFER = ".afa-story [data-guide=tour]"
NEXT = f"{CARD} .afa-tour-next"


def begin(page) -> None:
    page.locator(OFFER).click()
    expect(page.locator(CARD)).to_be_visible()


def go_to(page, tab: str) -> None:
    while page.locator("[role=tab][aria-selected=true]").get_attribute("data-tab") != tab:
        page.locator(NEXT).click()


def at_stop(page, number: int, tab: str) -> None:
    """The card is at a stop, and what it speaks of is in sight beside it."""
    expect(page.locator(f"{CARD}-count")).to_have_text(f"Stop {number} of {len(STOPS)}")
    expect(page.locator(f'[role=tab][data-tab="{tab}"]')).to_have_attribute("aria-selected", "true")
    spot = page.locator(f'[role=tabpanel][data-tab="{tab}"] {SPOT}')
    expect(spot).to_be_in_viewport(ratio=0.25)
    assert page.locator(SPOT).count() == 1
    card, mark = page.locator(CARD).bounding_box(), spot.bounding_box()
    assert card and mark and page.viewport_size
    assert card["y"] >= 0 and card["y"] + card["height"] <= page.viewport_size["height"] + 1
    assert card["x"] >= 0 and card["x"] + card["width"] <= page.viewport_size["width"] + 1
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


@pytest.mark.parametrize("width, height", [(1280, 720), (390, 844), (844, 390)])
def test_eight_stops_by_keyboard(visit, width, height):  # noqa: F811
    page = visit(width, height)
    page.emulate_media(reduced_motion="reduce")
    page.locator(OFFER).focus()
    page.keyboard.press("Enter")
    for number, tab in enumerate(STOPS, 1):
        at_stop(page, number, tab)
        expect(page.locator(NEXT)).to_be_focused()
        keep_picture(page, f"tour_{width}x{height}_{number}")
        page.keyboard.press("Enter")
    expect(page.locator(CARD)).to_have_count(0)
    assert not page.locator(SPOT).count()
    expect(page.locator(".afa-keys summary")).to_be_focused()  # the offer is gone


def test_it_moves_the_page_and_puts_back_what_it_moved(visit):  # noqa: F811
    page = visit()
    before = query_cell(page)
    settings = page.locator(".afa").get_attribute("data-key")
    begin(page)
    cut = page.locator('[role=tabpanel][data-tab="cam"] [data-setting=bkg_score] input')
    held = cut.input_value()
    seen = requests(page)
    page.locator(NEXT).click()
    page.wait_for_function(
        "([e, held]) => e.value !== held", arg=[cut.element_handle(), held]
    )  # the threshold is dragged
    page.locator(NEXT).click()
    expect(cut).to_have_value(held)
    page.wait_for_function(  # the query cell moves
        "(before) => ['row', 'col'].map((name) => document.querySelector(`[data-do=${name}]`).value).join() !== before",
        arg=",".join(before),
    )
    seen.clear()  # maps of attention were asked for
    go_to(page, "walk")
    step = page.locator('[role=tabpanel][data-tab="walk"] [data-step]')
    page.wait_for_function("(e) => Number(e.value) > 1", arg=step.element_handle())  # the walk is played
    go_to(page, "regions")
    expect(step).to_have_value("1")
    high = page.locator('[role=tabpanel][data-tab="regions"] [data-setting=high] input')
    kept = page.locator("#afa-bkg_score_high input[type=range]").input_value()
    page.get_by_role("button", name="Show again").click()
    page.wait_for_function("([e, kept]) => e.value !== kept", arg=[high.element_handle(), kept])
    page.keyboard.press("Escape")
    expect(page.locator(CARD)).to_have_count(0)
    expect(high).to_have_value(kept)
    assert query_cell(page) == before
    assert page.locator(".afa").get_attribute("data-key") == settings
    assert not [url for url in seen if "queue" in url]  # no setting was sent


def test_it_is_offered_once_and_comes_back_by_the_question_mark(visit):  # noqa: F811
    page = visit()
    expect(page.locator(CARD)).to_have_count(0)  # it never opens by itself
    begin(page)
    page.keyboard.press("Escape")
    page.reload()
    ready(page)
    expect(page.locator(OFFER)).to_be_hidden()
    page.locator(".afa-keys summary").click()
    page.locator(".afa-keys [data-guide=tour]").click()
    expect(page.locator(CARD)).to_be_visible()
    expect(page.locator(".afa-keys table")).to_be_hidden()
    page.keyboard.press("ArrowRight")  # inside the card arrows go on and back
    at_stop(page, 2, "cam")
    page.keyboard.press("ArrowLeft")
    at_stop(page, 1, "cam")
    page.get_by_role("button", name="End the tour").click()
    expect(page.locator(".afa-keys summary")).to_be_focused()


def test_a_link_is_shown_as_it_is(visit):  # noqa: F811
    page = visit(query="example=scene1&tab=walk")
    expect(page.locator(CARD)).to_have_count(0)
    expect(page.locator('[role=tab][data-tab="walk"]')).to_have_attribute("aria-selected", "true")


def test_in_korean(visit):  # noqa: F811
    page = visit(query="lang=ko")
    begin(page)
    korean = localization.texts("ko")
    for name in ("labels", "cam", "attention", "affinity", "walk", "par", "regions", "seg"):
        expect(page.locator(f"{CARD} h3")).to_have_text(korean[f"tour.{name}_title"])
        assert "{" not in page.locator(CARD).inner_text()
        page.locator(NEXT).click()


def whole_tour(page) -> None:
    begin(page)
    for number, tab in enumerate(STOPS, 1):
        at_stop(page, number, tab)
        page.locator(NEXT).click()


def test_in_a_static_site(browser, tmp_path):  # noqa: F811
    with served(build_small(tmp_path)) as site:
        page = browser.new_page(viewport={"width": 1280, "height": 720}, reduced_motion="reduce")
        page.goto(site)
        ready(page)
        whole_tour(page)
        page.close()


def test_in_a_report(browser, tmp_path):  # noqa: F811
    model, card = tiny(0)
    model.card = card
    image, mask = scene(0)
    trace = afa_viz.explain(model.eval(), image, ["cat", "bird"], target=np.asarray(mask))
    page = browser.new_page(viewport={"width": 1280, "height": 720}, reduced_motion="reduce")
    page.goto(trace.report(tmp_path / "report.html").as_uri())
    ready(page)
    whole_tour(page)
    page.close()


# --- the presentation ------------------------------------------------------------------------------------------------


def test_a_presentation_goes_through_the_pipeline(visit):  # noqa: F811
    page = visit(1280, 720)
    size = page.locator(".afa-intro").first.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    page.locator(".afa-views").focus()
    page.keyboard.press("p")
    bar = page.locator(".afa-present-bar")
    expect(bar).to_be_visible()
    for beside in ("#afa-pick", "#afa-settings", ".afa-bar", ".afa-story", ".afa-foot"):
        expect(page.locator(beside)).to_be_hidden()
    stages = ("cam", "attention", "affinity", "walk", "par", "regions", "seg")
    for number, name in enumerate(stages, 1):
        panel = page.locator(f'[role=tabpanel][data-tab="{name}"]')
        expect(panel).to_be_visible()
        expect(bar.locator("output")).to_have_text(f"{number} / {len(stages)}")
        expect(panel.locator("canvas:visible").first).to_be_in_viewport(ratio=0.3)
        assert panel.locator(".afa-intro").evaluate("e => parseFloat(getComputedStyle(e).fontSize)") > 1.1 * size
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        keep_picture(page, f"presentation_{name}")
        page.keyboard.press("ArrowRight" if number % 2 else "PageDown")
    expect(bar.locator("output")).to_have_text("7 / 7")  # it ends there
    page.keyboard.press("ArrowLeft")
    expect(bar.locator("output")).to_have_text("6 / 7")
    page.keyboard.press("Escape")
    expect(bar).to_have_count(0)
    expect(page.locator("#afa-pick")).to_be_visible()
    expect(page.locator('[role=tabpanel][data-tab="regions"]')).to_be_visible()
