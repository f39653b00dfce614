"""A report and a notebook's cell in a browser: the explorer works from a file, offline, with the trace's numbers."""

from __future__ import annotations

import dataclasses
import json
import re
import warnings

import numpy as np
import pytest
import torch
from app_fixtures import scene, scene_trace, tiny
from browser import browser, keep_picture, pixels, pytestmark, ready, set_range, tab  # noqa: F401  (fixtures)
from pointing import box_at_rest

import afa_viz
from afa_viz import lab, stage_scores
from afa_viz.figures import maps
from afa_viz.figures.typography import format_percent
from afa_viz.trace import Trace
from afa_viz.ui.handlers import payload_attention
from afa_viz.ui.localization import texts

try:
    from playwright.sync_api import Page, expect
except ImportError:  # the tests are skipped
    expect = None

STAGES = ("image", "cam", "affinity_label", "attention", "affinity", "cam_rw", "cam_par", "regions", "pseudo_label",
          "seg", "target")  # fmt: skip

TEXTS = texts()


@pytest.fixture(scope="module")
def trace() -> Trace:
    return scene_trace()


@pytest.fixture(scope="module")
def report(trace, tmp_path_factory) -> str:
    """The address of the trace's report on the disk."""
    return trace.report(tmp_path_factory.mktemp("report") / "report.html").as_uri()


@pytest.fixture
def opened(browser):  # noqa: F811
    """Open a file; at the end nothing may have been asked of anybody, and the console must be clean."""
    troubles: list[str] = []
    contexts = []

    def go(address: str, width: int = 1240, wait: bool = True, **options) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, accept_downloads=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: troubles.append(f"console: {m.text}") if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: troubles.append(f"page: {error}"))
        mine = address.partition("?")[0]
        page.on(
            "request",
            lambda r: None if r.url.startswith((mine, "data:", "blob:")) else troubles.append(f"asked for {r.url}"),
        )
        page.goto(address)
        if wait:
            ready(page)
        return page

    yield go
    for context in contexts:
        context.close()
    assert not troubles, troubles


def score(page: Page, stage: str) -> str:
    return page.locator(f'.afa-stage[data-stage="{stage}"] .afa-score').inner_text()


def status(page: Page) -> str:
    return page.locator('[data-fill="status"]').inner_text()


def hover(page: Page, canvas: str, cell: tuple[int, int], grid: tuple[int, int]) -> None:
    """Put the pointer on the middle of a cell."""
    box = box_at_rest(page.locator(canvas))
    (row, col), (rows, cols) = cell, grid
    page.mouse.move(box["x"] + (col + 0.5) * box["width"] / cols, box["y"] + (row + 0.5) * box["height"] / rows)


# --- the file --------------------------------------------------------------------------------------------------------


