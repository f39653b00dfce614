"""The static site in a real browser, from a plain file server below a path: what the app shows, without a server."""

from __future__ import annotations

import json
import re

import pytest
from browser import (  # noqa: F401
    browser,
    drawn_and_fits,
    keep_picture,
    key,
    missing,
    next_frame,
    pytestmark,
    recomputed,
    requests,
    set_range,
    tab,
    visit,
)
from PIL import Image
from site_page import address, panel, root  # noqa: F401  (fixtures)
from static_site import BELOW

from afa_viz.classes import SANDBOX_CLASSES
from afa_viz.ui.localization import texts
from afa_viz.ui.page.assets import TABS

try:
    from playwright.sync_api import Page, expect
except ImportError:  # the tests are skipped
    Page = expect = None

LAB = "[role=tabpanel][data-tab=lab]"
COMPARE = "[role=tabpanel][data-tab=compare]"
DATA = "[role=tabpanel][data-tab=data]"


SCORE = re.compile(r"(\d+\.\d)\s%")
NUMBER = re.compile(r"[-−+▲▼]?\s*\d+(?:\.\d+)?k?|\bequal\b")


def alike(shown: str, expected: str, points: float) -> None:
    """The same words, and every score to so many points of a hundred."""
    assert NUMBER.sub("#", shown) == NUMBER.sub("#", expected)
    pairs = list(zip(SCORE.findall(shown), SCORE.findall(expected), strict=True))
    assert len(pairs) >= 8 and all(abs(float(a) - float(b)) <= points for a, b in pairs), pairs


def strip(page: Page) -> str:
    return page.locator(".afa-strip").inner_text()


# --- every tab -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("width, theme", [(1440, "light"), (390, "dark")])
def test_every_tab_is_there_in_every_language_and_width(visit, language, width, theme):  # noqa: F811
    page = visit(width, 844, theme, f"lang={language}")
    assert page.locator("html").get_attribute("lang") == language
    assert page.title().startswith("Small & <b>site</b>: ")
    expect(page.get_by_role("heading", level=1)).to_have_text("Small & <b>site</b>")
    for name in TABS:
        selector = panel(page, name)
        words = page.locator(selector).inner_text()
        assert "{" not in words and not re.search(r"\b(site|refused|side)\.\w", words), name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert texts(language)["gone"] not in page.locator(".afa-status").inner_text(), name
    if width == 390:
        page.locator("[data-guide=settings]").click()  # a drawer
    expect(page.locator("#afa-settings")).to_be_visible()
    side = page.locator("#afa-settings").inner_text()
    assert texts(language)["site.note"] in side and texts(language)["side.reset"] in side


def test_what_is_shown_is_what_the_app_shows(visit, browser, plain_page):  # noqa: F811
    """Of the same network and example: the strip, and every tab that shows results, word for word."""
    page = visit()
    app = browser.new_page(viewport={"width": 1440, "height": 900})
    app.goto(f"{plain_page}?__theme=light")
    app.wait_for_selector(".afa[data-settled]", timeout=20_000)
    assert strip(page) == strip(app)
    shown, expected = (one.locator(f"{panel(one, 'compare')} .afa-board").inner_text() for one in (page, app))
    alike(shown, expected, 0.1)  # side B is computed from maps of 8 bits
    kilobytes = re.compile(r"\b\d+ kB\b")  # what was sent is smaller here
    for name in ("cam", "attention", "affinity", "walk", "par", "regions", "seg"):
        panels = [one.locator(panel(one, name)) for one in (page, app)]
        for _ in range(40):  # until both have drawn all of it
            shown, expected = (kilobytes.sub("", one.inner_text()) for one in panels)
            if shown == expected:
                break
            page.wait_for_timeout(100)
        assert shown == expected, name
    app.close()


def test_nothing_is_asked_twice_or_before_it_is_needed(visit):  # noqa: F811
    page = visit()
    page.locator(".afa-gallery img").last.scroll_into_view_if_needed()
    asked = requests(page)
    panel(page, "attention")
    panel(page, "affinity")
    panel(page, "attention")
    names = [url.rsplit("/", 1)[1] for url in asked]
    assert len(names) == len(set(names)) and all(
        re.match("overview|attention-7|affinity|heads", name) for name in names
    ), names


# --- images and settings ---------------------------------------------------------------------------------------------


