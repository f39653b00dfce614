"""Hands and drawings in a real browser: what a finger or a key does to the page, and nothing is shown for nothing."""

from __future__ import annotations

import json

import pytest
from app_fixtures import SIDE
from browser import (  # noqa: F401  (fixtures)
    address,
    browser,
    expect,
    phone,
    pixels,
    pytestmark,
    query_cell,
    ready,
    tab,
    visit,
)
from pointing import box_at_rest, fingers
from report_file import Page as ReportPage
from report_file import answer, block

# --- hands -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "tab=regions", "tab=lab"])
def test_a_phone_in_landscape_opens_at_the_top(visit, query):  # noqa: F811
    page = visit(844, 390, query=query)
    page.wait_for_timeout(300)
    assert page.evaluate("scrollY") == 0
    assert page.get_by_role("heading", name="AFA Viz").bounding_box()["y"] >= 0


def test_a_finger_paints_seeds_and_moves_no_page(phone):  # noqa: F811
    page = phone("tab=walk")
    page.locator("[data-mode=seeds]").click()
    canvas = page.locator('[data-tab="walk"] [data-view="before"] canvas')
    canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    box, top = box_at_rest(canvas), page.evaluate("scrollY")
    before = pixels(page, '[data-tab="walk"] [data-view="before"] canvas')
    send = fingers(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.9
    for step in range(9):
        send("touchMove" if step else "touchStart", (x, y - step * box["height"] / 10))
    send("touchEnd")
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
    white = """async (canvas) => {
      await new Promise(requestAnimationFrame);  // drawn after the next frame has begun
      await new Promise(requestAnimationFrame);
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
    for box in page.locator(".afa-arrow b b, .afa-score b, .afa-score-bars b:not(:empty)").all():
        if box.inner_text() == "= 0.0":
            assert box.get_attribute("class") == ""


def test_numbers_are_grouped(visit):  # noqa: F811
    page = visit(query="tab=lab&step=labels")
    for name in ("answer", "reason"):
        page.locator(f".afa-lab-step input[name={name}]").first.check()
    page.locator(".afa-lab-step [type=submit]").click()
    expect(page.locator('[data-fill="lab-why"]')).to_contain_text(f"holds {SIDE * SIDE:,}")


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
