"""The first five minutes: pictures in sight on any window, settings of a phone, steps back, no class that is found."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from app_fixtures import scene
from browser import address, browser, expect, keep_picture, key, pytestmark, recomputed, small_targets, tab, visit  # noqa: F401

FILE = "#afa-pick input[type=file]"
GALLERY = "#afa-gallery .thumbnail-item"
IN_SIGHT = """(panel) => {
  const maps = [...document.querySelectorAll(`${panel} figure canvas`)].map((one) => one.getBoundingClientRect());
  const first = maps.find(({ width, height }) => width > 60 && height > 60);
  return first && Math.min(first.bottom, innerHeight) - Math.max(first.top, 0) >= 0.6 * first.height;
}"""
TABS = ("cam", "attention", "affinity", "walk", "par", "regions", "seg", "compare")


def example(page) -> str:
    return parse_qs(urlsplit(page.url).query).get("example", [""])[0]


def shows(page, name: str) -> None:
    """The page shows an example, and its address names it."""
    page.wait_for_function("(name) => new URLSearchParams(location.search).get('example') === name", arg=name)
    title = {"scene0": "Scene 0", "scene1": "Scene 1", "photo": "A photograph"}[name]
    expect(page.locator("[data-fill=picture]")).to_have_text(title)


# --- what is in sight ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width, height, theme", [
    (1280, 720, "light"), (1440, 900, "dark"), (390, 844, "light"), (844, 390, "dark"), (375, 667, "light"),
])  # fmt: skip
def test_the_pictures_of_the_open_tab_are_in_sight(visit, width, height, theme):  # noqa: F811
    page = visit(width, height, theme)
    first = page.locator('[role=tabpanel][data-tab="cam"] figure canvas').first
    folded = (width, height) != (1440, 900)
    expect(first).to_be_in_viewport(ratio=0.6 if folded else 0.2)  # with nothing scrolled
    keep_picture(page, f"first_{width}x{height}_{theme}")
    for name in TABS:
        page.evaluate(
            "window.scrollTo(0, 0)" if folded else "document.querySelector('[role=tablist]').scrollIntoView()"
        )
        panel = tab(page, name)
        if name != "compare" or width < 900:  # on wide windows its choices come first
            page.wait_for_function(IN_SIGHT, arg=panel)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        keep_picture(page, f"tab_{width}x{height}_{theme}_{name}")


def test_toolbar_and_strip_unfold_and_fold(visit):  # noqa: F811
    page = visit(1280, 720)
    fold, strip = page.locator("[data-do=fold]"), page.locator(".afa-strip-frame")
    expect(strip).to_be_hidden()
    expect(fold).to_have_attribute("aria-expanded", "false")
    fold.click()
    expect(strip).to_be_visible()
    expect(page.locator("[data-do=block]")).to_be_visible()
    canvas = page.locator('[data-stage="cam"] canvas').first
    page.wait_for_function(
        "(canvas) => canvas.width > 20", arg=canvas.element_handle()
    )  # it is drawn, once it has a size
    page.set_viewport_size({"width": 1280, "height": 1000})
    expect(strip).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 600})
    expect(strip).to_be_hidden()


def test_the_row_of_tabs_stays_in_sight_and_another_tab_begins_at_its_beginning(visit):  # noqa: F811
    page = visit(1280, 720)
    panel = page.locator(tab(page, "affinity"))
    page.mouse.move(700, 500)
    page.mouse.wheel(0, 1500)
    row = page.locator("[role=tablist]")
    expect(row).to_be_in_viewport(ratio=0.9)
    expect(panel.locator(".afa-intro")).not_to_be_in_viewport()
    panel = page.locator(tab(page, "regions"))
    expect(panel.locator(".afa-intro")).to_be_in_viewport(ratio=0.9)
    box, above = panel.locator(".afa-intro").bounding_box(), row.bounding_box()
    assert box and above and box["y"] >= above["y"] + above["height"] - 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_settings_of_a_phone_are_a_drawer(visit, theme):  # noqa: F811
    page = visit(390, 844, theme)
    drawer, button = page.locator("#afa-settings"), page.locator("[data-guide=settings]")
    expect(drawer).to_be_hidden()
    button.click()
    expect(drawer).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    page.wait_for_function("document.querySelector('#afa-settings').contains(document.activeElement)")
    page.wait_for_function("document.querySelector('#afa-settings').getBoundingClientRect().bottom <= innerHeight + 1")
    keep_picture(page, f"drawer_{theme}")
    before = key(page)
    number = page.locator("#afa-bkg_score_high input[type=number]")
    number.fill("0.7")
    number.press("Enter")
    recomputed(page, before)
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(button).to_be_focused()
    button.click()
    page.mouse.click(195, 60)  # beside it
    expect(drawer).to_be_hidden()
    wide = visit(1280, 720)
    expect(wide.locator("#afa-settings")).to_be_visible()
    expect(wide.locator("[data-guide=settings]")).to_be_hidden()


@pytest.mark.parametrize(
    "language, words", [("en", "column on the left|left column|sidebar"), ("ko", "왼쪽 열|사이드바")]
)
def test_no_words_point_to_a_column_that_a_phone_lacks(language, words):
    from afa_viz.ui import localization

    assert not {name: text for name, text in localization.texts(language).items() if re.search(words, text)}


def test_limits_of_a_photograph_and_links_are_stated(visit):  # noqa: F811
    page = visit()
    expect(page.locator(".afa-upload small")).to_contain_text(re.compile(r"up to \d+ MB.*\d+ megapixels"))
    foot = page.locator(".afa-foot")
    expect(foot.get_by_role("link")).to_have_attribute("href", "https://arxiv.org/abs/2203.02664")
    for name in ("labs/GUIDE.md", "labs/*.ipynb", "docs/architecture.md"):
        expect(foot).to_contain_text(name)


# --- terms -----------------------------------------------------------------------------------------------------------

SHOWN = """(term) => {
  const { content, width, left } = getComputedStyle(term, "::after");
  return [content, term.getBoundingClientRect().left + parseFloat(left), parseFloat(width)];
}"""


@pytest.mark.parametrize("language, width", [("en", 1280), ("ko", 390)])
def test_terms_are_explained_where_a_text_uses_them(visit, language, width):  # noqa: F811
    from afa_viz.ui import localization

    words = localization.texts(language)
    page = visit(width, 844, query=f"lang={language}")
    panel = page.locator(tab(page, "affinity"))
    panel.locator(".afa-intro").hover()
    panel.locator(".afa-intro").hover()
    terms = panel.locator(".afa-intro .afa-term")
    expect(terms.first).to_be_visible()
    page.mouse.move(0, 0)
    expect(panel.locator(".afa-intro")).to_have_text(words["affinity.intro"])
    marked = [term.inner_text() for term in terms.all()]
    assert len(marked) == len(set(marked)) >= 2
    for term in terms.all():
        term.focus()
        name = term.get_attribute("aria-describedby").removeprefix("afa-term-")
        assert re.fullmatch(words[f"glossary.{name}_match"], term.inner_text())
        content, left, wide = term.evaluate(SHOWN)
        assert words[f"glossary.{name}_info"] in content.replace('\\"', '"')
        assert left >= 0 and left + wide <= width
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    keep_picture(page, f"term_{language}_{width}")
    page.keyboard.press("Escape")
    assert terms.last.evaluate(SHOWN)[0] == "none"


def test_the_glossary_lists_the_terms(visit):  # noqa: F811
    page = visit(1280, 720)
    page.locator(".afa-keys summary").click()
    page.locator("[data-guide=glossary]").click()
    dialog = page.locator(".afa-glossary")
    expect(dialog).to_be_visible()
    expect(dialog.locator("dt")).to_have_text([
        "CAM", "affinity", "attention head", "logit", "query cell", "random walk", "PAR", "β, background score", "IoU",
        "mAP", "pseudo label", "ground truth",
    ])  # fmt: skip
    keep_picture(page, "glossary")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator(".afa-keys summary")).to_be_focused()


# --- steps back ------------------------------------------------------------------------------------------------------


def test_back_and_forward_go_between_images(visit):  # noqa: F811
    page = visit()
    shows(page, "scene0")
    tab(page, "walk")
    page.locator('[role=tabpanel][data-tab="walk"] [data-view=after] canvas[role=img]').click(
        position={"x": 20, "y": 20}
    )  # pins
    page.wait_for_function("location.search.includes('cell=')")
    pinned = page.url
    page.locator(GALLERY).nth(1).click()
    shows(page, "scene1")
    tab(page, "regions")
    page.wait_for_function("location.search.includes('tab=regions')")
    page.locator(GALLERY).nth(2).click()
    shows(page, "photo")
    page.go_back()
    shows(page, "scene1")
    expect(page.locator('[role=tab][data-tab="regions"]')).to_have_attribute("aria-selected", "true")
    page.go_back()
    shows(page, "scene0")
    expect(page.locator('[role=tab][data-tab="walk"]')).to_have_attribute("aria-selected", "true")
    page.wait_for_function("(url) => location.href === url", arg=pinned)
    page.go_forward()
    shows(page, "scene1")
    expect(page.locator(GALLERY).nth(1)).to_have_class(re.compile("selected"))


def test_an_image_with_other_settings_comes_back_with_its_own(visit):  # noqa: F811
    page = visit(query="example=scene1&radius=3&tab=walk")
    shows(page, "scene1")
    page.locator(GALLERY).nth(0).click()
    shows(page, "scene0")
    before = key(page)
    page.locator("#afa-reset").click()
    recomputed(page, before)
    page.wait_for_function("!location.search.includes('radius=')")
    page.go_back()
    shows(page, "scene1")
    page.wait_for_function("location.search.includes('radius=3')")


def test_settings_are_undone_one_by_one(visit):  # noqa: F811
    page = visit()
    undo = page.locator("[data-do=undo]")
    expect(undo).to_have_count(0)
    slider = page.locator("#afa-bkg_score_high input[type=range]")
    first = slider.input_value()
    for value in ("0.7", "0.9"):
        before = key(page)
        number = page.locator("#afa-bkg_score_high input[type=number]")
        number.fill(value)
        number.press("Enter")
        recomputed(page, before)
    before = key(page)
    page.locator("#afa-left-out input").first.check()
    recomputed(page, before)
    expect(undo).to_have_text("Undo: Leave out")
    before = key(page)
    undo.click()
    recomputed(page, before)
    expect(page.locator("#afa-left-out input").first).not_to_be_checked()
    expect(undo).to_have_text("Undo: High background score β")
    before = key(page)
    page.locator(".afa-views").focus()
    page.keyboard.press("Control+z")
    recomputed(page, before)
    expect(slider).to_have_value("0.7")
    before = key(page)
    undo.click()
    recomputed(page, before)
    expect(slider).to_have_value(first)
    expect(undo).to_be_hidden()
    before = key(page)
    page.locator("#afa-bkg_score_low input[type=number]").fill("0.2")
    page.locator("#afa-bkg_score_low input[type=number]").press("Enter")
    recomputed(page, before)
    before = key(page)
    page.locator("#afa-reset").click()
    recomputed(page, before)
    before = key(page)
    undo.click()  # the reset, too
    recomputed(page, before)
    expect(page.locator("#afa-bkg_score_low input[type=range]")).to_have_value("0.2")


# --- photographs and results -----------------------------------------------------------------------------------------


def test_the_card_of_a_photograph_stays(visit, tmp_path):  # noqa: F811
    scene(3)[0].save(tmp_path / "mine.png")
    page = visit()
    before = key(page)
    page.locator(FILE).set_input_files(tmp_path / "mine.png")
    recomputed(page, before)
    card = page.locator(".afa-photo-cards button")
    expect(card).to_have_attribute("aria-pressed", "true")
    expect(card.locator("img")).to_have_attribute("alt", "Your photograph: mine.png")
    photograph = key(page)
    page.locator(GALLERY).nth(1).click()
    shows(page, "scene1")
    expect(card).to_have_attribute("aria-pressed", "false")
    card.click()
    expect(page.locator(".afa")).to_have_attribute("data-key", photograph)
    expect(card).to_have_attribute("aria-pressed", "true")
    assert not small_targets(page, ".afa-photo-cards")
    page.go_back()
    shows(page, "scene1")


def test_where_no_class_is_recognised_the_classes_are_offered(visit):  # noqa: F811
    page = visit()
    notice = page.locator(".afa-none")
    page.evaluate(
        """() => { // what the server sends of a photograph in which nothing is recognised
          const parse = JSON.parse;
          JSON.parse = (text, ...more) => {
            const value = parse(text, ...more);
            if (value?.classes && value.labels_given === false) for (const c of value.classes) c.logit = -2;
            return value;
          };
        }"""
    )
    page.locator(GALLERY).nth(2).click()
    shows(page, "photo")
    expect(notice).to_contain_text("None of the 12 classes of this network is recognised")
    buttons = notice.get_by_role("button")
    expect(buttons).to_have_count(12)
    keep_picture(page, "nothing_recognised")
    before = key(page)
    name = buttons.nth(4).inner_text()
    buttons.nth(4).click()
    recomputed(page, before)
    expect(notice).to_be_hidden()
    expect(page.locator("[data-fill=labels]")).to_contain_text(f"Image labels given: {name}")
    expect(page.locator("#afa-labels .token")).to_have_count(1)


@pytest.mark.parametrize("width, height", [(1440, 900), (390, 844)])
def test_an_image_of_the_data_set_comes_into_sight(visit, width, height):  # noqa: F811
    page = visit(width, height)
    panel = page.locator(tab(page, "data"))
    card = panel.locator("[data-list=cards] button").nth(1)
    card.scroll_into_view_if_needed()
    before = key(page)
    card.click()
    recomputed(page, before)
    expect(page.locator("[data-fill=picture]")).to_be_in_viewport()
    expect(page.locator('[data-stage="cam"] canvas').first).to_be_in_viewport(ratio=0.9)
    page.wait_for_function("new URLSearchParams(location.search).has('data')")  # a step of the history by now
    page.go_back()
    shows(page, "scene0")