def test_hovering_and_sliders_work_from_the_disk_with_the_numbers_of_the_trace(opened, report, trace):
    page = opened(report)
    scores, label = stage_scores.stage_scores(trace), maps.main_label(trace)
    assert scores is not None
    for stage in ("cam", "cam_rw", "cam_par", "seg"):
        share = format_percent(scores[stage]["iou"].get(label, 0.0)).replace(" ", "\u00a0")
        assert share.split("\u00a0")[0] in score(page, stage), stage
    affinity = '.afa-stage[data-stage="affinity"] canvas'
    before = pixels(page, affinity)
    cell = next(cell for cell in ((0, 0), (5, 5)) if cell != maps.strongest_cell(trace))
    hover(page, '[data-tab="cam"] [data-view="picture"] canvas', cell, trace.grid)
    expect(page.locator('[data-fill="status"]')).to_contain_text(f"Row {cell[0] + 1}, column {cell[1] + 1}:")
    page.wait_for_function("([s, b]) => document.querySelector(s).toDataURL() !== b", arg=[affinity, before])
    y, x = ((2 * i + 1) * 8 for i in cell)  # the middle of a cell of 16 pixels
    assert f" {float(trace.cam[label - 1, y, x]):.2f};" in status(page)
    row = trace.affinity[cell[0] * 6 + cell[1]]
    assert f"with {int((torch.round(row * 255) > 127).sum())} of 36 cells" in status(page)
    panel = tab(page, "walk")
    for setting, value in (("power", 4), ("radius", 2)):
        before = pixels(page, f'{panel} [data-view="after"] canvas')
        set_range(page, f'{panel} [data-setting="{setting}"] input', value)
        page.wait_for_function(
            "([s, b]) => document.querySelector(s).toDataURL() !== b",
            arg=[f'{panel} [data-view="after"] canvas', before],
        )
    other = afa_viz.recompute(trace, dataclasses.replace(trace.config, power=4.0, radius=2))
    again = stage_scores.stage_scores(other)
    assert again is not None
    expected = format_percent(again["cam_rw"]["iou"].get(label, 0.0)).split()[0]
    expect(page.locator('.afa-stage[data-stage="cam_rw"] .afa-score')).to_contain_text(expected)
    panel = tab(page, "affinity")  # its labels follow the settings, its numbers stay
    expect(page.locator(f'{panel} [data-list="numbers"] tr')).to_have_count(3)
    page.get_by_role("button", name="Reset settings").click()
    expected = format_percent(scores["cam_rw"]["iou"].get(label, 0.0)).split()[0]
    expect(page.locator('.afa-stage[data-stage="cam_rw"] .afa-score')).to_contain_text(expected)
    expect(page.get_by_role("button", name="Reset settings")).to_be_hidden()


def test_every_tab_is_drawn_without_a_server(opened, report, trace):
    page = opened(report)
    names = page.locator("[role=tab]").evaluate_all("all => all.map((one) => one.dataset.tab)")
    assert names == ["pipeline", "cam", "attention", "affinity", "walk", "par", "regions", "seg", "compare", "lab"]
    for name in names:
        panel = page.locator(tab(page, name))
        if name == "compare":  # made here: B without the walk
            expect(panel).to_have_attribute("data-state", "ready")
        words = panel.inner_text()
        assert not [odd for odd in ("undefined", "NaN", "{", "server") if odd in words], name
    numbers = payload_attention.overview(trace)["blocks"]
    panel = tab(page, "attention")
    page.locator(f"{panel} [data-list=kinds] button").nth(1).click()  # entropy
    shown = page.locator(f"{panel} [data-block]").all_inner_texts()
    assert shown == [f"{value:.2f}".removeprefix("0") for block in numbers for value in block["entropy"]]
    page.locator(f'{panel} [data-logits="yes"]').click()
    page.locator('.afa-bar [data-do="block"]').select_option("0")
    expect(page.locator(panel)).to_have_attribute("data-state", "ready")
    panel = tab(page, "par")
    expect(page.locator(f'{panel} [data-do="crf"]')).to_be_hidden()  # a server computes it
    panel = tab(page, "walk")
    page.locator(f'{panel} [data-mode="seeds"]').click()
    page.locator(f'{panel} [data-do="drop"]').click()
    expect(page.locator('[data-fill="status"]')).to_contain_text("1")


