"""Any map large, all of them zoomed alike, and the values under the pointer: by wheel, hand and keys."""

from __future__ import annotations

import re

import pytest
from browser import address, browser, expect, keep_picture, phone, pytestmark, query_cell, ready, tab, visit  # noqa: F401  (fixtures)
from playwright.sync_api import Page
from pointing import box_at_rest, fingers

from afa_viz.ui.localization import texts

BOX = "canvas => { const { x, y, width, height } = canvas.getBoundingClientRect(); return [x, y, width, height]; }"
GRID = 6  # cells a side of the example
TEXTS = texts()


def maps(page: Page, panel: str):
    return page.locator(f"{panel} figure canvas[data-shape]")


def zoom_of(page: Page) -> float:
    return float(page.locator(".afa-views").evaluate("e => getComputedStyle(e).getPropertyValue('--part-zoom')") or 1)


def visible_box(page: Page, canvas) -> tuple[float, float, float, float]:
    """Of a canvas that may be zoomed: its box while it is not."""
    x, y, width, height = canvas.evaluate(BOX)
    part = page.locator(".afa-views").evaluate(
        """e => ['zoom', 'x', 'y'].map((n) =>
             Number(getComputedStyle(e).getPropertyValue(`--part-${n}`) || Number(n === 'zoom')))"""
    )
    return x + part[1] * width, y + part[2] * height, width / part[0], height / part[0]


def over(page: Page, canvas, u: float, v: float) -> None:
    """Move the mouse to shares of the frame of a canvas."""
    canvas.evaluate("canvas => canvas.scrollIntoView({ block: 'center', behavior: 'instant' })")
    x, y, width, height = visible_box(page, canvas)
    page.mouse.move(x + u * width, y + v * height)


def loaded(page: Page, canvas) -> None:
    """Its script is here, and the button lies on this map."""
    button = canvas.locator("xpath=..").locator(".afa-enlarge")
    for place in (0.3, 0.4, 0.5, 0.6, 0.5):  # what is scrolled may bring another map under the pointer
        over(page, canvas, place, place)
        page.wait_for_timeout(100)
    expect(button).to_be_visible()


@pytest.mark.parametrize("name", ["cam", "affinity", "regions"])
def test_all_maps_of_a_tab_are_zoomed_alike_and_the_cell_under_the_pointer_is_right(visit, name):  # noqa: F811
    page = visit()
    panel = tab(page, name)
    canvas = maps(page, panel).first
    loaded(page, canvas)
    frame = visible_box(page, canvas)
    over(page, canvas, 0.7, 0.3)
    page.keyboard.down("Control")
    for _ in range(6):
        page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    page.wait_for_function("document.querySelector('.afa-zoomed')")
    zoom = zoom_of(page)
    assert zoom > 2
    expect(page.locator(".afa-zoom output")).to_have_text(f"{round(100 * zoom)} %")
    assert visible_box(page, canvas) == pytest.approx(frame, abs=1.5), "zoomed inside its frame"
    shown = [c for c in maps(page, panel).all() if c.is_visible()]
    parts = [tuple(c.evaluate(
        """c => {
             const t = new DOMMatrix(getComputedStyle(c).transform);
             return [t.a, t.e / c.clientWidth, t.f / c.clientHeight];
           }"""
    )) for c in shown]  # fmt: skip
    assert len(shown) > 2 and all(part == pytest.approx(parts[0], abs=0.01) for part in parts), parts
    x0, y0 = (float(page.locator(".afa-views").evaluate(f"e => e.style.getPropertyValue('--part-{n}')")) for n in "xy")
    for u, v in ((0.05, 0.05), (0.5, 0.9), (0.95, 0.4)):
        over(page, canvas, u, v)
        cell = (int((y0 + v / zoom) * GRID) + 1, int((x0 + u / zoom) * GRID) + 1)
        page.wait_for_function(
            "cell => ['row', 'col'].every((name, i) => document.querySelector(`[data-do=${name}]`).value === cell[i])",
            arg=[str(n) for n in cell],
        )
    keep_picture(page, f"zoom_{name}")
    page.get_by_role("button", name="Show the whole map").click()
    assert zoom_of(page) == 1
    expect(page.locator(".afa-zoom")).to_have_count(0)


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_map_large_with_values_under_the_pointer(visit, width, theme):  # noqa: F811
    page = visit(width=width, height=844, theme=theme)
    panel = tab(page, "cam")
    canvas = maps(page, panel).nth(1)
    loaded(page, canvas)
    small = visible_box(page, canvas)
    canvas.locator("xpath=..").get_by_role("button", name="Show this map large").click()
    figure = page.locator("figure.afa-large")
    expect(figure).to_be_visible()
    least = 1.5 * small[2] if width > 1000 else 0.85 * width
    page.wait_for_function(f"document.querySelector('.afa-large canvas').clientWidth > {least}")
    large = visible_box(page, canvas)
    assert large[0] >= 0 and large[0] + large[2] <= width and large[1] + large[3] <= 844, "all of it is in sight"
    page.wait_for_function(
        "c => Math.abs(c.width - c.clientWidth * Math.min(2, devicePixelRatio)) < 2", arg=canvas.element_handle()
    )  # fmt: skip  (drawn anew, not stretched)
    over(page, canvas, 0.4, 0.4)
    over(page, canvas, 0.5, 0.5)
    value = page.locator(".afa-zoom-value")
    expect(value).to_have_text(re.compile(r"Pixel 48, 48 · image \d+, \d+, \d+ · map: \d\.\d{3}"))
    page.mouse.wheel(0, -300)  # without Ctrl, where there is nothing to scroll
    page.wait_for_function("document.querySelector('.afa-zoomed')")
    before = zoom_of(page)
    over(page, canvas, 0.5, 0.5)
    expect(value).to_have_text(re.compile("Pixel 4[78], 4[78]"))  # what was in the middle is in the middle
    page.keyboard.press("+")
    assert zoom_of(page) == pytest.approx(1.5 * before)
    page.keyboard.press("-")
    assert zoom_of(page) == pytest.approx(before)
    x = float(page.locator(".afa-views").evaluate("e => e.style.getPropertyValue('--part-x')"))
    page.mouse.down()
    page.mouse.move(large[0] + 0.3 * large[2], large[1] + 0.5 * large[3], steps=4)
    page.mouse.up()
    assert float(page.locator(".afa-views").evaluate("e => e.style.getPropertyValue('--part-x')")) > x
    expect(page.locator('[data-do="row"]')).to_have_count(1)
    keep_picture(page, f"zoom_large_{width}_{theme}")
    page.keyboard.press("Escape")
    expect(figure).to_have_count(0)
    assert visible_box(page, canvas)[2] == pytest.approx(small[2], abs=2)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_key_f_and_the_arrows(visit):  # noqa: F811
    page = visit()
    tab(page, "regions")
    page.locator(".afa-views").focus()
    page.keyboard.press("f")
    expect(page.locator("figure.afa-large")).to_be_visible()
    for _ in range(4):
        page.keyboard.press("+")
    for _ in range(GRID):
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowLeft")
    assert query_cell(page) == ("1", "1")
    part = ".afa-views"
    page.wait_for_function(f"Number(document.querySelector('{part}').style.getPropertyValue('--part-x')) < 0.01")
    page.keyboard.press("0")
    assert zoom_of(page) == 1
    page.keyboard.press("Escape")
    expect(page.locator("figure.afa-large")).to_have_count(0)
    page.get_by_role("tab", name="CAM").click()
    assert query_cell(page) == ("1", "1"), "Escape has left the map alone"


