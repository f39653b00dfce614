"""The diagram of the pipeline: forked as it is, live, each box expands in place to its view and back; by pointer, by
keys, on a phone and in a report."""

from __future__ import annotations

import numpy as np
import pytest
from app_fixtures import scene, tiny
from browser import (  # noqa: F401  (fixtures)
    Page,
    address,
    browser,
    changes,
    expect,
    keep_picture,
    pixels,
    pytestmark,
    requests,
    small_targets,
    tab,
    visit,
)

import afa_viz
from afa_viz.ui import localization

PANEL = '[role=tabpanel][data-tab="pipeline"]'
TAB_OF = {  # of each box
    "image": "cam", "cam": "cam", "attention": "attention", "affinity_label": "regions", "affinity": "affinity",
    "cam_rw": "walk", "cam_par": "par", "regions": "regions", "pseudo_label": "regions", "seg": "seg", "target": "seg",
}  # fmt: skip
OPERATIONS = 13
BACK = f"{PANEL} .afa-inside button"
OVERLAPS = """(panel) => {
  const all = (selector) => [...document.querySelectorAll(`${panel} ${selector}`)];
  const wordsOf = (e) => {
    const range = document.createRange();
    range.selectNodeContents(e);
    return [e.textContent, range.getBoundingClientRect()];
  };
  const words = all(".afa-operation").map(wordsOf);
  const cards = all(".afa-stage:not([hidden])").map((e) => [e.dataset.stage, e.getBoundingClientRect()]);
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
    && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  return words.flatMap(([name, a], i) => [
    ...[...cards, ...words.slice(i + 1)].filter(([, b]) => meet(a, b))
      .map(([other]) => `${name} / ${other}`),
    ...(a.left < 0 || a.right > innerWidth ? [`${name} / page`] : []),
  ]);
}"""  # words of lines that leave the page, or lie over a box or over each other


def box(page: Page, stage: str):
    return page.locator(f'{PANEL} .afa-stage[data-stage="{stage}"] > [data-open]')


def diagram(page: Page) -> None:
    """Open it, and wait until it is drawn: the attention comes last."""
    tab(page, "pipeline")
    expect(page.locator(f"{PANEL} .afa-whole .afa-operation:visible")).to_have_count(OPERATIONS)
    page.wait_for_selector(f"{PANEL}[data-state=ready]")


def is_expanded(page: Page, name: str) -> None:
    expect(page.locator(f'{PANEL} [role=tabpanel][data-tab="{name}"]')).to_be_visible()
    expect(page.locator("[role=tab][aria-selected=true]")).to_have_attribute("data-tab", "pipeline")
    expect(page.locator(f"{PANEL} .afa-inside b")).to_have_text(page.locator(f"#afa-tab-{name}").inner_text())


def is_diagram(page: Page) -> None:
    expect(page.locator(f"{PANEL} .afa-whole")).to_be_visible()
    expect(page.locator(f"{PANEL} [role=tabpanel]")).to_have_count(0)


