"""The page keeps its state: what is chosen last counts, what is cleared is gone, and nothing is shown for nothing."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from app_fixtures import SIDE, scene, tiny
from browser import (  # noqa: F401  (fixtures)
    address,
    browser,
    key,
    pixels,
    pytestmark,
    ready,
    recomputed,
    requests,
    tab,
    visit,
)
from PIL import Image
from report_file import Page as ReportPage
from report_file import answer, block

import afa_viz
from afa_viz.figures import maps

try:
    from playwright.sync_api import Page, expect
except ImportError:  # the tests are skipped
    Page = expect = None

FILE = "#afa-pick input[type=file]"
LATE_UPLOADS = """() => { const own = window.fetch; window.fetch = async (...asked) => {
  if (String(asked[0].url ?? asked[0]).endsWith("/upload")) await new Promise((done) => setTimeout(done, 900));
  return own(...asked);
}; }"""


def heading(page: Page, words: str) -> None:
    expect(page.locator('[data-fill="picture"]')).to_have_text(words, timeout=20_000)


def chosen(page: Page) -> int:
    """The place in the gallery that is marked; -1: none."""
    return page.evaluate(
        "[...document.querySelectorAll('#afa-gallery .thumbnail-item')].findIndex((e) => e.matches('.selected'))"
    )


def query_cell(page: Page) -> tuple[str, str]:
    row, col = (page.locator(f'[data-do="{name}"]').input_value() for name in ("row", "col"))
    return row, col


def press_thumbnail(page: Page, place: int) -> None:
    page.locator("#afa-gallery .thumbnail-item").nth(place).click()


# --- labels and settings ---------------------------------------------------------------------------------------------


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
    page.keyboard.type(typed) if typed else page.keyboard.press("Delete")
    number.press("Tab")
    expect(number).to_have_value(taken)
    if taken != "0.35":
        recomputed(page, before)
        page.wait_for_function(f"location.search.includes('{field}={taken}')")
    expect(page.locator(".toast-body")).to_have_count(0)
    assert not caplog.records and "Traceback" not in capfd.readouterr().err


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
    page.locator('[data-do="row"]').fill("2")
    page.locator('[data-do="row"]').press("Enter")
    page.wait_for_function("location.search.includes('cell=2') && sessionStorage.getItem('afa-photo')")
    shown = key(page)
    page.reload() if by == "reload" else page.get_by_role("link", name="한국어").click()
    ready(page)
    heading(page, "Your photograph" if by == "reload" else "내 사진")
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
    expect(page.locator(".afa-status")).to_contain_text("available only in its own browser tab: upload it again.")
    expect(page.get_by_role("tabpanel")).to_have_attribute("data-tab", "regions")
    expect(page.locator("#afa-labels .token")).to_have_count(2)  # those of the example


# --- hands -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "tab=regions", "tab=lab"])
def test_a_phone_in_landscape_opens_at_the_top(visit, query):  # noqa: F811
    page = visit(844, 390, query=query)
    page.wait_for_timeout(300)
    assert page.evaluate("scrollY") == 0
    assert page.get_by_role("heading", name="AFA Viz").bounding_box()["y"] >= 0


def test_a_finger_paints_seeds_and_moves_no_page(browser, address):  # noqa: F811
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(f"{address}?tab=walk")
    ready(page)
    page.locator("[data-mode=seeds]").click()
    canvas = page.locator('[data-tab="walk"] [data-view="before"] canvas')
    canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    box, top = canvas.bounding_box(), page.evaluate("scrollY")
    before = pixels(page, '[data-tab="walk"] [data-view="before"] canvas')
    finger = context.new_cdp_session(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.9
    for step in range(9):
        kind = "touchStart" if step == 0 else "touchMove"
        point = {"x": x, "y": y - step * box["height"] / 10}
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(400)
    assert page.evaluate("scrollY") == top
    painted = page.evaluate(
        """([before]) => new Promise((done) => { const image = new Image(); image.onload = () => {
             const canvas = document.querySelector('[data-tab="walk"] [data-view="before"] canvas');
             const old = document.createElement("canvas");
             [old.width, old.height] = [canvas.width, canvas.height];
             old.getContext("2d").drawImage(image, 0, 0);
             let rows = 0;
             for (let i = 0; i < 6; i++) {
               const at = [canvas.width / 2 + 3, Math.floor((i + 0.5) * canvas.height / 6), 1, 1];
               const [a, b] = [old, canvas].map((c) => c.getContext("2d").getImageData(...at).data.join());
               rows += a !== b;
             }
             done(rows);
           }; image.src = before; })""",
        [before],
    )
    assert painted >= 4  # of six rows of cells
    context.close()


def test_escape_closes_what_was_opened_with_the_mouse(visit):  # noqa: F811
    page = visit()
    for box, inside in ((".afa-keys", "table"), (".afa-share", "div")):
        page.locator(f"{box} summary").click()
        expect(page.locator(f"{box} {inside}").first).to_be_visible()
        page.mouse.move(5, 5)
        page.keyboard.press("Escape")
        expect(page.locator(f"{box} {inside}").first).to_be_hidden()
    page.locator('[data-stage="cam_rw"] .afa-arrow').hover()
    expect(page.locator(".afa-change")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".afa-change")).to_be_hidden()
    page.locator(".afa-keys summary").click()
    page.locator(".afa-story").click()  # a press beside it closes it as well
    expect(page.locator(".afa-keys table")).to_be_hidden()


# --- what is drawn ---------------------------------------------------------------------------------------------------


def test_the_cell_that_a_question_asks_for_is_not_marked(visit):  # noqa: F811
    page = visit(query="tab=lab&step=cam")
    page.locator(".afa-lab-step form").wait_for()
    assert query_cell(page) == ("", "")
    assert page.locator(".afa-aloud").inner_text() == page.locator(".afa-status").inner_text() == ""
    bare = pixels(page, '[data-stage="image"] canvas')
    tab(page, "cam")
    expect(page.locator('[data-do="row"]')).not_to_have_value("")
    assert pixels(page, '[data-stage="image"] canvas') != bare  # there it is marked
    tab(page, "lab")
    expect(page.locator('[data-do="row"]')).to_have_value("")
    assert pixels(page, '[data-stage="image"] canvas') == bare
    page.locator(".afa-views").focus()
    page.keyboard.press("Enter")  # pins the middle, not the answer
    expect(page.locator('[data-do="row"]')).to_have_value("4")
    expect(page.locator('[data-do="col"]')).to_have_value("4")


def test_nothing_is_shown_before_there_is_something(visit):  # noqa: F811
    page = visit(query="tab=walk")
    page.locator("[data-mode=seeds]").click()
    panel = '[data-tab="walk"]'
    expect(page.locator(f"{panel} .afa-plot")).to_be_hidden()
    expect(page.locator(f'{panel} [data-fill="scale"]')).to_have_text("")
    for bar in page.locator(f"{panel} .afa-scale").all():
        expect(bar).to_be_hidden()
        assert bar.inner_text().strip() == ""
    page.locator('[data-do="drop"]').click()
    expect(page.locator(f"{panel} .afa-plot")).to_be_visible()
    expect(page.locator(f'{panel} [data-view="after"] .afa-scale')).to_be_visible()


def test_an_outline_is_claimed_where_there_is_one(visit):  # noqa: F811
    page = visit()  # a label of the picture is not in its mask
    caption = page.locator('[data-tab="cam"] [data-view="picture"] figcaption')
    page.get_by_role("button", name="cat", exact=True).click()
    expect(caption).to_have_text("The image; cat outlined, by ground truth")
    page.get_by_role("button", name="bird", exact=True).click()
    expect(caption).to_have_text("The image; no bird to outline, by ground truth")
    key_of_cut = page.locator('[data-tab="cam"] [data-list="result"]')
    expect(key_of_cut).not_to_contain_text("true positive")  # of a class that is not there nothing can be
    tab(page, "attention")
    expect(page.locator('[data-tab="attention"] [data-view="query"] figcaption')).to_contain_text("no bird to outline")
    tab(page, "walk")
    expect(page.locator('[data-tab="walk"] [data-fill="marks"]')).to_contain_text("no bird to outline")


def test_names_stand_above_the_frame_of_the_query_cell(visit):  # noqa: F811
    page = visit(query="tab=seg")
    canvas = '[data-tab="seg"] [data-view="target"] canvas'
    white = """(canvas) => {
      const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
      const context = copy.getContext("2d", { willReadFrequently: true });
      context.drawImage(canvas, 0, 0);
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      const found = [];
      for (let i = 0; i < data.length; i += 4) if (data[i] + data[i + 1] + data[i + 2] === 765) found.push(i);
      return found; }"""
    page.locator('[data-do="row"]').fill("1")
    page.locator('[data-do="row"]').press("Enter")
    far = set(page.locator(canvas).evaluate(white))
    names = 0
    for row in range(1, 7):
        page.locator('[data-do="row"]').fill(str(row))
        page.locator('[data-do="row"]').press("Enter")
        page.locator('[data-do="col"]').fill("4")
        page.locator('[data-do="col"]').press("Enter")
        here = set(page.locator(canvas).evaluate(white))
        names = max(names, len(far & here))
        middle = page.locator(canvas).evaluate("(canvas) => canvas.width")
        inner = {i for i in far if abs((i // 4) % middle - middle / 2) < middle / 4 and i // 4 // middle > middle / 5}
        lost = [i for i in inner if i not in here]
        assert len(lost) < 0.02 * max(1, len(inner)), row  # the name keeps its letters, whatever cell is asked
    assert names


def test_a_change_of_nothing_has_no_colour(visit):  # noqa: F811
    page = visit(query="tab=compare&b_switched=&b_stage=seg")
    expect(page.locator('[data-tab="compare"] .afa-score').last).to_contain_text("equal")
    legend = page.locator('[data-tab="compare"] .afa-pair [data-view="difference"] .afa-legend')
    expect(legend).to_have_text("")  # no key for colours that are not there
    for box in page.locator(".afa-arrow b b, .afa-score b, .afa-ladder b:not(:empty)").all():
        if box.inner_text() == "= 0.0":
            assert box.get_attribute("class") == ""


def test_numbers_are_grouped(visit):  # noqa: F811
    page = visit(query="tab=lab&step=labels")
    page.locator(".afa-lab-step input[type=number]").fill("12")
    page.locator(".afa-lab-step [type=submit]").click()
    expect(page.locator('[data-fill="lab-why"]')).to_contain_text(f"{SIDE * SIDE:,} answers")


def test_downloads_speak_the_language_of_the_page(visit, tmp_path):  # noqa: F811
    page = visit(query="lang=ko")
    page.locator(".afa-share summary").click()
    with page.expect_download() as download:
        page.locator('[data-export="html"]').click()
    download.value.save_as(tmp_path / "report.html")
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<html lang="ko">' in report and "<title>이미지 레이블이 마스크가 되기까지: 새, 고양이</title>" in report
    words = ReportPage(report).words("ko")
    assert "CAM: 새" in words and "CAM: bird" not in words
    assert answer(report, "stages")["title"] == "Scene 0" and block(report)["language"] == "ko"
    asked: list[dict] = []
    page.on("request", lambda r: asked.append(json.loads(r.post_data)) if "component_server" in r.url else None)
    page.locator(".afa-share summary").click()
    with page.expect_download():
        page.locator('[data-export="png"]').click()
    assert asked[-1]["data"]["language"] == "ko"
