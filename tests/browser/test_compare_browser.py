"""Compare and Training in a real browser: two sides of a chain, and a picture through the snapshots of a run."""

from __future__ import annotations

import re

import pytest
from app_fixtures import add_snapshots, launched, prepare, tiny
from browser import (  # noqa: F401  (fixtures)
    Page,
    browser,
    changes,
    drawn_and_fits,
    expect,
    next_frame,
    pixels,
    pytestmark,
    requests,
    set_range,
    tab,
    visit,
)
from pointing import box_at_rest

from afa_viz.model.checkpoint import save_model

COMPARE = '[role=tabpanel][data-tab="compare"]'
TRAINING = '[role=tabpanel][data-tab="training"]'
FRAME = 150  # milliseconds; the target is 50, a test machine may be busy


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def address(folder):
    options = prepare(folder)
    add_snapshots(options)
    model, card = tiny(1, side=352)  # 22 x 22 cells: the page gets windows of the affinity
    save_model(model, folder / "checkpoints" / "wide.safetensors", card)
    with launched(options) as served:
        yield served


def ready(page: Page, panel: str, state: str = "ready") -> None:
    """Wait until a tab has all that it asks the server for."""
    expect(page.locator(panel)).to_have_attribute("data-state", state, timeout=20_000)


def words(page: Page) -> str:
    return page.locator(f'{COMPARE} [data-fill="words"]').inner_text()


def shared_part(page: Page) -> str:
    """The part of the page's address that a visit takes."""
    return re.sub(r"__theme=\w+&?", "", page.evaluate("location.search.slice(1)"))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width, height", [(1440, 900), (390, 844)])
def test_both_tabs_are_drawn_and_fit(visit, width, height, theme):  # noqa: F811
    page = visit(width, height, theme)
    for name in ("compare", "training"):
        panel = tab(page, name)
        ready(page, panel)
        drawn_and_fits(page, panel, "canvas[role=img]:visible", f"{name}_{width}_{theme}", colours=10)


# --- compare ---------------------------------------------------------------------------------------------------------


def test_b_is_named_and_differs_where_it_should(visit):  # noqa: F811
    page = visit()
    tab(page, "compare")
    ready(page, COMPARE)
    assert words(page) == "B: without the random walk; everything else as A."
    columns = page.locator(f"{COMPARE} .afa-board .afa-score").all_inner_texts()
    assert len(columns) == 7
    assert all("equal" in columns[i] for i in (0, 1, 2, 6)) and "equal" not in columns[3]
    page.get_by_role("checkbox", name="without the random walk").uncheck()
    expect(page.locator(f'{COMPARE} [data-fill="words"]')).to_have_text("B is the same as A: choose a difference.")
    assert all("equal" in text for text in page.locator(f"{COMPARE} .afa-board .afa-score").all_inner_texts())
    difference = f'{COMPARE} [data-view="difference"] canvas[role=img]'
    before = pixels(page, difference)
    page.get_by_role("checkbox", name="without PAR").check()
    changes(page, difference, before)
    expect(page.get_by_role("checkbox", name="dense CRF")).to_be_disabled()
    expect(page.locator(f'{COMPARE} [data-view="b"] figcaption')).to_contain_text("no PAR")
    page.locator(f"{COMPARE} .afa-board").get_by_role("button", name="Pseudo label").click()
    expect(page.locator(f'{COMPARE} [data-view="difference"] figcaption')).to_have_text(re.compile("What B changes in"))
    expect(page.locator(f'{COMPARE} [data-fill="numbers"]')).to_contain_text(re.compile(r"B adds [\d,]+ pixels"))


def test_one_setting_and_a_link_that_brings_it_back(visit):  # noqa: F811
    page = visit()
    tab(page, "compare")
    page.locator(f'{COMPARE} [data-do="setting"]').select_option("power")
    set_range(page, f'{COMPARE} [data-do="value"]', 6)
    line = page.locator(f'{COMPARE} [data-fill="words"]')
    expect(line).to_have_text("B: without the random walk, Power α 6 instead of 2; everything else as A.")
    page.locator(f'{COMPARE} [data-do="model"]').select_option("tiny@40")
    page.locator(f"{COMPARE} .afa-board").get_by_role("button", name="CAM", exact=True).click()
    output = "B: weights after 40 iterations, without the random walk, Power α 6 instead of 2; everything else as A."
    expect(line).to_have_text(output)
    expect(page.locator(f'{COMPARE} [data-view="b"] figcaption')).to_contain_text("CAM")
    page.wait_for_url(re.compile("b_model=tiny%40|b_model=tiny@40"))
    page.wait_for_url(re.compile("b_stage=cam(&|$)"))
    again = visit(query=shared_part(page))
    ready(again, COMPARE)
    expect(again.locator(f'{COMPARE} [data-fill="words"]')).to_have_text(output)
    expect(again.locator(f'{COMPARE} [data-do="value"]')).to_have_value("6")
    expect(again.locator(f"{COMPARE} .afa-board button[aria-pressed=true]")).to_have_text("CAM")
    assert pixels(again, f'{COMPARE} [data-view="b"] canvas') == pixels(page, f'{COMPARE} [data-view="b"] canvas')