def test_the_gallery_opens_images_and_keeps_the_settings(visit):  # noqa: F811
    page = visit()
    pictures = page.locator(".afa-gallery button")
    assert pictures.count() == 3 and pictures.first.get_attribute("aria-pressed") == "true"
    before = key(page)
    set_range(page, "#afa-radius", 2)
    recomputed(page, before)
    before = key(page)
    page.get_by_role("button", name="Scene 1").click()
    recomputed(page, before)
    assert page.locator('[data-fill="picture"]').inner_text() == "Scene 1"
    assert pictures.nth(1).get_attribute("aria-pressed") == "true"
    page.wait_for_function("location.search.includes('example=scene1') && location.search.includes('radius=2')")
    page.get_by_role("button", name="Reset settings").click()
    page.wait_for_function("!location.search.includes('radius')")
    assert page.locator("#afa-radius").input_value() == "8"


MOVED = {"bkg_score_low": 0.2, "bkg_score_high": 0.8, "radius": 2, "power": 4, "num_steps": 3, "num_iters": 2}


def test_settings_change_what_the_app_would_change(visit, browser, plain_page):  # noqa: F811
    """Walk and PAR are computed from maps of 8 bits: scores are those of the app to half a point of a hundred."""
    query = "&".join([*(f"{name}={value}" for name, value in MOVED.items()), "left_out=symmetry of the affinity"])
    page = visit(query=query)
    app = browser.new_page(viewport={"width": 1440, "height": 900})
    app.goto(f"{plain_page}?{query}")
    app.wait_for_selector(".afa[data-settled]", timeout=20_000)
    alike(strip(page), strip(app), 0.5)
    tables = [f'{panel(one, "affinity")} [data-list="numbers"]' for one in (page, app)]
    for one, table in zip((page, app), tables, strict=True):
        expect(one.locator(table)).to_contain_text("Learned")  # drawn
    pairs, expected = (one.locator(table).inner_text() for one, table in zip((page, app), tables, strict=True))
    assert pairs == expected, "of all pairs: prepared for every radius, with symmetry and without"
    app.close()
    for name, value in MOVED.items():
        assert float(page.locator(f"#afa-{name}").input_value()) == value
    assert page.locator(".afa-parts input:checked").count() == 1


@pytest.mark.parametrize("query", ["radius=2", "num_iters=3", "bkg_score_high=0.9", "left_out=PAR"])
@pytest.mark.parametrize("name", ["affinity", "walk", "par", "regions"])
def test_tabs_follow_the_settings(visit, name, query):  # noqa: F811
    page = visit(query=f"{query}&tab={name}")
    panel(page, name)
    assert texts()["gone"] not in page.locator(".afa-status").inner_text()


@pytest.mark.parametrize("part", ["random walk", "PAR", "symmetry of the affinity", "other scales of the CAM"])
def test_every_part_can_be_left_out(visit, part):  # noqa: F811
    page = visit()
    before, words = key(page), strip(page)
    page.get_by_role("checkbox", name=part, exact=True).check()
    recomputed(page, before)
    assert strip(page) != words
    page.wait_for_function("(part) => new URLSearchParams(location.search).get('left_out') === part", arg=part)
    page.get_by_role("checkbox", name=part, exact=True).uncheck()
    page.wait_for_function("(old) => document.querySelector('.afa-strip').innerText === old", arg=words)


@pytest.mark.parametrize(
    "query, wrong",
    [
        ("example=nonsense&tab=walk", "example"),
        ("radius=99&power=x&num_steps=1.5&tab=walk", "radius, power, num_steps"),
        ("left_out=everything", "left_out"),
        ("bkg_score_low=0.9&bkg_score_high=0.1", "settings"),
        ("model=other&labels=cat", "labels, model"),
    ],
)
def test_a_link_that_does_not_fit_is_left_out_and_named(visit, query, wrong):  # noqa: F811
    page = visit(query=query)
    expect(page.locator(".afa-status")).to_contain_text(f"ignored: {wrong}.")
    assert page.locator('[data-fill="picture"]').inner_text() == "Scene 0"


def test_a_notice_stays_until_something_is_chosen(visit):  # noqa: F811
    page = visit(query="left_out=everything&tab=walk")
    status = page.locator(".afa-status")
    expect(status).to_contain_text("ignored: left_out.")
    drawn = page.locator(".afa-strip canvas").first.get_attribute("width")
    page.set_viewport_size({"width": 700, "height": 900})  # drawn again in another size
    expect(page.locator(".afa-strip canvas").first).not_to_have_attribute("width", drawn)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    expect(status).to_contain_text("ignored: left_out.")
    page.set_viewport_size({"width": 390, "height": 844})
    next_frame(page)
    assert status.evaluate("(line) => line.scrollWidth <= line.clientWidth"), "every word is in sight"
    page.set_viewport_size({"width": 1440, "height": 900})
    page.locator('[data-do="shared"]').click()
    expect(status).to_contain_text("Row")