def test_languages_lab_and_pictures(opened, report, trace, tmp_path):
    page = opened(f"{report}?lang=ko")
    assert page.locator("html").get_attribute("lang") == "ko" and "고양이" in page.locator(".afa-story h2").inner_text()
    page.locator(".afa-languages a").click()
    ready(page)
    expect(page.locator("html")).to_have_attribute("lang", "en")
    panel, label = tab(page, "lab"), maps.main_label(trace)
    for answer in ("tiny", "large"):
        page.locator(f"{panel} input[name=answer][value={answer}]").check()
        page.locator(f"{panel} input[name=reason]").first.check()
        page.locator(f"{panel} [type=submit]").click()
        right = lab.check(trace, "labels", answer, label).is_correct
        expect(page.locator(".afa-lab-verdict")).to_have_attribute("data-right", str(right).lower())
    expect(page.locator(f"{panel} [data-for=failures]")).to_be_hidden()
    tab(page, "seg")
    page.locator(".afa-share summary").click()
    assert page.locator(".afa-share button:visible").count() == 3  # what needs no server
    with page.expect_download() as download:
        page.locator('[data-do="picture"]').click()
    download.value.save_as(tmp_path / "tab.png")
    assert (tmp_path / "tab.png").read_bytes().startswith(b"\x89PNG")
    page.locator(".afa-share summary").click()
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
    page.locator('[data-do="python"]').click()
    program = page.locator(".afa-code textarea").input_value()
    assert "labels=['bird', 'cat']" in program or "labels=['cat', 'bird']" in program
    compile(program, "program", "exec")


@pytest.mark.parametrize("width", [1240, 390])
def test_without_javascript_every_stage_is_a_picture(opened, report, width):
    page = opened(report, width=width, wait=False, java_script_enabled=False)
    expect(page.locator(".afa-explorer")).to_be_hidden()
    for stage in STAGES:
        assert page.locator(f'[data-picture="{stage}"] img').first.is_visible(), stage
        assert page.locator(f'[data-picture="{stage}"] figcaption').first.inner_text().strip(), stage
    sizes = page.locator(".afa-pictures img").evaluate_all("all => all.map((one) => one.naturalWidth)")
    assert min(sizes) > 0 and page.evaluate("document.documentElement.scrollWidth") <= width
    words = page.locator(".afa-pictures").inner_text()
    assert "needs JavaScript" in words or "need JavaScript" in words
    assert "랜덤 워크" not in words  # one language


def test_printed_it_has_every_stage(opened, report):
    page = opened(report, color_scheme="dark")
    expect(page.locator(".afa-pictures")).to_be_hidden()
    page.emulate_media(media="print")
    expect(page.locator(".afa-explorer")).to_be_hidden()
    pictures = page.locator("[data-picture] img")
    assert {one.evaluate("one => one.parentElement.dataset.picture") for one in pictures.all()} >= set(STAGES)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF") and len(re.findall(rb"/Subtype\s*/Image", paper)) >= len(STAGES)
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", paper)) <= 12


def test_names_from_outside_are_words(opened, trace, tmp_path):
    evil = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>"
    names = (trace.class_names[0], *(f"{name}{evil}" for name in trace.class_names[1:]))
    odd = dataclasses.replace(trace, class_names=names, checkpoint_id=evil, target=None, labels_given=False)
    page = opened(odd.report(tmp_path / "odd.html").as_uri())
    for name in ("compare", "lab", "seg", "attention"):
        tab(page, name)
    assert evil in page.locator(".afa-story").inner_text() and page.evaluate("window.hacked") is None


@pytest.fixture(scope="module")
def large(trace) -> Trace:
    """34 x 34 cells, more than the browser computes itself; of the last stage's attention alone."""
    model, card = tiny(0)
    model.card = card
    image = np.kron(np.asarray(scene(0)[0]), np.ones((6, 6, 1), np.uint8))[:544, :544]
    config = dataclasses.replace(trace.config, scales=(1.0,), flip=False, num_iters=1, long_side=544,
                                 keep_attention="last_stage")  # fmt: skip
    return afa_viz.explain(model.eval(), image, ["cat"], config)


