"""The guided lab in a real browser: guess, be told, go on; what would tell is covered until then."""

from __future__ import annotations

import re

import pytest
from browser import (  # noqa: F401
    Page,
    address,
    browser,
    expect,
    keep_picture,
    pixels,
    pytestmark,
    recomputed,
    small_targets,
    tab,
    visit,
)
from browser import key as key_of

from afa_viz.lab import QUESTIONS

PANEL = "[role=tabpanel][data-tab=lab]"
FIGURE = f"{PANEL} figure canvas[role=img]"


def step(page: Page, number: int) -> None:
    """Go to a step, numbered from 1."""
    page.locator(f"{PANEL} .afa-lab-steps button").nth(number - 1).click()
    expect(page.locator(f"{PANEL} h3")).to_contain_text(f"{number} of {len(QUESTIONS)}")


def covered(page: Page) -> list[str]:
    return page.locator(".afa-veiled").evaluate_all("items => items.map((item) => item.dataset.stage)")


def check(page: Page) -> str:
    """Send the answer; what the page says to it."""
    page.get_by_role("button", name="Check my answer").click()
    verdict = page.locator(f"{PANEL} .afa-lab-verdict")
    expect(verdict).to_have_attribute("data-right", re.compile("true|false"))
    return verdict.inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width, height", [(1440, 900), (390, 844)])
def test_every_step_fits_and_is_answered(visit, width, height, theme):  # noqa: F811
    page = visit(width, height, theme)
    tab(page, "lab")
    for number, entry in enumerate(QUESTIONS, start=1):
        step(page, number)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, entry.name
        assert not small_targets(page, PANEL, "button, input, a")
        if entry.kind == "choice":
            page.locator(f"{PANEL} input[type=radio]").first.check()
        elif entry.kind == "number":
            page.locator(f"{PANEL} input[type=number]").fill("12")
        elif entry.kind == "cell":
            box = page.locator(FIGURE).bounding_box()
            assert box and box["width"] < 330
            page.locator(FIGURE).click(position={"x": box["width"] / 2, "y": box["height"] / 2})
        output = check(page)
        assert "{" not in page.locator(PANEL).inner_text() and "lab." not in output
        assert covered(page) == []
        inside = page.locator(f"{PANEL} .afa-lab-step, {PANEL} .afa-lab-verdict")
        assert inside.evaluate_all("all => all.every((e) => e.scrollWidth <= e.clientWidth)"), entry.name  # nothing cut
        if entry.name in ("cut", "blame"):
            keep_picture(page.locator(PANEL), f"lab_{entry.name}_{width}_{theme}")


def test_what_would_tell_is_covered_until_the_answer(visit):  # noqa: F811
    page = visit()
    tab(page, "lab")
    step(page, 6)
    assert covered(page)[0] == "cam_rw" and covered(page)[-1] == "target"
    expect(page.locator(".afa-status")).to_be_hidden()
    expect(page.get_by_role("button", name="Open the tab Random walk")).to_be_hidden()
    tab(page, "walk")  # somebody who leaves the lab sees everything
    assert covered(page) == []
    tab(page, "lab")
    assert "cam_rw" in covered(page)
    page.locator(f"{PANEL} input[type=radio]").first.check()
    check(page)
    assert covered(page) == []
    page.get_by_role("button", name="Open the tab Random walk").click()
    expect(page.locator("[role=tabpanel][data-tab=walk]")).to_be_visible()


def test_right_and_wrong_are_told_apart_and_remembered(visit):  # noqa: F811
    page = visit(query="tab=lab&step=labels")
    page.locator(f"{PANEL} input[type=number]").fill("11")
    assert check(page).startswith("Not quite.")
    expect(page.locator(f"{PANEL} [aria-label=solved]")).to_have_count(0)
    page.locator(f"{PANEL} input[type=number]").fill("12")
    page.get_by_role("button", name="Check my answer").click()
    expect(page.locator(f"{PANEL} .afa-lab-verdict")).to_contain_text("Yes.")
    expect(page.locator(f"{PANEL} [aria-label=solved]")).to_have_count(1)
    page.reload()
    expect(page.locator(f"{PANEL} [aria-label=solved]")).to_have_count(1)


def test_the_threshold_is_drawn_while_it_moves(visit):  # noqa: F811
    page = visit(query="tab=lab&step=cut")
    before = pixels(page, FIGURE)
    page.locator(f"{PANEL} input[type=range]").fill("0.2")
    expect(page.locator(f"{PANEL} figcaption")).to_contain_text("above 0.20")
    assert pixels(page, FIGURE) != before


def test_the_picture_of_a_step_is_its_own(visit):  # noqa: F811
    page = visit(query="tab=lab&step=cut")
    page.mouse.move(0, 0)
    alone = pixels(page, FIGURE)
    step(page, 2)
    box = page.locator(FIGURE).bounding_box()
    page.locator(FIGURE).click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    check(page)
    expect(page.locator(f"{PANEL} .afa-scale")).to_have_count(1)
    step(page, 3)
    page.locator(FIGURE).hover()  # marks are drawn anew
    page.mouse.move(0, 0)
    expect(page.locator(f"{PANEL} figcaption")).to_contain_text("above")
    assert pixels(page, FIGURE) == alone
    expect(page.locator(f"{PANEL} .afa-scale")).to_have_count(0)


def test_a_cell_must_be_pressed_first(visit):  # noqa: F811
    page = visit(query="tab=lab&step=cam")
    page.get_by_role("button", name="Check my answer").click()
    expect(page.locator(".afa-aloud")).to_contain_text("First press a cell")


def test_a_card_of_the_gallery_opens_its_picture_and_the_address_leads_back(visit):  # noqa: F811
    page = visit()
    tab(page, "lab")
    card = page.locator(f"{PANEL} .afa-lab-cards a")
    expect(card).to_have_count(1)
    assert "example=scene1" in (card.get_attribute("href") or "") and "step=blame" in (card.get_attribute("href") or "")
    before = key_of(page)
    card.click()
    recomputed(page, before)
    expect(page.locator(f"{PANEL} h3")).to_contain_text("Where did it go wrong?")
    assert "target" in covered(page)
    expect(page).to_have_url(re.compile("example=scene1.*step=blame"))
    page.reload()
    expect(page.locator(f"{PANEL} h3")).to_contain_text("Where did it go wrong?")
    page.locator(f"{PANEL} input[type=radio]").first.check()
    assert "A part for the whole" in check(page)


def test_a_photograph_without_a_mask_sends_to_an_example(visit):  # noqa: F811
    page = visit(query="example=photo&tab=lab&step=walk")
    expect(page.locator(f"{PANEL} .afa-warning")).to_contain_text("This image has no mask")
    expect(page.locator(f"{PANEL} form")).to_be_hidden()
    before = key_of(page)
    page.get_by_role("link", name="Scene 0").click()
    recomputed(page, before)
    expect(page.locator(f"{PANEL} form")).to_be_visible()