def test_two_fingers_zoom_and_one_finger_moves(phone):  # noqa: F811
    page = phone()
    panel = tab(page, "cam")
    canvas = maps(page, panel).nth(1)
    canvas.scroll_into_view_if_needed()
    canvas.tap(position={"x": 40, "y": 40})
    page.get_by_role("button", name="Show this map large").click()
    expect(page.locator("figure.afa-large")).to_be_visible()
    box = box_at_rest(canvas)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    send = fingers(page)
    send("touchStart", (x - 20, y), (x + 20, y))
    for gap in (30, 40, 60):
        send("touchMove", (x - gap, y), (x + gap, y))
    send("touchEnd")
    page.wait_for_function("document.querySelector('.afa-zoomed')")
    assert zoom_of(page) == pytest.approx(3, rel=0.1)
    before = page.locator(".afa-views").evaluate("e => Number(e.style.getPropertyValue('--part-x'))")
    send("touchStart", (x, y))
    for step in (10, 30, 60):
        send("touchMove", (x - step, y))
    send("touchEnd")
    page.wait_for_function(
        f"Number(document.querySelector('.afa-views').style.getPropertyValue('--part-x')) > {before}"
    )


@pytest.mark.parametrize("width", [1440, 390])
def test_a_large_map_fills_the_screen_and_leaves_it(visit, width):  # noqa: F811
    page = visit(width=width, height=844)
    tab(page, "cam")
    page.locator(".afa-views").focus()
    page.keyboard.press("f")
    canvas = page.locator("figure.afa-large canvas[data-shape]")
    page.get_by_role("button", name=TEXTS["zoom.full"]).click()
    page.wait_for_function("document.fullscreenElement?.matches('figure.afa-large')")
    page.wait_for_function("!document.querySelector('.afa-large').popover")
    x, y, side, tall = visible_box(page, canvas)
    screen = page.evaluate("[innerWidth, innerHeight]")
    assert x >= 0 and x + side <= screen[0] and y + tall <= screen[1] and side >= 0.85 * min(*screen, screen[1] - 120)
    over(page, canvas, 0.5, 0.5)
    over(page, canvas, 0.4, 0.4)
    expect(page.locator(".afa-zoom-value")).to_contain_text("Pixel")
    page.keyboard.press("+")
    assert zoom_of(page) == pytest.approx(1.5)
    keep_picture(page, f"zoom_full_{width}")
    page.get_by_role("button", name=TEXTS["zoom.full"]).click()
    page.wait_for_function("!document.fullscreenElement")
    expect(page.locator("figure.afa-large")).to_have_count(0)
    page.keyboard.press("f")
    page.get_by_role("button", name=TEXTS["zoom.full"]).click()
    page.wait_for_function("document.fullscreenElement")
    page.get_by_role("button", name=TEXTS["zoom.close"]).click()
    page.wait_for_function("!document.fullscreenElement")
    expect(page.locator("figure.afa-large")).to_have_count(0)
    tab(page, "seg")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_where_the_screen_cannot_be_filled_the_map_stays_large(visit):  # noqa: F811
    page = visit()
    tab(page, "cam")
    page.evaluate("() => { Element.prototype.requestFullscreen = () => Promise.reject(new TypeError('no')); }")
    page.locator(".afa-views").focus()
    page.keyboard.press("f")
    page.get_by_role("button", name=TEXTS["zoom.full"]).click()
    expect(page.locator(".afa-zoom-value")).to_have_text(TEXTS["zoom.no_full"])
    assert page.evaluate("document.querySelector('figure.afa-large').matches(':popover-open')")
    page.keyboard.press("Escape")
    expect(page.locator("figure.afa-large")).to_have_count(0)