def test_of_a_large_image_some_cells_are_held_and_the_page_says_so(opened, large, tmp_path):
    path = large.report(tmp_path / "large.html")
    assert path.stat().st_size < 12_000_000
    page = opened(path.as_uri())
    panel = tab(page, "attention")
    expect(page.locator(panel)).to_have_attribute("data-state", "ready")
    words = page.locator(f'{panel} [data-fill="not_kept"]').inner_text()
    assert "1,156 cells" in words and "was not kept" in words
    hover(page, f'{panel} [data-view="query"] canvas', (20, 9), large.grid)
    expect(page.locator(panel)).to_have_attribute("data-state", "ready", timeout=5_000)
    near = r"Row (19|2[0-3]), column ([89]|1[0-2])\b"  # the nearest one that is held
    expect(page.locator('[data-fill="status"]')).to_contain_text(re.compile(near))
    before = status(page)
    page.locator(".afa-views").press("ArrowRight")
    page.mouse.move(0, 0)
    expect(page.locator('[data-fill="status"]')).not_to_have_text(before)
    panel = tab(page, "affinity")
    expect(page.locator(panel)).to_have_attribute("data-state", "ready", timeout=5_000)
    panel = tab(page, "par")
    expect(page.locator('[data-fill="status"]')).to_contain_text("too large to be recomputed")


# --- a notebook's cell -----------------------------------------------------------------------------------------------

CELLS = (
    "import afa_viz\ntrace = afa_viz.Trace.load({path!r})",
    "afa_viz.show(trace)\nafa_viz.show(trace, height=500, language='ko')",
    "view = afa_viz.show(trace); view",
    "view",
)


@pytest.mark.filterwarnings("ignore")  # of the kernel's own libraries
def test_cells_of_a_notebook_are_explorers_that_stay(opened, trace, tmp_path):
    """Executed by a kernel, saved, opened again: two in one cell, in frames of their own."""
    nbclient = pytest.importorskip("nbclient", reason="notebooks need nbclient and ipykernel: requirements-dev.txt")
    nbformat = pytest.importorskip("nbformat", reason="install it with `pip install nbformat`")
    path = str(trace.save(tmp_path / "trace.npz"))
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code.format(path=path)) for code in CELLS])
    nbclient.NotebookClient(made, timeout=60, kernel_name="python3").execute()
    nbformat.write(made, tmp_path / "saved.ipynb")
    saved = json.loads((tmp_path / "saved.ipynb").read_text(encoding="utf-8"))
    outputs = [["".join(one["data"]["text/html"]) for one in cell["outputs"]] for cell in saved["cells"]]
    assert [len(shown) for shown in outputs] == [0, 2, 1, 1]  # once a cell, and again where it is asked for again
    html = "".join(outputs[1])
    (tmp_path / "cell.html").write_text(f"<!doctype html><body style='max-width: 900px'>{html}</body>", "utf-8")
    page = opened((tmp_path / "cell.html").as_uri(), wait=False)
    english, korean = page.frames[1:]
    for frame in (english, korean):
        frame.wait_for_selector(".afa[data-settled]")
        assert frame.evaluate("window.origin") == "null"  # shares nothing with the notebook
    assert page.locator("iframe").first.bounding_box()["width"] == page.locator("body").bounding_box()["width"]
    assert page.locator("iframe").nth(1).bounding_box()["height"] == 500
    assert (
        english.locator("html").get_attribute("lang") == "en" and korean.locator("html").get_attribute("lang") == "ko"
    )
    english.locator('[role=tab][data-tab="walk"]').click()
    assert korean.locator('[role=tab][aria-selected="true"]').get_attribute("data-tab") == "cam"
    english.wait_for_function("window.name.includes('tab=walk')")
    english.locator(".afa-languages a").click()  # the frame opens again, where it was
    english.wait_for_function("document.documentElement.lang === 'ko'")
    english.wait_for_selector(".afa[data-settled]")
    assert english.locator('[role=tab][aria-selected="true"]').get_attribute("data-tab") == "walk"


