"""The page in a real browser: first sight, hands, settings, files. What fails behind it fails every test."""

from __future__ import annotations

import re

import pytest
from app_fixtures import scene
from browser import (  # noqa: F401  (fixtures)
    address,
    browser,
    changes,
    expect,
    keep_picture,
    key,
    next_frame,
    pixels,
    pytestmark,
    ready,
    recomputed,
    requests,
    show_overview,
    small_targets,
    tab,
    visit,
)
from pointing import box_at_rest

from afa_viz.classes import SANDBOX_CLASSES

STRIP = ("image", "cam", "affinity", "cam_rw", "cam_par", "regions", "pseudo_label", "seg", "target")


def stage(name: str) -> str:
    """The selector of a stage's picture in the strip."""
    return f'[data-stage="{name}"] [data-open] canvas'


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width, height", [(1440, 900), (390, 844)])
def test_opens_with_an_example_explained(visit, width, height, theme):  # noqa: F811
    page = visit(width, height, theme)
    expect(page.get_by_role("heading", name="Scene 0")).to_be_visible()
    expect(page.locator(".afa-status")).to_contain_text("affinity above ½ with")
    show_overview(page)
    for name in STRIP:
        canvas = page.locator(stage(name))
        expect(canvas).to_be_visible()
        colours = canvas.evaluate(
            "c => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size"
        )
        assert colours > 20, name
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not small_targets(page, ".afa")
    keep_picture(page, f"page_{width}_{theme}", full_page=True)
    if width == 1440:  # between a laptop and a phone
        page.set_viewport_size({"width": 1024, "height": 768})
        page.wait_for_function("matchMedia('(width: 1024px)').matches")
        assert page.evaluate("document.documentElement.scrollWidth") <= 1024
        keep_picture(page, f"page_1024_{theme}", full_page=True)


def test_the_pointer_asks_the_server_for_nothing(visit):  # noqa: F811
    page = visit()
    box = box_at_rest(page.locator(stage("cam")))
    before, seen = pixels(page, stage("affinity")), requests(page)
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    changes(page, stage("affinity"), before)
    expect(page.locator(".afa-status")).to_contain_text("Row 1, column 1:")
    before = pixels(page, stage("affinity"))
    for step in range(6):
        page.mouse.move(box["x"] + box["width"] * (step + 0.5) / 6, box["y"] + box["height"] - 5)
    expect(page.locator(".afa-status")).to_contain_text("Row 6, column 6:")
    changes(page, stage("affinity"), before)
    box = box_at_rest(page.locator('[data-tab="cam"] [data-view="map"] canvas[role=img]'))
    page.mouse.click(box["x"] + 5, box["y"] + 5)
    page.mouse.move(5, 5)
    expect(page.locator(".afa-status")).to_contain_text("Row 1, column 1, pinned")
    assert seen == []


def test_redrawing_a_cell_is_fast(visit):  # noqa: F811
    page = visit()
    page.locator(".afa-views").focus()
    longest = page.evaluate(
        """async () => {
             const views = document.querySelector(".afa-views");
             const frame = () => new Promise(requestAnimationFrame);
             const times = [];
             for (let i = 0; i < 20; i++) {
               views.dispatchEvent(new KeyboardEvent("keydown", {key: i % 2 ? "ArrowLeft" : "ArrowRight"}));
               const start = performance.now();
               await frame();
               await 0;
               times.push(performance.now() - start);
             }
             return times.sort((a, b) => a - b)[10];
           }"""
    )
    assert longest < 100  # the target is one frame; a test machine may be busy


def test_the_keyboard_reaches_everything(visit):  # noqa: F811
    page = visit()
    status = page.locator(".afa-status")
    page.locator(".afa-views").focus()
    page.keyboard.press("Escape")
    for _ in range(6):
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowLeft")
    expect(status).to_contain_text("Row 1, column 1:")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(status).to_contain_text("Row 2, column 1, pinned")
    expect(status).to_contain_text("mean of the heads")
    page.keyboard.press("]")
    page.keyboard.press("]")
    expect(status).to_contain_text("head 2")
    expect(page.locator('[data-do="head"]')).to_have_value("1")
    page.keyboard.press("[")
    expect(status).to_contain_text("head 1")
    page.keyboard.press("?")
    expect(page.locator(".afa-keys table")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".afa-keys table")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(status).not_to_contain_text("pinned")
    expect(page.locator(".afa-aloud")).to_contain_text("Row")


def test_the_keyboard_opens_every_tab(visit):  # noqa: F811
    page = visit()
    tabs = page.get_by_role("tab")
    tabs.first.focus()
    for number in range(1, tabs.count()):
        page.keyboard.press("ArrowRight")
        expect(tabs.nth(number)).to_be_focused()
        expect(page.get_by_role("tabpanel")).to_have_attribute("data-tab", tabs.nth(number).get_attribute("data-tab"))
    page.keyboard.press("ArrowRight")
    expect(tabs.first).to_have_attribute("aria-selected", "true")


