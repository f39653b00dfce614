"""The tabs that compute in the browser: CAM, walk, PAR, regions, prediction. Nothing is asked while a hand moves."""

from __future__ import annotations

import re

import pytest
from browser import (  # noqa: F401  (fixtures)
    Page,
    address,
    browser,
    changes,
    drawn_and_fits,
    expect,
    key,
    next_frame,
    pixels,
    pytestmark,
    recomputed,
    requests,
    tab,
    visit,
)
from pointing import box_at_rest

FRAME = 150  # milliseconds; the target is 50, a test machine may be busy
TABS = ("cam", "walk", "par", "regions", "seg")


def grip(page: Page, selector: str, start: float, end: float) -> None:
    """Press at a share of an element's width and drag to another; the button stays down."""
    element = page.locator(selector)
    box = box_at_rest(element)
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * start, y)
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(box["x"] + box["width"] * (start + (end - start) * step / 8), y)


def shares(page: Page, panel: str) -> list[float]:
    """Percentages in the legend of the regions."""
    text = page.locator(f'{panel} [data-list="shares"]').inner_text()
    return [float(found) for found in re.findall(r"([\d.]+)\s%", text)]


def median_frame(page: Page, selector: str) -> float:
    """Median milliseconds from an input event of a slider to the next frame, over 20 places."""
    return page.evaluate(
        """async (selector) => {
             const slider = document.querySelector(selector);
             const times = [];
             for (let i = 0; i < 20; i++) {
               slider.value = Number(slider.min) + ((i % 10) + 1) * (slider.max - slider.min) / 12;
               const start = performance.now();
               slider.dispatchEvent(new Event("input"));
               await new Promise(requestAnimationFrame);
               await new Promise((done) => { setTimeout(done); });
               times.push(performance.now() - start);
             }
             return times.sort((a, b) => a - b)[10];
           }""",
        selector,
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width, height", [(1440, 900), (390, 844)])
def test_every_tab_is_drawn_and_fits(visit, width, height, theme):  # noqa: F811
    page = visit(width, height, theme)
    for name in TABS:
        panel = tab(page, name)
        drawn_and_fits(page, panel, ".afa-figs canvas[role=img]:visible", f"{name}_{width}_{theme}")


def test_the_cut_of_a_cam_against_the_truth(visit):  # noqa: F811
    page = visit()
    panel = tab(page, "cam")
    words, seen = page.locator(f'{panel} [data-fill="words"]'), requests(page)
    found = []
    for cut in ("0.1", "0.45", "0.9"):
        page.locator(f'{panel} [data-setting="bkg_score"] input').fill(cut)
        expect(words).to_contain_text(f"At threshold {float(cut):.2f}, the CAM covers")
        numbers = [float(text) for text in re.findall(r"([\d.]+)\s%", words.inner_text())]
        found.append(numbers[0])
        assert numbers[2] <= numbers[3] + 0.5  # no cut beats the best one
    assert found == sorted(found, reverse=True) and found[0] > found[-1]  # a higher cut finds less
    assert seen == []


def test_dragging_a_cut_line_asks_for_nothing(visit):  # noqa: F811
    page = visit()
    panel = tab(page, "regions")
    picture = f'{panel} [data-view="label"] canvas'
    seen, before, old, first = requests(page), pixels(page, picture), key(page), shares(page, panel)
    grip(page, f"{panel} .afa-histogram", 0.38, 0.54)
    expect(page.locator(f'{panel} [data-setting="low"] output')).to_have_text("0.52")  # where the hand has stopped
    changes(page, picture, before)
    next_frame(page)
    assert seen == []
    dragged = shares(page, panel)
    assert sum(dragged) == pytest.approx(100, abs=0.2)
    assert dragged != first
    page.mouse.up()
    recomputed(page, old)  # the server made the same maps
    value = page.locator(f'{panel} [data-setting="low"] output').inner_text()
    expect(page.locator("#afa-bkg_score_low input[type=number]")).to_have_value(str(float(value)))
    assert shares(page, panel) == pytest.approx(dragged, abs=0.5)


def test_a_slider_of_the_sidebar_draws_at_once_too(visit):  # noqa: F811
    page = visit()
    panel = tab(page, "regions")
    seen, old = requests(page), key(page)
    grip(page, "#afa-bkg_score_high input[type=range]", 0.55, 0.9)
    expect(page.locator(f'{panel} [data-setting="high"] output')).to_have_text(re.compile("0.[89]"))
    assert seen == []
    page.mouse.up()
    recomputed(page, old)


def test_one_score_pushes_the_other(visit):  # noqa: F811
    page = visit()
    panel = tab(page, "regions")
    old = key(page)
    page.locator(f'{panel} [data-setting="low"] input').fill("0.8")
    expect(page.locator(f'{panel} [data-setting="high"] output')).to_have_text("0.80")
    recomputed(page, old)
    expect(page.locator("#afa-bkg_score_high input[type=number]")).to_have_value("0.8")


def test_dragging_is_fast(visit):  # noqa: F811
    page = visit()
    for name, slider in (
        ("cam", '[data-setting="bkg_score"] input'),
        ("regions", '[data-setting="low"] input'),
        ("regions", '[data-setting="bkg_score"] input'),
        ("walk", '[data-setting="power"] input'),
        ("walk", "[data-step]"),
        ("par", '[data-do="iteration"]'),
    ):
        assert median_frame(page, f"{tab(page, name)} {slider}") < FRAME, (name, slider)


def test_the_truth_comes_with_a_warning(visit):  # noqa: F811
    page = visit()
    panel = tab(page, "regions")
    expect(page.locator(f"{panel} .afa-warning")).to_contain_text("no longer weak")
    expect(page.locator(f"{panel} .afa-numbers tbody tr")).to_have_count(3)
    page.locator(f'{panel} [data-do="truth"]').uncheck()
    expect(page.locator(f"{panel} .afa-numbers")).to_be_hidden()


def test_the_walk_step_by_step(visit):  # noqa: F811
    page = visit()
    panel = tab(page, "walk")
    after, seen = f'{panel} [data-view="after"] canvas', requests(page)
    expect(page.locator(f'{panel} [data-fill="step"]')).to_have_text("1 of 10, as the method does")
    before = pixels(page, after)
    page.locator(f"{panel} [data-step]").fill("0")
    changes(page, after, before)
    page.locator(f"{panel} [data-play]").click()
    expect(page.locator(f'{panel} [data-fill="step"]')).to_have_text("10 of 10", timeout=10_000)
    expect(page.locator(f'{panel} [data-fill="leak"]')).to_contain_text("At step 10,")
    assert seen == []


def test_the_walk_in_numbers_and_on_one_scale(visit):  # noqa: F811
    page = visit()
    panel = tab(page, "walk")
    words, seen = page.locator(f'{panel} [data-fill="leak"]'), requests(page)
    page.locator(f"{panel} [data-step]").fill("0")
    expect(words).to_contain_text("At step 0,")
    now, before, *_ = re.findall(r"([\d.]+)\s%", words.inner_text())
    assert now == before and 0 <= float(now) <= 100
    page.locator(f"{panel} [data-step]").fill("10")
    expect(words).to_contain_text("At step 10,")
    wide, wide_before = re.findall(r"span ([\d.]+) \(before: ([\d.]+)\)", words.inner_text())[0]
    assert float(wide) < float(wide_before)  # ten steps level out whatever there is
    bar = f'{panel} [data-view="before"] .afa-scale', f'{panel} [data-view="after"] .afa-scale'
    numbers = [[text.strip("≤≥ ") for text in page.locator(f"{one} span").all_inner_texts()] for one in bar]
    assert numbers[0] != numbers[1]
    page.locator('[data-do="shared"]').click()
    expect(page.locator(f'{panel} [data-fill="scale"]')).to_contain_text("one scale for all steps")
    shared = [[text.strip("≤≥ ") for text in page.locator(f"{one} span").all_inner_texts()] for one in bar]
    assert shared[0] == shared[1]
    assert seen == []


def test_seeds_are_dropped_painted_and_taken_away(visit):  # noqa: F811
    page = visit()
    panel = tab(page, "walk")
    after, paper, seen = f'{panel} [data-view="after"] canvas', f'{panel} [data-view="before"] canvas', requests(page)
    leak = page.locator(f'{panel} [data-fill="leak"]')
    page.locator(f'{panel} [data-mode="seeds"]').click()
    expect(leak).to_contain_text("Nothing is painted yet")
    before = pixels(page, after)
    page.locator(f'{panel} [data-do="drop"]').click()
    changes(page, after, before)
    expect(leak).to_contain_text("outside")
    before = pixels(page, paper)
    page.get_by_role("button", name="background", exact=True).click()
    grip(page, paper, 0.05, 0.3)
    page.mouse.up()
    changes(page, paper, before)
    expect(page.locator(f'{panel} [data-view="refined"] figcaption')).to_contain_text("Winning class")
    page.locator(f"{panel} [data-play]").click()
    expect(page.locator(f'{panel} [data-fill="step"]')).to_have_text("10 of 10", timeout=10_000)
    page.locator(f'{panel} [data-brush="erase"]').click()
    painted = pixels(page, paper)
    grip(page, paper, 0.05, 0.3)
    page.mouse.up()
    changes(page, paper, painted)
    expect(page.locator(f'{panel} [data-view="refined"] figcaption')).not_to_contain_text("Winning class")
    page.locator(f'{panel} [data-do="clear"]').click()
    expect(leak).to_contain_text("Nothing is painted yet")
    assert seen == []


def test_par_plays_and_shows_its_neighbours(visit):  # noqa: F811
    page = visit()
    panel = tab(page, "par")
    after, seen = f'{panel} [data-view="after"] canvas', requests(page)
    before = pixels(page, after)
    page.locator(f"{panel} [data-play]").click()
    changes(page, after, before)
    expect(page.locator(f'{panel} [data-fill="iteration"]')).to_have_text("10 of 10", timeout=10_000)
    expect(page.locator(f"{panel} .afa-ring")).to_have_count(6)
    rings = page.locator(f"{panel} .afa-ring span").all_inner_texts()
    assert sum(float(ring.split()[2]) for ring in rings) == pytest.approx(101, abs=0.4)
    words = page.locator(f'{panel} [data-fill="weights"]')
    old = words.inner_text()
    page.locator(f'{panel} [data-view="pixel"] canvas[role=img]').focus()
    page.keyboard.press("ArrowDown")
    expect(words).not_to_have_text(old)
    assert seen == []


def test_the_dense_crf_beside_par(visit):  # noqa: F811
    page = visit()
    panel = tab(page, "par")
    page.locator(f'{panel} [data-do="crf"]').click()
    words = page.locator(f'{panel} [data-fill="crf"]')
    expect(words).to_contain_text(re.compile(r"PAR [\d.]+ m?s, dense CRF [\d.]+ m?s"), timeout=15_000)
    expect(page.locator(f'{panel} [data-view="label"] canvas')).to_be_visible()
    caption = page.locator(f'{panel} [data-view="label"] figcaption')
    expect(caption).to_contain_text("10 / 10")
    pixels = "canvas => canvas.toDataURL()"
    canvases = [page.locator(f'{panel} [data-view="{name}"] canvas') for name in ("par_label", "label")]
    last = [canvas.evaluate(pixels) for canvas in canvases]
    slider = page.locator(f'{panel} [data-do="crf_iteration"]')
    slider.fill("0")
    expect(caption).to_contain_text("0 / 10")
    start = [canvas.evaluate(pixels) for canvas in canvases]
    assert start[0] != last[0] and start[1] != last[1], "the labels before the first iteration are others"
    slider.fill("10")
    assert [canvas.evaluate(pixels) for canvas in canvases] == last


def test_the_prediction_against_the_truth(visit):  # noqa: F811
    page = visit()
    panel = tab(page, "seg")
    expect(page.locator(f"{panel} .afa-score-bars > div")).to_have_count(5)
    for row in page.locator(f"{panel} .afa-confusion tr").all()[1:]:
        numbers = [float(text.split()[0]) for text in row.locator("td").all_inner_texts()]
        assert 0 < sum(numbers) < 100.3  # rare wrong classes have no column
    errors = page.locator(f'{panel} [data-list="errors"]').inner_text()
    assert sum(float(found) for found in re.findall(r"([\d.]+)\s%", errors)) == pytest.approx(100, abs=0.3)


def test_without_a_mask_nothing_is_scored(visit):  # noqa: F811
    page = visit()
    page.get_by_role("button", name="Thumbnail 3").click()
    expect(page.get_by_role("heading", name="A photograph")).to_be_visible()
    expect(page.locator(f'{tab(page, "cam")} [data-fill="words"]')).to_contain_text("This image has no mask")
    panel = tab(page, "seg")
    expect(page.locator(f"{panel}")).to_contain_text("nothing to score")
    expect(page.locator(f"{panel} .afa-score-bars")).to_be_hidden()
    panel = tab(page, "regions")
    expect(page.locator(f"{panel} .afa-truth")).to_be_hidden()
    panel = tab(page, "walk")
    expect(page.locator(f'{panel} [data-fill="leak"]')).to_contain_text("pseudo label")