@pytest.mark.parametrize("width, height, theme, language", [
    (1440, 1000, "light", "en"), (1440, 1000, "dark", "ko"), (1024, 768, "dark", "en"), (390, 844, "light", "en"),
    (390, 844, "dark", "ko"), (1920, 1080, "light", "ko"),
])  # fmt: skip
def test_it_is_drawn_and_fits(visit, width, height, theme, language):  # noqa: F811
    page = visit(width, height, theme, f"lang={language}")
    diagram(page)
    texts = localization.texts(language)
    for stage in TAB_OF:
        canvas = box(page, stage).locator("canvas")
        assert canvas.evaluate("(c) => c.width > 60 && c.toDataURL().length > 1000"), stage
        expect(box(page, stage).locator(".afa-caption")).to_have_text(texts[f"strip.{stage}"])
    spots = {stage: box(page, stage).locator("canvas").bounding_box() for stage in TAB_OF}
    main, cross = ("y", "x") if width < 1200 else ("x", "y")  # along the flow and across it
    order = ["image", "cam", "affinity", "cam_rw", "cam_par", "regions"]
    assert sorted(order, key=lambda stage: spots[stage][main]) == order
    assert spots["cam"][cross] < spots["cam_rw"][cross] < spots["affinity"][cross]  # two lanes that meet between them
    assert spots["attention"][cross] == pytest.approx(spots["affinity"][cross], abs=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    words = page.locator(PANEL).inner_text()
    assert "{" not in words and "pipeline." not in words
    assert not small_targets(page, PANEL)
    assert page.evaluate(OVERLAPS, PANEL) == []
    keep_picture(page.locator(PANEL), f"diagram_{width}_{theme}_{language}")


@pytest.mark.parametrize("width", [1440, 390])
def test_words_beside_the_lines_grow_with_the_letters(visit, width):  # noqa: F811
    page = visit(width, 1000)
    diagram(page)
    page.evaluate("document.documentElement.style.fontSize = '24px'")
    page.wait_for_function(f"(panel) => !({OVERLAPS})(panel).length", arg=PANEL)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.documentElement.style.fontSize = ''")


def test_a_box_expands_in_place_and_back(visit):  # noqa: F811
    page = visit(1280, 1000)
    diagram(page)
    for stage, name in TAB_OF.items():
        box(page, stage).click()
        is_expanded(page, name)
        expect(page.locator(BACK)).to_be_focused()
        view = page.locator(f'{PANEL} [role=tabpanel][data-tab="{name}"]')
        expect(view.locator("canvas").first).to_be_visible()
        assert page.locator(f'[role=tabpanel][data-tab="{name}"]').count() == 1  # mounted, not copied
        expect(page.locator(BACK)).to_be_in_viewport()
        if stage in ("affinity_label", "pseudo_label"):
            expect(view.locator(f'[data-label="{stage}"]')).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("Escape")
        is_diagram(page)
        expect(box(page, stage)).to_be_focused()
    box(page, "cam_par").press("Enter")
    is_expanded(page, "par")
    page.locator(BACK).press("Enter")
    is_diagram(page)
    expect(box(page, "cam_par")).to_be_focused()


def test_an_expanded_view_works_and_leads_on_inside(visit):  # noqa: F811
    page = visit(1440, 1000)
    diagram(page)
    box(page, "affinity").click()
    panel = f'{PANEL} [role=tabpanel][data-tab="affinity"]'
    page.wait_for_selector(f"{panel}[data-state=ready]")
    learned = f'{panel} [data-view="learned"] canvas[role=img]'
    before = pixels(page, learned)
    page.locator(learned).hover(position={"x": 8, "y": 8})
    changes(page, learned, before)
    page.locator(learned).click(position={"x": 8, "y": 8})  # pins: Esc lets the cell go first
    page.wait_for_url("**cell=**")
    page.locator(".afa-views").focus()
    page.keyboard.press("Escape")
    is_expanded(page, "affinity")
    page.wait_for_function("!location.search.includes('cell=')")
    page.keyboard.press("Escape")
    is_diagram(page)
    box(page, "affinity").click()
    page.locator(f"{panel} > .afa-next").click()
    is_expanded(page, "walk")
    page.locator(f'{PANEL} .afa-strip [data-stage="cam"] > [data-open]').click()  # the small strip stays inside, too
    is_expanded(page, "cam")
    tab(page, "walk")  # a tab of the row leaves the diagram
    expect(page.locator(".afa-views > [role=tabpanel][data-tab=walk]")).to_be_visible()
    expect(page.locator(".afa-views > .afa-strip-frame .afa-strip")).to_be_visible()
    expect(page.locator(PANEL)).to_be_hidden()
    expect(page.locator("[role=tab][aria-selected=true]")).to_have_attribute("data-tab", "walk")
    names = page.locator("[role=tab]").evaluate_all("(all) => all.map((e) => e.dataset.tab)")
    there = page.locator(".afa-views > [role=tabpanel]").evaluate_all("(all) => all.map((e) => e.dataset.tab)")
    assert there == names  # every view is in its place again


def test_pictures_are_live_and_ask_nothing(visit):  # noqa: F811
    page = visit(1440, 1000)
    diagram(page)
    asked = requests(page)
    shown = {
        stage: pixels(page, f'{PANEL} [data-stage="{stage}"] [data-open] canvas')
        for stage in ("attention", "affinity", "image")
    }
    box(page, "cam").locator("canvas").hover(position={"x": 6, "y": 6})
    for stage, before in shown.items():
        changes(page, f'{PANEL} [data-stage="{stage}"] [data-open] canvas', before)
    assert not asked, asked
    expect(box(page, "cam_rw").locator(".afa-score")).to_contain_text("IoU")
    arrow = page.locator(f'{PANEL} [data-stage="cam_rw"] .afa-arrow')
    arrow.hover()
    expect(page.locator(".afa-views > .afa-change strong")).to_have_text("The random walk against its start")


def test_operations_tell_their_formula(visit):  # noqa: F811
    page = visit(1440, 1000)
    diagram(page)
    formula = page.locator(f"{PANEL} .afa-formula")
    for name, words, equation in (
        ("transition", "Affinities within the window", "softmax"), ("heads", "made symmetric", "σ"),
        ("encoder", "features F", ""),
        ("trains_affinity", "In training only", "aff"),
    ):  # fmt: skip
        operation = page.locator(f'{PANEL} [data-operation="{name}"].afa-operation')
        operation.focus()
        expect(formula).to_contain_text(words)
        assert formula.locator(".afa-equation").count() == bool(equation)
        if equation:
            expect(formula.locator(".afa-equation")).to_contain_text(equation)
        spot = formula.bounding_box()
        assert spot and spot["x"] >= 0 and spot["x"] + spot["width"] <= 1440
        assert operation.get_attribute("aria-describedby") == formula.get_attribute("id")
        operation.blur()
        expect(formula).to_be_hidden()
        operation.hover()
        expect(formula).to_be_visible()
        page.mouse.move(2, 2)
    trained = page.locator(f"{PANEL} .afa-fork path.afa-trains")
    expect(trained).to_have_count(2)  # what is followed in training alone is drawn otherwise


@pytest.mark.parametrize("width, steps", [
    (1440, [("ArrowRight", "cam"), ("ArrowRight", "cam_rw"), ("ArrowRight", "cam_par"), ("ArrowRight", "regions"),
            ("ArrowUp", "pseudo_label"), ("ArrowLeft", "seg"), ("ArrowRight", "pseudo_label"), ("ArrowDown", "regions"),
            ("ArrowDown", "target")]),
    (390, [("ArrowDown", "cam"), ("ArrowDown", "affinity_label"), ("ArrowRight", "affinity"), ("ArrowDown", "cam_rw"),
           ("ArrowDown", "cam_par"), ("ArrowDown", "regions"),
           ("ArrowLeft", "pseudo_label"), ("ArrowUp", "seg")]),
])  # fmt: skip
def test_arrow_keys_follow_the_lines(visit, width, steps):  # noqa: F811
    page = visit(width, 900)
    diagram(page)
    box(page, "image").focus()
    for key, stage in steps:
        page.keyboard.press(key)
        expect(box(page, stage)).to_be_focused()


def test_an_address_opens_a_box_and_back_again(visit):  # noqa: F811
    page = visit(query="tab=pipeline&box=walk")
    is_expanded(page, "walk")
    page.wait_for_url("**tab=pipeline**box=walk**")
    page.locator(BACK).click()
    is_diagram(page)
    expect(box(page, "cam_rw")).to_be_focused()
    page.wait_for_function("!location.search.includes('box=') && location.search.includes('tab=pipeline')")
    wrong = visit(query="tab=pipeline&box=nonsense")
    is_diagram(wrong)
    expect(wrong.locator(".afa-status")).to_contain_text("ignored: box")


def test_who_asks_for_calm_gets_no_movement(visit):  # noqa: F811
    page = visit(1440, 1000)
    page.emulate_media(reduced_motion="reduce")
    diagram(page)
    page.evaluate(
        """() => { window.moved = 0; const own = Element.prototype.animate;
             Element.prototype.animate = function (...given) { window.moved++; return own.apply(this, given); }; }"""
    )
    box(page, "cam").click()
    page.keyboard.press("Escape")
    is_diagram(page)
    assert page.evaluate("window.moved") == 0
    page.emulate_media(reduced_motion="no-preference")
    box(page, "cam").click()
    page.keyboard.press("Escape")
    is_diagram(page)
    assert page.evaluate("window.moved") == 2


def test_on_a_phone_a_view_takes_the_place_of_the_diagram(visit):  # noqa: F811
    page = visit(390, 844, "dark")
    diagram(page)
    box(page, "cam_par").tap() if page.evaluate("navigator.maxTouchPoints") else box(page, "cam_par").click()
    is_expanded(page, "par")
    expect(page.locator(BACK)).to_be_in_viewport()
    expect(page.locator(f"{PANEL} .afa-strip-frame")).to_be_hidden()  # folded, as above the tabs
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    keep_picture(page, "diagram_expanded_390")
    page.locator(BACK).click()
    is_diagram(page)


def test_a_report_has_it_too(browser, tmp_path):  # noqa: F811
    model, _ = tiny(0)
    image, mask = scene(0)
    trace = afa_viz.explain(model, image, [6], target=np.asarray(mask))
    page = browser.new_context(viewport={"width": 1300, "height": 900}).new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"file://{trace.report(tmp_path / 'report.html')}")
    page.wait_for_selector(".afa[data-settled]", timeout=20_000)
    diagram(page)
    keep_picture(page.locator(PANEL), "diagram_report")
    for stage in ("attention", "cam_rw", "seg"):
        box(page, stage).click()
        is_expanded(page, TAB_OF[stage])
        page.keyboard.press("Escape")
        is_diagram(page)
    assert not errors
    page.context.close()