def test_a_link_restores_everything(visit):  # noqa: F811
    page = visit(query="example=scene1&num_steps=4&tab=attention&block=3&head=2&cell=2,5&lang=ko")
    assert page.locator("[role=tab][aria-selected=true]").get_attribute("data-tab") == "attention"
    assert page.locator('[data-do="row"]').input_value() == "2" and page.locator('[data-do="col"]').input_value() == "5"
    assert (
        page.locator('[data-do="block"]').input_value() == "2" and page.locator("#afa-num_steps").input_value() == "4"
    )
    page.reload()
    page.wait_for_selector(".afa[data-settled]")
    assert page.locator('[data-do="head"]').input_value() == "1" and page.locator("#afa-num_steps").input_value() == "4"


# --- tabs with questions ---------------------------------------------------------------------------------------------


def answer(page: Page, number: int, given: str) -> str:
    """Answer a question of the lab, numbered from 1, with its first reason; what the page says to it."""
    page.locator(f"{LAB} .afa-lab-steps button").nth(number - 1).click()
    page.locator(f"{LAB} input[name=answer][value={given}]").check()
    page.locator(f"{LAB} input[name=reason]").first.check()
    page.get_by_role("button", name="Check my answer").click()
    verdict = page.locator(f"{LAB} .afa-lab-verdict")
    expect(verdict).to_have_attribute("data-right", re.compile("true|false"))
    return str(verdict.get_attribute("data-right"))


def test_the_lab_knows_right_from_wrong(visit):  # noqa: F811
    page = visit(query="tab=lab")
    asked = requests(page)
    page.wait_for_selector(f"{LAB} form input")
    assert not [url for url in asked if "verdicts" in url], "verdicts come when they are asked for"
    choices = []
    for code in ("there", "back", "equal"):
        page.reload()
        page.wait_for_selector(f"{LAB} form input")
        choices.append(answer(page, 6, code))
    assert sorted(choices) == ["false", "false", "true"]
    assert [url for url in asked if "verdicts" in url]


def test_the_lab_waits_for_the_settings_that_it_was_made_for(visit):  # noqa: F811
    page = visit(query="tab=lab&radius=2")
    expect(page.locator(LAB)).to_contain_text(texts()["site.settings_not_prepared"])
    expect(page.locator(f"{LAB} form")).to_be_hidden()
    page.get_by_role("button", name="Reset settings").click()
    expect(page.locator(f"{LAB} form")).to_be_visible()
    expect(page.locator(LAB)).not_to_contain_text(texts()["site.settings_not_prepared"])


def test_compare_computes_the_other_side(visit):  # noqa: F811
    page = visit(query="tab=compare")
    words = page.locator(f'{COMPARE} [data-fill="words"]')
    expect(page.locator(COMPARE)).to_have_attribute("data-state", "ready", timeout=20_000)
    first = page.locator(f"{COMPARE} .afa-board").inner_text()
    page.locator(f'{COMPARE} [data-do="model"]').select_option(index=1)  # a snapshot
    page.wait_for_function("(old) => document.querySelector('.afa-board').innerText !== old", arg=first)
    page.locator(f'{COMPARE} [data-do="clear"]').click()
    page.get_by_role("checkbox", name=texts()["compare.with_crf"]).check()
    expect(words).to_contain_text("CRF")
    expect(page.locator(COMPARE)).to_have_attribute("data-state", "ready")
    page.locator(f'{COMPARE} [data-do="setting"]').select_option("radius")
    set_range(page, f'{COMPARE} [data-do="value"]', 1)
    expect(words).to_contain_text(texts()["site.crf_alone"])


def test_snapshots_of_the_first_image(visit):  # noqa: F811
    page = visit(query="tab=training")
    selector = panel(page, "training")
    expect(page.locator(f'{selector} [data-fill="progress"]')).to_contain_text("All 3 snapshots are ready.")
    before = page.locator(f'{selector} [data-view="seg"] canvas').evaluate("canvas => canvas.toDataURL()")
    set_range(page, f'{selector} [data-do="frame"]', 2)
    page.wait_for_function(
        "([selector, before]) => document.querySelector(selector).toDataURL() !== before",
        arg=[f'{selector} [data-view="seg"] canvas', before],
    )