@pytest.mark.parametrize(
    "query, output, wrong",
    [
        ("b_switched=PAR,telepathy&b_setting=power:99&b_stage=soup", "B: without PAR; everything else as A.", 3),
        ("b_model=%3Cscript%3E", "There is no model '<script>' here; choose one of tiny, wide, timm:pvt_v2_b2.", 0),
        ("b_switched=PAR&b_crf=1", re.compile("^PAR cannot be switched and replaced by a dense CRF at once"), 0),
    ],
)  # fmt: skip
def test_a_link_that_does_not_fit_is_told(visit, query, output, wrong):  # noqa: F811
    page = visit(query=f"tab=compare&{query}")
    expect(page.locator(f'{COMPARE} [data-fill="words"]')).to_have_text(output, timeout=20_000)
    if wrong:
        expect(page.locator(".afa-status")).to_contain_text("b_switched, b_setting, b_stage")
    else:
        expect(page.locator(f"{COMPARE} .afa-board")).to_be_hidden()


def test_the_copied_program_makes_both_sides(visit):  # noqa: F811
    page = visit()
    tab(page, "compare")
    ready(page, COMPARE)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no clipboard')); }")
    page.locator(".afa-share summary").click()
    page.locator('[data-do="python"]').click()
    code = page.locator(".afa-code textarea")
    expect(code).to_be_visible()
    assert "other = afa_viz.explain(model, image, labels=" in code.input_value()
    assert "use_walk=False" in code.input_value()


def test_what_a_leaves_out_b_may_have(visit):  # noqa: F811
    page = visit(query="left_out=PAR&tab=compare&b_switched=PAR")
    expect(page.locator(f'{COMPARE} [data-fill="words"]')).to_have_text(
        "B: with PAR; everything else as A.", timeout=20_000
    )
    expect(page.locator(f'{COMPARE} [data-view="a"] figcaption')).to_contain_text("no PAR")


def test_the_cursor_is_linked_and_asks_for_nothing(visit):  # noqa: F811
    page = visit()
    tab(page, "compare")
    ready(page, COMPARE)
    page.locator(f"{COMPARE} .afa-board").get_by_role("button", name="Affinity", exact=True).click()
    canvases = [f'{COMPARE} [data-view="{side}"] canvas[role=img]' for side in ("a", "b", "difference")]
    box = box_at_rest(page.locator(canvases[0]))
    before, seen = [pixels(page, canvas) for canvas in canvases], requests(page)
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    expect(page.locator(f'{COMPARE} [data-view="b"] figcaption')).to_contain_text("row 1, column 1")
    for canvas, old in zip(canvases, before, strict=True):
        changes(page, canvas, old)
    assert seen == []


def test_another_opacity_is_what_a_whole_drawing_would_give(visit):  # noqa: F811
    page = visit(query="cell=3,3&tab=compare")
    ready(page, COMPARE)
    for name, count in (("compare", 21), ("regions", 3), ("seg", 3)):
        another_opacity(page, tab(page, name), count)
        page.locator('[data-do="opacity"]').fill("85")


def another_opacity(page: Page, panel: str, count: int) -> None:
    """Pictures of a tab at another opacity, more than `count` of them, are those of a drawing from the start."""
    pictures = page.locator(f"{panel} canvas[role=img]:not(.afa-plot):visible, .afa-strip canvas:visible")
    prints = "canvases => canvases.map((canvas) => canvas.toDataURL())"
    before = pictures.evaluate_all(prints)
    page.locator('[data-do="opacity"]').fill("40")
    expect(page.locator('[data-fill="opacity"]')).to_have_text("40 %")
    dragged = pictures.evaluate_all(prints)
    assert len(dragged) == len(before) > count
    assert sum(a != b for a, b in zip(before, dragged, strict=True)) >= count
    shared = page.locator('[data-do="shared"]')
    label = shared.inner_text()
    for _ in range(2):  # everything is drawn in other colours, then in these again
        shared.click()
        next_frame(page)
    assert shared.inner_text() == label
    assert pictures.evaluate_all(prints) == dragged


def test_of_a_large_grid_only_what_both_sides_know_is_compared(visit):  # noqa: F811
    page = visit(query="model=wide&tab=compare&b_switched=&b_stage=affinity")
    numbers = page.locator(f'{COMPARE} [data-fill="numbers"]')
    expect(numbers).to_have_text(
        re.compile("^A and B are equal here. .*within 8 cells are loaded: only these"), timeout=20_000
    )
    assert all("equal" in text for text in page.locator(f"{COMPARE} .afa-board .afa-score").all_inner_texts())
    page.get_by_role("checkbox", name="unsymmetrised affinity").check()
    expect(numbers).to_have_text(re.compile("^B is higher on"))


