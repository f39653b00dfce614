"""The page keeps its state: what is chosen last counts, what is cleared is gone, and nothing is shown for nothing."""

from __future__ import annotations

import re

import numpy as np
import pytest
from app_fixtures import SIDE, scene, tiny
from browser import (  # noqa: F401  (fixtures)
    Page,
    address,
    browser,
    expect,
    key,
    pixels,
    pytestmark,
    query_cell,
    ready,
    recomputed,
    requests,
    show_overview,
    tab,
    visit,
)
from PIL import Image

import afa_viz
from afa_viz.figures import maps

FILE = "#afa-pick input[type=file]"
LATE_UPLOADS = """() => {
  const own = XMLHttpRequest.prototype.send;
  XMLHttpRequest.prototype.send = function (form) { setTimeout(() => own.call(this, form), 900); };
}"""


def heading(page: Page, words: str) -> None:
    expect(page.locator('[data-fill="picture"]')).to_have_text(words, timeout=20_000)


def chosen(page: Page) -> int:
    """The place in the gallery that is marked; -1: none."""
    return page.evaluate(
        "[...document.querySelectorAll('#afa-gallery .thumbnail-item')].findIndex((e) => e.matches('.selected'))"
    )


def press_thumbnail(page: Page, place: int) -> None:
    page.locator("#afa-gallery .thumbnail-item").nth(place).click()


# --- labels and settings ---------------------------------------------------------------------------------------------


LATE_CHANGES = """() => {
  const ask = window.fetch; // of the questions to the queue only that of the gallery has an index
  window.fetch = async (...asked) => {
    const isChange = String(asked[0]).includes("queue/join") && !String(asked[1]?.body).includes('"index"');
    if (isChange) await new Promise((done) => { setTimeout(done, 1500); });
    return ask(...asked);
  };
}"""
CHANGE = {
    "a setting": """() => {
      const slider = document.querySelector("#afa-bkg_score_high input[type=range]");
      slider.value = 0.7;
      for (const kind of ["input", "change", "pointerup"]) slider.dispatchEvent(new Event(kind, { bubbles: true }));
    }""",
    "labels": "() => document.querySelector('#afa-labels button.token-remove, #afa-labels .token-remove').click()",
}


@pytest.mark.parametrize("what", CHANGE)
def test_what_is_changed_before_an_opened_image_is_here_does_not_give_it_the_labels_of_the_one_before(visit, what):  # noqa: F811
    page = visit(query="example=scene1")
    expect(page.locator('[data-fill="labels"]')).to_contain_text("given: cow")
    page.evaluate(LATE_CHANGES)
    before = key(page)
    page.evaluate(
        f"""() => {{
          document.querySelector("#afa-gallery .thumbnail-item").click();
          ({CHANGE[what]})();
        }}"""
    )
    recomputed(page, before)
    page.wait_for_timeout(2500)
    expect(page.locator('[data-fill="labels"]')).not_to_contain_text("given: cow")
    page.wait_for_function("() => location.search.includes('example=scene0') && !location.search.includes('labels')")
    if what == "a setting":
        page.wait_for_function("() => location.search.includes('bkg_score_high=0.7')")


@pytest.mark.parametrize("how", ["cross", "enter on the cross", "backspace"])
def test_image_labels_that_are_cleared_are_predicted(visit, how):  # noqa: F811
    page = visit(query="example=scene1")  # one label
    expect(page.locator('[data-fill="labels"]')).to_contain_text("given: cow")
    before = key(page)
    if how == "backspace":
        page.locator("#afa-labels input").press("Backspace")
    elif how == "cross":
        page.locator("#afa-labels .remove-all").click()
    else:
        page.locator("#afa-labels .remove-all").press("Enter")
    recomputed(page, before)
    expect(page.locator('[data-fill="labels"]')).to_contain_text("Image labels predicted:")
    shown = page.locator('[data-list="classes"] button').all_inner_texts()
    expect(page.locator("#afa-labels .token")).to_have_count(len(shown))  # and they stand in the field
    before = key(page)
    page.locator("#afa-bkg_score_low input[type=range]").press("ArrowRight")
    recomputed(page, before)
    expect(page.locator('[data-fill="labels"]')).to_contain_text("Image labels predicted:")  # not given by anybody