def test_charts_are_drawn_by_the_plotly_of_the_site(visit):  # noqa: F811
    page = visit(query="tab=data&lang=ko")
    chart = page.locator(f'{DATA} [data-chart="images"]')
    expect(chart).to_have_attribute("data-chart-state", "drawn", timeout=30_000)
    held = "(box) => box.querySelector('.js-plotly-plot').data.flatMap((trace) => trace.customdata)"
    assert sorted(chart.evaluate(held)) == sorted(
        page.locator(f"{DATA} [data-list=cards] button").evaluate_all("(all) => all.map((card) => card.dataset.id)")
    )
    classes = page.locator(f'{DATA} [data-set="class_name"]')
    cards = page.locator(f"{DATA} [data-list=cards] button")
    shown = set()
    for name in SANDBOX_CLASSES[1:]:  # of each class its images, of most there are none
        classes.select_option(name)
        expect(page.locator(f'{DATA} [data-fill="found"]')).to_contain_text(texts("ko")[f"class.{name}"])
        if not cards.count():
            expect(chart).to_be_hidden()
            continue
        shown.add(name)
        ids = sorted(cards.evaluate_all("(all) => all.map((card) => card.dataset.id)"))
        page.wait_for_function(
            f"([chart, ids]) => !chart.hidden && JSON.stringify(({held})(chart).sort()) === ids",
            arg=[chart.element_handle(), json.dumps(ids, separators=(",", ":"))],
        )
    assert 0 < len(shown) < 8
    classes.select_option("")
    tab(page, "training")
    expect(page.locator('[data-tab="training"] [data-chart]').first).to_have_attribute("data-chart-state", "drawn")
    scripts = page.evaluate(
        "performance.getEntriesByType('resource').map((r) => r.name).filter((n) => n.includes('plotly'))"
    )
    assert len(scripts) == 1 and scripts[0].startswith(page.url.partition("?")[0])


def test_the_data_set_is_scored_sorted_and_opened(visit):  # noqa: F811
    page = visit(query="tab=data")
    cards = page.locator(f"{DATA} [data-list=cards] button")
    expect(cards).to_have_count(2)
    expect(page.locator(f'{DATA} [data-do="score"]')).to_be_hidden()
    points = [float(card.split("→")[1].split()[0]) for card in cards.locator(".afa-points").all_inner_texts()]
    page.locator(f'{DATA} [data-set="order"]').select_option("worst")
    worst = page.locator(f"{DATA} [data-list=cards] button .afa-points").first
    expect(worst).to_contain_text(f"→ {min(points):.1f}")
    before = key(page)
    cards.first.click()
    recomputed(page, before)
    page.wait_for_function("location.search.includes('data=val_')")
    panel(page, "walk")
    set_range(page, "#afa-radius", 2)
    expect(page.locator("#afa-radius")).to_have_value("2")
    tab(page, "data")
    expect(page.locator(DATA)).to_contain_text(texts()["site.scores_published"])


@pytest.mark.parametrize("language", ["en", "ko"])
def test_from_the_disk_it_says_how_to_open_it(browser, root, language):  # noqa: F811
    page = browser.new_page()
    page.goto(f"{(root / BELOW / 'index.html').as_uri()}?lang={language}")
    expect(page.get_by_role("alert")).to_have_text(texts(language)["site.from_disk"])
    page.close()


def test_what_needs_a_server_says_so_and_offers_nothing(visit):  # noqa: F811
    page = visit(query="tab=train")
    train = page.locator("[role=tabpanel][data-tab=train]")
    expect(train).to_contain_text(texts()["site.needs_server"])
    assert not [field for field in train.locator("input, select, button:not(.afa-next)").all() if field.is_visible()]
    page.locator(".afa-share summary").click()
    offered = [b for b in page.locator(".afa-share button").all() if b.is_visible()]
    assert [b.get_attribute("data-do") for b in offered] == ["link", "picture", None]  # None: the pipeline


def test_a_tab_is_saved_as_a_picture(visit):  # noqa: F811
    page = visit(query="tab=walk")
    page.locator(".afa-share summary").click()
    with page.expect_download() as download:
        page.locator('[data-do="picture"]').click()
    assert download.value.suggested_filename == "afa-viz-walk.png"
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    page.locator(".afa-share summary").click()
    with page.expect_download() as download:
        page.locator('[data-export="png"]').click()
    assert download.value.suggested_filename == "afa-viz-pipeline.png"
    width, height = Image.open(download.value.path()).size
    assert width > 1400 and height > 800


def test_the_diagram_opens_a_view_in_place_and_a_second_image_is_compared(visit):  # noqa: F811
    page = visit(query="tab=pipeline&box=affinity")
    view = page.locator("#afa-panel-pipeline #afa-panel-affinity")
    expect(view).to_be_visible()
    page.wait_for_selector("#afa-panel-affinity [data-for=weights] [data-part=results][data-state=ready]")
    choice = view.locator("[data-for=across] select")
    assert choice.locator("option").count() == 3  # none, and the two other images of the gallery
    choice.select_option(index=1)
    page.wait_for_selector("#afa-panel-affinity [data-for=across][data-state=ready]")
    assert len(view.locator("[data-for=across]").get_attribute("data-other").split()) == 36
    page.locator(".afa-inside button").click()
    expect(page.locator("#afa-panel-pipeline .afa-whole")).to_be_visible()
    expect(page.locator("#afa-panel-pipeline .afa-operation:visible")).to_have_count(13)
