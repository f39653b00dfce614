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
    next_frame,
    pixels,
    pytestmark,
    recomputed,
    small_targets,
    tab,
    visit,
)
from browser import key as key_of

from afa_viz.lab import QUESTIONS
from afa_viz.ui import localization

PANEL = "[role=tabpanel][data-tab=lab]"
FIGURE = f"{PANEL} figure canvas[role=img]"


def step(page: Page, number: int) -> None:
    """Go to a step, numbered from 1."""
    page.locator(f"{PANEL} .afa-lab-steps button").nth(number - 1).click()
    expect(page.locator(f"{PANEL} h3")).to_contain_text(f"{number} of {len(QUESTIONS)}")


def covered(page: Page) -> list[str]:
    return page.locator(".afa-veiled").evaluate_all("items => items.map((item) => item.dataset.stage)")


def give(page: Page, kind: str) -> None:
    """Any answer with the first reason."""
    form = page.locator(f"{PANEL} form")
    if kind == "choice":
        form.locator("input[name=answer]").first.check()
    elif kind == "pairs":
        for row in form.locator(".afa-lab-pair").all():
            row.locator("input").first.check()
    elif kind == "cell":
        box = page.locator(FIGURE).bounding_box()
        assert box and box["width"] < 330
        page.locator(FIGURE).click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    form.locator("input[name=reason]").first.check()


def check(page: Page) -> str:
    """Send the answer; what the page answers."""
    verdict = page.locator(f"{PANEL} .afa-lab-verdict")
    verdict.evaluate_all("all => all.forEach((one) => one.removeAttribute('data-right'))")  # that of an answer before
    page.get_by_role("button", name="Check my answer").click()
    expect(verdict).to_have_attribute("data-right", re.compile("true|false"))
    return verdict.inner_text()


def number_of(name: str) -> int:
    return 1 + [question.name for question in QUESTIONS].index(name)


@pytest.mark.parametrize("width, height, theme", [(1440, 900, "light"), (390, 844, "dark")])
def test_every_step_fits_and_is_answered(visit, width, height, theme):  # noqa: F811
    page = visit(width, height, theme)
    tab(page, "lab")
    for number, entry in enumerate(QUESTIONS, start=1):
        step(page, number)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, entry.name
        assert not small_targets(page, PANEL, "button, input, a")
        give(page, entry.kind)
        page.get_by_role("button", name="Check my answer").click()
        said = page.locator(f'{PANEL} [data-fill="lab-verdict"]')
        expect(said).not_to_be_empty()  # a verdict, or why this scene has none
        assert "{" not in page.locator(PANEL).inner_text() and "lab." not in page.locator(PANEL).inner_text()
        if page.locator(f"{PANEL} .afa-lab-verdict").get_attribute("data-right"):
            assert covered(page) == []
            assert page.locator(f'{PANEL} [data-fill="lab-reason"]').get_attribute("data-right") in ("true", "false")
        inside = page.locator(f"{PANEL} .afa-lab-step, {PANEL} .afa-lab-verdict")
        assert inside.evaluate_all("all => all.every((e) => e.scrollWidth <= e.clientWidth)"), entry.name  # nothing cut
        if entry.name in ("cut", "pairs", "phases"):
            keep_picture(page.locator(PANEL), f"lab_{entry.name}_{width}_{theme}")


def test_what_would_tell_is_covered_until_the_answer(visit):  # noqa: F811
    page = visit()
    tab(page, "lab")
    step(page, number_of("walk"))
    assert covered(page)[0] == "cam_rw" and covered(page)[-1] == "target"
    expect(page.locator(".afa-status")).to_be_hidden()
    expect(page.get_by_role("button", name="Open the tab Random walk")).to_be_hidden()
    tab(page, "walk")  # somebody who leaves the lab sees everything
    assert covered(page) == []
    tab(page, "lab")
    assert "cam_rw" in covered(page)
    give(page, "choice")
    check(page)
    assert covered(page) == []
    page.get_by_role("button", name="Open the tab Random walk").click()
    expect(page.locator("[role=tabpanel][data-tab=walk]")).to_be_visible()


def answer_with(page: Page, right: bool) -> None:
    """Answer the question about the walk as the host judges, and remember nothing of it."""
    for code in ("rises", "same", "falls"):
        page.locator(f"{PANEL} input[name=answer][value={code}]").check()
        page.locator(f"{PANEL} input[name=reason]").first.check()
        check(page)
        verdict = page.locator(f"{PANEL} .afa-lab-verdict").get_attribute("data-right")
        if (verdict == "true") == right:
            return
    raise AssertionError("no such answer")


def test_answers_are_marked_and_the_first_one_counts(visit):  # noqa: F811
    page = visit(query="tab=lab&step=walk")
    answer_with(page, right=False)
    current = page.locator(f"{PANEL} [aria-current=step] [data-mark]")
    assert current.get_attribute("data-mark") in ("wrong", "half")  # the second part may be right
    score = page.locator(f'{PANEL} [data-fill="lab-score"]')
    first = score.inner_text()
    assert re.match(r"Points: [01] of 2\. Questions answered: 1", first)
    answer_with(page, right=True)
    assert current.get_attribute("data-mark") in ("right", "half")
    assert score.inner_text() == first, "the first answer counts"
    page.reload()
    expect(current).to_have_count(1)
    expect(score).to_have_text(first)