@pytest.mark.parametrize("width", [300, 420, 700])
def test_a_narrow_cell_holds_every_tab(opened, trace, tmp_path, width):
    """Beside another one, or on a phone: nothing runs over the frame, maps go large and fill the screen."""
    path = tmp_path / "cell.html"
    path.write_text(f"<!doctype html><body style='margin: 0; width: {width}px'>{notebook_html(trace)}</body>", "utf-8")
    page = opened(path.as_uri(), wait=False)
    frame = page.frames[1]
    frame.wait_for_selector(".afa[data-settled]")
    for name in frame.locator("[role=tab]").evaluate_all("(all) => all.map((one) => one.dataset.tab)"):
        frame.locator(f'[role=tab][data-tab="{name}"]').click()
        frame.wait_for_selector(f'[role=tabpanel][data-tab="{name}"]:not([hidden])')
        over = frame.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert over <= 0, (name, over)
    keep_picture(page, f"cell_{width}")
    frame.locator('[role=tab][data-tab="cam"]').click()
    scores, steps = (  # words of one do not run into those of another
        frame.locator(f".afa-strip {one}").evaluate_all(
            """(all) => all.filter((e) => e.checkVisibility() && e.textContent.trim()).map((e) => {
                 const range = document.createRange();
                 range.selectNodeContents(e);
                 const { left, top, right, bottom } = range.getBoundingClientRect();
                 return [left, top, right, bottom];
               })"""
        )
        for one in (".afa-score > span", ".afa-arrow > span:last-child span")
    )
    for a in scores:
        for b in steps:
            assert a[2] <= b[0] + 1 or b[2] <= a[0] + 1 or a[3] <= b[1] + 1 or b[3] <= a[1] + 1, (a, b)
    keep_picture(page, f"cell_{width}_cam")
    frame.locator(".afa-views").focus()
    page.keyboard.press("f")
    large = frame.locator("figure.afa-large")
    expect(large).to_be_visible()
    box = large.locator("canvas[data-shape]").bounding_box()
    assert box["width"] <= width and box["width"] >= min(0.75 * width, 300)
    keep_picture(page, f"cell_{width}_large")
    frame.get_by_role("button", name=TEXTS["zoom.full"]).click()
    frame.wait_for_function("document.fullscreenElement?.matches('figure.afa-large')")
    frame.get_by_role("button", name=TEXTS["zoom.close"]).click()
    expect(large).to_have_count(0)


def notebook_html(trace) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return afa_viz.show(trace)._repr_html_()


@pytest.mark.parametrize("width", [1240, 390])
def test_maps_of_a_report_are_enlarged_zoomed_and_read(opened, report, width):
    page = opened(report, width=width)
    panel = tab(page, "walk")
    page.locator(".afa-views").focus()
    page.keyboard.press("f")
    large = page.locator("figure.afa-large")
    expect(large).to_be_visible()
    expect(large.locator(".afa-zoom output")).to_have_text("100 %")
    canvas = large.locator("canvas[data-shape]")
    box = box_at_rest(canvas)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -300)
    page.wait_for_function("document.querySelector('.afa-zoomed')")
    expect(page.locator(".afa-zoom-value")).to_contain_text("Pixel")
    keep_picture(page, f"report_zoom_{width}")
    page.keyboard.press("0")
    page.get_by_role("button", name=TEXTS["zoom.full"]).click()
    page.wait_for_function("document.fullscreenElement?.matches('figure.afa-large')")
    page.get_by_role("button", name=TEXTS["zoom.close"]).click()
    expect(large).to_have_count(0)
    expect(page.locator(panel)).to_be_visible()
    page.wait_for_function(  # once the whole screen is left
        "width => document.documentElement.scrollWidth <= width", arg=width
    )


def test_without_a_notebook_a_sentence_says_what_to_do(trace):
    with pytest.warns(UserWarning, match="write a file: trace.report"):
        view = afa_viz.show(trace)
    assert view._repr_html_().startswith("<iframe srcdoc=") and "trace.report" in repr(view)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for wrong, sentence in (
            ({"height": 10}, "200 to 4000"),
            ({"height": "x"}, "whole number"),
            ({"language": "de"}, "en, ko"),
        ):
            with pytest.raises(ValueError, match=sentence):
                afa_viz.show(trace, **wrong)
        with pytest.raises(TypeError, match="got str; expected a Trace"):
            afa_viz.show("trace.npz")