def test_a_dense_crf_with_both_times(visit):  # noqa: F811
    page = visit()
    tab(page, "compare")
    page.get_by_role("checkbox", name="dense CRF").check()
    line = page.locator(f'{COMPARE} [data-fill="words"]')
    expect(line).to_contain_text(re.compile(r"both labels, .*PAR [\d.]+ m?s, dense CRF [\d.]+ m?s"), timeout=20_000)
    expect(page.locator(f"{COMPARE} .afa-board").get_by_role("button", name="PAR | dense CRF")).to_be_visible()
    expect(page.locator(f"{COMPARE} .afa-board").get_by_role("img", name="B: PAR | dense CRF")).to_be_visible()
    expect(page.locator(f'{COMPARE} [data-view="b"] figcaption')).to_contain_text("dense CRF")


# --- training --------------------------------------------------------------------------------------------------------


def test_scrubbing_over_the_snapshots_asks_for_nothing(visit):  # noqa: F811
    page = visit()
    tab(page, "training")
    ready(page, TRAINING)
    expect(page.locator(f'{TRAINING} [data-fill="progress"]')).to_have_text("All 3 snapshots are ready.")
    words, slider = page.locator(f'{TRAINING} [data-fill="snapshot"]'), f'{TRAINING} [data-do="frame"]'
    expect(words).to_contain_text("After 10 iterations.")
    expect(words).to_contain_text(
        "mAP of the image labels 50.0 %; mIoU of the CAM (one threshold, another rule) 20.0 %,"
    )
    expect(words).to_contain_text("at the start of the walk –, after the walk –")
    seen = requests(page)
    views = [f'{TRAINING} [data-view="{name}"] canvas' for name in ("cam", "affinity", "cam_rw", "seg")]
    before = [pixels(page, view) for view in views]
    set_range(page, slider, 2)
    expect(words).to_contain_text("After 90 iterations. No validation scores were measured at this iteration.")
    for view, old in zip(views, before, strict=True):
        assert pixels(page, view) != old, view
    page.locator(f"{TRAINING} [data-play]").click()
    expect(page.locator(f'{TRAINING} [data-fill="frame"]')).to_have_text("iteration 90 (3 of 3)", timeout=10_000)
    page.locator(".afa-views").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(page.locator(f'{TRAINING} [data-view="affinity"] figcaption')).to_contain_text(re.compile(r"row \d"))
    assert seen == []
    page.wait_for_url(re.compile("snapshot=90"))
    again = visit(query="tab=training&snapshot=40")
    ready(again, TRAINING)
    expect(again.locator(f'{TRAINING} [data-fill="frame"]')).to_have_text("iteration 40 (2 of 3)")


def test_scrubbing_is_fast(visit):  # noqa: F811
    page = visit()
    tab(page, "training")
    ready(page, TRAINING)
    quickest = page.evaluate(
        """async (selector) => {
             const slider = document.querySelector(selector);
             const times = [];
             for (let i = 0; i < 20; i++) {
               slider.value = i % 3;
               const start = performance.now();
               slider.dispatchEvent(new Event("input")); // draws before it returns
               times.push(performance.now() - start);
               await new Promise(requestAnimationFrame);
             }
             return Math.min(...times);
           }""",
        f'{TRAINING} [data-do="frame"]',
    )
    assert quickest < FRAME  # a busy machine is slow at times, but never quick


def test_another_picture_goes_on_at_the_same_snapshot(visit):  # noqa: F811
    page = visit()
    tab(page, "training")
    ready(page, TRAINING)
    set_range(page, f'{TRAINING} [data-do="frame"]', 1)
    page.get_by_role("button", name="Thumbnail 3").click()
    expect(page.get_by_role("heading", name="A photograph")).to_be_visible()
    ready(page, TRAINING)
    expect(page.locator(f'{TRAINING} [data-fill="frame"]')).to_have_text("iteration 40 (2 of 3)")
    expect(page.locator(f'{TRAINING} [data-view="cam"] figcaption')).not_to_contain_text("IoU")


def test_without_snapshots_it_says_how_to_get_them(visit, folder):  # noqa: F811
    snapshots = folder / "checkpoints" / "tiny" / "snapshots"
    away = snapshots.rename(folder / "away")
    try:
        page = visit()
        tab(page, "training")
        ready(page, TRAINING, "none")
        expect(page.locator(f'{TRAINING} [data-fill="none"]')).to_contain_text("train --snapshots")
        expect(page.locator(f'{TRAINING} [data-for="snapshots"]')).to_be_hidden()
        tab(page, "compare")
        ready(page, COMPARE)
        expect(page.locator(f"{COMPARE} [data-do=model] option")).to_have_text(
            ["as A", "wide", re.compile("^timm:pvt_v2_b2: ImageNet classifier, 102 MB")]
        )
    finally:
        away.rename(snapshots)