def test_phases_are_moved_by_keys_and_the_order_is_what_is_sent(visit):  # noqa: F811
    page = visit(query="tab=lab&step=phases")
    lines = page.locator(f"{PANEL} .afa-lab-order li")
    expect(lines).to_have_count(4)
    codes = lines.evaluate_all("all => all.map((line) => line.dataset.code)")
    down = lines.first.locator('[data-by="1"]')
    down.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # the focus went with the line
    after = lines.evaluate_all("all => all.map((line) => line.dataset.code)")
    assert after == [codes[1], codes[2], codes[0], codes[3]]
    page.locator(f"{PANEL} input[name=reason]").first.check()
    check(page)
    assert lines.evaluate_all("all => all.map((line) => line.dataset.code)") == after, "it stays as it was sent"


@pytest.mark.parametrize("language", ["en", "ko"])
def test_answers_can_be_printed_and_handed_in(visit, tmp_path, language):  # noqa: F811
    page = visit(query=f"tab=lab&step=labels&lang={language}")
    words = localization.texts(language)
    for name in ("labels", "pairs", "walk"):
        page.locator(f"{PANEL} .afa-lab-steps button").nth(number_of(name) - 1).click()
        expect(page.locator(f"{PANEL} h3")).to_contain_text(words[f"lab.{name}.title"])
        give(page, next(question.kind for question in QUESTIONS if question.name == name))
        page.locator(f"{PANEL} [type=submit]").click()
        expect(page.locator(f"{PANEL} .afa-lab-verdict")).to_have_attribute("data-right", re.compile("true|false"))
    page.locator(f"{PANEL} [data-do=name]").fill("<b>Jane</b>")
    with page.expect_download() as download:
        page.get_by_role("button", name=words["lab.sheet.save"]).click()
    saved = tmp_path / "sheet.html"
    download.value.save_as(saved)
    text = saved.read_text(encoding="utf-8")
    assert text.count("<article") == 3 and "&lt;b&gt;Jane&lt;/b&gt;" in text and "<script" not in text
    assert words["lab.pairs.title"] in text and "{" not in re.sub(r"<style.*?</style>", "", text, flags=re.S)
    page.evaluate("window.print = () => { window.printed = document.querySelectorAll('main article').length; }")
    page.get_by_role("button", name=words["lab.sheet.print"]).click()
    assert page.evaluate("window.printed") == 3
    page.emulate_media(media="print")
    assert page.locator(".afa-lab-sheet").is_visible() and not page.locator("[role=tablist]").is_visible()
    keep_picture(page.locator(".afa-lab-sheet"), f"lab_sheet_{language}")
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    expect(page.locator(".afa-lab-sheet")).to_have_count(0)
    expect(page.locator("[role=tablist]")).to_be_visible()


def test_starting_over_forgets_answers(visit):  # noqa: F811
    page = visit(query="tab=lab&step=labels")
    give(page, "choice")
    check(page)
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Start over").click()
    expect(page.locator(f"{PANEL} [data-mark]")).to_have_count(0)
    expect(page.locator(f"{PANEL} .afa-lab-verdict")).to_have_attribute("data-right", "")
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    assert "cam" in covered(page)
    assert page.locator(f"{PANEL} input:checked").count() == 0


def test_the_threshold_is_drawn_while_it_moves(visit):  # noqa: F811
    page = visit(query="tab=lab&step=cut")
    before = pixels(page, FIGURE)
    page.locator(f"{PANEL} input[type=range]").fill("0.2")
    expect(page.locator(f"{PANEL} figcaption")).to_contain_text("above 0.20")
    assert pixels(page, FIGURE) != before


def test_the_picture_of_a_step_is_its_own(visit):  # noqa: F811
    page = visit(query="tab=lab&step=cut")
    page.mouse.move(0, 0)
    expect(page.locator(f"{PANEL} figcaption")).to_contain_text("above")
    next_frame(page)
    alone = pixels(page, FIGURE)
    step(page, 2)
    give(page, "cell")
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
    page.locator(f"{PANEL} input[name=reason]").first.check()
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
    expect(page.locator(f"{PANEL} h3")).to_contain_text("Where did it go wrong?", timeout=30_000)
    give(page, "choice")
    assert "A part for the whole" in check(page)


def test_a_photograph_without_a_mask_sends_to_an_example(visit):  # noqa: F811
    page = visit(query="example=photo&tab=lab&step=walk")
    expect(page.locator(f"{PANEL} .afa-warning")).to_contain_text("This image has no mask")
    expect(page.locator(f"{PANEL} form")).to_be_hidden()
    before = key_of(page)
    page.get_by_role("link", name="Scene 0").click()
    recomputed(page, before)
    expect(page.locator(f"{PANEL} form")).to_be_visible()