def test_class_block_and_head(visit):  # noqa: F811
    page = visit()
    before = pixels(page, stage("cam"))
    page.get_by_role("button", name="bird", exact=True).click()
    changes(page, stage("cam"), before)
    expect(page.get_by_role("button", name="bird", exact=True)).to_have_attribute("aria-pressed", "true")
    page.locator('[data-do="head"]').select_option("5")
    expect(page.locator(".afa-status")).to_contain_text("head 6")
    page.locator('[data-do="block"]').select_option("0")
    expect(page.locator('[data-do="head"] option')).to_have_count(2)  # one, and the mean
    expect(page.locator(".afa-status")).to_contain_text("head 1")


def test_settings_change_what_lies_below(visit):  # noqa: F811
    page = visit()
    for change in (
        lambda: page.locator("#afa-bkg_score_low input[type=number]").fill("0.1"),
        lambda: page.locator("#afa-bkg_score_low input[type=range]").press("ArrowRight"),
        lambda: page.get_by_role("checkbox", name="random walk").check(),
        lambda: page.get_by_role("checkbox", name="symmetry of the affinity").check(),
    ):
        before = key(page)
        change()
        recomputed(page, before)
    before = key(page)
    page.get_by_role("button", name="Reset settings").click()
    recomputed(page, before)
    expect(page.locator("#afa-bkg_score_low input[type=number]")).to_have_value("0.35")
    expect(page.get_by_role("checkbox", name="random walk")).not_to_be_checked()


def test_another_example_and_a_photograph_of_ones_own(visit, tmp_path):  # noqa: F811
    page = visit()
    page.get_by_role("button", name="Thumbnail 3").click()
    expect(page.get_by_role("heading", name="A photograph")).to_be_visible()
    expect(page.locator(".afa-domain")).to_have_text("photograph, outside the training domain")
    expect(page.locator('[data-stage="target"]')).to_be_hidden()
    scene(1)[0].resize((200, 120)).save(tmp_path / "mine.jpg")
    page.locator("#afa-pick input[type=file]").set_input_files(tmp_path / "mine.jpg")
    expect(page.get_by_role("heading", name="Your photograph")).to_be_visible(timeout=15_000)
    expect(page.locator('[data-fill="grid"]')).to_have_text(re.compile("96 × 58 pixels, 6 × 4 cells"))
    (tmp_path / "fake.png").write_text("no picture")
    page.locator("#afa-pick input[type=file]").set_input_files(tmp_path / "fake.png")
    expect(page.get_by_text("of no known format")).to_be_visible()
    expect(page.get_by_role("heading", name="Your photograph")).to_be_visible()
    expect(page.locator("#afa-gallery .thumbnail-item.selected")).to_have_count(0)
    page.get_by_role("button", name="Thumbnail 3").click()  # the one from before
    expect(page.get_by_role("heading", name="A photograph")).to_be_visible()
    expect(page.locator("#afa-gallery .thumbnail-item.selected")).to_have_count(1)


def test_a_link_to_another_picture_leads_to_its_class_and_cell(visit):  # noqa: F811
    """Scene 1 has a class that the picture with which the page opens has not."""
    name = SANDBOX_CLASSES[7]
    assert name not in (SANDBOX_CLASSES[6], "bird")
    query = f"example=scene1&class={name}&cell=2,5&block=1&head=1&tab=affinity&opacity=0.4"
    page = visit(query=query)
    expect(page.get_by_role("heading", name="Scene 1")).to_be_visible()
    expect(page.get_by_role("button", name=name, exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".afa-status")).to_contain_text("Row 2, column 5, pinned")
    expect(page.locator('[data-do="block"]')).to_have_value("0")
    expect(page.locator('[data-do="opacity"]')).to_have_value("40")
    for part in query.split("&"):
        page.wait_for_function("(part) => location.search.includes(part)", arg=part)


def test_a_link_that_fits_another_picture_says_so(visit):  # noqa: F811
    """The class is one of the picture with which the page opens, not of the linked one."""
    page = visit(query="example=scene1&class=bird&cell=2,5")
    expect(page.locator(".afa-status")).to_contain_text("ignored: class")
    expect(page.locator(".afa-status")).not_to_contain_text("class, cell")


@pytest.mark.parametrize("query, names", [
    ("example=unicorn&class=nonsense&cell=99,1", "example, class, cell"),
    ("example=scene1&model=none&radius=x&left_out=all&cell=99,1&head=9", "model, radius, left_out, cell, head"),
])  # fmt: skip
def test_all_that_does_not_fit_is_one_notice_that_stays(visit, query, names):  # noqa: F811
    page = visit(query=query)
    status = page.locator(".afa-status")
    expect(status).to_have_text(f"Some parts of this link do not fit and were ignored: {names}.")
    expect(page.locator(".toast-body")).to_have_count(0)  # what is gone after ten seconds
    page.set_viewport_size({"width": 1024, "height": 800})  # drawn again
    next_frame(page)
    expect(status).to_contain_text(f"ignored: {names}.")
    page.locator('[role=tab][data-tab="cam"]').click()
    expect(status).not_to_contain_text("ignored")


