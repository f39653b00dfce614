"""The page's words: every language says the same, and the browser can put one in the place of another."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import address, browser, expect, pytestmark, ready, tab, visit  # noqa: F401  (fixtures)

from afa_viz.classes import COCO_CLASSES, SANDBOX_CLASSES, VOC_CLASSES
from afa_viz.config import ExplainConfig
from afa_viz.image_files import NAMES as FORMAT_NAMES
from afa_viz.training import machine_errors
from afa_viz.ui import localization
from afa_viz.ui.page import assets as page
from afa_viz.ui.page.bundle import bundle
from afa_viz.ui.page.config_fields import SLIDERS

OTHERS = localization.languages()[1:]
NAMES = {  # and symbols, the same in every language
    "CAM", "PAR", "IoU", "ReLU", "max", "arg", "softmax", "decoder", "cls", "seg", "aff", "px", "top", "MiT", "PVT",
    "CPU", "dense", "CRF", "mAP",
}  # fmt: skip


def places(text: str) -> Counter:
    return Counter(re.findall(r"\{(\w+)\}", text))


def tags(text: str) -> Counter:
    return Counter(re.findall(r"</?\w+>", text))


def test_there_are_english_and_korean():
    assert localization.languages() == ("en", "ko")
    assert localization.texts("ko")["language.name"] == "한국어"


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_the_keys_of_english(language):
    english, other = localization.texts(), localization.texts(language)
    assert not set(other) - set(english)
    assert [key for key in english if key not in other] == []


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_the_places_and_the_markup_of_english(language):
    english, other = localization.texts(), localization.texts(language)
    for key, text in other.items():
        assert set(places(text)) == set(places(english[key])), key
        if key.endswith(localization.MARKUP):
            wrong = tags(text) - tags(english[key])  # a translation may mark less up, but nothing else
            assert set(wrong) <= {"<em>", "</em>", "<p>", "</p>"}, key
            assert tags(text)["<p>"] == tags(text)["</p>"], key
            assert "<script" not in text
        else:
            assert not re.search(r"<\w", text), key


def test_korean_is_korean():
    english, korean = localization.texts(), localization.texts("ko")
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
                if found.get(name.removeprefix("data-words-")) != localization.texts()[value]:
                    self.wrong.append(value)


def test_every_word_of_the_static_page_says_where_it_comes_from():
    parser = Keys()
    parser.feed(page.explorer_html())
    parser.feed(localization.fill_template((page.EXPLORER / "site.html").read_text(encoding="utf-8")))
    assert len(parser.keys) > 100 and not parser.wrong
    templates = "".join(path.read_text(encoding="utf-8") for path in page.EXPLORER.rglob("*.html"))
    asked = set(re.findall(r"\{\{([\w.]+)\}\}", templates))
    assert asked <= set(parser.keys)


def test_a_word_among_others_gets_an_element_of_its_own():
    filled = localization.fill_template('<label title="{{why}}">{{why}} <input></label><b>{{why}}</b>')
    assert filled == (
        '<label title="Why?" data-words-title="why"><span data-words="why">Why?</span> <input></label>'
        '<b data-words="why">Why?</b>'
    )


def test_what_a_language_lacks_is_sent_in_english():
    tables = json.loads(page.tables())
    assert set(tables["languages"]) == set(OTHERS)
    assert tables["texts"]["bar.class"] == localization.texts()["bar.class"]


def test_the_published_numbers_in_words_are_those_of_the_settings():
    for language in localization.languages():
        for slider in SLIDERS:
            told = localization.texts(language)[f"side.{slider.field}_info"]
            assert f"{slider.value(ExplainConfig()):g}" in re.findall(r"\d+(?:\.\d+)?", told), told


# --- messages of the server

UI = Path(localization.__file__).parent
ELSEWHERE = {  # files whose errors are shown to programs, or on the command line, not in the app
    "api.py", "contents.py", "sources.py", "examples.py",  # the last one's are put into `refused.example_broken`
}  # fmt: skip
AT_THE_START = {  # and functions
    "ModelRegistry.__init__", "build", "_first", "config_from",
}  # fmt: skip


def raised_messages(path: Path) -> list[tuple[str, ast.expr]]:
    """What is given to `UserError(…)` in a file, each with the function around it."""
    found = []

    def walk(node: ast.AST, where: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call) and isinstance(child.func, ast.Name) and child.func.id == "UserError":
                found.append((where, child.args[0]))
            named = isinstance(child, (ast.FunctionDef, ast.ClassDef))
            walk(child, f"{where}.{child.name}".lstrip(".") if named else where)

    walk(ast.parse(path.read_text(encoding="utf-8")), "")
    return found


def test_error_messages_come_from_the_texts():
    said, other = [], []
    for path in sorted(UI.rglob("*.py")):
        for where, given in raised_messages(path):
            named = (
                isinstance(given, ast.Call) and isinstance(given.func, ast.Name) and given.func.id == "error_message"
            )
            if named or (isinstance(given, ast.Name) and given.id == "TRAINING_OFF"):
                said.append(where)
            elif path.name not in ELSEWHERE and where not in AT_THE_START:
                other.append(f"{path.name}: {where}")
    assert len(said) > 40 and not other


def test_sentences_of_other_packages_are_in_the_texts():
    for key, sentence in (("disk", machine_errors.DISK_MESSAGE), ("memory", machine_errors.MEMORY_MESSAGE)):
        assert localization.texts()[f"refused.{key}"] == sentence


def test_every_class_that_is_known_has_a_name():
    for name in {*SANDBOX_CLASSES, *VOC_CLASSES, *COCO_CLASSES}:
        assert localization.texts()[f"class.{name}"] == name
        assert re.fullmatch(r"[가-힣 ]+", localization.texts("ko")[f"class.{name}"]), name


def test_letters_are_such_as_every_font_has():
    """Windows Glyph List 4, which fonts of every system hold, and Korean; other signs are drawn: icons.js."""
    blocks = [range(0x20, 0x17F), range(0x384, 0x3CF), range(0x400, 0x460), range(0xAC00, 0xD7A4)]
    known = {chr(code) for block in blocks for code in block}
    known |= {*"\n–—‘’“”…′←↑→↓−∕√∩≤≥▲▼·", "\u3139"}  # ㄹ, in a comment
    equations = known | {*"∪⊤‖"}  # of the method, within equations alone
    for path in [*(p for p in (UI / "explorer").rglob("*") if p.is_file()), *(UI / "texts").glob("*.json")]:
        if path.suffix == ".json":
            for key, text in json.loads(path.read_text(encoding="utf-8")).items():
                assert set(text) <= (equations if key.endswith(("equation", "_html")) else known), (path.name, key)
        else:
            assert set(path.read_text(encoding="utf-8")) <= known, path.name


# --- in the browser --------------------------------------------------------------------------------------------------


def test_the_switch_changes_the_language_and_keeps_what_is_shown(browser, address):  # noqa: F811
    context = browser.new_context(locale="en-GB")  # not `visit`: gradio complains of streams that a page leaves open
    page_ = context.new_page()
    page_.goto(f"{address}?tab=walk")
    ready(page_)
    panel = "[role=tabpanel][data-tab=walk]"
    expect(page_.locator(f"{panel} .afa-intro")).to_have_text(localization.texts()["walk.intro"])
    page_.get_by_role("link", name="한국어").click()
    expect(page_.locator(".afa")).to_have_attribute("lang", "ko")
    ready(page_)
    korean = localization.texts("ko")
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
    expect(page_.locator(f"{panel} .afa-intro")).to_have_text(localization.texts()["walk.intro"])
    context.close()


@pytest.mark.parametrize("locale, language", [("ko-KR", "ko"), ("en-GB", "en"), ("fr-FR", "en")])
def test_the_language_follows_the_browser(browser, address, locale, language):  # noqa: F811
    context = browser.new_context(locale=locale)
    page_ = context.new_page()
    page_.goto(address)
    ready(page_)
    expect(page_.locator(".afa")).to_have_attribute("lang", language)
    tab(page_, "par")
    expect(page_.locator("#afa-tab-par")).to_have_text(localization.texts(language)["tabs.par"])
    context.close()


@pytest.mark.parametrize("width, theme", [(1440, "light"), (390, "dark")])
def test_korean_fits(visit, width, theme):  # noqa: F811
    page_ = visit(width, 900, theme, "lang=ko")
    for name in page.TABS:
        tab(page_, name)
        assert page_.evaluate("document.documentElement.scrollWidth") <= width, name


BOTH_WAYS = r"[가-힣\d%](이\(가\)|을\(를\)|은\(는\)|과\(와\)|\(으\)로)"  # particles left undecided


def test_classes_and_refusals_are_korean_and_addresses_are_not(browser, address, tmp_path):  # noqa: F811
    context = browser.new_context(locale="ko-KR")
    page_ = context.new_page()
    page_.goto(f"{address}?tab=regions")
    ready(page_)
    korean = localization.texts("ko")
    chosen = page_.locator('[data-list="classes"] [aria-pressed=true]')
    name = SANDBOX_CLASSES[int(chosen.get_attribute("data-label"))]
    expect(chosen).to_have_text(korean[f"class.{name}"])
    expect(page_.locator(".afa-status")).to_contain_text(f"{korean[f'class.{name}']}의 CAM")
    expect(page_).to_have_url(re.compile(f"class={name}"))
    expect(page_.locator("#afa-settings")).to_contain_text(f"{korean[f'class.{name}']} ({name})")
    for tab_ in page.TABS:
        tab(page_, tab_)
        assert not re.search(BOTH_WAYS, page_.locator(".afa").inner_text()), tab_
    wrong = tmp_path / "wrong.png"
    wrong.write_bytes(b"no picture")
    page_.locator("#afa-pick input[type=file]").set_input_files(wrong)
    expect(page_.get_by_text(korean["refused.no_picture_file"].format(formats=FORMAT_NAMES))).to_be_visible()
    page_.reload()  # the address, English inside, leads back
    ready(page_)
    expect(chosen).to_have_text(korean[f"class.{name}"])
    context.close()


PARTICLES = {
    "말이(가)": "말이", "소이(가)": "소가", "말을(를)": "말을", "소을(를)": "소를", "양은(는)": "양은",
    "개은(는)": "개는", "사람과(와)": "사람과", "새과(와)": "새와", "말(으)로": "말로", "양(으)로": "양으로",
    "배(으)로": "배로",
    "0.60(으)로": "0.60으로", "0.71(으)로": "0.71로", "61.5\u00a0%(으)로": "61.5\u00a0%로",
    "zebra이(가)": "zebra이(가)",
}  # fmt: skip


def test_particles_follow_the_sound(browser):  # noqa: F811
    words = bundle(page.EXPLORER, "core/words.js")
    context = browser.new_context()
    assert {text: context.new_page().evaluate(f"text => {words}.withParticles(text)", text)
            for text in PARTICLES} == PARTICLES  # fmt: skip
    context.close()