@pytest.mark.parametrize(
    "field, typed, taken",
    [("bkg_score_low", "12", "1"), ("bkg_score_high", "-3", "0"), ("bkg_score_low", "", "0.35"),
     ("bkg_score_low", "0.123456", "0.12"), ("bkg_score_high", "1e9", "1")],
)  # fmt: skip
def test_a_number_that_no_slider_has_becomes_the_nearest_one(visit, caplog, capfd, field, typed, taken):  # noqa: F811
    page = visit()
    number, before = page.locator(f"#afa-{field} input[type=number]"), key(page)
    number.click()
    number.press("Control+A")
    # Slowly: an answer to the beginning of a number must not overwrite what is being typed.
    page.keyboard.type(typed, delay=100) if typed else page.keyboard.press("Delete")
    number.press("Tab")
    expect(number).to_have_value(taken)
    if taken != "0.35":
        recomputed(page, before)
        page.wait_for_function(f"location.search.includes('{field}={taken}')")
    expect(page.locator(".toast-body")).to_have_count(0)
    assert not caplog.records and "Traceback" not in capfd.readouterr().err


def test_the_arrows_of_a_number_count_at_once(visit):  # noqa: F811
    page = visit()
    number, before = page.locator("#afa-bkg_score_low input[type=number]"), key(page)
    number.press("ArrowUp")
    recomputed(page, before)
    expect(number).to_have_value("0.36")
    page.wait_for_function("location.search.includes('bkg_score_low=0.36')")


def test_whole_numbers_stay_whole(visit):  # noqa: F811
    page = visit()
    page.locator("#afa-settings").get_by_role("button", name="Random walk").click()
    number, before = page.locator("#afa-radius input[type=number]"), key(page)
    number.fill("2.6")
    number.press("Enter")
    recomputed(page, before)
    expect(number).to_have_value("3")


# --- pictures --------------------------------------------------------------------------------------------------------


def photograph_with_two_peaks(folder) -> Image.Image:
    """One whose strongest cell a first look (one scale, no flip) sees elsewhere."""
    model, card = tiny(0)
    model.card = card
    model.eval()
    for number in range(60):
        picture = Image.fromarray(np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8))
        full = afa_viz.explain(model, picture)
        preview_request = afa_viz.explain(
            model, picture, config=afa_viz.ExplainConfig(scales=(1.0,), flip=False, use_par=False)
        )
        if full.present == preview_request.present and maps.strongest_cell(full) != maps.strongest_cell(
            preview_request
        ):
            return picture
    raise AssertionError("no picture among 60")


def test_the_query_cell_of_a_new_photograph_is_its_strongest(visit, tmp_path):  # noqa: F811
    page = visit()
    photograph_with_two_peaks(tmp_path).save(tmp_path / "mine.png")
    before = key(page)
    page.locator(FILE).set_input_files(tmp_path / "mine.png")
    recomputed(page, before)
    shown = query_cell(page)
    page.locator(".afa-views").focus()
    page.keyboard.press("Escape")  # back to the strongest cell
    assert query_cell(page) == shown


def test_an_example_chosen_while_a_photograph_comes_is_what_the_page_shows(visit, tmp_path):  # noqa: F811
    page = visit()
    scene(1)[0].save(tmp_path / "mine.png")
    page.evaluate(LATE_UPLOADS)
    page.locator(FILE).set_input_files(tmp_path / "mine.png")
    press_thumbnail(page, 1)
    heading(page, "Scene 1")
    page.wait_for_timeout(2000)  # the photograph has arrived
    heading(page, "Scene 1")
    assert chosen(page) == 1
    before = key(page)
    page.locator("#afa-bkg_score_low input[type=range]").press("ArrowRight")  # of the picture that is shown
    recomputed(page, before)
    heading(page, "Scene 1")
    scene(0)[0].save(tmp_path / "another.png")
    page.locator(FILE).set_input_files(tmp_path / "another.png")
    heading(page, "Your photograph")
    page.wait_for_function("!document.querySelector('#afa-gallery .thumbnail-item.selected')")