def test_one_opacity_for_every_map(visit):  # noqa: F811
    page = visit()
    tab(page, "regions")
    slider = page.locator('[data-do="opacity"]')
    label = '[data-tab="regions"] [data-view="label"] canvas'
    images = (stage("cam"), stage("seg"), label)
    seen, before = requests(page), [pixels(page, image) for image in images]
    slider.focus()
    page.keyboard.press("Home")
    expect(page.locator('[data-fill="opacity"]')).to_have_text("0 %")
    for image, old in zip(images, before, strict=True):
        changes(page, image, old)
    spread = page.locator(stage("cam")).evaluate(  # of the colours of a pixel: grey has none
        """(canvas) => {
             const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
             let most = 0;
             for (let i = 0; i < data.length; i += 4) most = Math.max(most, Math.abs(data[i] - data[i + 2]));
             return most;
           }"""
    )
    assert spread == 0  # the photograph alone, in grey
    tab(page, "par")
    refined = '[data-tab="par"] [data-view="after"] canvas'
    without = pixels(page, refined)
    page.wait_for_function("location.search.includes('opacity=0')")
    page.locator(".afa-views").focus()
    for _ in range(17):
        page.keyboard.press("+")
    expect(page.locator('[data-fill="opacity"]')).to_have_text("85 %")
    page.wait_for_function("!location.search.includes('opacity')")
    changes(page, refined, without)
    next_frame(page)  # with the last of them
    with_colours = pixels(page, refined)
    slider.press("Home")
    slider.fill("85")
    next_frame(page)
    assert pixels(page, refined) == with_colours
    tab(page, "regions")
    assert [pixels(page, image) for image in images] == before
    page.locator(".afa-views").focus()
    page.keyboard.press("-")
    expect(page.locator('[data-fill="opacity"]')).to_have_text("80 %")
    assert seen == []


def test_a_link_leads_back(visit):  # noqa: F811
    page = visit()
    page.get_by_role("tab", name="Regions").click()
    bird = page.get_by_role("button", name="bird", exact=True)
    bird.click()
    expect(bird).to_have_attribute("aria-pressed", "true")  # and the fields of the cell are those of this class
    page.locator('[data-do="row"]').fill("2")
    page.locator('[data-do="row"]').press("Enter")
    page.wait_for_function("location.search.includes('cell=2') && location.search.includes('tab=regions')")
    query = page.evaluate("location.search.slice(1)")
    again = visit(query=query)
    expect(again.get_by_role("tabpanel")).to_have_attribute("data-tab", "regions")
    expect(again.get_by_role("button", name="bird", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(again.locator(".afa-status")).to_contain_text("Row 2,")
    wrong = visit(query="tab=regions&class=unicorn&cell=99,1")
    expect(wrong.locator(".afa-status")).to_contain_text("ignored: class, cell")


def test_a_tab_that_does_not_load_says_so_and_is_loaded_when_it_is_opened_again(browser, address):  # noqa: F811
    page = browser.new_context().new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.route("**/scripts/*", lambda route: route.abort())
    page.goto(address)
    ready(page)
    assert not [url for url in asked if "/scripts/" in url]  # a first look needs none
    panel = tab(page, "lab")
    expect(page.locator(".afa-status")).to_have_text(
        "The tab Lab could not be loaded. Check the connection and open it again."
    )
    tab(page, "cam")
    page.unroute("**/scripts/*")
    tab(page, "lab")
    expect(page.locator(f'{panel} [data-fill="lab-task"]')).not_to_be_empty()
    tab(page, "compare")
    expect(page.locator('[data-tab="compare"] .afa-board button').first).to_be_visible()
    assert len([url for url in asked if "/scripts/" in url]) == 3  # the lab's, twice, and that of the other tabs
    page.context.close()


def test_a_first_visit_is_led_to_the_lab_and_from_tab_to_tab(visit):  # noqa: F811
    page = visit(1280, 720)
    tabs = [tab.get_attribute("data-tab") for tab in page.get_by_role("tab").all()]
    expect(page.get_by_role("tab", selected=True)).to_have_attribute("data-tab", "cam")  # its script is here already
    page.get_by_role("tab").first.click()
    for name, following in zip(tabs, tabs[1:], strict=False):
        page.locator(f'[role=tabpanel][data-tab="{name}"] .afa-next').click()
        selected = page.get_by_role("tab", selected=True)
        expect(selected).to_have_attribute("data-tab", following)
        expect(selected).to_be_focused()
        expect(selected).to_be_in_viewport()
    assert following == "lab" and not page.locator('[data-tab="lab"] .afa-next').count()
    begin = page.get_by_role("button", name="New here? Start with the lab")
    expect(begin).to_be_hidden()  # the lab has been opened
    again = visit(390, 844)
    again.get_by_role("button", name="New here? Start with the lab").click()
    expect(again.locator('[role=tabpanel][data-tab="lab"] .afa-lab-task')).to_be_visible()
