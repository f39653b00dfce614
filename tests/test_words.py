"""The page's words: every language says the same, and the browser can put one in the place of another."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser

import pytest
from browser import address, browser, pytestmark, ready, tab, visit  # noqa: F401  (fixtures)

from afa_viz.config import ExplainConfig
from afa_viz.ui import page, words
from afa_viz.ui.settings import SLIDERS

try:
    from playwright.sync_api import expect
except ImportError:  # the tests are skipped
    expect = None

OTHERS = words.languages()[1:]
NAMES = {  # and symbols, the same in every language
    "CAM", "PAR", "IoU", "ReLU", "max", "arg", "softmax", "decoder", "cls", "seg", "aff", "px", "top", "MiT", "PVT",
}  # fmt: skip


def places(text: str) -> Counter:
    return Counter(re.findall(r"\{(\w+)\}", text))


def tags(text: str) -> Counter:
    return Counter(re.findall(r"</?\w+>", text))


def test_there_are_english_and_korean():
    assert words.languages() == ("en", "ko")
    assert words.texts("ko")["language.name"] == "한국어"


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_the_keys_of_english(language):
    english, other = words.texts(), words.texts(language)
    assert not set(other) - set(english)
    assert [key for key in english if key not in other] == []


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_the_places_and_the_markup_of_english(language):
    english, other = words.texts(), words.texts(language)
    for key, text in other.items():
        assert set(places(text)) == set(places(english[key])), key
        if key.endswith(words.MARKUP):
            wrong = tags(text) - tags(english[key])  # a translation may mark less up, but nothing else
            assert set(wrong) <= {"<em>", "</em>", "<p>", "</p>"}, key
            assert tags(text)["<p>"] == tags(text)["</p>"], key
            assert "<script" not in text
        else:
            assert not re.search(r"<\w", text), key


def test_korean_is_korean():
    english, korean = words.texts(), words.texts("ko")
    same = [key for key, text in korean.items() if text == english[key]]
    for key in same:  # names and formulas
        spoken = re.findall(r"[A-Za-z]{2,}", re.sub(r"<[^>]+>|&\w+;|\{\w+\}", " ", korean[key]))
        assert set(spoken) <= NAMES, key
    for key in ("cam.intro", "walk.intro", "par.why_html", "regions.intro", "lab.walk.story"):
        letters = re.findall(r"[가-힣]", korean[key])
        assert len(letters) > 0.3 * len(re.sub(r"<[^>]+>|\s", "", korean[key])), key


class Keys(HTMLParser):
    """Elements and attributes of a page with their keys."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        for name, value in attrs:
            if name == "data-words":
                self.keys.append(value)
            elif name.startswith("data-words-"):
                self.keys.append(value)
                if found.get(name.removeprefix("data-words-")) != words.texts()[value]:
                    self.wrong.append(value)


def test_every_word_of_the_static_page_says_where_it_comes_from():
    parser = Keys()
    parser.feed(page.explorer_html())
    assert len(parser.keys) > 100 and not parser.wrong
    templates = "".join(path.read_text(encoding="utf-8") for path in page.EXPLORER.glob("*.html"))
    asked = set(re.findall(r"\{\{([\w.]+)\}\}", templates))
    assert asked <= set(parser.keys)


def test_a_word_among_others_gets_an_element_of_its_own():
    filled = words.fill_in('<label title="{{why}}">{{why}} <input></label><b>{{why}}</b>')
    assert filled == (
        '<label title="Why?" data-words-title="why"><span data-words="why">Why?</span> <input></label>'
        '<b data-words="why">Why?</b>'
    )


def test_what_a_language_lacks_is_sent_in_english():
    tables = json.loads(page.tables())
    assert set(tables["languages"]) == set(OTHERS)
    assert tables["texts"]["bar.class"] == words.texts()["bar.class"]


def test_the_published_numbers_in_words_are_those_of_the_settings():
    for language in words.languages():
        for slider in SLIDERS:
            told = words.texts(language)[f"side.{slider.field}_info"]
            assert f"{slider.value(ExplainConfig()):g}" in re.findall(r"\d+(?:\.\d+)?", told), told


# --- in the browser --------------------------------------------------------------------------------------------------


def test_the_switch_changes_the_language_and_keeps_what_is_shown(browser, address):  # noqa: F811
    context = browser.new_context(locale="en-GB")  # not `visit`: gradio complains of streams that a page leaves open
    page_ = context.new_page()
    page_.goto(f"{address}?tab=walk")
    ready(page_)
    panel = "[role=tabpanel][data-tab=walk]"
    expect(page_.locator(f"{panel} .afa-intro")).to_have_text(words.texts()["walk.intro"])
    page_.get_by_role("link", name="한국어").click()
    expect(page_.locator(".afa")).to_have_attribute("lang", "ko")
    ready(page_)
    korean = words.texts("ko")
    expect(page_.locator(f"{panel} .afa-intro")).to_have_text(korean["walk.intro"])
    expect(page_.locator("#afa-tab-walk")).to_have_text(korean["tabs.walk"])
    expect(page_.locator('[data-stage="cam"] .afa-caption')).to_have_text(korean["strip.cam"])
    button = page_.locator(f"{panel} [data-play]")
    expect(button).to_have_attribute("aria-label", korean["walk.play"])
    expect(page_.locator("#afa-head p")).to_contain_text(re.compile("[가-힣]"))
    expect(page_).to_have_url(re.compile("lang=ko.*tab=walk|tab=walk.*lang=ko"))
    assert "{" not in page_.locator(".afa").inner_text()
    page_.get_by_role("link", name="English").click()
    expect(page_.locator(".afa")).to_have_attribute("lang", "en")
    ready(page_)
    expect(page_.locator(f"{panel} .afa-intro")).to_have_text(words.texts()["walk.intro"])
    context.close()


@pytest.mark.parametrize("locale, language", [("ko-KR", "ko"), ("en-GB", "en"), ("fr-FR", "en")])
def test_the_language_follows_the_browser(browser, address, locale, language):  # noqa: F811
    context = browser.new_context(locale=locale)
    page_ = context.new_page()
    page_.goto(address)
    ready(page_)
    expect(page_.locator(".afa")).to_have_attribute("lang", language)
    tab(page_, "par")
    expect(page_.locator("#afa-tab-par")).to_have_text(words.texts(language)["tabs.par"])
    context.close()


@pytest.mark.parametrize("width, theme", [(1440, "light"), (390, "dark")])
def test_korean_fits(visit, width, theme):  # noqa: F811
    page_ = visit(width, 900, theme, "lang=ko")
    for name in page.TABS:
        tab(page_, name)
        assert page_.evaluate("document.documentElement.scrollWidth") <= width, name