def test_of_two_photographs_the_last_one_is_shown(visit, tmp_path):  # noqa: F811
    page = visit()
    page.evaluate(LATE_UPLOADS.replace("900", "(window.late = (window.late ?? 1600) - 800)"))  # the first one is slower
    for number, size in enumerate([(96, 64), (64, 96)]):
        scene(0)[0].resize(size).save(tmp_path / f"{number}.png")
        page.locator(FILE).set_input_files(tmp_path / f"{number}.png")
    expect(page.locator('[data-fill="grid"]')).to_contain_text("64 × 96 pixels", timeout=20_000)
    page.wait_for_timeout(1500)
    expect(page.locator('[data-fill="grid"]')).to_contain_text("64 × 96 pixels")


def test_quick_presses_open_the_last_one(visit):  # noqa: F811
    page = visit()
    page.evaluate("[1, 2, 0, 1].forEach((i) => document.querySelectorAll('#afa-gallery .thumbnail-item')[i].click())")
    heading(page, "Scene 1")
    page.wait_for_timeout(1000)
    heading(page, "Scene 1")
    assert chosen(page) == 1
    expect(page.locator("#afa-labels .token")).to_have_text(re.compile("cow"))


@pytest.mark.parametrize("by", ["reload", "another language"])
def test_a_photograph_is_kept_by_its_browser_tab(browser, address, tmp_path, by):  # noqa: F811
    context = browser.new_context(locale="en-GB")  # not `visit`: a page that is left breaks its streams off
    page = context.new_page()
    page.goto(address)
    ready(page)
    scene(1)[0].resize((90, 60)).save(tmp_path / "mine.jpg")
    before = key(page)
    page.locator(FILE).set_input_files(tmp_path / "mine.jpg")
    recomputed(page, before)
    before = key(page)
    page.locator("#afa-bkg_score_low input[type=range]").press("ArrowRight")
    recomputed(page, before)
    tab(page, "regions")
    show_overview(page)
    page.locator('[data-do="row"]').fill("2")
    page.locator('[data-do="row"]').press("Enter")
    page.wait_for_function("location.search.includes('cell=2') && sessionStorage.getItem('afa-photo')")
    shown = key(page)
    page.evaluate("history.replaceState(history.state, '', `${location.search}&radius=x&head=99`)")
    page.reload() if by == "reload" else page.get_by_role("link", name="한국어").click()
    ready(page)
    heading(page, "Your photograph" if by == "reload" else "내 사진")
    expect(page.locator(".afa-status")).to_contain_text(": radius, head")  # of server and page, in one notice
    expect(page.locator(".afa")).to_have_attribute("data-key", shown)  # the very same explanation
    expect(page.get_by_role("tabpanel")).to_have_attribute("data-tab", "regions")
    expect(page.locator('[data-do="row"]')).to_have_value("2")
    expect(page.locator("#afa-bkg_score_low input[type=number]")).to_have_value("0.36")
    expect(page.locator("#afa-gallery .thumbnail-item.selected")).to_have_count(0)
    page.wait_for_function("location.search.includes('photo=')")
    context.close()


def test_the_address_of_a_photograph_says_so_elsewhere(visit):  # noqa: F811
    page = visit(query="photo=0123abcd&class=unicorn&cell=3,3&tab=regions&labels=cat")
    heading(page, "Scene 0")
    expect(page.locator(".afa-status")).to_contain_text(
        "available only in the browser tab that it was opened in: upload it again."
    )
    expect(page.get_by_role("tabpanel")).to_have_attribute("data-tab", "regions")
    expect(page.locator("#afa-labels .token")).to_have_count(2)  # those of the example
